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
    /// By slot: the next in the chain of clients, the next in the chain of users.
    links: SegVec<[u32; 2]>,
}

/// The two chains through an index's links.
const CLIENT: usize = 0;
const USER: usize = 1;

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
        Self { clients: Heads::new(), users: Heads::new(), links: SegVec::new() }
    }

    pub(super) fn client(&self, hash: u32, is: impl FnMut(u32) -> bool) -> Option<u32> {
        self.clients.find(&Walk::<CLIENT>(&self.links), hash, is)
    }

    pub(super) fn user(&self, hash: u32, is: impl FnMut(u32) -> bool) -> Option<u32> {
        self.users.find(&Walk::<USER>(&self.links), hash, is)
    }

    /// Has what looking for these two reads first fetched ahead.
    pub(super) fn expect(&self, client: u32, user: u32) {
        self.clients.expect(client);
        self.users.expect(user);
    }

    pub(super) fn add_client(&mut self, slab: &Slab, slot: u32) {
        self.cover(slot);
        self.clients.insert(&mut ByClient(slab, &mut self.links), slot);
    }

    pub(super) fn remove_client(&mut self, slab: &Slab, slot: u32) {
        self.clients.remove(&mut ByClient(slab, &mut self.links), slot);
    }

    pub(super) fn add_user(&mut self, slab: &Slab, head: u32) {
        self.cover(head);
        self.users.insert(&mut ByUser(slab, &mut self.links), head);
    }

    pub(super) fn remove_user(&mut self, slab: &Slab, head: u32) {
        self.users.remove(&mut ByUser(slab, &mut self.links), head);
    }

    pub(super) fn replace_user(&mut self, slab: &Slab, old: u32, new: u32) {
        self.users.replace(&mut ByUser(slab, &mut self.links), old, new);
    }

    pub(super) fn bytes(&self) -> usize {
        footprint::of(size_of::<Self>())
            + self.clients.bytes()
            + self.users.bytes()
            + self.links.bytes()
    }

    pub(super) fn move_piece(&mut self, number: usize, defrag: &Defrag) -> bool {
        let Some(number) = self.clients.move_piece(number, defrag) else { return true };
        let Some(number) = self.users.move_piece(number, defrag) else { return true };
        self.links.segment_mut(number).map(|segment| defrag.vec(segment)).is_some()
    }

    /// Makes room for a slot's links.
    fn cover(&mut self, slot: u32) {
        while self.links.len() <= slot as usize {
            self.links.push([NONE; 2]);
        }
    }
}

// === chains ===

/// The chains of the index of clients.
struct ByClient<'a>(&'a Slab, &'a mut SegVec<[u32; 2]>);
/// The chains of the index of users.
struct ByUser<'a>(&'a Slab, &'a mut SegVec<[u32; 2]>);
/// Either, for looking up only.
struct Walk<'a, const SIDE: usize>(&'a SegVec<[u32; 2]>);

impl Chain for ByClient<'_> {
    fn hash(&self, slot: u32) -> u32 {
        self.0.slots[slot].client_hash
    }
    fn next(&self, slot: u32) -> u32 {
        self.1[slot][CLIENT]
    }
    fn set_next(&mut self, slot: u32, next: u32) {
        self.1[slot][CLIENT] = next;
    }
}

impl Chain for ByUser<'_> {
    fn hash(&self, slot: u32) -> u32 {
        self.0.slots[slot].user_link
    }
    fn next(&self, slot: u32) -> u32 {
        self.1[slot][USER]
    }
    fn set_next(&mut self, slot: u32, next: u32) {
        self.1[slot][USER] = next;
    }
}

impl<const SIDE: usize> Chain for Walk<'_, SIDE> {
    fn hash(&self, _: u32) -> u32 {
        0
    }
    fn next(&self, slot: u32) -> u32 {
        self.0[slot][SIDE]
    }
    fn set_next(&mut self, _: u32, _: u32) {}
}

impl Links for Slab {
    fn links(&mut self, slot: u32) -> &mut GroupLinks {
        &mut self.slots[slot].hold
    }
}
