//! What a mirror does about events that it missed, and those that wait for them.

use super::event::Kind;
use super::{Event, Members, Mirror, Read};

// === impl Mirror ===

impl Mirror {
    /// Events wait for the next read from now on, where members are known; whether they do.
    pub(in crate::hub) fn hold(&mut self) -> bool {
        let known = matches!(self.members, Members::Known(_));
        if known {
            self.reading.get_or_insert_default();
        }
        known
    }

    /// After which sequence to ask Redis for events, and what to hand to [`Self::recall`] with them.
    pub(in crate::hub) fn begin_recall(&self) -> (u64, u32) {
        (self.seq, self.deaf)
    }

    /// Takes events that were missed, as Redis remembers them, around this read at `seq`: they are
    /// shown in their turn when it ends. Taken are those that follow what was shown or something
    /// older, which is of a Redis that has lost the rest and goes on from there; and those that lead
    /// to what was read or on from it, whatever before them is forgotten. Others may never have become
    /// part of the data. What was missed since Redis was asked is not among them.
    pub(in crate::hub) fn recall(
        &mut self,
        asked: u32,
        mut missed: Vec<Event>,
        (seq, read): (u64, &Read),
    ) {
        self.asked = asked;
        let Some(kept) = &mut self.reading else { return };
        missed.retain(|event| event.seq > self.seq);
        let mut before = self.seq;
        let follow = missed
            .iter()
            .take_while(|event| event.prev <= std::mem::replace(&mut before, event.seq))
            .count();
        let linked = missed.windows(2).rev().take_while(|two| two[1].prev <= two[0].seq).count();
        let chain = missed.len().saturating_sub(1 + linked).max(follow);
        let touches = |event: &Event| match read {
            // The sequence of a roster that is not there is not its own.
            Read::All(all) if all.is_empty() => event.clients == 0,
            _ => event.seq == seq || event.prev == seq,
        };
        if !missed[chain..].iter().any(touches) {
            missed.truncate(chain);
        }
        missed.drain(follow..chain);
        let arrived = kept.len();
        kept.append(&mut missed);
        let told = kept.len() > arrived;
        // Of those that have arrived as well, the first stays.
        kept.sort_by_key(|event| event.seq);
        if let Some(last) = kept.last().filter(|_| told) {
            self.patience.told(last.clients);
        }
        kept.dedup_by_key(|event| event.seq);
    }

    /// Events were missed: no read needs them to explain it, and those that come now are not next.
    pub(in crate::hub) fn was_deaf(&mut self) {
        if self.hold() {
            self.deaf = self.deaf.wrapping_add(1);
        }
    }

    pub(super) fn is_deaf(&self) -> bool {
        self.deaf != self.asked
    }

    /// Whether the events that wait tell, without a gap, that a roster which shows somebody has become
    /// empty.
    pub(super) fn was_emptied(&self) -> bool {
        let (mut seq, mut empty) = (self.seq, self.is_empty());
        for event in self.reading.iter().flatten().filter(|event| event.seq > self.seq) {
            let follows = event.prev == seq || (event.prev == 0 && empty);
            if !follows || event.kind == Kind::Reset {
                return false;
            }
            (seq, empty) = (event.seq, event.clients == 0);
        }
        empty
    }

    /// Whether events were missed that Redis may remember.
    pub(in crate::hub) fn has_missed(&self) -> bool {
        self.is_deaf() || self.gap
    }

    /// Whether only a read can tell what there is to show.
    pub(in crate::hub) fn wants_read(&self) -> bool {
        match self.members {
            Members::Known(_) => {
                self.has_missed() || self.reading.is_some() || self.patience.wants_read()
            }
            // What is not known cannot be wrong, only incomplete.
            Members::TooMany => self.gap,
        }
    }

    /// Whether a read at `seq` knows of events that have not arrived, and may still.
    pub(in crate::hub) fn is_ahead(&self, seq: u64, read: &Read) -> bool {
        let mut kept = self.reading.iter().flatten();
        if self.is_deaf() {
            return false;
        }
        match read {
            // The sequence of a roster that is not there is not its own.
            Read::All(all) if all.is_empty() => {
                !self.is_empty() && kept.next_back().is_none_or(|event| event.clients > 0)
            }
            _ => seq > kept.map(|event| event.seq).max().unwrap_or_default().max(self.seq),
        }
    }
}
