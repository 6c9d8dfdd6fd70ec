//! What a client is told of who is in a channel, so that the joins and leaves that it is shown from
//! then on lead to what is true.

use std::collections::{HashSet, VecDeque};

use super::event::Kind;
use super::{Event, Members, Mirror};
use crate::protocol::Json;

/// Leaves that are remembered: so many may pass while a read is on its way.
const LEAVES: usize = 64;

/// A read of the roster for a client, as far as its sequences go.
#[derive(Debug, Clone, Copy)]
pub(in crate::hub) struct Read {
    /// The sequences at its beginning and its end; they differ where it took several pages.
    pub(in crate::hub) since: u64,
    pub(in crate::hub) seq: u64,
    /// No client is in the roster. Its sequence is not its own then.
    pub(in crate::hub) empty: bool,
}

/// What the answer is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::hub) enum Basis {
    /// The read: listeners have been shown all of it and no more, or the room is too big to know what
    /// they have been shown.
    Read,
    /// What listeners have been shown, and the clients of the read who join and leave without events.
    Both,
    /// What listeners have been shown: what the read differs in is shown to all of them later.
    Shown,
    /// Events are still on their way.
    Later,
    /// No client is shown, and no event has told of those in the read: either it is on its way, or all
    /// of them join without events.
    Unheard,
}

/// The latest events, for answers to reads that are older than they are.
#[derive(Debug, Default)]
pub(super) struct Latest {
    /// How many clients and users there were after the last event; unknown after a read.
    counts: Option<(u64, u64)>,
    /// Who left, and at which sequence.
    left: VecDeque<(u64, Box<str>)>,
    /// From this sequence on. Leaves that only a read told are of no sequence.
    since: u64,
}

// === impl Latest ===

impl Latest {
    pub(super) fn note(&mut self, event: &Event) {
        if event.kind == Kind::Reset {
            self.counts = None;
            return;
        }
        self.counts = Some((event.clients, event.users));
        if event.kind == Kind::Leave {
            if self.left.len() == LEAVES {
                self.left.pop_front();
            }
            self.left.push_back((event.seq, event.client.clone()));
        }
    }

    /// The roster was read at `seq`: it is not known how many users that were.
    pub(super) fn read(&mut self, seq: u64) {
        self.counts = None;
        self.forget(seq);
    }

    /// Forgets leaves: reads before `seq` are no basis of an answer any more.
    pub(super) fn forget(&mut self, seq: u64) {
        self.since = seq;
        self.left = VecDeque::new();
    }

    /// Whether every leave after `seq` is remembered.
    fn reaches(&self, seq: u64) -> bool {
        let first = self.left.front().filter(|_| self.left.len() == LEAVES);
        seq >= self.since && first.is_none_or(|(first, _)| *first <= seq)
    }
}

// === impl Mirror ===

impl Mirror {
    /// What the answer to a client is made of that wants to know who is here; `settled` says that the
    /// events of the roster's present history arrive here.
    pub(in crate::hub) fn basis(&self, read: Read, settled: bool) -> Basis {
        if matches!(self.members, Members::TooMany) {
            return Basis::Read;
        }
        if self.reading.is_some() {
            return Basis::Later;
        }
        if !settled || self.patience.is_waiting() {
            return Basis::Shown;
        }
        let behind = if read.empty { !self.is_empty() } else { self.seq < read.seq };
        if self.has_missed() {
            Basis::Later
        } else if behind {
            if self.is_empty() { Basis::Unheard } else { Basis::Later }
        } else if read.empty || (self.seq == read.seq && read.since == read.seq) {
            // The sequence of an empty roster is not its own.
            if self.is_empty() == read.empty { Basis::Read } else { Basis::Both }
        } else if self.latest.reaches(read.since) {
            Basis::Both
        } else {
            Basis::Shown
        }
    }

    /// The clients that are shown, as a `presence` object; with the clients of the read, a `presence`
    /// object too, who were neither shown nor left since.
    pub(in crate::hub) fn presence(&self, also: Option<(&Read, &Others)>) -> Vec<u8> {
        let Members::Known(known) = &self.members else { return b"{}".to_vec() };
        let mut out = Vec::with_capacity(
            2 + known.values().map(|info| info.as_str().len() + 48).sum::<usize>(),
        );
        out.push(b'{');
        let mut put = |client: &str, info: &str| {
            if out.len() > 1 {
                out.push(b',');
            }
            rollcall_wire::push_string(&mut out, client);
            out.push(b':');
            out.extend_from_slice(info.as_bytes());
        };
        for (client, info) in known {
            put(client, info.as_str());
        }
        if let Some((read, others)) = also {
            let left = self.latest.left.iter().filter(|(seq, _)| *seq > read.since);
            let left: HashSet<&str> = left.map(|(_, client)| &**client).collect();
            let unseen = others
                .iter()
                .filter(|(client, _)| !known.contains_key(&**client) && !left.contains(&**client));
            unseen.for_each(|(client, info)| put(client, info.as_str()));
        }
        out.push(b'}');
        out
    }

    /// Forgets leaves that no read on its way needs.
    pub(in crate::hub) fn forget_leaves(&mut self) {
        self.latest.forget(self.seq);
    }

    /// How many clients and users are shown. Those that join and leave without events count where the
    /// last event has told of them.
    pub(in crate::hub) fn counts(&self, basis: Basis) -> (u64, u64) {
        if let (Basis::Both, Some(counts)) = (basis, self.latest.counts) {
            return counts;
        }
        let Members::Known(known) = &self.members else { return (0, 0) };
        let users: HashSet<Box<str>> = known.values().map(|info| user_of(info.as_str())).collect();
        (known.len() as u64, users.len() as u64)
    }
}

/// Members as `(client, ClientInfo)`.
pub(in crate::hub) type Others = Vec<(Box<str>, Json)>;

/// The user of a `ClientInfo` object.
fn user_of(info: &str) -> Box<str> {
    #[derive(serde::Deserialize)]
    struct Of {
        #[serde(default)]
        user: Box<str>,
    }
    serde_json::from_str::<Of>(info).map(|of| of.user).unwrap_or_default()
}
