//! A private redis-server with the module. It ends with the benchmark, however that ends.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::options::Options;
use crate::resp::Connection;

/// What the names of our directories begin with; the process id follows.
const PREFIX: &str = "rollcall-bench-";

/// A running redis-server, killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    dir: TempDir,
}

/// A directory of our own, removed when this is dropped.
#[derive(Debug)]
struct TempDir(PathBuf);

// === impl Server ===

impl Server {
    /// Starts one and waits until it answers.
    ///
    /// `setpriv` has the kernel kill it when this process dies, so that nothing outlives a
    /// benchmark that was interrupted.
    pub(crate) fn start(options: &Options) -> io::Result<Self> {
        let dir = TempDir::new()?;
        let log = fs::File::create(dir.0.join("redis.log"))?;
        let (first, rest) = undisturbed();
        let child = Command::new(first)
            .args(rest)
            .args(["setpriv", "--pdeathsig", "KILL", "--"])
            .arg(&options.redis_server)
            .args(["--port", "0", "--save", "", "--appendonly", "no", "--daemonize", "no"])
            .arg("--dir")
            .arg(&dir.0)
            .arg("--unixsocket")
            .arg(dir.0.join("s"))
            .arg("--loadmodule")
            .arg(fs::canonicalize(&options.module).map_err(|error| {
                io::Error::other(format!("no module at {}: {error}", options.module.display()))
            })?)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let mut server = Self { child, dir };
        server.wait()?;
        Ok(server)
    }

    /// A connection to it.
    pub(crate) fn connect(&self) -> io::Result<Connection> {
        Connection::open(&self.dir.0.join("s"))
    }

    fn wait(&mut self) -> io::Result<()> {
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(10) {
            if self.connect().and_then(|mut c| c.call(&["PING"])).is_ok() {
                return Ok(());
            }
            if self.child.try_wait()?.is_some() {
                break;
            }
            sleep(Duration::from_millis(10));
        }
        let log = fs::read_to_string(self.dir.0.join("redis.log")).unwrap_or_default();
        Err(io::Error::other(format!("redis-server did not start:\n{log}")))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _gone_already = self.child.kill();
        let _gone_already = self.child.wait();
    }
}

/// What has a program run before others: in real time, or where that is not allowed, nicely. Where
/// neither is, it runs as everybody does.
fn undisturbed() -> (&'static str, &'static [&'static str]) {
    let try_it = Command::new("chrt").args(["--fifo", "20", "true"]).stderr(Stdio::null()).status();
    if try_it.is_ok_and(|status| status.success()) {
        ("chrt", &["--fifo", "20"])
    } else {
        ("nice", &["-n", "-15"])
    }
}

/// Has the thread that calls it run before the server, where that is allowed.
pub(crate) fn run_first() {
    let thread = fs::read_link("/proc/thread-self").unwrap_or_default();
    if let Some(thread) = thread.file_name() {
        let mut command = Command::new("chrt");
        command.args(["--fifo", "--pid", "30"]).arg(thread).stderr(Stdio::null());
        let _not_allowed = command.status();
    }
}

// === impl TempDir ===

impl TempDir {
    fn new() -> io::Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let n = COUNT.fetch_add(1, Ordering::Relaxed);
        Self::remove_left_behind();
        let name = format!("{PREFIX}{}-{n}", std::process::id());
        let path = std::env::temp_dir().join(name);
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }

    /// Removes the directories of benchmarks that were killed.
    fn remove_left_behind() {
        let all = fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten();
        for entry in all {
            let name = entry.file_name();
            let pid = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.split('-').next());
            if pid.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
                let _somebody_elses = fs::remove_dir_all(entry.path());
            }
        }
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _left_behind = fs::remove_dir_all(&self.0);
    }
}
