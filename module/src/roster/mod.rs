//! A roster: who is in one channel, by client and by user, and what each entry lives by.
//!
//! One representation for every size. Entries live in slots that never move while the entry
//! lives, so a scan's position stays good. No operation's time grows with the roster.

mod blob;
pub(crate) mod change;
mod client_id;
pub(crate) mod follow;
pub(crate) mod scan;
mod slab;
pub(crate) mod store;
#[cfg(test)]
mod tests;

pub(crate) use blob::Parts;
pub(crate) use client_id::ClientId;

use blob::Blob;
use slab::{Index, Slab, client_hash, user_hash};

use crate::groups::Groups;
use crate::hash;
use crate::lease::LeaseId;
use crate::linear_hash::NONE;
use crate::native::defrag::Defrag;
use crate::native::prefetch;
use crate::registry::Sizes;
use crate::sequences::{Mark, ReadAt};

/// Milliseconds of a deadline's tick: deadlines are rounded up to whole ticks.
pub(crate) const TICK_MS: u64 = 100;

/// Up to this many entries are searched one by one; above it there is an index.
const FEW: usize = 12;

/// How long an entry lives. Deadlines sort after leases, soonest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Holder {
    /// As long as the lease.
    Lease(LeaseId),
    /// Until this many ticks after the Unix epoch.
    Deadline(u64),
}

/// Hears of every entry that a lease gains or loses.
pub(crate) trait Ledger {
    fn gained(&mut self, lease: LeaseId, first_here: bool);
    fn lost(&mut self, lease: LeaseId, last_here: bool);
}

#[derive(Debug)]
pub(crate) struct Roster {
    slab: Slab,
    index: Option<Box<Index>>,
    groups: Groups<Holder>,
    clients: u32,
    users: u32,
    /// Joins so far, wrapping.
    born: u32,
    mark: Mark,
    /// Random per value: a scan's cursor is good for one life of the key.
    life: u64,
    /// Bytes of all blobs.
    blobs: usize,
}

/// By what an entry is indexed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hashes {
    pub(crate) client: u32,
    user: u32,
}

// === impl Holder ===

impl Holder {
    /// The deadline at `ms` after the Unix epoch, rounded up.
    pub(crate) fn deadline(ms: u64) -> Self {
        Self::Deadline(ms.div_ceil(TICK_MS))
    }
}

// === impl Roster ===

impl Roster {
    /// One that begins when the server's highest sequence is `began`.
    pub(crate) fn new(began: u64) -> Self {
        Self {
            slab: Slab::new(),
            index: None,
            groups: Groups::new(),
            clients: 0,
            users: 0,
            born: 0,
            mark: Mark::begin(began),
            life: hash::random(),
            blobs: 0,
        }
    }

    pub(crate) fn clients(&self) -> u32 {
        self.clients
    }

    pub(crate) fn users(&self) -> u32 {
        self.users
    }

    /// The sequence of the last event; 0 when there was none since it was last empty.
    pub(crate) fn seq(&self) -> u64 {
        self.mark.seq()
    }

    pub(crate) fn set_seq(&mut self, seq: u64) {
        if seq > 0 {
            self.mark = Mark::event(seq);
        }
    }

    /// What a read of it is taken at.
    pub(crate) fn read_at(&self) -> ReadAt {
        self.mark.read_at()
    }

    /// If it has just become empty, what comes now is in another life of it, as if its key had gone
    /// meanwhile; whether it is.
    fn begin_anew(&mut self, highest: u64) -> bool {
        if self.is_empty() {
            self.mark = Mark::begin(highest);
        }
        self.is_empty()
    }

    /// Bytes of all entries' contents, about.
    pub(crate) fn blobs(&self) -> usize {
        self.blobs
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.clients == 0
    }

    /// About how many allocations there are to free: slots stay when entries go.
    pub(crate) fn parts_to_free(&self) -> usize {
        self.slab.slots.len()
    }

    pub(crate) fn sizes(&self) -> Sizes {
        Sizes { members: self.clients.into(), users: self.users.into(), statuses: 0 }
    }

    /// Has the slots of a small roster fetched ahead.
    pub(crate) fn expect(&self) {
        self.slab.slots.get(0).into_iter().for_each(prefetch::soon);
    }

