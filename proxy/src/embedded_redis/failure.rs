//! Why a redis-server failed at its first start, in words an operator can act on.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::Signal;
use tokio::io::AsyncReadExt;
use tokio::process::Command;

use super::EmbeddedError;
use super::held::Held;
use super::running::signal_group;

/// The oldest Redis with sharded pub/sub.
const OLDEST: u32 = 7;
/// How long a program may take to say its version, and how much of what it says is read.
const PATIENCE: Duration = Duration::from_secs(2);
const LONGEST: u64 = 1024;

/// The cause behind `error`, of which the program's version may tell.
pub(super) async fn explain(error: EmbeddedError, program: &Held, module: &Held) -> EmbeddedError {
    let path = || program.name().to_owned();
    match version(&program.path()).await {
        Some(Said::Version(version)) if is_too_old(&version) => {
            return EmbeddedError::TooOld { program: path(), version };
        }
        Some(Said::Version(_)) | None => {}
        Some(Said::Nothing) => {
            let said = match error {
                EmbeddedError::Ended { status, said, .. } => format!("{status}, {said}"),
                EmbeddedError::Silent { limit, .. } => format!("no answer for {limit:?}"),
                error => return error,
            };
            return EmbeddedError::NotRedis { program: path(), said };
        }
    }
    match error {
        EmbeddedError::Ended { said, .. } if said.contains("t load module") => {
            EmbeddedError::Module { module: module.name().to_owned(), said: module.named(&said) }
        }
        error => error,
    }
}

/// What a program says to `--version`.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    Version(String),
    /// Nothing that a redis-server would say.
    Nothing,
}

/// `None` when it cannot be asked.
async fn version(program: &Path) -> Option<Said> {
    let mut command = Command::new(program);
    command.arg("--version").stdin(Stdio::null()).stderr(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.kill_on_drop(true).process_group(0).spawn().ok()?;
    let mut text = Vec::new();
    let mut output = child.stdout.take()?.take(LONGEST);
    let read = tokio::time::timeout(PATIENCE, output.read_to_end(&mut text)).await;
    signal_group(&child, Signal::KILL);
    match read {
        Ok(Ok(_)) | Err(_) => Some(said(&String::from_utf8_lossy(&text))),
        Ok(Err(_)) => None,
    }
}

/// Reads `Redis server v=7.0.15 sha=…`; Valkey and others write it alike.
fn said(text: &str) -> Said {
    let version = text.split_whitespace().find_map(|word| word.strip_prefix("v="));
    let version = version.filter(|version| version.starts_with(|c: char| c.is_ascii_digit()));
    version.map_or(Said::Nothing, |version| Said::Version(version.to_owned()))
}

fn is_too_old(version: &str) -> bool {
    let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok());
    major.is_some_and(|major| major < OLDEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_redis_and_its_relatives_say_them() {
        let version = |text| match said(text) {
            Said::Version(version) => Some(is_too_old(&version)),
            Said::Nothing => None,
        };
        assert_eq!(version("Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc"), Some(false));
        assert_eq!(version("Valkey server v=8.1.1 sha=00000000:0"), Some(false));
        assert_eq!(version("Redis server v=6.2.14 sha=00000000:0"), Some(true));
        assert_eq!(version("cat (GNU coreutils) 9.1"), None);
        assert_eq!(version(""), None);
    }
}
