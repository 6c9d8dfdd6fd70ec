//! Processes under test: started in the background, logged to a file, killed with the test.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, kill_process, test_kill_process};

pub use rustix::process::Signal;

use crate::wait::eventually;

/// A running process. Dropping it kills it.
#[derive(Debug)]
pub struct Process {
    child: Child,
    name: &'static str,
    log: PathBuf,
}

// === impl Process ===

impl Process {
    /// Starts `program` in `dir`, with its output in `<name>.log` there.
    ///
    /// `setpriv` has the kernel kill the process when the thread that started it dies, which is
    /// the test's own: nothing survives a test run that was killed. (The call behind it would be
    /// unsafe code here.)
    pub fn start<A: AsRef<OsStr>>(
        name: &'static str,
        program: impl AsRef<OsStr>,
        args: impl IntoIterator<Item = A>,
        dir: &Path,
    ) -> Self {
        let log = dir.join(format!("{name}.log"));
        let output = File::options().create(true).append(true).open(&log).expect("the log opens");
        let errors = output.try_clone().expect("the log is shared");
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--"])
            .arg(program)
            .args(args)
            .current_dir(dir)
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .spawn()
            .expect("setpriv (util-linux) starts");
        Self { child, name, log }
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its resident memory, in bytes.
    pub fn resident(&self) -> u64 {
        let path = format!("/proc/{}/status", self.id());
        let status = fs::read_to_string(path).expect("the process runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
        kib.and_then(|kib| kib.parse::<u64>().ok()).expect("the kernel says VmRSS in kB") * 1024
    }

    /// What it wrote so far.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Ends it at once, as `kill -9`.
    pub fn kill(&mut self) {
        self.child.kill().expect("a child of ours can be killed");
        self.child.wait().expect("a child of ours can be waited for");
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        self::signal(self.id(), signal);
    }

    /// Waits for it to end by itself.
    pub fn ended(&mut self) -> ExitStatus {
        let what = format!("{} ends", self.name);
        eventually(&what, || self.has_ended())
    }

    /// How it ended, if it has.
    pub fn has_ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child of ours can be asked")
    }
}

impl Drop for Process {
    #[expect(clippy::print_stderr, reason = "the log of a failed test is what explains it")]
    fn drop(&mut self) {
        if self.has_ended().is_none() {
            self.kill();
        }
        if std::thread::panicking() {
            let log = self.log();
            // What is worth reading is the end, or the beginning of a crash report.
            let crash = log.find("BUG REPORT START").map(|start| &log[start..]);
            let lines: Vec<&str> = crash.unwrap_or(&log).lines().collect();
            let from = if crash.is_some() { 0 } else { lines.len().saturating_sub(40) };
            let tail = lines[from..lines.len().min(from + 40)].join("\n");
            eprintln!("--- log of {} {} ---\n{tail}\n---", self.name, self.id());
        }
    }
}

/// Whether a process of this id runs. One that has ended and that nobody waited for counts as gone.
pub fn is_running(id: u32) -> bool {
    let state = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    let zombie = state.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z'));
    !zombie && test_kill_process(pid(id)).is_ok()
}

/// The processes that `id` started itself, with the names of their programs.
pub fn children(id: u32) -> Vec<(u32, String)> {
    let processes = fs::read_dir("/proc").expect("there is /proc");
    let ids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    ids.filter_map(|child: u32| {
        let stat = fs::read_to_string(format!("/proc/{child}/stat")).ok()?;
        let (head, rest) = stat.rsplit_once(')')?;
        let parent = rest.split_whitespace().nth(1)?.parse::<u32>().ok()?;
        let name = head.split_once('(')?.1;
        (parent == id).then(|| (child, name.to_owned()))
    })
    .collect()
}

/// The built server.
pub fn server_binary() -> PathBuf {
    built("TEST_ROLLCALL_BIN", "rollcall")
}

/// The built module.
pub fn module_library() -> PathBuf {
    built("TEST_ROLLCALL_MODULE", "librollcall_module.so")
}

/// What `variable` says, or the file beside the test executable's directory (`target/<profile>`).
fn built(variable: &str, file: &str) -> PathBuf {
    let path = std::env::var_os(variable).map_or_else(
        || {
            let test = std::env::current_exe().expect("a test has a path");
            test.ancestors().nth(2).expect("it lies in target/<profile>/deps").join(file)
        },
        PathBuf::from,
    );
    assert!(path.is_file(), "{} is not built: run ./dev test, or set {variable}", path.display());
    path
}

/// Sends a signal to a process that the test did not start itself.
pub fn signal(id: u32, signal: Signal) {
    kill_process(pid(id), signal).expect("the process can be signalled");
}

/// The form of a process id that system calls take.
fn pid(id: u32) -> Pid {
    let id = i32::try_from(id).expect("process ids are small");
    Pid::from_raw(id).expect("process ids are not 0")
}
