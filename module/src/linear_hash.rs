//! Linear hashing over slot numbers: the table grows and shrinks by one bucket at a time, so no
//! insert ever stalls for a rehash. Members of a bucket are chained.
//!
//! What costs is memory that is not in a cache. So a bucket says in a few bits which hashes it may
//! hold: looking for what is not there, as every join does, seldom goes further than the bucket.

use crate::native::defrag::Defrag;
use crate::native::prefetch;
use crate::segvec::SegVec;

/// No slot.
pub(crate) const NONE: u32 = u32::MAX;

/// Halves of members per bucket, on average, at most.
const LOAD: usize = 5;

/// Members of a bucket that are looked at together.
const TOGETHER: usize = 8;

/// Where hashes and chains live: with the owner.
pub(crate) trait Chain {
    fn hash(&self, slot: u32) -> u32;
    fn next(&self, slot: u32) -> u32;
    fn set_next(&mut self, slot: u32, next: u32);
}

/// A bucket: its first slot, and a bit for every hash in it and for some that were.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    first: u32,
    mask: u32,
}

/// The buckets.
#[derive(Debug)]
pub(crate) struct Heads {
    heads: SegVec<Bucket>,
    members: usize,
}

// === impl Bucket ===

impl Bucket {
    const EMPTY: Self = Self { first: NONE, mask: 0 };

    fn push(&mut self, chain: &mut impl Chain, slot: u32, hash: u32) {
        chain.set_next(slot, self.first);
        self.first = slot;
        self.mask |= bit(hash);
    }

    /// After a removal: only what is there.
    fn refresh(&mut self, chain: &impl Chain) {
        let (mut slot, mut mask) = (self.first, 0);
        while slot != NONE {
            mask |= bit(chain.hash(slot));
            slot = chain.next(slot);
        }
        self.mask = mask;
    }
}

// === impl Heads ===

impl Heads {
    pub(crate) fn new() -> Self {
        let mut heads = SegVec::new();
        heads.push(Bucket::EMPTY);
        Self { heads, members: 0 }
    }

    /// The first slot of `hash`'s bucket for which `is` holds.
    pub(crate) fn find(
        &self,
        chain: &impl Chain,
        hash: u32,
        mut is: impl FnMut(u32) -> bool,
    ) -> Option<u32> {
        let mut slot = self.first(hash);
        while slot != NONE {
            if is(slot) {
                return Some(slot);
            }
            slot = chain.next(slot);
        }
        None
    }

    /// Where the chain begins that has all slots of `hash`; [`NONE`] when there is none.
    pub(crate) fn first(&self, hash: u32) -> u32 {
        let bucket = self.heads[bucket(hash, self.heads.len())];
        if bucket.mask & bit(hash) == 0 { NONE } else { bucket.first }
    }

    /// Has what adding or finding `hash` will read first fetched ahead.
    pub(crate) fn expect(&self, hash: u32) {
        let len = self.heads.len();
        prefetch::soon(&self.heads[bucket(hash, len)]);
        if let Some(next) = u32::try_from(len).ok().filter(|_| self.members * 2 >= len * LOAD) {
            prefetch::soon(&self.heads[parent(next)]);
        }
    }

    /// Adds a slot that is not a member yet, and splits one bucket if the table is full.
    pub(crate) fn insert(&mut self, chain: &mut impl Chain, slot: u32) {
        let hash = chain.hash(slot);
        let at = bucket(hash, self.heads.len());
        self.heads[at].push(chain, slot, hash);
        self.members += 1;
        if self.members * 2 > self.heads.len() * LOAD {
            self.split(chain);
        }
    }

    /// Removes a member, and merges one bucket if the table is mostly empty.
    pub(crate) fn remove(&mut self, chain: &mut impl Chain, slot: u32) {
        let next = chain.next(slot);
        let at = self.relink(chain, slot, next);
        self.heads[at].refresh(chain);
        self.members -= 1;
        // Two merges per removal: shrinking must keep up with removals from a full table.
        for _ in 0..2 {
            if self.heads.len() > 1 && self.members * 4 < self.heads.len() * LOAD {
                self.merge(chain);
            }
        }
    }

    /// Puts `new`, which has the same hash, where `old` is.
    pub(crate) fn replace(&mut self, chain: &mut impl Chain, old: u32, new: u32) {
        let next = chain.next(old);
        chain.set_next(new, next);
        self.relink(chain, old, new);
    }

