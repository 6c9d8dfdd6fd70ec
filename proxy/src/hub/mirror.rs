//! What the listeners of one channel have been shown, and what an event or a read changes of that.
//! Pure: no Redis, no clock.

mod event;
mod missed;
mod picture;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub(super) use event::Event;
use event::Kind;
use picture::Latest;
pub(super) use picture::{Basis, Read as PictureRead};

use super::patience::{Differences, Patience};
use crate::protocol::Json;

/// Events kept while a read is under way; more make the read worthless, and it is done again.
pub(super) const KEPT: usize = 10_000;

/// A change to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    /// The member as a `ClientInfo` object.
    Join(Json),
    Leave(Json),
}

/// Changes to show, each with the sequence it belongs to, and whether something was missed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Effect {
    pub(super) changes: Vec<(u64, Change)>,
    pub(super) gap: bool,
}

/// What listeners have been shown.
#[derive(Debug)]
pub(super) struct Mirror {
    /// How many members are known at most; see `channel.join_leave_mirror_limit`.
    limit: u64,
    seq: u64,
    /// The highest sequence ever seen: what reads tell is newer, also when Redis has lost the
    /// sequences together with the roster.
    highest: u64,
    members: Members,
    /// Events that arrived since a read was sent off.
    reading: Option<Vec<Event>>,
    patience: Patience,
    /// Something was missed since the last read.
    gap: bool,
    /// How often nobody told events for some time, and for how many of these times Redis was asked.
    deaf: u32,
    asked: u32,
    /// No other mirror has it.
    id: u64,
    latest: Latest,
}

/// What a check can go by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// The members: events wait for a read from now on.
    Members,
    /// Only the sequence.
    Sequence(u64),
    /// Only that something was missed.
    Gap,
}

#[derive(Debug)]
enum Members {
    /// Client ids and what was shown of them; also those whose leave waits.
    Known(HashMap<Box<str>, Json>),
    /// Too many to mirror: events are passed on as they are, and a gap cannot be mended.
    TooMany,
}

/// A read of the roster.
#[derive(Debug)]
pub(super) enum Read {
    /// Everyone, as `(client, ClientInfo)`.
    All(Vec<(Box<str>, Json)>),
    /// The roster is above the limit.
    TooMany,
}

// === impl Mirror ===

impl Mirror {
    /// A mirror of nothing yet, waiting for its first read.
    pub(super) fn new(limit: u64) -> Self {
        static NEXT_ID: AtomicU64 = AtomicU64::new(0);
        Self {
            limit,
            seq: 0,
            highest: 0,
            members: Members::Known(HashMap::new()),
            reading: Some(Vec::new()),
            patience: Patience::default(),
            gap: false,
            deaf: 0,
            asked: 0,
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            latest: Latest::default(),
        }
    }

    pub(super) fn id(&self) -> u64 {
        self.id
    }

    pub(super) fn seq(&self) -> u64 {
        self.seq
    }

    /// Whether the roster is too big to know its members.
    pub(super) fn is_too_many(&self) -> bool {
        matches!(self.members, Members::TooMany)
    }

    /// Whether nobody is shown; rosters too big to know are not empty.
    pub(super) fn is_empty(&self) -> bool {
        matches!(&self.members, Members::Known(known) if known.is_empty())
    }

    /// Applies an event. While a read is under way it waits for the read's end, and so does one that
    /// comes after others that were missed: they are shown first, if Redis remembers them.
    pub(super) fn on_event(&mut self, event: Event) -> Effect {
        self.patience.told(event.clients);
        let mut effect = Effect::default();
        if self.reading.is_none() && event.seq > self.seq && !self.is_next(&event) {
            effect.gap = self.hold();
            self.gap |= effect.gap;
        }
        match &mut self.reading {
            Some(kept) if kept.len() < KEPT => kept.push(event),
            Some(_) => {}
            None => {
                self.apply(event, &mut effect);
                self.keep_limit(&mut effect);
            }
        }
        effect
    }

