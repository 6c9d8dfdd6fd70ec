//! Files that redis-server is started from, held open: an upgrade may replace or remove them.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, Stat, fstat, open, stat};
use rustix::io::{FdFlags, fcntl_setfd};

use super::private_folder::PrivateFolder;

/// A file or folder as it was when it was opened.
#[derive(Debug)]
pub(super) struct Held {
    path: PathBuf,
    /// Inherited by the children that use it.
    descriptor: OwnedFd,
    /// What interprets it is not held, so there is no use in holding it either.
    is_script: bool,
}

// === impl Held ===

impl Held {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        // Neither reading nor writing: a program may be only for running.
        let descriptor = open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
        fcntl_setfd(&descriptor, FdFlags::empty())?;
        Ok(Self { path: path.to_owned(), descriptor, is_script: is_script(path) })
    }

    /// The path under which it was opened.
    pub(super) fn name(&self) -> &Path {
        &self.path
    }

    /// A path that leads a child process to it: the one under which it was opened for as long as
    /// that is still it, so that process lists and messages say what people know.
    pub(super) fn path(&self) -> PathBuf {
        if self.is_in_place() { self.path.clone() } else { self.descriptor_path() }
    }

    /// A path by which a child process runs it: process lists show its last part.
    pub(super) fn program(&self, folder: &PrivateFolder) -> io::Result<PathBuf> {
        if self.is_in_place() {
            return Ok(self.path.clone());
        }
        folder.link(self.path.file_name().unwrap_or_default(), &self.descriptor_path())
    }

    fn is_in_place(&self) -> bool {
        self.is_script || leads_to(&self.path, &self.descriptor)
    }

    /// What redis-server said, with the name that people know.
    pub(super) fn named(&self, text: &str) -> String {
        let path = self.descriptor_path();
        text.replace(&*path.to_string_lossy(), &self.path.to_string_lossy())
    }

    fn descriptor_path(&self) -> PathBuf {
        format!("/proc/self/fd/{}", self.descriptor.as_raw_fd()).into()
    }
}

/// Whether `path` leads to what is open there.
pub(super) fn leads_to(path: &Path, open: impl AsFd) -> bool {
    let same = |one: Stat, other: Stat| (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino);
    fstat(open).is_ok_and(|open| stat(path).is_ok_and(|there| same(open, there)))
}

fn is_script(path: &Path) -> bool {
    let mut start = [0; 2];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut start));
    read.is_ok() && start == *b"#!"
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_that_was_replaced_or_removed_is_found_as_it_was() {
        let dir = std::env::temp_dir().join(format!("held-test-{}", uuid::Uuid::new_v4()));
        fs::create_dir(&dir).unwrap();
        let path = dir.join("file");
        fs::write(&path, "old").unwrap();
        let held = Held::open(&path).unwrap();
        assert_eq!(held.path(), path);
        fs::write(dir.join("new"), "new").unwrap();
        fs::rename(dir.join("new"), &path).unwrap();
        assert_eq!(fs::read_to_string(held.path()).unwrap(), "old");
        fs::remove_dir_all(&dir).unwrap();
        assert_eq!(fs::read_to_string(held.path()).unwrap(), "old");
        let said = format!("cannot load {}", held.path().display());
        assert_eq!(held.named(&said), format!("cannot load {}", path.display()));
    }
}
