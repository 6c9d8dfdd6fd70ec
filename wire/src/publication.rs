//! What travels on a roster's channel, read back: publications and events alike.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::event::Why;
use crate::info::{Info, push_one_line};

/// A publication as it is sent on the channel of a roster's key.
#[derive(Debug, Clone, Copy)]
pub struct Publication<'a> {
    /// The payload: JSON is embedded, other bytes travel as base64.
    pub data: Info<'a>,
    /// The publisher as a ready `ClientInfo` object; only for publications of clients.
    pub info: Option<&'a str>,
    /// Tags as a ready JSON object of strings.
    pub tags: Option<&'a str>,
}

/// A message on the channel of a roster's key, borrowed from its bytes.
#[derive(Debug)]
pub enum Message<'a> {
    /// A client came.
    Join(Entry<'a>),
    /// A client's info changed.
    Update(Entry<'a>),
    /// A client went.
    Leave(Entry<'a>),
    /// The roster changed otherwise.
    Reset {
        /// The roster's sequence from now on.
        seq: u64,
        /// The number of the roster's database.
        db: u32,
        /// As in [`Entry::epoch`].
        epoch: u64,
    },
    /// Somebody published.
    Publication(Published<'a>),
}

/// The parts of a join, update or leave that listeners use.
#[derive(Debug, Deserialize)]
pub struct Entry<'a> {
    /// The roster's sequence after the change.
    pub seq: u64,
    /// The roster's sequence before it; 0 when the roster was empty.
    pub prev: u64,
    /// Clients in the roster after the change.
    pub clients: u64,
    /// Distinct users in the roster after the change.
    #[serde(default)]
    pub users: u64,
    /// The number of the roster's database.
    #[serde(default)]
    pub db: u32,
    /// The epoch of the server that published it; 0 where it is not told: an event that is asked for
    /// belongs to the history of the server that answers.
    #[serde(default)]
    pub epoch: u64,
    /// A join that puts an entry back after a loss.
    #[serde(default)]
    pub back: bool,
    /// Why a member left, where that is known.
    #[serde(default)]
    pub why: Option<Why>,
    /// The member as a `ClientInfo` object.
    #[serde(borrow)]
    pub info: &'a RawValue,
}

/// A publication as it was received; every part is ready to be sent on.
#[derive(Debug, Deserialize)]
pub struct Published<'a> {
    /// The payload when it is JSON; `null` is a payload.
    #[serde(borrow, default, deserialize_with = "given")]
    pub data: Option<&'a RawValue>,
    /// The payload in base64 when it is not, quotes included.
    #[serde(borrow, default)]
    pub b64data: Option<&'a RawValue>,
    /// The publisher.
    #[serde(borrow, default)]
    pub info: Option<&'a RawValue>,
    /// The tags.
    #[serde(borrow, default)]
    pub tags: Option<&'a RawValue>,
}

/// A member that is there, whatever it holds.
fn given<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(from).map(Some)
}

/// The tag that says which of the messages it is.
#[derive(Deserialize)]
struct Tag<'a> {
    t: &'a str,
    #[serde(default)]
    seq: u64,
    #[serde(default)]
    db: u32,
    #[serde(default)]
    epoch: u64,
}

// === impl Publication ===

impl Publication<'_> {
    /// Appends the publication as it is sent.
    pub fn push_json(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"t\":\"pub\"");
        match self.data {
            // Named by hand: JSON goes under `data`, bytes under `b64data`.
            Info::Bytes(bytes) => {
                out.extend_from_slice(b",\"b64data\":\"");
                crate::base64::push(out, bytes);
                out.push(b'"');
            }
            data => data.push_field(out, "data"),
        }
        for (name, value) in [(",\"info\":", self.info), (",\"tags\":", self.tags)] {
            if let Some(value) = value {
                out.extend_from_slice(name.as_bytes());
                push_one_line(out, value.as_bytes());
            }
        }
        out.push(b'}');
    }
}

// === impl Message ===

