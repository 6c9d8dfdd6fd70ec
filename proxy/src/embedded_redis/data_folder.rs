//! `engine.embedded.dir`, locked: two servers on one folder would both lose data.
//!
//! There are three locks. The server holds the folder itself and a file, which names it, for as long as
//! it lives: either would do, but a file can be removed. The third one is
//! inherited by redis-server as its standard input, so it is held until that has ended as well: a
//! redis-server whose server was killed may still be writing.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use super::EmbeddedError;
use super::held::Held;
use super::lock::try_lock;

/// The files with the locks.
const OF_SERVER: &str = "rollcall.lock";
const OF_REDIS: &str = "rollcall-redis.lock";

/// How long the redis-server of a server that was killed may take to write its data and end.
const LAST_WRITES: Duration = Duration::from_secs(10);
/// How often it is looked whether it has.
const LOOK: Duration = Duration::from_millis(20);

/// A folder that no other server uses.
#[derive(Debug)]
pub(super) struct DataFolder {
    folder: Held,
    /// Hold the locks; nothing else is done with them.
    _of_server: [File; 2],
    of_redis: File,
}

// === impl DataFolder ===

impl DataFolder {
    /// Makes the folder if need be, and locks it against other servers.
    pub(super) fn lock(dir: &Path) -> Result<Self, EmbeddedError> {
        let failed = |error| EmbeddedError::Dir(dir.to_owned(), error);
        DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(failed)?;
        let folder = Held::open(dir).map_err(failed)?;
        let itself = File::open(folder.path()).map_err(failed)?;
        let mut of_server = lock_file(&folder.path().join(OF_SERVER)).map_err(failed)?;
        if !(try_lock(&itself).map_err(failed)? && try_lock(&of_server).map_err(failed)?) {
            return Err(EmbeddedError::InUse { dir: dir.to_owned(), holder: holder(of_server) });
        }
        of_server.set_len(0).map_err(failed)?;
        of_server.write_all(own_name().as_bytes()).map_err(failed)?;
        let of_redis = lock_file(&folder.path().join(OF_REDIS)).map_err(failed)?;
        Ok(Self { folder, _of_server: [itself, of_server], of_redis })
    }

    /// Waits until the redis-server of a server that was killed has ended, and takes its lock.
    pub(super) async fn take_over(&self) -> Result<(), EmbeddedError> {
        let failed = |error| EmbeddedError::Dir(self.folder.name().to_owned(), error);
        let taken = async {
            let mut said = false;
            while !try_lock(&self.of_redis).map_err(failed)? {
                if !std::mem::replace(&mut said, true) {
                    let dir = self.folder.name().display();
                    tracing::warn!(%dir, "waiting for the redis-server of a server that was killed");
                }
                tokio::time::sleep(LOOK).await;
            }
            Ok(())
        };
        let in_time = tokio::time::timeout(LAST_WRITES, taken).await;
        in_time.unwrap_or_else(|_| Err(EmbeddedError::StillAtWork(self.folder.name().to_owned())))
    }

    /// The lock that redis-server inherits.
    pub(super) fn inherited(&self) -> io::Result<Stdio> {
        Ok(Stdio::from(self.of_redis.try_clone()?))
    }

    /// Where redis-server finds the folder: the one that is locked, wherever it may be by now.
    pub(super) fn path(&self) -> PathBuf {
        self.folder.path()
    }

    pub(super) fn named(&self, text: &str) -> String {
        self.folder.named(text)
    }
}

fn lock_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

/// What a lock file says of its holder.
fn own_name() -> String {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    format!("process {} on {host}\n", std::process::id())
}

/// What the holder of a lock has written into its file, which anything may have changed.
fn holder(file: File) -> String {
    const LONGEST: u64 = 200;
    let mut text = String::new();
    let read = file.take(LONGEST).read_to_string(&mut text);
    let text = text.trim();
    if read.is_err() || !text.starts_with("process ") || text.contains(char::is_control) {
        return String::new();
    }
    format!(" ({text})")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_folder_is_locked_once_and_says_by_which_process() {
        let dir = std::env::temp_dir().join(format!("data-test-{}", uuid::Uuid::new_v4()));
        let first = DataFolder::lock(&dir).unwrap();
        let second = DataFolder::lock(&dir).unwrap_err().to_string();
        let own = format!("(process {} on ", std::process::id());
        assert!(second.contains(&own) && second.contains(&*dir.to_string_lossy()), "{second}");
        fs::write(dir.join(OF_SERVER), "\u{1b}[2J").unwrap();
        let third = DataFolder::lock(&dir).unwrap_err().to_string();
        assert!(third.contains("in use by another server;"), "{third}");
        drop(first);
        DataFolder::lock(&dir).unwrap();
        fs::remove_dir_all(&dir).unwrap();
    }
}