    pub(crate) fn bytes(&self) -> usize {
        self.heads.bytes()
    }

    /// Moves a segment of the table, if there is one with this number; else what is left of the
    /// number after all segments.
    pub(crate) fn move_piece(&mut self, number: usize, defrag: &Defrag) -> Option<usize> {
        match self.heads.segment_mut(number) {
            Some(segment) => {
                defrag.vec(segment);
                None
            }
            None => Some(number - self.heads.segments()),
        }
    }

    /// Makes whatever points to `slot` point to `to`; the bucket.
    fn relink(&mut self, chain: &mut impl Chain, slot: u32, to: u32) -> u32 {
        let at = bucket(chain.hash(slot), self.heads.len());
        let mut before = self.heads[at].first;
        if before == slot {
            self.heads[at].first = to;
            return at;
        }
        while before != NONE {
            let next = chain.next(before);
            if next == slot {
                chain.set_next(before, to);
                break;
            }
            before = next;
        }
        at
    }

    fn split(&mut self, chain: &mut impl Chain) {
        let Ok(new) = u32::try_from(self.heads.len()) else { return };
        let parent = parent(new);
        let mut slot = self.heads[parent].first;
        let (mut stays, mut goes) = (Bucket::EMPTY, Bucket::EMPTY);
        while slot != NONE {
            // Hashes are scattered over memory: they are fetched side by side, then judged.
            let (mut slots, mut hashes, mut count) = ([NONE; TOGETHER], [0; TOGETHER], 0);
            while slot != NONE && count < TOGETHER {
                (slots[count], hashes[count]) = (slot, chain.hash(slot));
                count += 1;
                slot = chain.next(slot);
            }
            for (slot, hash) in slots.into_iter().zip(hashes).take(count) {
                let goes_on = bucket(hash, new as usize + 1) == new;
                let side = if goes_on { &mut goes } else { &mut stays };
                side.push(chain, slot, hash);
            }
        }
        self.heads[parent] = stays;
        self.heads.push(goes);
    }

    fn merge(&mut self, chain: &mut impl Chain) {
        let Some(gone) = self.heads.pop() else { return };
        let Ok(at) = u32::try_from(self.heads.len()) else { return };
        let parent = parent(at);
        let mut slot = gone.first;
        while slot != NONE {
            let next = chain.next(slot);
            chain.set_next(slot, self.heads[parent].first);
            self.heads[parent].first = slot;
            slot = next;
        }
        self.heads[parent].mask |= gone.mask;
    }
}

/// One of 32, by the hash's highest bits: the lowest choose the bucket.
fn bit(hash: u32) -> u32 {
    1 << (hash >> 27)
}

/// The bucket of `hash` among `count` buckets.
#[expect(clippy::cast_possible_truncation, reason = "a bucket is at most the hash, a u32")]
fn bucket(hash: u32, count: usize) -> u32 {
    let span = count.next_power_of_two();
    let low = hash as usize & (span - 1);
    (if low < count { low } else { low & (span / 2 - 1) }) as u32
}

/// The bucket that bucket `n` (at least 1) was split from.
fn parent(n: u32) -> u32 {
    n & !(1 << n.ilog2())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    struct Plain(Vec<u32>);

    impl Chain for Plain {
        fn hash(&self, slot: u32) -> u32 {
            slot.wrapping_mul(0x9e37_79b9).rotate_left(16)
        }
        fn next(&self, slot: u32) -> u32 {
            self.0[slot as usize]
        }
        fn set_next(&mut self, slot: u32, next: u32) {
            self.0[slot as usize] = next;
        }
    }

    proptest::proptest! {
        #[test]
        fn it_holds_what_a_set_holds(steps in proptest::collection::vec((0u32..300, 0u8..3), 0..900)) {
            let (mut plain, mut heads) = (Plain(vec![NONE; 300]), Heads::new());
            let mut model = BTreeSet::new();
            for (slot, kind) in steps {
                if kind > 0 {
                    if model.insert(slot) {
                        heads.insert(&mut plain, slot);
                    }
                } else if model.remove(&slot) {
                    heads.remove(&mut plain, slot);
                }
            }
            for slot in 0..300 {
                let found = heads.find(&plain, plain.hash(slot), |other| other == slot);
                proptest::prop_assert_eq!(found.is_some(), model.contains(&slot));
            }
        }
    }
}
