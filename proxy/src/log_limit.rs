//! Log lines that a client can cause at will: only so many of a kind a minute, and short whatever
//! the client sent.

use std::fmt::{self, Write};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long the lines are counted.
const WINDOW: Duration = Duration::from_secs(60);
/// Longest shown part of something a client sent, in bytes.
const SHOWN: usize = 128;

/// A limit for one kind of line. What was left out is counted, and told with the next line.
#[derive(Debug)]
pub struct LogLimit {
    most: u32,
    window: Mutex<Window>,
}

/// The minute that began with its first line.
#[derive(Debug)]
struct Window {
    began: Option<Instant>,
    written: u32,
    left_out: u64,
}

/// Text from outside as a line of a log can have it: its beginning, and escaped.
#[derive(Debug, Clone, Copy)]
pub struct Clipped<'a>(&'a [u8]);

// === impl LogLimit ===

impl LogLimit {
    /// At most `most` lines a minute.
    pub const fn a_minute(most: u32) -> Self {
        Self { most, window: Mutex::new(Window { began: None, written: 0, left_out: 0 }) }
    }

    /// Calls `line` unless there were too many. Its argument, a field of the line, is how many were
    /// left out since the last one; `None`, which is not shown, for no line.
    pub fn say(&self, line: impl FnOnce(Option<u64>)) {
        if let Some(left_out) = self.admits_at(Instant::now()) {
            line(Some(left_out).filter(|left_out| *left_out > 0));
        }
    }

    /// How many lines were left out before this one, if it may be written.
    fn admits_at(&self, now: Instant) -> Option<u64> {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        if window.began.is_none_or(|began| now.saturating_duration_since(began) >= WINDOW) {
            window.began = Some(now);
            window.written = 0;
        }
        if window.written >= self.most {
            window.left_out += 1;
            return None;
        }
        window.written += 1;
        Some(std::mem::take(&mut window.left_out))
    }
}

// === impl Clipped ===

impl<'a> Clipped<'a> {
    pub fn new(text: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        Self(text.as_ref())
    }
}

impl fmt::Display for Clipped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = &self.0[..self.0.len().min(SHOWN)];
        let mut chunks = shown.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            write!(f, "{}", chunk.valid().escape_debug())?;
            // What the cut has torn is no byte that the client sent alone.
            let torn = chunks.peek().is_none() && shown.len() < self.0.len();
            if !torn {
                write!(f, "{}", chunk.invalid().escape_ascii())?;
            }
        }
        if shown.len() < self.0.len() {
            f.write_char('…')?;
            write!(f, " ({} bytes)", self.0.len())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_has_its_number_of_lines_and_tells_of_the_others() {
        let limit = LogLimit::a_minute(2);
        let start = Instant::now();
        let admits = |seconds: u64| limit.admits_at(start + Duration::from_secs(seconds));
        assert_eq!([admits(0), admits(1), admits(2), admits(59)], [Some(0), Some(0), None, None]);
        assert_eq!([admits(60), admits(61), admits(62)], [Some(2), Some(0), None]);
        assert_eq!([admits(500), admits(501)], [Some(1), Some(0)]);
    }

    #[test]
    fn a_line_that_follows_no_silence_says_nothing_of_others() {
        let limit = LogLimit::a_minute(1);
        let mut said = Vec::new();
        for _ in 0..3 {
            limit.say(|left_out| said.push(left_out));
        }
        assert_eq!(said, [None]);
    }

    #[test]
    fn what_clients_send_is_shown_short_and_on_one_line() {
        let shown = |text: &[u8]| Clipped::new(text).to_string();
        assert_eq!(shown(b"https://example.com"), "https://example.com");
        assert_eq!(shown("räume".as_bytes()), "räume");
        assert_eq!(shown(b"a\nb\x1b[31m\xff\"c"), r#"a\nb\u{1b}[31m\xff\"c"#);
        assert_eq!(shown(b""), "");
        assert_eq!(shown(&[b'x'; 128]), "x".repeat(128));
        assert_eq!(shown(&vec![b'x'; 300_000]), format!("{}… (300000 bytes)", "x".repeat(128)));
        let umlauts = "ä".repeat(100);
        let torn = format!("x{umlauts}");
        assert_eq!(shown(torn.as_bytes()), format!("x{}… (201 bytes)", "ä".repeat(63)));
        assert!(shown(&vec![0; 300_000]).len() < 1_000);
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_a_second_line(text: Vec<u8>) {
            let shown = Clipped::new(&text).to_string();
            assert!(!shown.contains(char::is_control), "{shown:?}");
        }
    }
}
