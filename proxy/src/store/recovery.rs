//! What is to be put back after a loss or a move, and which old node names wait for it.

use std::sync::Arc;

use super::slots::SlotSet;

/// Slots whose entries must be added once more, and names that end when that is done.
#[derive(Debug, Default)]
pub(super) struct Recovery {
    /// Slots of which Redis may hold something else than we do.
    dirty: SlotSet,
    /// Slots that are being done.
    begun: SlotSet,
    /// Slots, dirty or begun, in which Redis may lack something that it had.
    lacking: SlotSet,
    retiring: Vec<Retiring>,
}

/// A node name under which nothing new is added.
#[derive(Debug)]
struct Retiring {
    name: Arc<str>,
    /// Slots that may have entries under it that are still to be added under another name.
    waits_for: SlotSet,
}

// === impl Recovery ===

impl Recovery {
    /// Everything in `slots` is to be added again.
    pub(super) fn soil(&mut self, slots: &SlotSet) {
        self.dirty.add(slots);
    }

    /// The same, and Redis may have lost some of it.
    pub(super) fn lose(&mut self, slots: &SlotSet) {
        self.soil(slots);
        self.lacking.add(slots);
    }

    /// `name` ends as soon as everything in `slots`, which it may hold, was added under another; and
    /// so was what is still to be done elsewhere, which it may have held before.
    pub(super) fn retire(&mut self, name: Arc<str>, slots: &SlotSet) {
        self.soil(slots);
        let mut waits_for = self.dirty.clone();
        waits_for.add(&self.begun);
        self.retiring.push(Retiring { name, waits_for });
    }

    /// What is to be done now, and can be in the slots of `usable`; ends with [`Self::done`].
    pub(super) fn begin(&mut self, usable: &SlotSet) -> SlotSet {
        self.begun = self.dirty.clone();
        self.begun.keep(usable);
        self.dirty.take_away(usable);
        self.begun.clone()
    }

    /// What was begun is done, but for `failed`. What became dirty meanwhile was perhaps done too
    /// early and counts for nothing.
    pub(super) fn done(&mut self, failed: &SlotSet) {
        self.dirty.add(failed);
        let mut done = std::mem::take(&mut self.begun);
        done.take_away(&self.dirty);
        self.lacking.take_away(&done);
        for retiring in &mut self.retiring {
            retiring.waits_for.take_away(&done);
        }
    }

    /// Whether something in `slots` is still to be put back.
    pub(super) fn concerns(&self, slots: &SlotSet) -> bool {
        slots.meets(&self.dirty) || slots.meets(&self.begun)
    }

    /// The same for one slot.
    pub(super) fn awaits(&self, slot: u16) -> bool {
        self.dirty.contains(slot) || self.begun.contains(slot)
    }

    /// Whether Redis may lack something in a slot that is still to be put back.
    pub(super) fn lacks(&self, slot: u16) -> bool {
        self.lacking.contains(slot)
    }

    /// Takes out the names for which nothing is left to do.
    pub(super) fn ended(&mut self) -> Vec<Arc<str>> {
        let ended = self.retiring.extract_if(.., |retiring| retiring.waits_for.is_empty());
        ended.map(|retiring| retiring.name).collect()
    }

    /// The names that must live on.
    pub(super) fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.retiring.iter().map(|retiring| &retiring.name)
    }

    pub(super) fn is_idle(&self) -> bool {
        self.dirty.is_empty() && self.retiring.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(slots: &[u16]) -> SlotSet {
        slots.iter().copied().collect()
    }

    fn everything() -> SlotSet {
        (0..16_384).collect()
    }

    #[test]
    fn a_name_waits_for_what_has_moved_away_and_is_not_done_yet() {
        let mut recovery = Recovery::default();
        recovery.soil(&set(&[7]));
        recovery.retire("old".into(), &set(&[1]));
        // Slot 7 is at a master that is away.
        assert_eq!(recovery.begin(&set(&[1])), set(&[1]));
        recovery.done(&set(&[]));
        assert!(recovery.ended().is_empty(), "slot 7 may have entries under the old name");
        assert_eq!(recovery.begin(&everything()), set(&[7]));
        recovery.done(&set(&[]));
        assert_eq!(recovery.ended(), ["old".into()]);
    }

    #[test]
    fn a_name_ends_when_all_its_slots_are_done() {
        let mut recovery = Recovery::default();
        recovery.retire("old".into(), &set(&[1, 2]));
        let begun = recovery.begin(&everything());
        assert_eq!(begun, set(&[1, 2]));
        assert!(recovery.concerns(&begun));
        recovery.done(&set(&[2]));
        assert!(!recovery.concerns(&set(&[1])));
        assert!(recovery.ended().is_empty());
        assert_eq!(recovery.names().count(), 1);
        let begun = recovery.begin(&everything());
        assert_eq!(begun, set(&[2]));
        recovery.done(&set(&[]));
        assert_eq!(recovery.ended(), ["old".into()]);
        assert!(recovery.is_idle());
    }

    #[test]
    fn what_was_lost_is_lacking_until_it_is_put_back() {
        let mut recovery = Recovery::default();
        recovery.soil(&set(&[1]));
        recovery.lose(&set(&[2, 3]));
        assert_eq!([1, 2, 3].map(|slot| recovery.lacks(slot)), [false, true, true]);
        recovery.begin(&everything());
        assert!(recovery.lacks(2), "it is only being done");
        recovery.done(&set(&[3]));
        assert_eq!([1, 2, 3].map(|slot| recovery.lacks(slot)), [false, false, true]);
        // Lost once more while it is done.
        recovery.begin(&everything());
        recovery.lose(&set(&[3]));
        recovery.done(&set(&[]));
        assert!(recovery.lacks(3));
    }

    #[test]
    fn what_becomes_dirty_while_it_is_done_is_done_again() {
        let mut recovery = Recovery::default();
        recovery.soil(&set(&[1, 2]));
        recovery.begin(&everything());
        recovery.retire("gone".into(), &set(&[2]));
        recovery.done(&set(&[]));
        assert!(recovery.ended().is_empty(), "slot 2 was added to who is gone");
        let begun = recovery.begin(&everything());
        assert_eq!(begun, set(&[2]));
        recovery.done(&set(&[]));
        assert_eq!(recovery.ended(), ["gone".into()]);
    }
}
