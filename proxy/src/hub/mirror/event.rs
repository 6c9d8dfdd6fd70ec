//! An event of a roster, as far as a mirror needs it.

use rollcall_wire::publication::Entry;

/// What an event says of its member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::hub) enum Kind {
    Join,
    Update,
    Leave,
}

/// A member's event, reduced to what the mirror needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::hub) struct Event {
    pub(super) kind: Kind,
    pub(super) seq: u64,
    pub(super) prev: u64,
    pub(super) clients: u64,
    pub(super) back: bool,
    pub(super) client: Box<str>,
    pub(super) info: Box<str>,
}

// === impl Event ===

impl Event {
    /// `None` for an info without a client id, which the module never sends.
    pub(in crate::hub) fn read(kind: Kind, entry: &Entry<'_>) -> Option<Self> {
        #[derive(serde::Deserialize)]
        struct Id {
            client: Box<str>,
        }
        let id: Id = serde_json::from_str(entry.info.get()).ok()?;
        Some(Self {
            kind,
            seq: entry.seq,
            prev: entry.prev,
            clients: entry.clients,
            back: entry.back,
            client: id.client,
            info: entry.info.get().into(),
        })
    }
}
