//! What a book takes, and how it is moved and freed.

use super::Book;
use crate::lease::LeaseId;
use crate::native::defrag::Defrag;

// === impl Book ===

impl Book {
    /// About how many allocations there are to free, at most: slots stay when records go.
    pub(crate) fn parts_to_free(&self) -> usize {
        self.records.slots.len()
    }

    /// Bytes beside the struct itself.
    pub(crate) fn heap(&self) -> usize {
        let node = 2 * size_of::<(u32, LeaseId)>();
        self.records.slots.bytes()
            + self.index.bytes()
            + self.groups.bytes()
            + self.names
            + node * (2 * self.more_of_slot.len() + self.held.len())
    }

    /// Moves one segment of the value's memory, and the names in it; whether there was one.
    pub(crate) fn move_piece(&mut self, number: usize, defrag: &Defrag) -> bool {
        let slots = self.records.slots.segments();
        if let Some(segment) = self.records.slots.segment_mut(number) {
            for record in segment.iter_mut() {
                record.name.move_by(defrag);
            }
            defrag.vec(segment);
            return true;
        }
        self.index.move_piece(number - slots, defrag).is_none()
    }
}
