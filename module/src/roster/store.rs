//! Rosters to and from their stored and replicated form.

use rollcall_wire::Info;
use rollcall_wire::stored::{LeaseName, StoredEntry, StoredHolder};

use super::{ClientId, Holder, Ledger, Parts, Roster, TICK_MS};
use crate::lease::{LeaseId, Leases};
use crate::stored::{Source, Stored, Unbooked};

/// The holder as stored: an ended lease is no more than due.
pub(crate) fn stored_holder(holder: Holder, leases: &Leases) -> StoredHolder<'_> {
    match holder {
        Holder::Deadline(tick) => StoredHolder::Deadline(tick.saturating_mul(TICK_MS)),
        Holder::Lease(lease) => match leases.alive(lease) {
            Some(lease) => StoredHolder::Lease(LeaseName { node: lease.node(), px: lease.px() }),
            None => StoredHolder::Due,
        },
    }
}

/// The holder of a stored entry; a lease that is not alive here is created with its full time.
pub(crate) fn live_holder(holder: StoredHolder<'_>, leases: &mut Leases) -> Holder {
    match holder {
        StoredHolder::Due => Holder::Lease(LeaseId::ENDED),
        StoredHolder::Deadline(ms) => Holder::deadline(ms),
        StoredHolder::Lease(lease) => Holder::Lease(leases.ensure(lease.node, lease.px)),
    }
}

/// What a stored entry holds.
pub(super) fn stored_parts<'a>(entry: &StoredEntry<'a>) -> Parts<'a> {
    Parts {
        client: ClientId::new(entry.client),
        user: entry.user,
        conn_info: Info::classify(entry.conn_info),
        chan_info: Info::classify(entry.chan_info),
        announced: entry.announced,
    }
}

// === impl Roster ===

impl Roster {
    /// Appends an entry's form.
    pub(crate) fn push_stored(&self, slot: u32, leases: &Leases, out: &mut Vec<u8>) -> bool {
        let (Some(parts), Some(holder)) = (self.parts(slot), self.holder(slot)) else {
            return false;
        };
        let mut room = [0; 36];
        StoredEntry {
            client: parts.client.text(&mut room),
            user: parts.user,
            conn_info: parts.conn_info.bytes(),
            chan_info: parts.chan_info.bytes(),
            announced: parts.announced,
            holder: stored_holder(holder, leases),
        }
        .push(out);
        true
    }

    /// Makes an entry what a stored form says, silently.
    pub(crate) fn put_stored(
        &mut self,
        entry: &StoredEntry<'_>,
        holder: Holder,
        ledger: &mut impl Ledger,
    ) {
        self.put_parts(&stored_parts(entry), holder, ledger);
    }

    /// Makes an entry this, silently; where it is.
    pub(super) fn put_parts(
        &mut self,
        parts: &Parts<'_>,
        holder: Holder,
        ledger: &mut impl Ledger,
    ) -> u32 {
        let hashes = self.hashes(parts);
        if let Some(slot) = self.find_by(parts.client, hashes.client) {
            if self.parts(slot).is_some_and(|old| old.user == parts.user) {
                self.set_infos(slot, parts);
                self.set_holder(slot, holder, ledger);
                return slot;
            }
            self.remove(slot, ledger);
        }
        self.insert(parts, hashes, holder, ledger)
    }

    /// All entries, in no order.
    pub(crate) fn for_each<'a>(&'a self, mut each: impl FnMut(Parts<'a>)) {
        for (_, blob) in self.slab.iter() {
            each(blob.parts());
        }
    }
}

// === impl Stored ===

impl Stored for Roster {
    fn head(&self) -> Option<u64> {
        Some(self.seq())
    }

    fn records(&self) -> u32 {
        self.clients
    }

    fn for_each_stored(&self, leases: &Leases, mut each: impl FnMut(&[u8])) {
        let mut bytes = Vec::new();
        for (slot, _) in self.slab.iter() {
            bytes.clear();
            if self.push_stored(slot, leases, &mut bytes) {
                each(&bytes);
            }
        }
    }

    fn load(source: &impl Source) -> Option<Self> {
        let mut roster = Self::new(0);
        // More than 63 bits could not be told to replicas.
        roster.set_seq(source.number().filter(|seq| i64::try_from(*seq).is_ok())?);
        // The count comes from anywhere: it ends a loop, it sizes nothing.
        for _ in 0..source.number()? {
            source.bytes(|bytes| {
                let entry = StoredEntry::parse(bytes)?;
                let holder = source.with_leases(|leases| live_holder(entry.holder, leases));
                roster.put_stored(&entry, holder, &mut Unbooked);
                Some(())
            })?;
        }
        (!roster.is_empty()).then_some(roster)
    }

    fn copied(&self, leases: &Leases) -> Self {
        let mut copy = Self::new(0);
        copy.set_seq(self.seq());
        let mut bytes = Vec::new();
        for (slot, _) in self.slab.iter() {
            bytes.clear();
            self.push_stored(slot, leases, &mut bytes);
            if let (Some(entry), Some(holder)) = (StoredEntry::parse(&bytes), self.holder(slot)) {
                copy.put_stored(&entry, holder, &mut Unbooked);
            }
        }
        copy
    }

    fn heap(&self) -> usize {
        Roster::heap(self)
    }

    fn parts_to_free(&self) -> usize {
        Roster::parts_to_free(self)
    }

    fn free_effort(&self) -> usize {
        Roster::parts_to_free(self) + 1
    }
}
