//! The private folder in the temporary folder, for the socket: only this user may enter it, so the
//! socket needs no password.
//!
//! The folder itself is locked for as long as its server lives. That lock alone decides whether it
//! was left behind; systemd-tmpfiles does not clean what is below a locked folder either.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, Stat, fstat, open};
use rustix::process::geteuid;

use super::EmbeddedError;
use super::held::leads_to;
use super::lock::try_lock;

/// What the names of private folders start with.
const PREFIX: &str = "rollcall-embedded-";
const SOCKET: &str = "redis.sock";
/// The longest path that the address of a Unix socket takes.
const LONGEST_SOCKET: usize = 107;
/// Names that are tried: a server that cleans up may lock a folder before its maker does.
const TRIES: u32 = 8;

/// A folder that only this user may enter, and that no other server removes.
#[derive(Debug)]
pub(super) struct PrivateFolder {
    path: PathBuf,
    /// Holds the lock.
    open: OwnedFd,
}

// === impl PrivateFolder ===

impl PrivateFolder {
    /// Makes one in the temporary folder, or in a shorter one where a socket would have too long a
    /// path; removes what servers that were killed have left there.
    pub(super) fn create() -> Result<Self, EmbeddedError> {
        let temp = Some(std::env::temp_dir()).filter(|temp| !temp.as_os_str().is_empty());
        let temp = temp.unwrap_or_else(|| "/tmp".into());
        let temp =
            std::path::absolute(&temp).map_err(|error| EmbeddedError::Private(temp, error))?;
        let of_user = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
        let of_user = of_user.filter(|dir| dir.is_absolute() && dir.is_dir());
        let places = [Some(temp), of_user, Some("/tmp".into())];
        Self::create_in_first(&places.into_iter().flatten().collect::<Vec<_>>())
    }

    fn create_in_first(places: &[PathBuf]) -> Result<Self, EmbeddedError> {
        let longest = LONGEST_SOCKET - name().len() - SOCKET.len() - 2;
        let Some(place) = places.iter().find(|place| place.as_os_str().len() <= longest) else {
            let dir = places.first().cloned().unwrap_or_default();
            return Err(EmbeddedError::TooLong { dir, longest });
        };
        remove_left_behind(place);
        Self::create_in(place).map_err(|error| EmbeddedError::Private(place.clone(), error))
    }

    fn create_in(place: &Path) -> io::Result<Self> {
        for _ in 0..TRIES {
            let path = place.join(name());
            DirBuilder::new().mode(0o700).create(&path)?;
            if let Some(open) = lock(&path)? {
                return Ok(Self { path, open });
            }
        }
        Err(io::Error::other("another process removes each folder as soon as it is made"))
    }

    /// Makes it again where it was if it is gone: its path is what connections are made to.
    pub(super) fn restore(&mut self) -> io::Result<()> {
        if leads_to(&self.path, &self.open) {
            return Ok(());
        }
        DirBuilder::new().recursive(true).mode(0o700).create(&self.path)?;
        let taken = || io::Error::other("another user or process has made a folder of this name");
        self.open = lock(&self.path)?.filter(is_private).ok_or_else(taken)?;
        Ok(())
    }

    /// Makes a link in it, instead of the one there may be.
    pub(super) fn link(&self, name: &OsStr, to: &Path) -> io::Result<PathBuf> {
        let link = self.path.join(name);
        match fs::remove_file(&link) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        symlink(to, &link)?;
        Ok(link)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.path.join(SOCKET)
    }
}

impl Drop for PrivateFolder {
    fn drop(&mut self) {
        if leads_to(&self.path, &self.open)
            && let Err(error) = fs::remove_dir_all(&self.path)
        {
            tracing::debug!(%error, "the embedded redis's folder is left behind");
        }
    }
}

/// A name that cannot be guessed, and that is short: it is a part of the socket's path.
fn name() -> String {
    let random = uuid::Uuid::new_v4().simple().to_string();
    format!("{PREFIX}{}", &random[..16])
}