impl<'a> Message<'a> {
    /// Reads a message; `None` for what is not one, which listeners count and drop.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let tag: Tag<'_> = serde_json::from_str(text).ok()?;
        Some(match tag.t {
            "join" => Self::Join(serde_json::from_str(text).ok()?),
            "update" => Self::Update(serde_json::from_str(text).ok()?),
            "leave" => Self::Leave(serde_json::from_str(text).ok()?),
            "reset" => Self::Reset { seq: tag.seq, db: tag.db, epoch: tag.epoch },
            "pub" => Self::Publication(serde_json::from_str(text).ok()?),
            _ => return None,
        })
    }

    /// The epoch of the server that published an event; 0 where it is not told.
    pub fn epoch(&self) -> u64 {
        match self {
            Self::Join(entry) | Self::Update(entry) | Self::Leave(entry) => entry.epoch,
            Self::Reset { epoch, .. } => *epoch,
            Self::Publication(_) => 0,
        }
    }

    /// The database that an event is from; publications belong to none.
    pub fn db(&self) -> Option<u32> {
        match self {
            Self::Join(entry) | Self::Update(entry) | Self::Leave(entry) => Some(entry.db),
            Self::Reset { db, .. } => Some(*db),
            Self::Publication(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Change, Event, Head, push_epoch};
    use crate::info::Member;

    #[test]
    fn events_read_back() {
        let head = Head { seq: 7, prev: 5, clients: 2, users: 1, db: 0 };
        let member =
            Member { client: "c", user: "42", conn_info: Info::None, chan_info: Info::None };
        let mut out = Vec::new();
        Event::Member(head, Change::Leave { last: true, why: Some(Why::Expired) }, member)
            .push_json(&mut out);
        let Some(Message::Leave(entry)) = Message::parse(&out) else { panic!("not a leave") };
        assert_eq!((entry.seq, entry.prev, entry.clients, entry.users), (7, 5, 2, 1));
        assert_eq!(entry.why, Some(Why::Expired));
        assert_eq!(entry.info.get(), r#"{"user":"42","client":"c"}"#);
        let reset = Message::parse(br#"{"t":"reset","seq":9}"#);
        assert!(matches!(reset, Some(Message::Reset { seq: 9, db: 0, epoch: 0 })));
        for event in [&mut out, &mut br#"{"t":"reset","seq":9}"#.to_vec()] {
            push_epoch(event, 12);
            assert_eq!(Message::parse(event).map(|message| message.epoch()), Some(12));
        }
    }

    #[test]
    fn publications_carry_json_and_bytes() {
        let mut out = Vec::new();
        let data = Info::classify(b"{\"a\":\n1}");
        Publication { data, info: Some(r#"{"user":"1","client":"c"}"#), tags: None }
            .push_json(&mut out);
        insta::assert_snapshot!(
            String::from_utf8(out.clone()).unwrap(),
            @r#"{"t":"pub","data":{"a": 1},"info":{"user":"1","client":"c"}}"#
        );
        let Some(Message::Publication(read)) = Message::parse(&out) else { panic!() };
        assert_eq!(read.data.map(RawValue::get), Some(r#"{"a": 1}"#));
        out.clear();
        Publication { data: Info::classify(b"null"), info: None, tags: None }.push_json(&mut out);
        let Some(Message::Publication(read)) = Message::parse(&out) else { panic!() };
        assert_eq!(read.data.map(RawValue::get), Some("null"));
        out.clear();
        Publication { data: Info::classify(b"\xff"), info: None, tags: None }.push_json(&mut out);
        assert_eq!(out, br#"{"t":"pub","b64data":"/w=="}"#);
    }

    #[test]
    fn garbage_is_no_message() {
        let garbage: [&[u8]; 6] =
            [b"", b"1", b"{}", b"{\"t\":\"what\"}", b"\xff", b"{\"t\":\"join\",\"seq\":-1}"];
        for bytes in garbage {
            assert!(Message::parse(bytes).is_none());
        }
    }
}