    /// Takes the first read: it is what listeners know, and shows nothing.
    pub(super) fn first_read(&mut self, seq: u64, read: Read) -> Effect {
        match read {
            Read::All(all) => {
                self.members = Members::Known(all.into_iter().collect());
            }
            Read::TooMany => self.members = Members::TooMany,
        }
        self.seq = seq;
        self.latest = Latest::default();
        self.latest.read(seq);
        let mut effect = Effect::default();
        for event in self.reading.take().unwrap_or_default() {
            self.apply(event, &mut effect);
        }
        self.keep_limit(&mut effect);
        effect
    }

    /// Whether a read that differs from what was shown is believed.
    pub(super) fn patience(&mut self) -> &mut Patience {
        &mut self.patience
    }

    /// What the coming [`Self::end_read`] does with differences, and the number of the wait that
    /// begins with it. A roster that `vanished` under a mirror that shows somebody, and no event
    /// tells how, is a loss as well.
    pub(super) fn judge_read(&mut self, vanished: bool) -> (Differences, Option<u32>) {
        let vanished = vanished && !self.was_emptied();
        self.patience.judge_read(vanished)
    }

    /// Begins a check; where members are known, events wait until [`Self::end_read`].
    pub(super) fn begin_check(&mut self) -> Known {
        match self.members {
            _ if self.hold() => Known::Members,
            _ if self.gap => Known::Gap,
            _ => Known::Sequence(self.seq),
        }
    }

    /// Whether this read would show somebody leaving.
    pub(super) fn would_leave(&self, read: &Read) -> bool {
        self.patience.shows_leaves() && self.misses(read)
    }

    /// Whether somebody is shown whom this read does not know.
    pub(super) fn misses(&self, read: &Read) -> bool {
        match (&self.members, read) {
            (Members::Known(known), Read::All(all)) => {
                all.iter().filter(|(client, _)| known.contains_key(client)).count() < known.len()
            }
            _ => false,
        }
    }

    /// Whether one of these clients is shown, and this read does not know it.
    pub(super) fn misses_any(&self, read: &Read, clients: &[Arc<str>]) -> bool {
        let (Members::Known(known), Read::All(all)) = (&self.members, read) else { return false };
        let there: HashSet<&str> = all.iter().map(|(client, _)| &**client).collect();
        clients.iter().any(|client| known.contains_key(&**client) && !there.contains(&**client))
    }

    /// Takes a read at `seq`: differences are shown, then the events after it.
    pub(super) fn end_read(&mut self, seq: u64, read: Read, differences: Differences) -> Effect {
        let kept = self.reading.take().unwrap_or_default();
        let mut effect = Effect { changes: Vec::new(), gap: kept.len() >= KEPT };
        // What arrived before the read was made is shown as it was: somebody may have come and gone.
        // Of a room too big to read there is nothing else to go by.
        let known = matches!(read, Read::All(_));
        let (before, after): (Vec<_>, Vec<_>) =
            kept.into_iter().partition(|event| !known || event.seq <= seq);
        let mut earlier = Effect::default();
        let (was_due, signs) = (self.patience.is_due(), self.patience.signs());
        self.gap = false;
        for event in before {
            self.apply(event, &mut earlier);
        }
        effect.changes.append(&mut earlier.changes);
        // They may say that something was lost after the read was judged.
        effect.gap |= self.patience.is_due() && !was_due;
        let lost = self.patience.signs() != signs;
        let differences = if lost { Differences::Wait } else { differences };
        match read {
            Read::All(all) => {
                self.highest = self.highest.max(self.seq).max(seq);
                self.latest.read(self.highest);
                self.compare(self.highest, all, differences, &mut effect);
                // The sequence of a roster that is not there is not its own: nobody knows up to
                // where it has been told.
                self.seq = if self.is_empty() { seq.min(self.seq) } else { seq };
                self.gap = effect.gap;
            }
            // What was missed cannot be shown; whether there is any, the next check finds by the
            // sequence up to which listeners have been shown everything.
            Read::TooMany => {
                self.gap |= effect.gap;
                self.forget_members(&mut effect);
                effect.gap = true;
            }
        }
        if self.is_deaf() && self.hold() {
            // Some were missed after Redis was asked: these wait for the next time.
            self.reading = Some(after);
            return effect;
        }
        for event in after {
            self.apply(event, &mut effect);
        }
        self.keep_limit(&mut effect);
        effect
    }

