//! What a roster announces on the sharded channel of its key's name.
//!
//! The module writes events with [`Event::push_json`]; listeners read them, and publications, with
//! [`crate::publication::Message::parse`].

use crate::info::Member;
use crate::json::push_number;

/// Why a member left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Why {
    /// Somebody removed it.
    Removed,
    /// Its deadline passed.
    Expired,
    /// Its lease ended.
    Lease,
}

/// What joins, updates and leaves have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The roster's sequence after the change.
    pub seq: u64,
    /// The roster's sequence before it; 0 when the roster was empty.
    pub prev: u64,
    /// Clients in the roster after the change.
    pub clients: u64,
    /// Distinct users in the roster after the change; all anonymous clients are one user.
    pub users: u64,
    /// The number of the database.
    pub db: u32,
}

/// The kind of a change of one member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// A client came.
    Join {
        /// The user's first client in the channel.
        first: bool,
        /// Put back after a loss: who still shows the client shows nothing new.
        back: bool,
    },
    /// A client's info changed.
    Update,
    /// A client went.
    Leave {
        /// The user's last client in the channel.
        last: bool,
        /// The reason; a server that was told of the leave by its master does not know it.
        why: Option<Why>,
    },
}

/// An event of a roster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event<'a> {
    /// One member came, changed or went.
    Member(Head, Change, Member<'a>),
    /// The roster changed otherwise: read it again.
    Reset {
        /// The roster's sequence from now on.
        seq: u64,
        /// The number of the database.
        db: u32,
    },
}

// === impl Why ===

impl Why {
    /// The word in the event.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Removed => "removed",
            Self::Expired => "expired",
            Self::Lease => "lease",
        }
    }
}

// === impl Event ===

impl Event<'_> {
    /// The roster's sequence after it.
    pub fn seq(&self) -> u64 {
        match self {
            Self::Member(head, ..) => head.seq,
            Self::Reset { seq, .. } => *seq,
        }
    }

    /// Appends the event as it is published.
    pub fn push_json(&self, out: &mut Vec<u8>) {
        match self {
            Self::Reset { seq, db } => {
                out.extend_from_slice(b"{\"t\":\"reset\",\"seq\":");
                push_number(out, *seq);
                push_db(out, *db);
            }
            Self::Member(head, change, member) => {
                push_head(out, head, *change);
                out.extend_from_slice(b",\"info\":");
                member.push_json(out);
            }
        }
        out.push(b'}');
    }
}

/// Says of an event, which begins `out` and is whole, to which history of the data it belongs: the
/// epoch that `PRESENCE.LEASE KEEP` reports where it was published.
pub fn push_epoch(out: &mut Vec<u8>, epoch: u64) {
    out.truncate(out.len().saturating_sub(1));
    out.extend_from_slice(b",\"epoch\":");
    push_number(out, epoch);
    out.push(b'}');
}

fn push_head(out: &mut Vec<u8>, head: &Head, change: Change) {
    let word = match change {
        Change::Join { .. } => "join",
        Change::Update => "update",
        Change::Leave { .. } => "leave",
    };
    out.extend_from_slice(b"{\"t\":\"");
    out.extend_from_slice(word.as_bytes());
    out.extend_from_slice(b"\",\"seq\":");
    push_number(out, head.seq);
    for (name, value) in
        [(",\"prev\":", head.prev), (",\"clients\":", head.clients), (",\"users\":", head.users)]
    {
        out.extend_from_slice(name.as_bytes());
        push_number(out, value);
    }
    push_db(out, head.db);
    match change {
        Change::Join { first, back } => {
            push_bool(out, ",\"first\":", first);
            if back {
                push_bool(out, ",\"back\":", true);
            }
        }
        Change::Update => {}
        Change::Leave { last, why } => {
            push_bool(out, ",\"last\":", last);
            if let Some(why) = why {
                out.extend_from_slice(b",\"why\":\"");
                out.extend_from_slice(why.as_str().as_bytes());
                out.push(b'"');
            }
        }
    }
}

fn push_db(out: &mut Vec<u8>, db: u32) {
    if db != 0 {
        out.extend_from_slice(b",\"db\":");
        push_number(out, u64::from(db));
    }
}

fn push_bool(out: &mut Vec<u8>, name: &str, value: bool) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(if value { b"true" } else { b"false" });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::info::Info;

    fn rendered(event: &Event<'_>) -> String {
        let mut out = Vec::new();
        event.push_json(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn events_read_as_the_contract_shows_them() {
        let head = Head { seq: 7, prev: 5, clients: 2, users: 1, db: 0 };
        let conn_info = Info::classify(b"{\"n\":1}");
        let member = Member { client: "c", user: "42", conn_info, chan_info: Info::None };
        let join = Change::Join { first: false, back: false };
        insta::assert_snapshot!(
            rendered(&Event::Member(head, join, member)),
            @r#"{"t":"join","seq":7,"prev":5,"clients":2,"users":1,"first":false,"info":{"user":"42","client":"c","conn_info":{"n":1}}}"#
        );
        let back = Change::Join { first: true, back: true };
        insta::assert_snapshot!(
            rendered(&Event::Member(Head { db: 3, ..head }, back, member)),
            @r#"{"t":"join","seq":7,"prev":5,"clients":2,"users":1,"db":3,"first":true,"back":true,"info":{"user":"42","client":"c","conn_info":{"n":1}}}"#
        );
        insta::assert_snapshot!(
            rendered(&Event::Member(head, Change::Update, member)),
            @r#"{"t":"update","seq":7,"prev":5,"clients":2,"users":1,"info":{"user":"42","client":"c","conn_info":{"n":1}}}"#
        );
        let leave = Change::Leave { last: true, why: Some(Why::Lease) };
        insta::assert_snapshot!(
            rendered(&Event::Member(head, leave, member)),
            @r#"{"t":"leave","seq":7,"prev":5,"clients":2,"users":1,"last":true,"why":"lease","info":{"user":"42","client":"c","conn_info":{"n":1}}}"#
        );
        let leave = Change::Leave { last: false, why: None };
        insta::assert_snapshot!(
            rendered(&Event::Member(head, leave, member)),
            @r#"{"t":"leave","seq":7,"prev":5,"clients":2,"users":1,"last":false,"info":{"user":"42","client":"c","conn_info":{"n":1}}}"#
        );
        insta::assert_snapshot!(rendered(&Event::Reset { seq: 9, db: 0 }), @r#"{"t":"reset","seq":9}"#);
    }
}
