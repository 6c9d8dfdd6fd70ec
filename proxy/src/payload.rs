//! Payloads from outside, checked where they enter: no byte of theirs can break a frame.
//!
//! A payload that is JSON is embedded as it is, on one line; any other travels as base64. What is
//! written into replies and pushes is of these types, a string, a number, or written by ourselves.

use rollcall_wire::info::push_one_line;
use serde_json::value::RawValue;

/// One JSON value in UTF-8, of any depth, without a line break.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Json(Box<str>);

/// Bytes for a client.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Payload {
    /// Not given, or given empty.
    #[default]
    Nothing,
    /// Embedded as it is.
    Json(Json),
    /// Embedded as base64, under another name.
    Bytes(Box<[u8]>),
}

// === impl Json ===

impl Json {
    /// `bytes` if they are JSON; line breaks become spaces.
    pub fn check(bytes: &[u8]) -> Option<Self> {
        if rollcall_wire::is_json(bytes) { Self::on_one_line(bytes) } else { None }
    }

    /// Nothing, as a value.
    pub fn null() -> Self {
        Self("null".into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Inside strings there are no line breaks, and outside they mean nothing.
    fn on_one_line(json: &[u8]) -> Option<Self> {
        let mut line = Vec::with_capacity(json.len());
        push_one_line(&mut line, json);
        String::from_utf8(line).ok().map(|line| Self(line.into()))
    }
}

/// A parser has read it.
impl From<&RawValue> for Json {
    fn from(value: &RawValue) -> Self {
        // Replacing ASCII by ASCII keeps UTF-8 what it is.
        Self::on_one_line(value.get().as_bytes()).unwrap_or_else(Self::null)
    }
}

// === impl Payload ===

impl Payload {
    /// Looks at `bytes` once and says how clients are shown them.
    pub fn check(bytes: &[u8]) -> Self {
        match Json::check(bytes) {
            _ if bytes.is_empty() => Self::Nothing,
            Some(json) => Self::Json(json),
            None => Self::Bytes(bytes.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_is_json_on_one_line_or_bytes() {
        let json = |text: &str| Payload::Json(Json(text.into()));
        for (bytes, payload) in [
            (&b""[..], Payload::Nothing),
            (b"null", json("null")),
            (b"{\r\n\"a\":1\n}", json("{  \"a\":1 }")),
            (b"1}", Payload::Bytes(b"1}"[..].into())),
            (b"\"\xff\"", Payload::Bytes(b"\"\xff\""[..].into())),
            (b"\n", Payload::Bytes(b"\n"[..].into())),
        ] {
            assert_eq!(Payload::check(bytes), payload);
        }
    }

    proptest::proptest! {
        #[test]
        fn no_payload_has_a_line_break(bytes: Vec<u8>) {
            if let Payload::Json(json) = Payload::check(&bytes) {
                proptest::prop_assert!(!json.as_str().contains('\n'));
                proptest::prop_assert!(rollcall_wire::is_json(json.as_str().as_bytes()));
            }
        }
    }
}
