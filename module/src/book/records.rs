//! The slots of a book: where records and the chains through them live.

use super::name::Name;
use crate::groups::{GroupLinks, Links};
use crate::hash;
use crate::linear_hash::{Chain, NONE};
use crate::segvec::SegVec;

/// One user, or a free slot chained through `next`. 40 bytes.
#[derive(Debug, Default)]
pub(super) struct Record {
    pub(super) name: Name,
    pub(super) next: u32,
    /// Unix seconds, 0 for never.
    pub(super) active: u32,
    pub(super) online: u32,
    pub(super) hold: GroupLinks,
}

const _: () = assert!(size_of::<Record>() == 40, "the memory budget counts on it");

#[derive(Debug)]
pub(super) struct Records {
    pub(super) slots: SegVec<Record>,
    pub(super) free: u32,
    pub(super) used: u32,
}

// === impl Records ===

impl Records {
    pub(super) const fn new() -> Self {
        Self { slots: SegVec::new(), free: NONE, used: 0 }
    }

    pub(super) fn insert(&mut self, user: &str) -> u32 {
        self.used += 1;
        let record = Record { name: Name::new(user), next: NONE, ..Record::default() };
        if self.free == NONE {
            self.slots.push(record);
            return u32::try_from(self.slots.len() - 1).unwrap_or(NONE);
        }
        let at = self.free;
        self.free = self.slots[at].next;
        self.slots[at] = record;
        at
    }

    pub(super) fn remove(&mut self, at: u32) {
        self.used -= 1;
        self.slots[at] = Record { next: self.free, ..Record::default() };
        self.free = at;
    }
}

impl Chain for Records {
    fn hash(&self, slot: u32) -> u32 {
        hash::short(self.slots[slot].name.bytes())
    }
    fn next(&self, slot: u32) -> u32 {
        self.slots[slot].next
    }
    fn set_next(&mut self, slot: u32, next: u32) {
        self.slots[slot].next = next;
    }
}

impl Links for Records {
    fn links(&mut self, slot: u32) -> &mut GroupLinks {
        &mut self.slots[slot].hold
    }
}
