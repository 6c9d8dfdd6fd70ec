//! What redis-server writes: into a pipe instead of a file, which a cleaner could remove and which
//! would grow.

use std::collections::VecDeque;
use std::io;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;
use tokio::process::Command;
use tokio::task::JoinHandle;

/// Lines that are remembered, and how much of each.
const LINES: usize = 16;
const LONGEST: usize = 1024;
/// So many of them are its last words.
const LAST: usize = 2;
/// How long the rest of the output is waited for after the end: a child of its own may hold the
/// pipe open.
const REST: Duration = Duration::from_millis(500);

/// The output of one process.
#[derive(Debug)]
pub(super) struct Output {
    lines: Arc<Mutex<VecDeque<String>>>,
    reading: JoinHandle<()>,
}

/// Puts bytes together to lines of a bounded length.
#[derive(Debug, Default)]
struct Splitter {
    line: Vec<u8>,
}

// === impl Output ===

impl Output {
    /// The output of what `command` is about to start, both streams in their order.
    pub(super) fn of(command: &mut Command) -> io::Result<Self> {
        let (reader, writer) = io::pipe()?;
        command.stdout(Stdio::from(writer.try_clone()?)).stderr(Stdio::from(writer));
        let reader = Receiver::from_owned_fd(reader.into())?;
        let lines = Arc::default();
        let reading = tokio::spawn(read(reader, Arc::clone(&lines)));
        Ok(Self { lines, reading })
    }

    /// The last words of a process that has ended. May be given up and asked again.
    pub(super) async fn last_words(&mut self) -> String {
        if !self.reading.is_finished()
            && tokio::time::timeout(REST, &mut self.reading).await.is_err()
        {
            self.reading.abort();
        }
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        last_words(lines.iter().map(String::as_str))
    }
}

async fn read(mut pipe: Receiver, lines: Arc<Mutex<VecDeque<String>>>) {
    let mut splitter = Splitter::default();
    let mut bytes = [0; 4096];
    while let Ok(length @ 1..) = pipe.read(&mut bytes).await {
        for line in splitter.split(&bytes[..length]) {
            tracing::debug!("redis-server: {line}");
            let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
            if lines.len() == LINES {
                lines.pop_front();
            }
            lines.push_back(line);
        }
    }
}

/// What may say why a process ended.
fn last_words<'a>(lines: impl DoubleEndedIterator<Item = &'a str>) -> String {
    let words = lines.map(without_stamp).filter(|line| {
        // Of every start, and never why it fails.
        !line.trim().is_empty() && !line.contains("overcommit")
    });
    let mut last: Vec<&str> = words.rev().take(LAST).collect();
    last.reverse();
    if last.is_empty() { "without a word".to_owned() } else { last.join(" | ") }
}

/// A line without redis-server's `pid:role day month year time level`: we have a time of our own.
fn without_stamp(line: &str) -> &str {
    let stamped = line.split_once(':').is_some_and(|(pid, role)| {
        let is_role =
            role.starts_with(|c: char| c.is_ascii_uppercase()) && role[1..].starts_with(' ');
        !pid.is_empty() && pid.bytes().all(|byte| byte.is_ascii_digit()) && is_role
    });
    if stamped { line.splitn(7, ' ').last().unwrap_or(line) } else { line }
}

// === impl Splitter ===

impl Splitter {
    /// The lines that are complete with these bytes.
    fn split(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let text = piece.strip_suffix(b"\n").unwrap_or(piece);
            let room = LONGEST - self.line.len();
            self.line.extend_from_slice(&text[..text.len().min(room)]);
            if text.len() < piece.len() {
                lines.push(String::from_utf8_lossy(&self.line).into_owned());
                self.line.clear();
            }
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_whole_and_bounded() {
        let mut splitter = Splitter::default();
        assert_eq!(splitter.split(b"one\ntw"), ["one"]);
        assert_eq!(splitter.split(b"o\n\n"), ["two", ""]);
        assert!(splitter.split(&[b'x'; 2 * LONGEST]).is_empty());
        assert_eq!(splitter.split(b"y\nz\n"), ["x".repeat(LONGEST), "z".to_owned()]);
    }

    #[test]
    fn last_words_are_those_of_redis_without_its_stamp_and_those_of_others_as_they_are() {
        let redis = [
            "1:C 28 Nov 2026 08:00:00.000 # oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo",
            "1:M 28 Nov 2026 08:00:00.000 # Module /m.so failed to load: invalid ELF header",
            "",
            "1:M 28 Nov 2026 08:00:00.000 # WARNING Memory overcommit must be enabled!",
            "1:M 28 Nov 2026 08:00:00.000 # Can't load module from /m.so: server aborting",
        ];
        assert_eq!(
            last_words(redis.into_iter()),
            "Module /m.so failed to load: invalid ELF header | \
             Can't load module from /m.so: server aborting"
        );
        let cat = ["cat: unrecognized option '--port' of a b c d e f g h"];
        assert_eq!(last_words(cat.into_iter()), cat[0]);
        assert_eq!(last_words([].into_iter()), "without a word");
    }
}
