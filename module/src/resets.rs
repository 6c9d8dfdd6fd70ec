//! Rosters that changed otherwise than by joins and leaves, whose listeners must still hear of it.
//!
//! The sequence of a reset is taken at the change; it is published by the timer. Replicas take it as
//! well: if their master dies before it has told, the one that is promoted does.

use std::collections::BTreeMap;

/// A replica remembers so many: those of an older master are never taken back.
const FOLLOWED_MAX: usize = 10_000;

/// Which rosters, by database and name, and since when.
#[derive(Debug, Default)]
pub(crate) struct Resets(BTreeMap<(u32, Vec<u8>), u64>);

// === impl Resets ===

impl Resets {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn add(&mut self, db: u32, name: &[u8], seq: u64, followed: bool) {
        self.0.insert((db, name.to_vec()), seq);
        if followed && self.0.len() > FOLLOWED_MAX {
            self.0.pop_first();
        }
    }

    /// The sequence of one.
    pub(crate) fn of(&self, db: u32, name: &[u8]) -> Option<u64> {
        if self.is_empty() { None } else { self.0.get(&(db, name.to_vec())).copied() }
    }

    /// It was told.
    pub(crate) fn remove(&mut self, db: u32, name: &[u8]) -> Option<u64> {
        if self.is_empty() { None } else { self.0.remove(&(db, name.to_vec())) }
    }

    /// Any one.
    pub(crate) fn pop(&mut self) -> Option<((u32, Vec<u8>), u64)> {
        self.0.pop_first()
    }

    /// Databases were emptied or exchanged: who listens reads them all again.
    pub(crate) fn lose(&mut self, lost: impl Fn(u32) -> bool) {
        self.0.retain(|(db, _), _| !lost(*db));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replica_remembers_no_more_than_so_many() {
        let mut resets = Resets::default();
        for n in 0..FOLLOWED_MAX + 10 {
            resets.add(0, n.to_string().as_bytes(), 1, true);
        }
        assert_eq!(resets.0.len(), FOLLOWED_MAX);
        resets.add(1, b"room", 7, false);
        assert_eq!((resets.of(1, b"room"), resets.of(0, b"room")), (Some(7), None));
        resets.lose(|db| db == 0);
        assert_eq!(resets.pop(), Some(((1, b"room".to_vec()), 7)));
        assert!(resets.is_empty());
    }
}
