//! Books to and from their stored form.

use rollcall_wire::stored::{LeaseName, StoredStatus};

use super::{Book, Means, Stay};
use crate::lease::{LeaseId, Leases};
use crate::roster::Ledger;
use crate::stored::{Source, Stored, Unbooked};

// === impl Book ===

impl Book {
    /// Makes a record what a stored form says. The record is not there yet, or is replaced.
    pub(crate) fn put_stored(
        &mut self,
        stored: &StoredStatus<'_>,
        holders: &[LeaseId],
        means: &mut Means<'_, impl Ledger>,
    ) {
        if let Some(slot) = self.find(stored.user) {
            let old: Vec<LeaseId> = self.holders(slot).collect();
            for lease in old {
                self.release(slot, lease, (0, 0), means.ledger);
            }
            self.remove(slot);
        }
        for lease in holders {
            self.online(stored.user, *lease, stored.expiry, means);
        }
        let slot = self.find_or_create(stored.user);
        let record = &mut self.records.slots[slot];
        (record.active, record.online) = (stored.active, stored.online);
        if self.stay_of(slot).is_none() {
            self.stay(slot, Stay::Expires(stored.expiry));
        }
    }

    /// The stored form of a user's record, if there is one.
    pub(crate) fn push_stored(&self, user: &str, leases: &Leases, bytes: &mut Vec<u8>) -> bool {
        let slot = self.find(user);
        if let Some(slot) = slot {
            self.stored(slot, leases).push(bytes);
        }
        slot.is_some()
    }

    /// Whether leases that have ended still hold a user.
    pub(crate) fn is_unsettled(&self, user: &str, leases: &Leases) -> bool {
        let mut holders = self.find(user).into_iter().flat_map(|slot| self.holders(slot));
        holders.any(|lease| leases.alive(lease).is_none())
    }

    fn stored<'a>(&'a self, slot: u32, leases: &'a Leases) -> StoredStatus<'a> {
        let record = &self.records.slots[slot];
        let alive = self.live_holders(slot, leases).filter_map(|lease| leases.alive(lease));
        let mut holders: Vec<LeaseName<'a>> =
            alive.map(|lease| LeaseName { node: lease.node(), px: lease.px() }).collect();
        // Numbers of leases differ from server to server, names do not.
        holders.sort_by_key(|holder| holder.node);
        let (online, expiry) = match self.stay_of(slot) {
            Some(Stay::Held(_, ex)) if !holders.is_empty() => (record.online, ex),
            _ => self.settled(slot, leases),
        };
        StoredStatus { user: record.name.text(), active: record.active, online, expiry, holders }
    }

    fn live_holders(&self, slot: u32, leases: &Leases) -> impl Iterator<Item = LeaseId> {
        self.holders(slot).filter(|lease| leases.alive(*lease).is_some())
    }

    fn for_each_slot(&self, mut each: impl FnMut(u32)) {
        let slots = u32::try_from(self.records.slots.len()).unwrap_or(u32::MAX);
        for slot in (0..slots).filter(|slot| self.stay_of(*slot).is_some()) {
            each(slot);
        }
    }
}

// === impl Stored ===

impl Stored for Book {
    fn head(&self) -> Option<u64> {
        None
    }

    fn records(&self) -> u32 {
        self.len()
    }

    /// Ended leases have let go in the records.
    fn for_each_stored(&self, leases: &Leases, mut each: impl FnMut(&[u8])) {
        let mut bytes = Vec::new();
        self.for_each_slot(|slot| {
            bytes.clear();
            self.stored(slot, leases).push(&mut bytes);
            each(&bytes);
        });
    }

    fn load(source: &impl Source) -> Option<Self> {
        let mut book = Self::new();
        // The count comes from anywhere: it ends a loop, it sizes nothing.
        for _ in 0..source.number()? {
            source.bytes(|bytes| {
                let stored = StoredStatus::parse(bytes)?;
                source.with_leases(|leases| {
                    let names = stored.holders.iter();
                    let holders: Vec<LeaseId> =
                        names.map(|lease| leases.ensure(lease.node, lease.px)).collect();
                    let mut means = Means { leases, ledger: &mut Unbooked };
                    book.put_stored(&stored, &holders, &mut means);
                });
                Some(())
            })?;
        }
        (!book.is_empty()).then_some(book)
    }

    fn copied(&self, leases: &Leases) -> Self {
        let mut copy = Self::new();
        self.for_each_slot(|slot| {
            let stored = self.stored(slot, leases);
            let holders: Vec<LeaseId> = self.live_holders(slot, leases).collect();
            copy.put_stored(&stored, &holders, &mut Means { leases, ledger: &mut Unbooked });
        });
        copy
    }

    fn heap(&self) -> usize {
        Book::heap(self)
    }

    fn parts_to_free(&self) -> usize {
        Book::parts_to_free(self)
    }

    fn free_effort(&self) -> usize {
        Book::parts_to_free(self) / 8 + 1
    }
}
