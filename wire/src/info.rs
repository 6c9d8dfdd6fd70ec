//! A member of a roster and the info bytes attached to it, as JSON shows them.

use crate::{base64, json};

/// Info bytes and how JSON shows them.
///
/// Infos are opaque to us: what is valid JSON is embedded as it is, anything else appears as
/// base64 under the field's name with `_b64` appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Info<'a> {
    /// Not given, or given empty.
    #[default]
    None,
    /// Valid JSON, however deep.
    Json(&'a [u8]),
    /// Anything else.
    Bytes(&'a [u8]),
}

/// Who is in a channel: one client of one user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member<'a> {
    /// The client id, unique in the roster.
    pub client: &'a str,
    /// The user id; empty for an anonymous client.
    pub user: &'a str,
    /// What is known of the connection.
    pub conn_info: Info<'a>,
    /// What is known of the client in this channel.
    pub chan_info: Info<'a>,
}

// === impl Info ===

impl<'a> Info<'a> {
    /// Looks at `bytes` once and says how JSON will show them.
    pub fn classify(bytes: &'a [u8]) -> Self {
        if bytes.is_empty() {
            Self::None
        } else if json::is_json(bytes) {
            Self::Json(bytes)
        } else {
            Self::Bytes(bytes)
        }
    }

    /// The bytes as they were given; empty for none.
    pub fn bytes(&self) -> &'a [u8] {
        match self {
            Self::None => &[],
            Self::Json(bytes) | Self::Bytes(bytes) => bytes,
        }
    }

    /// Appends `,"name":<json>` or `,"name_b64":"…"`, or nothing.
    pub fn push_field(&self, out: &mut Vec<u8>, name: &str) {
        if matches!(self, Self::None) {
            return;
        }
        out.extend_from_slice(b",\"");
        out.extend_from_slice(name.as_bytes());
        match self {
            Self::None => {}
            Self::Json(bytes) => {
                out.extend_from_slice(b"\":");
                push_one_line(out, bytes);
            }
            Self::Bytes(bytes) => {
                out.extend_from_slice(b"_b64\":\"");
                base64::push(out, bytes);
                out.push(b'"');
            }
        }
    }
}

/// Appends valid JSON with its line breaks made spaces: inside strings there are none, and outside
/// they would end a line of the client protocol early.
pub fn push_one_line(out: &mut Vec<u8>, json: &[u8]) {
    let start = out.len();
    out.extend_from_slice(json);
    for byte in &mut out[start..] {
        // Without a branch this is done to many bytes at a time.
        *byte = if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte };
    }
}

// === impl Member ===

impl Member<'_> {
    /// Appends the member as the client protocol's `ClientInfo` object.
    pub fn push_json(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"user\":\"");
        json::push_text(out, self.user);
        out.extend_from_slice(b"\",\"client\":\"");
        json::push_text(out, self.client);
        out.push(b'"');
        self.conn_info.push_field(out, "conn_info");
        self.chan_info.push_field(out, "chan_info");
        out.push(b'}');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(conn_info: &[u8], chan_info: &[u8]) -> String {
        let mut out = Vec::new();
        let (conn_info, chan_info) = (Info::classify(conn_info), Info::classify(chan_info));
        Member { client: "c\"1", user: "", conn_info, chan_info }.push_json(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn json_is_embedded_on_one_line_and_other_bytes_are_base64() {
        insta::assert_snapshot!(rendered(b"", b""), @r#"{"user":"","client":"c\"1"}"#);
        insta::assert_snapshot!(
            rendered(b"{\n \"a\":\r1}", b"\xff\x00"),
            @r#"{"user":"","client":"c\"1","conn_info":{  "a": 1},"chan_info_b64":"/wA="}"#
        );
    }
}
