//! The guard: the server's own binary, started anew to become redis-server.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;

use rustix::process::{Signal, getppid, set_parent_process_death_signal};
use tokio::process::Command;

/// The first argument with which the server becomes redis-server; see [`become_redis`].
pub const GUARD: &str = "embedded-redis";

/// Our own binary, also when its file was replaced or removed: in the child process, before it is
/// another program, this is what its parent runs.
const OWN: &str = "/proc/self/exe";

/// A command that becomes `program`, which is called `name`, and ends with this process.
pub(super) fn command(program: &Path, name: &Path, arguments: &[OsString]) -> Command {
    let mut command = Command::new(OWN);
    command.arg(GUARD).arg(std::process::id().to_string()).arg(program).arg(name).args(arguments);
    // Out of our process group: Ctrl-C is for us, and we end it when it is not needed any more.
    command.process_group(0).kill_on_drop(true);
    command
}

/// Becomes redis-server, having asked the system to end it when the server ends, however that ends.
/// `arguments` are the server's pid, the program, its name, and its arguments. Returns only on
/// failure.
pub fn become_redis(arguments: &[OsString]) -> io::Error {
    let [parent, program, name, rest @ ..] = arguments else {
        return io::Error::other("expected a pid, a program and its name");
    };
    if let Err(error) = set_parent_process_death_signal(Some(Signal::TERM)) {
        return error.into();
    }
    // The server may have ended before the line above.
    let alive = getppid().map(|pid| pid.as_raw_nonzero().get().to_string());
    if alive.as_deref() != parent.to_str() {
        return io::Error::other("the server is gone");
    }
    std::process::Command::new(program).arg0(name).args(rest).exec()
}
