//! The slots of a roster: where entries and every chain through them live.

use super::blob::Blob;
use super::client_id::ClientId;
use crate::footprint;
use crate::groups::{GroupLinks, Links};
use crate::hash;
use crate::linear_hash::{Chain, Heads, NONE};
use crate::native::defrag::Defrag;
use crate::segvec::SegVec;

/// One entry, or a free slot chained through `client_hash`. 32 bytes.
#[derive(Debug, Default)]
pub(super) struct Slot {
    pub(super) blob: Option<Blob>,
    pub(super) client_hash: u32,
    /// The user's next older client.
    pub(super) user_next: u32,
    /// For the user's head entry the hash of the user, else the user's next newer client.
    pub(super) user_link: u32,
    pub(super) hold: GroupLinks,
}

const _: () = assert!(size_of::<Slot>() == 32, "the memory budget counts on it");

#[derive(Debug)]
pub(super) struct Slab {
    pub(super) slots: SegVec<Slot>,
    free: u32,
}

/// The index of a larger roster: by client, and by user for the users' head entries. Its chains
/// stand beside the slots, which are half as large without them.
#[derive(Debug)]
pub(super) struct Index {
    clients: Heads,
    users: Heads,
    client_next: SegVec<u32>,
    user_next: SegVec<u32>,
}

// === impl Slab ===

impl Slab {
    pub(super) const fn new() -> Self {
        Self { slots: SegVec::new(), free: NONE }
    }

    pub(super) fn insert(&mut self, blob: Blob, client_hash: u32) -> u32 {
        let slot = Slot {
            blob: Some(blob),
            client_hash,
            user_next: NONE,
            user_link: NONE,
            hold: GroupLinks::default(),
        };
        if self.free == NONE {
            self.slots.push(slot);
            return u32::try_from(self.slots.len() - 1).unwrap_or(NONE);
        }
        let at = self.free;
        self.free = self.slots[at].client_hash;
        self.slots[at] = slot;
        at
    }

    pub(super) fn remove(&mut self, at: u32) -> Option<Blob> {
        let slot = &mut self.slots[at];
        let blob = slot.blob.take();
        slot.client_hash = self.free;
        self.free = at;
        blob
    }

    pub(super) fn blob(&self, at: u32) -> Option<&Blob> {
        self.slots.get(at as usize)?.blob.as_ref()
    }

    pub(super) fn blob_mut(&mut self, at: u32) -> Option<&mut Blob> {
        self.slots.get_mut(at as usize)?.blob.as_mut()
    }

    /// All slots, free ones included.
    pub(super) fn numbers(&self) -> std::ops::Range<u32> {
        0..u32::try_from(self.slots.len()).unwrap_or(NONE)
    }

    /// The slots in use, in order, with their entries.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &Blob)> {
        self.numbers().filter_map(|at| Some((at, self.blob(at)?)))
    }
}

pub(super) fn client_hash(client: ClientId<'_>) -> u32 {
    match client {
        ClientId::Uuid(uuid) => hash::short(&uuid),
        ClientId::Text(text) => hash::short(text.as_bytes()),
    }
}

pub(super) fn user_hash(user: &str) -> u32 {
    hash::short(user.as_bytes())
}

// === impl Index ===

impl Index {
    pub(super) fn new() -> Self {
        Self {
            clients: Heads::new(),
            users: Heads::new(),
            client_next: SegVec::new(),
            user_next: SegVec::new(),
        }
    }

    pub(super) fn client(&self, hash: u32, is: impl FnMut(u32) -> bool) -> Option<u32> {
        self.clients.find(&Walk(&self.client_next), hash, is)
    }

    pub(super) fn user(&self, hash: u32, is: impl FnMut(u32) -> bool) -> Option<u32> {
        self.users.find(&Walk(&self.user_next), hash, is)
    }

    pub(super) fn add_client(&mut self, slab: &Slab, slot: u32) {
        self.cover(slot);
        self.clients.insert(&mut ByClient(slab, &mut self.client_next), slot);
    }

    pub(super) fn remove_client(&mut self, slab: &Slab, slot: u32) {
        self.clients.remove(&mut ByClient(slab, &mut self.client_next), slot);
    }

    pub(super) fn add_user(&mut self, slab: &Slab, head: u32) {
        self.cover(head);
        self.users.insert(&mut ByUser(slab, &mut self.user_next), head);
    }

    pub(super) fn remove_user(&mut self, slab: &Slab, head: u32) {
        self.users.remove(&mut ByUser(slab, &mut self.user_next), head);
    }

    pub(super) fn replace_user(&mut self, slab: &Slab, old: u32, new: u32) {
        self.users.replace(&mut ByUser(slab, &mut self.user_next), old, new);
    }

    pub(super) fn bytes(&self) -> usize {
        footprint::of(size_of::<Self>())
            + self.clients.bytes()
            + self.users.bytes()
            + self.client_next.bytes()
            + self.user_next.bytes()
    }

    pub(super) fn move_piece(&mut self, number: usize, defrag: &Defrag) -> bool {
        let links = self.client_next.segments();
        let Some(number) = self.clients.move_piece(number, defrag) else { return true };
        let Some(number) = self.users.move_piece(number, defrag) else { return true };
        let side = if number < links { &mut self.client_next } else { &mut self.user_next };
        let segment = side.segment_mut(number % links).filter(|_| number < 2 * links);
        segment.map(|segment| defrag.vec(segment)).is_some()
    }

    /// Makes room for a slot's links.
    fn cover(&mut self, slot: u32) {
        while self.client_next.len() <= slot as usize {
            self.client_next.push(NONE);
            self.user_next.push(NONE);
        }
    }
}

// === chains ===

/// The chains of the index of clients.
struct ByClient<'a>(&'a Slab, &'a mut SegVec<u32>);
/// The chains of the index of users.
struct ByUser<'a>(&'a Slab, &'a mut SegVec<u32>);
/// Either, for looking up only.
struct Walk<'a>(&'a SegVec<u32>);

impl Chain for ByClient<'_> {
    fn hash(&self, slot: u32) -> u32 {
        self.0.slots[slot].client_hash
    }
    fn next(&self, slot: u32) -> u32 {
        self.1[slot]
    }
    fn set_next(&mut self, slot: u32, next: u32) {
        self.1[slot] = next;
    }
}

impl Chain for ByUser<'_> {
    fn hash(&self, slot: u32) -> u32 {
        self.0.slots[slot].user_link
    }
    fn next(&self, slot: u32) -> u32 {
        self.1[slot]
    }
    fn set_next(&mut self, slot: u32, next: u32) {
        self.1[slot] = next;
    }
}

impl Chain for Walk<'_> {
    fn hash(&self, _: u32) -> u32 {
        0
    }
    fn next(&self, slot: u32) -> u32 {
        self.0[slot]
    }
    fn set_next(&mut self, _: u32, _: u32) {}
}

impl Links for Slab {
    fn links(&mut self, slot: u32) -> &mut GroupLinks {
        &mut self.slots[slot].hold
    }
}
