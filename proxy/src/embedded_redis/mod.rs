//! A Redis of our own: a private redis-server with the module, on a Unix socket in a private folder.

use std::ffi::OsString;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The first argument with which the server becomes redis-server; see [`become_redis`].
pub const GUARD: &str = "embedded-redis";

/// How long redis-server may take to write its data and end.
const STOP: Duration = Duration::from_secs(10);
/// How long to wait before it is started again; doubled while it ends at once, up to the longest.
const RESTART: Duration = Duration::from_millis(100);
const LONGEST_RESTART: Duration = Duration::from_secs(5);
/// Who lived so long did not end at once.
const LIVED: Duration = Duration::from_secs(5);

/// What the names of private folders start with.
const FOLDER: &str = "rollcall-redis-";

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
    #[error("{0} cannot be started")]
    Spawn(PathBuf, #[source] io::Error),
    #[error("the folder {0} cannot be used")]
    Dir(PathBuf, #[source] io::Error),
}

/// A running one; it ends with the process, however that ends.
#[derive(Debug)]
pub struct Running {
    embedded: Embedded,
    /// Private: only this user may enter, so the socket needs no password.
    private: PathBuf,
    child: Child,
}

// === impl Embedded ===

impl Embedded {
    /// Starts it; it may still be loading when this returns.
    pub fn start(self) -> Result<Running, EmbeddedError> {
        if !self.module.is_file() {
            return Err(EmbeddedError::NoModule(self.module));
        }
        if !is_program(&self.redis_server) {
            return Err(EmbeddedError::NoServer(self.redis_server));
        }
        if let Some(dir) = &self.dir {
            fs::create_dir_all(dir).map_err(|error| EmbeddedError::Dir(dir.clone(), error))?;
        }
        remove_left_behind(&std::env::temp_dir());
        let private = std::env::temp_dir().join(private_name());
        DirBuilder::new()
            .mode(0o700)
            .create(&private)
            .map_err(|error| EmbeddedError::Dir(private.clone(), error))?;
        let child = self.spawn(&private)?;
        Ok(Running { embedded: self, private, child })
    }

    fn spawn(&self, private: &Path) -> Result<Child, EmbeddedError> {
        let failed = |error| EmbeddedError::Spawn(self.redis_server.clone(), error);
        let own = std::env::current_exe().map_err(failed)?;
        // Out of our process group: Ctrl-C is for us, and we end it when nobody needs it any more.
        Command::new(own)
            .arg(GUARD)
            .arg(std::process::id().to_string())
            .arg(&self.redis_server)
            .args(self.arguments(private))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)
    }

    fn arguments(&self, private: &Path) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = Vec::new();
        let mut option = |name: &str, value: OsString| {
            arguments.push(format!("--{name}").into());
            arguments.push(value);
        };
        option("port", "0".into());
        option("unixsocket", socket(private).into());
        option("unixsocketperm", "700".into());
        option("loadmodule", self.module.clone().into());
        option("save", "".into());
        option("appendonly", if self.dir.is_some() { "yes" } else { "no" }.into());
        let dir = self.dir.clone().unwrap_or_else(|| private.to_owned());
        option("dir", dir.into());
        option("logfile", private.join("redis.log").into());
        arguments
    }
}

/// A name nobody can guess, which says whose folder it is.
fn private_name() -> String {
    format!("{FOLDER}{}-{}", std::process::id(), uuid::Uuid::new_v4().simple())
}

/// Removes the folders of servers that were killed and could not do so themselves.
fn remove_left_behind(temp: &Path) {
    for entry in fs::read_dir(temp).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let pid = name
            .to_str()
            .and_then(|name| name.strip_prefix(FOLDER))
            .and_then(|rest| rest.split_once('-'))
            .and_then(|(pid, _)| pid.parse::<u32>().ok());
        // Another user's folder is not ours to remove, and cannot be.
        if let Some(pid) = pid
            && !Path::new("/proc").join(pid.to_string()).exists()
            && let Err(error) = fs::remove_dir_all(entry.path())
        {
            tracing::debug!(%error, "a folder was left where it is");
        }
    }
}

/// Whether `program` is a file, or a name that the PATH knows.
fn is_program(program: &Path) -> bool {
    if program.components().count() > 1 {
        return program.is_file();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join(program).is_file())
}

