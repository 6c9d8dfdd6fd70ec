//! One entry's bytes in one allocation.
//!
//! ```text
//! flags: announced | head | packed | conn kind (2 bits) | chan kind (2 bits)
//! born:  4 bytes, the roster's join counter when the entry came
//! client: 16 bytes when packed, else length (1) and bytes
//! user:  length (1) and bytes
//! conn_info: varint length and bytes, when there is one
//! chan_info: the rest
//! ```

use rollcall_wire::{Info, varint};

use super::client_id::ClientId;
use crate::footprint;
use crate::native::defrag::Defrag;
use crate::native::string;
use crate::native::thin::ThinBytes;

const ANNOUNCED: u8 = 1;
const HEAD: u8 = 2;
const PACKED: u8 = 4;
const CONN_SHIFT: u8 = 3;
const CHAN_SHIFT: u8 = 5;
const CLIENT_AT: usize = 5;

/// What an entry is made of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parts<'a> {
    pub(crate) client: ClientId<'a>,
    pub(crate) user: &'a str,
    pub(crate) conn_info: Info<'a>,
    pub(crate) chan_info: Info<'a>,
    pub(crate) announced: bool,
}

/// An entry's bytes.
#[derive(Debug)]
pub(crate) struct Blob(ThinBytes);

// === impl Parts ===

impl Parts<'_> {
    /// Bytes of the user and the infos.
    pub(crate) fn bytes(&self) -> usize {
        self.user.len() + self.conn_info.bytes().len() + self.chan_info.bytes().len()
    }
}

// === impl Blob ===

impl Blob {
    pub(crate) fn new(parts: &Parts<'_>, born: u32) -> Self {
        let packed = if matches!(parts.client, ClientId::Uuid(_)) { PACKED } else { 0 };
        let announced = if parts.announced { ANNOUNCED } else { 0 };
        let infos = kind(parts.conn_info) << CONN_SHIFT | kind(parts.chan_info) << CHAN_SHIFT;
        let flags = announced | packed | infos;
        let [b0, b1, b2, b3] = born.to_le_bytes();
        let client_len;
        let (client_prefix, client): (&[u8], &[u8]) = match &parts.client {
            ClientId::Uuid(uuid) => (&[], uuid),
            ClientId::Text(text) => {
                client_len = [short(text)];
                (&client_len, text.as_bytes())
            }
        };
        let conn = parts.conn_info.bytes();
        let (conn_prefix, mut prefix_len) = varint::encoded(conn.len() as u64);
        if conn.is_empty() {
            prefix_len = 0;
        }
        Self(ThinBytes::concat(&[
            &[flags, b0, b1, b2, b3],
            client_prefix,
            client,
            &[short(parts.user)],
            parts.user.as_bytes(),
            &conn_prefix[..prefix_len],
            conn,
            parts.chan_info.bytes(),
        ]))
    }

