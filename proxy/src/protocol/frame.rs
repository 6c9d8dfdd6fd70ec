//! Client frames: lines of commands, and what each command asks for.

use bytes::Bytes;

use crate::fields::{Fields, Malformed};

/// One line of a frame, not yet executed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// The answer to a ping.
    Pong,
    /// A command to execute in its turn.
    Command(Request),
    /// Something that ends the connection with 3501 in its turn.
    Malformed,
}

/// A command that waits for its turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub id: u32,
    pub kind: Kind,
    /// The whole line; the command reads its own member from it.
    line: Bytes,
}

macro_rules! kinds {
    ($($kind:ident $word:literal)*) => {
        /// What a command asks for; of several members the first in this order is taken.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Kind { $($kind),* }

        impl Kind {
            const ALL: &'static [Self] = &[$(Self::$kind),*];

            /// The member's name, and that of the reply.
            pub fn word(self) -> &'static str {
                match self { $(Self::$kind => $word),* }
            }
        }
    };
}

kinds! {
    Connect "connect"
    Subscribe "subscribe"
    Unsubscribe "unsubscribe"
    Publish "publish"
    Presence "presence"
    PresenceStats "presence_stats"
    History "history"
    Rpc "rpc"
    Send "send"
    Refresh "refresh"
    SubRefresh "sub_refresh"
}

/// Splits a frame into its lines (client protocol §1.3): one trailing line break is allowed, a blank
/// line is malformed, and nothing after a malformed line counts.
pub fn lines(frame: &[u8]) -> impl Iterator<Item = Line> {
    let mut rest = Some(frame.strip_suffix(b"\n").unwrap_or(frame));
    std::iter::from_fn(move || {
        let text = rest.take()?;
        let (line, tail) = match text.iter().position(|byte| *byte == b'\n') {
            Some(at) => (&text[..at], Some(&text[at + 1..])),
            None => (text, None),
        };
        let line = read(line).unwrap_or(Line::Malformed);
        if line != Line::Malformed {
            rest = tail;
        }
        Some(line)
    })
}

fn read(line: &[u8]) -> Result<Line, Malformed> {
    let fields = parse(line)?;
    let id = fields.number("id")?;
    let kind = Kind::ALL.iter().copied().find(|kind| fields.has(kind.word()));
    match kind {
        Some(Kind::Send) => {}
        // Whatever else it holds, a command without an id is a pong.
        _ if id == 0 => return Ok(Line::Pong),
        _ => {}
    }
    let Some(kind) = kind else { return Ok(Line::Malformed) };
    // A member of the wrong type is malformed at once, not when its turn comes.
    fields.object(kind.word())?;
    // A copy: a line that waits must not keep all that was read with it.
    Ok(Line::Command(Request { id, kind, line: Bytes::copy_from_slice(line) }))
}

fn parse(line: &[u8]) -> Result<Fields<'_>, Malformed> {
    let text = std::str::from_utf8(line).map_err(|_| Malformed("expected UTF-8".to_owned()))?;
    Fields::parse_first(text)
}

// === impl Request ===

impl Request {
    /// The command's own member.
    pub fn params(&self) -> Result<Fields<'_>, Malformed> {
        Ok(parse(&self.line)?.object(self.kind.word())?.unwrap_or_default())
    }

    /// Bytes it occupies while it waits.
    pub fn size(&self) -> usize {
        self.line.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(frame: &'static str) -> Vec<String> {
        lines(frame.as_bytes())
            .map(|line| match line {
                Line::Pong => "pong".to_owned(),
                Line::Malformed => "malformed".to_owned(),
                Line::Command(request) => format!("{} {}", request.id, request.kind.word()),
            })
            .collect()
    }

    #[test]
    fn frames_are_lines() {
        let cases: [(&str, &[&str]); 14] = [
            ("{\"id\":1,\"connect\":{}}", &["1 connect"]),
            ("{\"id\":1,\"connect\":{}}\n{\"id\":2,\"rpc\":{}}\n", &["1 connect", "2 rpc"]),
            ("{}", &["pong"]),
            ("{\"publish\":{\"channel\":\"a\"}}", &["pong"]),
            ("{\"send\":{}}", &["0 send"]),
            ("{\"id\":1,\"rpc\":{},\"subscribe\":{}}", &["1 subscribe"]),
            ("{\"ID\":1,\"RPC\":{}} trailing", &["1 rpc"]),
            ("", &["malformed"]),
            ("\n", &["malformed"]),
            ("{\"id\":1,\"rpc\":{}}\n\n{\"id\":2,\"rpc\":{}}", &["1 rpc", "malformed"]),
            ("{\"id\":2}", &["malformed"]),
            ("{\"id\":2,\"ping\":{}}", &["malformed"]),
            ("{\"id\":1,\"connect\":null}", &["malformed"]),
            ("[{\"id\":1}]", &["malformed"]),
        ];
        for (frame, expected) in cases {
            assert_eq!(read_all(frame), expected, "{frame:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_frame_panics(frame: Vec<u8>) {
            lines(&frame).count();
        }
    }
}