fn socket(private: &Path) -> PathBuf {
    private.join("redis.sock")
}

// === impl Running ===

impl Running {
    /// Where it listens.
    pub fn socket(&self) -> PathBuf {
        socket(&self.private)
    }

    /// Starts it again whenever it ends, until `stop`; then ends it.
    pub async fn supervise(mut self, stop: CancellationToken) {
        let mut pause = RESTART;
        let mut started = Instant::now();
        loop {
            tokio::select! {
                status = self.child.wait() => self.say_ended(status),
                () = stop.cancelled() => break,
            }
            pause = if started.elapsed() < LIVED { pause } else { RESTART };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = stop.cancelled() => break,
            }
            pause = (2 * pause).min(LONGEST_RESTART);
            started = Instant::now();
            match self.embedded.spawn(&self.private) {
                Ok(child) => self.child = child,
                Err(error) => tracing::error!(%error, "the embedded redis was not started"),
            }
        }
        self.end().await;
    }

    fn say_ended(&self, status: io::Result<std::process::ExitStatus>) {
        let status = status.map_or_else(|error| error.to_string(), |status| status.to_string());
        let said = last_lines(&self.private.join("redis.log"));
        tracing::error!(status, said, "the embedded redis ended; starting it again");
    }

    async fn end(&mut self) {
        if let Some(pid) = self.child.id().and_then(|pid| i32::try_from(pid).ok())
            && let Some(pid) = rustix::process::Pid::from_raw(pid)
            && let Err(error) = rustix::process::kill_process(pid, rustix::process::Signal::TERM)
        {
            tracing::debug!(%error, "the embedded redis is gone already");
        }
        if tokio::time::timeout(STOP, self.child.wait()).await.is_err() {
            tracing::warn!("the embedded redis did not end in time and is killed");
            if let Err(error) = self.child.kill().await {
                tracing::warn!(%error, "the embedded redis could not be killed");
            }
        }
        if let Err(error) = fs::remove_dir_all(&self.private) {
            tracing::debug!(%error, "the embedded redis's folder is left behind");
        }
    }
}

/// What redis-server said last, for the log of whoever must find out why it ended.
fn last_lines(log: &Path) -> String {
    const LINES: usize = 2;
    let text = fs::read(log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let text = text.unwrap_or_default();
    // `pid:role date time # text`: we have a time of our own.
    let text = text.lines().map(|line| line.splitn(7, ' ').last().unwrap_or(line));
    let text: Vec<&str> = text.filter(|line| !line.contains("overcommit")).collect();
    let text = text.join("\n");
    let mut lines: Vec<&str> =
        text.lines().rev().filter(|line| !line.is_empty()).take(LINES).collect();
    lines.reverse();
    lines.join(" | ")
}

/// Becomes redis-server, having asked the system to end it when the server ends, however that ends.
/// `arguments` are the server's pid, the program, and its arguments. Returns only on failure.
pub fn become_redis(arguments: &[OsString]) -> io::Error {
    use std::os::unix::process::CommandExt;

    let [parent, program, rest @ ..] = arguments else {
        return io::Error::other("expected a pid and a program");
    };
    if let Err(error) =
        rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::TERM))
    {
        return error.into();
    }
    // The server may have ended before the line above.
    let alive = rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get().to_string());
    if alive.as_deref() != parent.to_str() {
        return io::Error::other("the server is gone");
    }
    std::process::Command::new(program).args(rest).exec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_folders_of_servers_that_are_gone_are_removed() {
        let temp = std::env::temp_dir().join(format!("embedded-test-{}", uuid::Uuid::new_v4()));
        let gone = temp.join(format!("{FOLDER}4194305-a"));
        let ours = temp.join(private_name());
        let other = temp.join("rollcall-notes");
        for dir in [&gone, &ours, &other] {
            fs::create_dir_all(dir).unwrap();
        }
        remove_left_behind(&temp);
        assert_eq!([&gone, &ours, &other].map(|dir| dir.exists()), [false, true, true]);
        fs::remove_dir_all(&temp).unwrap();
    }

    #[test]
    fn programs_are_found_as_paths_and_by_name() {
        assert!(is_program(Path::new("sh")));
        assert!(is_program(Path::new("/bin/sh")));
        assert!(!is_program(Path::new("no-such-program-anywhere")));
        assert!(!is_program(Path::new("/bin/no-such-program")));
    }
}