    pub(crate) fn parts(&self) -> Parts<'_> {
        let bytes = self.0.as_slice();
        let flags = bytes[0];
        let (client, user_at) = self.client_and_end();
        let (user, mut rest) = bytes[user_at + 1..].split_at(usize::from(bytes[user_at]));
        let conn = flags >> CONN_SHIFT & 3;
        let conn_bytes =
            if conn == 0 { &[] } else { varint::take_bytes(&mut rest, usize::MAX).unwrap_or(&[]) };
        Parts {
            client,
            user: text(user),
            conn_info: info(conn, conn_bytes),
            chan_info: info(flags >> CHAN_SHIFT & 3, rest),
            announced: flags & ANNOUNCED != 0,
        }
    }

    /// Whether it is the entry of this client.
    pub(crate) fn is_of(&self, client: ClientId<'_>) -> bool {
        let (kind, own) = self.client_bytes();
        match client {
            ClientId::Uuid(uuid) => kind == PACKED && own == uuid,
            ClientId::Text(text) => kind == 0 && own == text.as_bytes(),
        }
    }

    /// Whether it stands for this user in the index of users.
    pub(crate) fn is_head_of(&self, user: &str) -> bool {
        self.is_head() && self.user_bytes() == user.as_bytes()
    }

    pub(crate) fn user(&self) -> &str {
        text(self.user_bytes())
    }

    pub(crate) fn born(&self) -> u32 {
        let bytes = self.0.as_slice();
        u32::from_le_bytes([bytes[1], bytes[2], bytes[3], bytes[4]])
    }

    /// Whether the entry stands for its user in the index of users.
    pub(crate) fn is_head(&self) -> bool {
        self.0.as_slice()[0] & HEAD != 0
    }

    pub(crate) fn set_head(&mut self, head: bool) {
        self.set(HEAD, head);
    }

    pub(crate) fn set_announced(&mut self) {
        self.set(ANNOUNCED, true);
    }

    pub(crate) fn bytes(&self) -> usize {
        footprint::of(self.0.bytes())
    }

    pub(crate) fn move_by(&mut self, defrag: &Defrag) {
        self.0.move_by(defrag);
    }

    fn set(&mut self, flag: u8, on: bool) {
        let flags = &mut self.0.as_mut_slice()[0];
        *flags = if on { *flags | flag } else { *flags & !flag };
    }

    /// [`PACKED`] or 0, and the client's bytes.
    fn client_bytes(&self) -> (u8, &[u8]) {
        let bytes = self.0.as_slice();
        if bytes[0] & PACKED != 0 {
            return (PACKED, &bytes[CLIENT_AT..CLIENT_AT + 16]);
        }
        let end = CLIENT_AT + 1 + usize::from(bytes[CLIENT_AT]);
        (0, &bytes[CLIENT_AT + 1..end])
    }

    fn user_bytes(&self) -> &[u8] {
        let bytes = self.0.as_slice();
        let at = if bytes[0] & PACKED != 0 {
            CLIENT_AT + 16
        } else {
            CLIENT_AT + 1 + usize::from(bytes[CLIENT_AT])
        };
        &bytes[at + 1..=at + usize::from(bytes[at])]
    }

    /// The client, and where the user's length is.
    fn client_and_end(&self) -> (ClientId<'_>, usize) {
        match self.client_bytes() {
            (0, own) => (ClientId::Text(text(own)), CLIENT_AT + 1 + own.len()),
            (_, own) => {
                let mut uuid = [0; 16];
                uuid.copy_from_slice(own);
                (ClientId::Uuid(uuid), CLIENT_AT + 16)
            }
        }
    }
}

/// The parsers let no longer id through.
fn short(text: &str) -> u8 {
    u8::try_from(text.len()).expect("ids are capped by the parsers")
}

fn text(bytes: &[u8]) -> &str {
    string::text(bytes).unwrap_or_default()
}

fn kind(info: Info<'_>) -> u8 {
    match info {
        Info::None => 0,
        Info::Json(_) => 1,
        Info::Bytes(_) => 2,
    }
}

fn info(kind: u8, bytes: &[u8]) -> Info<'_> {
    match kind {
        0 => Info::None,
        1 => Info::Json(bytes),
        _ => Info::Bytes(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_read_back_and_flags_change_alone() {
        let infos: [&[u8]; 3] = [b"", b"{\"a\":1}", b"\xff"];
        for (conn, chan) in infos.iter().flat_map(|conn| infos.map(|chan| (*conn, chan))) {
            for client in ["c", "0f2c4e6a-8b0d-1f3e-5a7c-9e1b3d5f7a9c"] {
                let parts = Parts {
                    client: ClientId::new(client),
                    user: "user",
                    conn_info: Info::classify(conn),
                    chan_info: Info::classify(chan),
                    announced: false,
                };
                let mut blob = Blob::new(&parts, 77);
                blob.set_head(true);
                blob.set_announced();
                let read = blob.parts();
                assert_eq!((read.client, read.user), (parts.client, "user"));
                assert_eq!(read.conn_info, parts.conn_info);
                assert_eq!(read.chan_info, parts.chan_info);
                assert!(read.announced && blob.is_head());
                assert_eq!((blob.born(), blob.user()), (77, "user"));
            }
        }
    }
}