    /// The slot of a client.
    pub(crate) fn find(&self, client: ClientId<'_>) -> Option<u32> {
        self.find_by(client, client_hash(client))
    }

    /// The hashes of an entry that is looked for and maybe added, whose memory is fetched ahead.
    pub(crate) fn hashes(&self, parts: &Parts<'_>) -> Hashes {
        let hashes = Hashes { client: client_hash(parts.client), user: user_hash(parts.user) };
        if let Some(index) = &self.index {
            index.expect(hashes.client, hashes.user);
        }
        hashes
    }

    /// The slot of a client of this hash.
    pub(crate) fn find_by(&self, client: ClientId<'_>, hash: u32) -> Option<u32> {
        let is = |at| {
            let slot = &self.slab.slots[at];
            slot.client_hash == hash && slot.blob.as_ref().is_some_and(|blob| blob.is_of(client))
        };
        match &self.index {
            Some(index) => index.client(hash, is),
            None => self.slab.numbers().find(|at| is(*at)),
        }
    }

    pub(crate) fn parts(&self, slot: u32) -> Option<Parts<'_>> {
        self.slab.blob(slot).map(Blob::parts)
    }

    pub(crate) fn holder(&self, slot: u32) -> Option<Holder> {
        self.groups.key(self.slab.slots.get(slot as usize)?.hold.group)
    }

    /// Whether the entry is its user's only one.
    pub(crate) fn is_users_only(&self, slot: u32) -> bool {
        self.slab.blob(slot).is_some_and(Blob::is_head) && self.slab.slots[slot].user_next == NONE
    }

    /// Any entry of a holder.
    pub(crate) fn held_by(&self, holder: Holder) -> Option<u32> {
        self.groups.member(holder)
    }

    /// The leases that hold entries here, and how many each.
    pub(crate) fn leases(&self) -> impl Iterator<Item = (LeaseId, u32)> + '_ {
        self.groups.all().filter_map(|(holder, count)| match holder {
            Holder::Lease(lease) => Some((lease, count)),
            Holder::Deadline(_) => None,
        })
    }

    /// The soonest deadline, in ticks.
    pub(crate) fn first_deadline(&self) -> Option<u64> {
        match self.groups.first_from(Holder::Deadline(0))? {
            Holder::Deadline(tick) => Some(tick),
            Holder::Lease(_) => None,
        }
    }

    /// Adds a client that is not there.
    pub(crate) fn insert(
        &mut self,
        parts: &Parts<'_>,
        hashes: Hashes,
        holder: Holder,
        ledger: &mut impl Ledger,
    ) -> u32 {
        self.born = self.born.wrapping_add(1);
        let blob = Blob::new(parts, self.born);
        self.blobs += blob.bytes();
        let slot = self.slab.insert(blob, hashes.client);
        self.clients += 1;
        if let Some(index) = &mut self.index {
            index.add_client(&self.slab, slot);
        }
        self.link_user(slot, parts.user, hashes.user);
        self.hold(slot, holder, ledger);
        if self.index.is_none() && self.clients as usize > FEW {
            self.build_index();
        }
        slot
    }

    /// Replaces the infos of an entry.
    pub(crate) fn set_infos(&mut self, slot: u32, parts: &Parts<'_>) {
        let Some(old) = self.slab.blob_mut(slot) else { return };
        let mut blob = Blob::new(parts, old.born());
        blob.set_head(old.is_head());
        self.blobs = self.blobs + blob.bytes() - old.bytes();
        *old = blob;
    }

    pub(crate) fn set_announced(&mut self, slot: u32) {
        if let Some(blob) = self.slab.blob_mut(slot) {
            blob.set_announced();
        }
    }

    /// Replaces the holder of an entry; whether it was another.
    pub(crate) fn set_holder(
        &mut self,
        slot: u32,
        holder: Holder,
        ledger: &mut impl Ledger,
    ) -> bool {
        let other = self.holder(slot) != Some(holder);
        if other {
            self.let_go(slot, ledger);
            self.hold(slot, holder, ledger);
        }
        other
    }

    /// Removes an entry.
    pub(crate) fn remove(&mut self, slot: u32, ledger: &mut impl Ledger) {
        self.let_go(slot, ledger);
        self.unlink_user(slot);
        if let Some(index) = &mut self.index {
            index.remove_client(&self.slab, slot);
        }
        if let Some(blob) = self.slab.remove(slot) {
            self.blobs -= blob.bytes();
            self.clients -= 1;
        }
    }

    /// Bytes beside the struct itself.
    pub(crate) fn heap(&self) -> usize {
        let index = self.index.as_ref().map_or(0, |index| index.bytes());
        self.slab.slots.bytes() + index + self.groups.bytes() + self.blobs
    }

    /// Moves one segment of the value's memory, and the entries in it; whether there was one.
    pub(crate) fn move_piece(&mut self, number: usize, defrag: &Defrag) -> bool {
        let slots = self.slab.slots.segments();
        if let Some(segment) = self.slab.slots.segment_mut(number) {
            segment
                .iter_mut()
                .filter_map(|slot| slot.blob.as_mut())
                .for_each(|b| b.move_by(defrag));
            defrag.vec(segment);
            return true;
        }
        self.index.as_mut().is_some_and(|index| index.move_piece(number - slots, defrag))
    }

    /// The newest entry of a user, which stands for it in the index.
    fn user_head(&self, user: &str, hash: u32) -> Option<u32> {
        // The link of an entry that is no head may look like the hash: the blob knows.
        let is = |at| {
            let slot = &self.slab.slots[at];
            slot.user_link == hash && slot.blob.as_ref().is_some_and(|blob| blob.is_head_of(user))
        };
        match &self.index {
            Some(index) => index.user(hash, is),
            None => self.slab.numbers().find(|at| is(*at)),
        }
    }

    /// Makes a new entry the head of its user's chain.
    fn link_user(&mut self, slot: u32, user: &str, hash: u32) {
        let old = self.user_head(user, hash);
        self.make_head(slot, hash);
        let Some(old) = old else {
            self.users += 1;
            if let Some(index) = &mut self.index {
                index.add_user(&self.slab, slot);
            }
            return;
        };
        self.replace_head(old, slot);
        self.slab.slots[slot].user_next = old;
        self.slab.slots[old].user_link = slot;
        if let Some(blob) = self.slab.blob_mut(old) {
            blob.set_head(false);
        }
    }

    fn unlink_user(&mut self, slot: u32) {
        let (next, link) = (self.slab.slots[slot].user_next, self.slab.slots[slot].user_link);
        if !self.slab.blob(slot).is_some_and(Blob::is_head) {
            self.slab.slots[link].user_next = next;
            if next != NONE {
                self.slab.slots[next].user_link = link;
            }
            return;
        }
        if next == NONE {
            self.users -= 1;
            if let Some(index) = &mut self.index {
                index.remove_user(&self.slab, slot);
            }
            return;
        }
        self.make_head(next, link);
        self.replace_head(slot, next);
    }

    fn make_head(&mut self, slot: u32, user_hash: u32) {
        self.slab.slots[slot].user_link = user_hash;
        if let Some(blob) = self.slab.blob_mut(slot) {
            blob.set_head(true);
        }
    }

    /// Both have the user's hash.
    fn replace_head(&mut self, old: u32, new: u32) {
        if let Some(index) = &mut self.index {
            index.replace_user(&self.slab, old, new);
        }
    }

    fn hold(&mut self, slot: u32, holder: Holder, ledger: &mut impl Ledger) {
        let count = self.groups.join(&mut self.slab, slot, holder);
        if let Holder::Lease(lease) = holder {
            ledger.gained(lease, count == 1);
        }
    }

    fn let_go(&mut self, slot: u32, ledger: &mut impl Ledger) {
        if let Some((Holder::Lease(lease), left)) = self.groups.leave(&mut self.slab, slot) {
            ledger.lost(lease, left == 0);
        }
    }

    /// Indexes the few entries there are. The index then stays as long as the value.
    fn build_index(&mut self) {
        let mut index = Box::new(Index::new());
        for (slot, blob) in self.slab.iter() {
            index.add_client(&self.slab, slot);
            if blob.is_head() {
                index.add_user(&self.slab, slot);
            }
        }
        self.index = Some(index);
    }
}
