//! An event of a roster, as far as a mirror needs it.

use rollcall_wire::publication::{Message, Who};

use crate::protocol::Json;

/// What an event says of its member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Join,
    Update,
    Leave,
    /// Of nobody: the roster changed otherwise.
    Reset,
}

/// A member's event, reduced to what the mirror needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::hub) struct Event {
    pub(super) kind: Kind,
    pub(super) seq: u64,
    pub(super) prev: u64,
    pub(super) clients: u64,
    pub(super) users: u64,
    pub(super) back: bool,
    pub(super) client: Box<str>,
    pub(super) info: Json,
}

// === impl Event ===

impl Event {
    pub(in crate::hub) fn seq(&self) -> u64 {
        self.seq
    }

    fn reset(seq: u64) -> Self {
        let (client, info) = (Box::default(), Json::null());
        Self { kind: Kind::Reset, seq, prev: 0, clients: 0, users: 0, back: false, client, info }
    }

    /// `None` for a publication, and for an info without a client and a user, which the module
    /// never sends.
    pub(in crate::hub) fn of(message: &Message<'_>) -> Option<Self> {
        let (kind, entry) = match message {
            Message::Join(entry) => (Kind::Join, entry),
            Message::Update(entry) => (Kind::Update, entry),
            Message::Leave(entry) => (Kind::Leave, entry),
            Message::Reset { seq, .. } => return Some(Self::reset(*seq)),
            Message::Publication(_) => return None,
        };
        let who = Who::of(entry.info)?;
        Some(Self {
            kind,
            seq: entry.seq,
            prev: entry.prev,
            clients: entry.clients,
            users: entry.users,
            back: entry.back,
            client: who.client.into(),
            info: entry.info.into(),
        })
    }
}