/// Opens a folder and locks it; `None` when it is another process's, or is not there any more.
fn lock(path: &Path) -> io::Result<Option<OwnedFd>> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let folder = match open(path, flags, Mode::empty()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    let locked = try_lock(&folder)? && leads_to(path, &folder);
    Ok(locked.then_some(folder))
}

/// Whether it belongs to this user, and no other user may enter it.
fn is_private(folder: &impl AsFd) -> bool {
    let (own, others) = (geteuid().as_raw(), Mode::RWXG | Mode::RWXO);
    let is_ours = |folder: Stat| {
        folder.st_uid == own && !Mode::from_raw_mode(folder.st_mode).intersects(others)
    };
    fstat(folder).is_ok_and(is_ours)
}

/// Removes the folders of servers that were killed and could not do so themselves.
fn remove_left_behind(place: &Path) {
    for entry in fs::read_dir(place).into_iter().flatten().flatten() {
        if !entry.file_name().as_bytes().starts_with(PREFIX.as_bytes()) {
            continue;
        }
        // Locked until it is gone, so that no other server removes it at once.
        let removed = match lock(&entry.path()) {
            Ok(Some(folder)) if is_private(&folder) => fs::remove_dir_all(entry.path()),
            Ok(_) => continue,
            Err(error) => Err(error),
        };
        if let Err(error) = removed {
            tracing::debug!(%error, "a folder was left where it is");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn temp() -> PathBuf {
        let temp = std::env::temp_dir().join(format!("private-{}", uuid::Uuid::new_v4()));
        fs::create_dir_all(&temp).unwrap();
        temp
    }

    #[test]
    fn only_folders_that_no_process_has_locked_are_removed() {
        let temp = temp();
        let ours = PrivateFolder::create_in(&temp).unwrap();
        let left = temp.join(name());
        DirBuilder::new().mode(0o700).create(&left).unwrap();
        fs::write(left.join(SOCKET), "").unwrap();
        let other = temp.join("rollcall-notes");
        let not_private = temp.join(name());
        DirBuilder::new().mode(0o755).create(&not_private).unwrap();
        let link = temp.join(name());
        symlink(&other, &link).unwrap();
        fs::create_dir(&other).unwrap();
        remove_left_behind(&temp);
        let there = [&ours.path, &left, &other, &not_private, &link].map(|path| path.exists());
        assert_eq!(there, [true, false, true, true, true]);
        let path = ours.path.clone();
        drop(ours);
        assert!(!path.exists());
        fs::remove_dir_all(&temp).unwrap();
    }

    #[test]
    fn a_folder_that_was_removed_is_made_again_unless_its_name_is_taken() {
        let temp = temp();
        let mut folder = PrivateFolder::create_in(&temp).unwrap();
        fs::remove_dir_all(&temp).unwrap();
        folder.restore().unwrap();
        assert!(folder.path.is_dir() && is_private(&folder.open));
        assert!(lock(&folder.path).unwrap().is_none(), "it is locked again");
        fs::remove_dir_all(&folder.path).unwrap();
        DirBuilder::new().mode(0o777).create(&folder.path).unwrap();
        assert!(folder.restore().is_err());
        fs::remove_dir_all(&temp).unwrap();
    }

    #[test]
    fn where_a_socket_has_too_long_a_path_a_shorter_place_is_taken() {
        let temp = temp();
        let long = temp.join("x".repeat(90));
        fs::create_dir_all(&long).unwrap();
        let folder = PrivateFolder::create_in_first(&[long.clone(), temp.clone()]).unwrap();
        assert_eq!(folder.path.parent(), Some(&*temp));
        let refused = PrivateFolder::create_in_first(&[long]).unwrap_err().to_string();
        assert!(refused.contains("set TMPDIR"), "{refused}");
        drop(folder);
        fs::remove_dir_all(&temp).unwrap();
    }
}
