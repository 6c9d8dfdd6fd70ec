//! The embedded Redis: a private redis-server with the module, on a Unix socket in a private folder.
//!
//! What it is started from is held open from the first start on: the server's own binary, the
//! redis-server, the module and the data folder. An upgrade that replaces them, or a cleaner that
//! empties the temporary folder, does not keep a redis-server that died from being started again.

mod data_folder;
mod failure;
mod guard;
mod held;
mod lock;
mod output;
mod private_folder;
mod probe;
mod running;
mod spawner;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use guard::{GUARD, become_redis};
pub use running::Running;

use data_folder::DataFolder;
use held::Held;
use private_folder::PrivateFolder;

/// How to run it.
#[derive(Debug, Clone)]
pub struct Embedded {
    /// Where its data stays; `None` for data that ends with the server.
    pub dir: Option<PathBuf>,
    pub module: PathBuf,
    /// The program, as a path or as a name to look up.
    pub redis_server: PathBuf,
}

/// Why it cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    #[error("the module is not at {0}: say where it is with engine.embedded.module")]
    NoModule(PathBuf),
    #[error(
        "{0} is not there: install redis-server 7.0 or later, or say where it is with \
         engine.embedded.redis_server"
    )]
    NoServer(PathBuf),
    #[error("the task that watches it has failed: this is a bug")]
    Unwatched,
    #[error("{0} cannot be started")]
    Spawn(PathBuf, #[source] io::Error),
    #[error("engine.embedded.dir: the folder {0} cannot be used")]
    Dir(PathBuf, #[source] io::Error),
    #[error(
        "engine.embedded.dir: {dir} is in use by another server{holder}; each server needs a \
         folder of its own"
    )]
    InUse {
        dir: PathBuf,
        /// ` (process 123 on host)`, where that is known.
        holder: String,
    },
    #[error(
        "engine.embedded.dir: the redis-server of a server that was killed is still at work in {0}"
    )]
    StillAtWork(PathBuf),
    #[error("no private folder can be made in the temporary folder {0}: set TMPDIR to another one")]
    Private(PathBuf, #[source] io::Error),
    #[error(
        "the temporary folder {dir} is too long for a socket in it, and there is no shorter one: \
         expected at most {longest} bytes, set TMPDIR"
    )]
    TooLong { dir: PathBuf, longest: usize },
    #[error(
        "{program} is not a redis-server ({said}): say where one is with engine.embedded.redis_server"
    )]
    NotRedis { program: PathBuf, said: String },
    #[error(
        "{program} is version {version}: Rollcall needs Redis 7.0 or later, say where it is with \
         engine.embedded.redis_server"
    )]
    TooOld { program: PathBuf, version: String },
    #[error("engine.embedded.module: {module} cannot be loaded: {said}")]
    Module { module: PathBuf, said: String },
    #[error("{program} ended ({status}): {said}")]
    Ended {
        program: PathBuf,
        status: String,
        /// Its last words.
        said: String,
    },
    #[error("{program} has not answered on its socket for {limit:?}")]
    Silent { program: PathBuf, limit: Duration },
    #[error("the socket {0} was removed, and no connection is left")]
    SocketGone(PathBuf),
}

// === impl Embedded ===

impl Embedded {
    /// Checks what can be checked without starting it, takes the locks, and opens what it is
    /// started from.
    pub fn prepare(self) -> Result<Running, EmbeddedError> {
        if !self.module.is_file() {
            return Err(EmbeddedError::NoModule(self.module));
        }
        let program =
            find_program(&self.redis_server).ok_or(EmbeddedError::NoServer(self.redis_server))?;
        let failed = |path: &Path, error| EmbeddedError::Spawn(path.to_owned(), error);
        let module = Held::open(&self.module).map_err(|error| EmbeddedError::Module {
            module: self.module.clone(),
            said: error.to_string(),
        })?;
        let data = self.dir.as_deref().map(DataFolder::lock).transpose()?;
        let private = PrivateFolder::create()?;
        let held = Held::open(&program).map_err(|error| failed(&program, error))?;
        Running::new(held, module, data, private).map_err(|error| failed(&program, error))
    }
}

/// The path of `program`, which is a path itself or a name that the PATH knows.
fn find_program(program: &Path) -> Option<PathBuf> {
    let found = if program.components().count() > 1 {
        Some(program.to_owned()).filter(|program| program.is_file())
    } else {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path).map(|dir| dir.join(program)).find(|path| path.is_file())
    };
    // The name of a running program must not change its meaning with the current folder.
    std::path::absolute(found?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_as_paths_and_by_name() {
        assert!(find_program(Path::new("sh")).is_some_and(|path| path.is_absolute()));
        assert_eq!(find_program(Path::new("/bin/sh")), Some("/bin/sh".into()));
        assert_eq!(find_program(Path::new("no-such-program-anywhere")), None);
        assert_eq!(find_program(Path::new("/bin/no-such-program")), None);
    }
}
