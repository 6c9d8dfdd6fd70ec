//! How far the names of emptied rosters had got.
//!
//! An unannounced client makes no event and takes no sequence. When it is the first of a roster
//! whose name had events before, a read must not look older than those: they may still be on their
//! way to whoever reads.

use crate::hash;

/// Names share a place when they are many: the highest of theirs serves them all.
const PLACES: usize = 4096;

/// What one server remembers; a flush forgets nothing, a new process everything, and both draw an
/// epoch.
#[derive(Debug, Default)]
pub(crate) struct Pasts(Vec<u64>);

// === impl Pasts ===

impl Pasts {
    /// A roster that got so far is no more.
    pub(crate) fn note(&mut self, db: u32, name: &[u8], seq: u64) {
        if self.0.is_empty() {
            self.0 = vec![0; PLACES];
        }
        let place = &mut self.0[place(db, name)];
        *place = seq.max(*place);
    }

    /// How far a name had got; 0 when it never had an event.
    pub(crate) fn of(&self, db: u32, name: &[u8]) -> u64 {
        if self.0.is_empty() { 0 } else { self.0[place(db, name)] }
    }
}

fn place(db: u32, name: &[u8]) -> usize {
    (hash::short(name) ^ db) as usize % PLACES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_remembered_and_no_other_database() {
        let mut pasts = Pasts::default();
        assert_eq!(pasts.of(0, b"room"), 0);
        pasts.note(0, b"room", 7);
        pasts.note(0, b"room", 5);
        assert_eq!((pasts.of(0, b"room"), pasts.of(1, b"room")), (7, 0));
    }
}
