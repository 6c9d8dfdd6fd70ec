//! Linear hashing over slot numbers: the table grows and shrinks by one bucket at a time, so no
//! insert ever stalls for a rehash. Members of a bucket are chained through the slots themselves.

use crate::segvec::SegVec;

/// No slot.
pub(crate) const NONE: u32 = u32::MAX;

/// Where the chains live: the slots of the owner.
pub(crate) trait Chain {
    fn hash(&self, slot: u32) -> u64;
    fn next(&self, slot: u32) -> u32;
    fn set_next(&mut self, slot: u32, next: u32);
}

/// The bucket heads.
#[derive(Debug)]
pub(crate) struct Heads {
    heads: SegVec<u32>,
    members: usize,
}

// === impl Heads ===

impl Heads {
    pub(crate) fn new() -> Self {
        let mut heads = SegVec::new();
        heads.push(NONE);
        Self { heads, members: 0 }
    }

    /// The first slot of `hash`'s bucket for which `is` holds.
    pub(crate) fn find(
        &self,
        chain: &impl Chain,
        hash: u64,
        mut is: impl FnMut(u32) -> bool,
    ) -> Option<u32> {
        let mut slot = self.heads[bucket(hash, self.heads.len())];
        while slot != NONE {
            if is(slot) {
                return Some(slot);
            }
            slot = chain.next(slot);
        }
        None
    }

    /// Adds a slot that is not a member yet, and splits one bucket if the table is full.
    pub(crate) fn insert(&mut self, chain: &mut impl Chain, slot: u32) {
        let at = bucket(chain.hash(slot), self.heads.len());
        chain.set_next(slot, self.heads[at]);
        self.heads[at] = slot;
        self.members += 1;
        if self.members > self.heads.len() {
            self.split(chain);
        }
    }

    /// Removes a member, and merges one bucket if the table is mostly empty.
    pub(crate) fn remove(&mut self, chain: &mut impl Chain, slot: u32) {
        let next = chain.next(slot);
        self.relink(chain, slot, next);
        self.members -= 1;
        // Two merges per removal: shrinking must keep up with removals from a full table.
        for _ in 0..2 {
            if self.heads.len() > 1 && self.members * 2 < self.heads.len() {
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

    /// Makes whatever points to `slot` point to `to`.
    fn relink(&mut self, chain: &mut impl Chain, slot: u32, to: u32) {
        let at = bucket(chain.hash(slot), self.heads.len());
        let mut before = self.heads[at];
        if before == slot {
            self.heads[at] = to;
            return;
        }
        while before != NONE {
            let next = chain.next(before);
            if next == slot {
                chain.set_next(before, to);
                return;
            }
            before = next;
        }
    }

    fn split(&mut self, chain: &mut impl Chain) {
        let Ok(new) = u32::try_from(self.heads.len()) else { return };
        let parent = parent(new);
        let mut slot = std::mem::replace(&mut self.heads[parent], NONE);
        self.heads.push(NONE);
        while slot != NONE {
            let next = chain.next(slot);
            let at = bucket(chain.hash(slot), self.heads.len());
            chain.set_next(slot, self.heads[at]);
            self.heads[at] = slot;
            slot = next;
        }
    }

    fn merge(&mut self, chain: &mut impl Chain) {
        let Some(mut slot) = self.heads.pop() else { return };
        let Ok(gone) = u32::try_from(self.heads.len()) else { return };
        let parent = parent(gone);
        while slot != NONE {
            let next = chain.next(slot);
            chain.set_next(slot, self.heads[parent]);
            self.heads[parent] = slot;
            slot = next;
        }
    }
}

/// The bucket of `hash` among `count` buckets.
#[expect(clippy::cast_possible_truncation, reason = "a bucket is below the count, which is a u32")]
fn bucket(hash: u64, count: usize) -> u32 {
    let span = count.next_power_of_two() as u64;
    let low = hash & (span - 1);
    (if low < count as u64 { low } else { low & (span / 2 - 1) }) as u32
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
        fn hash(&self, slot: u32) -> u64 {
            u64::from(slot).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20
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
