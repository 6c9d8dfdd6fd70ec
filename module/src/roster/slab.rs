//! The slots of a roster: where entries and every chain through them live.

use super::blob::Blob;
use super::client_id::ClientId;
use crate::groups::{GroupLinks, Links};
use crate::hash;
use crate::linear_hash::{Chain, NONE};
use crate::segvec::SegVec;

/// One entry, or a free slot chained through `client_next`. 32 bytes.
#[derive(Debug, Default)]
pub(super) struct Slot {
    pub(super) blob: Option<Blob>,
    pub(super) client_next: u32,
    /// The user's next older client.
    pub(super) user_next: u32,
    /// For the user's head entry the next head of its bucket, else the user's next newer client.
    pub(super) user_link: u32,
    pub(super) hold: GroupLinks,
}

const _: () = assert!(size_of::<Slot>() == 32, "the memory budget counts on it");

#[derive(Debug)]
pub(super) struct Slab {
    pub(super) slots: SegVec<Slot>,
    free: u32,
}

/// The chains of the index of clients.
pub(super) struct ByClient<'a>(pub(super) &'a mut Slab);
/// The chains of the index of users.
pub(super) struct ByUser<'a>(pub(super) &'a mut Slab);
/// Both, for looking up only.
pub(super) struct Look<'a, const USER: bool>(pub(super) &'a Slab);

// === impl Slab ===

impl Slab {
    pub(super) const fn new() -> Self {
        Self { slots: SegVec::new(), free: NONE }
    }

    pub(super) fn insert(&mut self, blob: Blob) -> u32 {
        let slot = Slot {
            blob: Some(blob),
            client_next: NONE,
            user_next: NONE,
            user_link: NONE,
            hold: GroupLinks::default(),
        };
        if self.free == NONE {
            self.slots.push(slot);
            return u32::try_from(self.slots.len() - 1).unwrap_or(NONE);
        }
        let at = self.free;
        self.free = self.slots[at].client_next;
        self.slots[at] = slot;
        at
    }

    pub(super) fn remove(&mut self, at: u32) -> Option<Blob> {
        let slot = &mut self.slots[at];
        let blob = slot.blob.take();
        slot.client_next = self.free;
        self.free = at;
        blob
    }

    pub(super) fn blob(&self, at: u32) -> Option<&Blob> {
        self.slots.get(at as usize)?.blob.as_ref()
    }

    pub(super) fn blob_mut(&mut self, at: u32) -> Option<&mut Blob> {
        self.slots.get_mut(at as usize)?.blob.as_mut()
    }

    /// The slots in use, in order, with their entries.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &Blob)> {
        let end = u32::try_from(self.slots.len()).unwrap_or(NONE);
        (0..end).filter_map(|at| Some((at, self.blob(at)?)))
    }

    fn client_hash(&self, at: u32) -> u64 {
        self.blob(at).map_or(0, |blob| client_hash(blob.client()))
    }

    fn user_hash(&self, at: u32) -> u64 {
        self.blob(at).map_or(0, |blob| user_hash(blob.user()))
    }
}

pub(super) fn client_hash(client: ClientId<'_>) -> u64 {
    match client {
        ClientId::Uuid(uuid) => hash::of(&uuid),
        ClientId::Text(text) => hash::of(text.as_bytes()),
    }
}

pub(super) fn user_hash(user: &str) -> u64 {
    hash::of(user.as_bytes())
}

// === chains ===

impl Chain for ByClient<'_> {
    fn hash(&self, slot: u32) -> u64 {
        self.0.client_hash(slot)
    }
    fn next(&self, slot: u32) -> u32 {
        self.0.slots[slot].client_next
    }
    fn set_next(&mut self, slot: u32, next: u32) {
        self.0.slots[slot].client_next = next;
    }
}

impl Chain for ByUser<'_> {
    fn hash(&self, slot: u32) -> u64 {
        self.0.user_hash(slot)
    }
    fn next(&self, slot: u32) -> u32 {
        self.0.slots[slot].user_link
    }
    fn set_next(&mut self, slot: u32, next: u32) {
        self.0.slots[slot].user_link = next;
    }
}

impl<const USER: bool> Chain for Look<'_, USER> {
    fn hash(&self, _: u32) -> u64 {
        0
    }
    fn next(&self, slot: u32) -> u32 {
        let slot = &self.0.slots[slot];
        if USER { slot.user_link } else { slot.client_next }
    }
    fn set_next(&mut self, _: u32, _: u32) {}
}

impl Links for Slab {
    fn links(&mut self, slot: u32) -> &mut GroupLinks {
        &mut self.slots[slot].hold
    }
}
