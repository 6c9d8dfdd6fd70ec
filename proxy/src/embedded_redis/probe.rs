//! Asking a redis-server whether it serves, with a connection of a moment.

use std::io;
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(1);
/// The longest answer that is looked at.
const LONGEST: usize = 256;

/// What it answers.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Ready,
    /// It reads its data.
    Loading,
    /// What answers is not Redis.
    Strange,
}

/// Asks once; an error where nothing listens, or answers in time.
pub(super) async fn ask(socket: &Path) -> io::Result<Answer> {
    let asked = async {
        let mut stream = UnixStream::connect(socket).await?;
        stream.write_all(b"PING\r\n").await?;
        let mut line = Vec::new();
        let mut bytes = [0; LONGEST];
        while line.len() < LONGEST && !line.contains(&b'\n') {
            match stream.read(&mut bytes).await? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                length => line.extend_from_slice(&bytes[..length]),
            }
        }
        Ok(answer(&line))
    };
    tokio::time::timeout(PATIENCE, asked).await.unwrap_or(Err(io::ErrorKind::TimedOut.into()))
}

/// Any other error is about this connection, and is told better by those that are to stay.
fn answer(line: &[u8]) -> Answer {
    match line {
        _ if line.starts_with(b"-LOADING") => Answer::Loading,
        [b'+' | b'-', ..] => Answer::Ready,
        _ => Answer::Strange,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_told_apart() {
        assert_eq!(answer(b"+PONG\r\n"), Answer::Ready);
        assert_eq!(answer(b"-LOADING Redis is loading the dataset in memory\r\n"), Answer::Loading);
        assert_eq!(answer(b"-NOAUTH Authentication required.\r\n"), Answer::Ready);
        assert_eq!(answer(b"HTTP/1.1 400 Bad Request\r\n"), Answer::Strange);
    }
}