    fn compare(
        &mut self,
        seq: u64,
        all: Vec<(Box<str>, Json)>,
        differences: Differences,
        effect: &mut Effect,
    ) {
        let mut shown = match std::mem::replace(&mut self.members, Members::TooMany) {
            Members::Known(known) => known,
            // Nobody knows what was shown: what is there now counts as shown.
            Members::TooMany => {
                self.members = Members::Known(all.into_iter().collect());
                return;
            }
        };
        let mut next = HashMap::with_capacity(all.len());
        let mut joined = Vec::new();
        for (client, info) in all {
            if shown.remove(&client).is_none() {
                if matches!(differences, Differences::Wait | Differences::ShowLeaves) {
                    continue;
                }
                joined.push((seq, Change::Join(info.clone())));
            }
            next.insert(client, info);
        }
        match differences {
            Differences::Show | Differences::ShowLeaves => {
                let left = shown.into_values().map(|info| (seq, Change::Leave(info)));
                effect.changes.extend(left);
            }
            Differences::ShowJoins | Differences::Wait => next.extend(shown),
        }
        // Who left is shown before who came: a reader never sees more than there are.
        effect.changes.append(&mut joined);
        self.members = Members::Known(next);
    }

    /// Whether nothing was missed before this event, as far as one can see.
    fn is_next(&self, event: &Event) -> bool {
        event.prev == self.seq || (event.prev == 0 && self.is_empty())
    }

    fn apply(&mut self, event: Event, effect: &mut Effect) {
        if event.seq <= self.seq {
            return;
        }
        let whole = self.is_next(&event);
        self.latest.note(&event);
        // The roster was empty while we show somebody, or somebody puts back what was lost: a read
        // now would lack those who have not come back yet.
        if !whole && (event.prev == 0 || event.back) {
            self.patience.distrust();
        }
        let known = match &mut self.members {
            Members::Known(known) => known,
            Members::TooMany => {
                effect.gap |= !whole;
                self.gap |= !whole;
                self.seq = event.seq;
                match event.kind {
                    Kind::Join if !event.back => {
                        effect.changes.push((event.seq, Change::Join(event.info)));
                    }
                    Kind::Leave => effect.changes.push((event.seq, Change::Leave(event.info))),
                    _ => {}
                }
                return;
            }
        };
        self.seq = event.seq;
        match event.kind {
            Kind::Join => {
                let shown = known.insert(event.client, event.info.clone());
                let returns = shown.is_some() && !event.back;
                if shown.is_none() || returns {
                    // Who is shown left while Redis had lost the entry, and nobody could tell.
                    let left = shown.map(|shown| (event.seq, Change::Leave(shown)));
                    effect.changes.extend(left);
                    effect.changes.push((event.seq, Change::Join(event.info)));
                }
            }
            Kind::Update => {
                if let Some(shown) = known.get_mut(&event.client) {
                    *shown = event.info;
                }
            }
            Kind::Reset => {}
            Kind::Leave => {
                if known.remove(&event.client).is_some() {
                    effect.changes.push((event.seq, Change::Leave(event.info)));
                }
            }
        }
        // A roster that has just become empty is right whatever was missed before.
        let missed = !(whole || (event.clients == 0 && known.is_empty()));
        effect.gap |= missed;
        self.gap |= missed;
    }

    fn keep_limit(&mut self, effect: &mut Effect) {
        if matches!(&self.members, Members::Known(known) if known.len() as u64 > self.limit) {
            self.forget_members(effect);
        }
    }

    /// The members have become too many: differences that wait can no longer be told, nor what was
    /// missed and not yet read.
    fn forget_members(&mut self, effect: &mut Effect) {
        self.members = Members::TooMany;
        self.gap |= self.patience.is_waiting();
        effect.gap |= self.gap;
    }
}

#[cfg(test)]
mod tests;
