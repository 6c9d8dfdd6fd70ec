//! A status book: when users were last active and online, and which leases hold them online.
//!
//! A record is held by leases, or expires. While a live lease holds it, it does not expire and
//! its user is online now; when the last one lets go, the time it lives starts.

mod memory;
mod name;
mod records;
pub(crate) mod store;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use records::Records;

use crate::groups::Groups;
use crate::hash;
use crate::lease::{LeaseId, Leases};
use crate::linear_hash::{Heads, NONE};
use crate::native::prefetch;
use crate::registry::Sizes;
use crate::roster::Ledger;

/// A time that is so many seconds ahead of another is no time: a record that was forged says it, or
/// one of a server whose clock was wrong.
const AHEAD: u32 = 86_400;

/// Users looked up at a time.
const BATCH: usize = 64;

/// Why a record stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stay {
    /// Held by this lease, and maybe by others; then it lives so many seconds.
    Held(LeaseId, u32),
    /// Until this Unix second.
    Expires(u32),
}

#[derive(Debug)]
pub(crate) struct Book {
    records: Records,
    index: Heads,
    groups: Groups<Stay>,
    /// Holders beside the one in a record's group, both ways round.
    more_of_slot: BTreeSet<(u32, LeaseId)>,
    more_of_lease: BTreeSet<(LeaseId, u32)>,
    /// How many users each lease holds here.
    held: BTreeMap<LeaseId, u32>,
    /// Bytes of long names.
    names: usize,
}

/// What is known of a user. Unix seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Status {
    pub(crate) active: Option<u32>,
    pub(crate) online: Option<u32>,
}

/// What every change of a book needs: who is alive, and who keeps the books of leases.
#[derive(Debug)]
pub(crate) struct Means<'a, L> {
    pub(crate) leases: &'a Leases,
    pub(crate) ledger: &'a mut L,
}

// === impl Book ===

impl Book {
    pub(crate) fn new() -> Self {
        Self {
            records: Records::new(),
            index: Heads::new(),
            groups: Groups::new(),
            more_of_slot: BTreeSet::new(),
            more_of_lease: BTreeSet::new(),
            held: BTreeMap::new(),
            names: 0,
        }
    }

    pub(crate) fn len(&self) -> u32 {
        self.records.used
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.records.used == 0
    }

    pub(crate) fn sizes(&self) -> Sizes {
        Sizes { statuses: self.records.used.into(), ..Sizes::default() }
    }

    /// How many users each lease holds here.
    pub(crate) fn held(&self) -> impl Iterator<Item = (LeaseId, u32)> + '_ {
        self.held.iter().map(|(lease, count)| (*lease, *count))
    }

    /// The Unix second at which the first record expires.
    pub(crate) fn first_expiry(&self) -> Option<u32> {
        match self.groups.first_from(Stay::Expires(0))? {
            Stay::Expires(at) => Some(at),
            Stay::Held(..) => None,
        }
    }

    /// What is known of users, in order.
    pub(crate) fn get<'a>(
        &self,
        users: impl Iterator<Item = &'a [u8]>,
        now: u32,
        leases: &Leases,
        mut each: impl FnMut(Status),
    ) {
        // Memory is read for many users at once: one by one, most of the time would be waiting.
        let mut users = users.fuse();
        loop {
            let mut some = [(&[][..], 0); BATCH];
            let mut count = 0;
            for (place, user) in some.iter_mut().zip(users.by_ref()) {
                *place = (user, hash::short(user));
                self.index.expect(place.1);
                count += 1;
            }
            if count == 0 {
                return;
            }
            for (_, first) in &mut some[..count] {
                *first = self.index.first(*first);
                self.records.slots.get(*first as usize).into_iter().for_each(prefetch::soon);
            }
            for (user, first) in &some[..count] {
                each(self.status(self.find_from(*first, user), now, leases));
            }
        }
    }

    fn status(&self, slot: Option<u32>, now: u32, leases: &Leases) -> Status {
        let Some(slot) = slot else { return Status::default() };
        let record = &self.records.slots[slot];
        let alive = self.holders(slot).any(|lease| leases.alive(lease).is_some());
        let online = if alive { later(record.online, now) } else { self.settled(slot, leases).0 };
        let known = |second: u32| (second > 0).then_some(second);
        Status { active: known(record.active), online: known(online) }
    }

    /// A user was active at a second; the record lives `ex` seconds more.
    pub(crate) fn touch(
        &mut self,
        user: &str,
        at: u32,
        ex: u32,
        means: &mut Means<'_, impl Ledger>,
    ) {
        let slot = self.find_or_create(user);
        self.settle(slot, means);
        let record = &mut self.records.slots[slot];
        record.active = later(record.active, at);
        self.stay(
            slot,
            match self.stay_of(slot) {
                Some(Stay::Held(lease, _)) => Stay::Held(lease, ex),
                _ => Stay::Expires(at.saturating_add(ex)),
            },
        );
    }

    /// A lease holds a user online; whether it did not before.
    pub(crate) fn online(
        &mut self,
        user: &str,
        lease: LeaseId,
        ex: u32,
        means: &mut Means<'_, impl Ledger>,
    ) -> bool {
        let slot = self.find_or_create(user);
        self.settle(slot, means);
        let new = !self.holders(slot).any(|holder| holder == lease);
        let main = match self.stay_of(slot) {
            Some(Stay::Held(main, _)) => main,
            _ => lease,
        };
        self.stay(slot, Stay::Held(main, ex));
        if new {
            if main != lease {
                self.more_of_slot.insert((slot, lease));
                self.more_of_lease.insert((lease, slot));
            }
            self.count(lease, true, means.ledger);
        }
        new
    }

    /// A lease lets go of a user at a second; whether it held it.
    pub(crate) fn offline(
        &mut self,
        user: &str,
        lease: LeaseId,
        (at, ex): (u32, u32),
        means: &mut Means<'_, impl Ledger>,
    ) -> bool {
        let Some(slot) = self.find(user) else { return false };
        self.settle(slot, means);
        if !self.holders(slot).any(|holder| holder == lease) {
            return false;
        }
        self.release(slot, lease, (at, ex), means.ledger);
        true
    }

    /// Clears what is known of a user, but not who holds it; whether there was anything.
    pub(crate) fn clear(&mut self, user: &str, means: &mut Means<'_, impl Ledger>) -> bool {
        let Some(slot) = self.find(user) else { return false };
        self.settle(slot, means);
        let record = &mut self.records.slots[slot];
        let had = record.active > 0 || record.online > 0;
        (record.active, record.online) = (0, 0);
        if matches!(self.stay_of(slot), Some(Stay::Expires(_))) {
            self.remove(slot);
        }
        had
    }

    /// Forgets a record that nobody holds.
    pub(crate) fn expire(&mut self, user: &str) {
        if let Some(slot) = self.find(user)
            && matches!(self.stay_of(slot), Some(Stay::Expires(_)))
        {
            self.remove(slot);
        }
    }

    /// Any user whose record expires at `now` or did before.
    pub(crate) fn expired(&self, now: u32) -> Option<&str> {
        let at = self.first_expiry().filter(|at| *at <= now)?;
        self.groups.member(Stay::Expires(at)).map(|slot| self.records.slots[slot].name.text())
    }

    /// Any user that a lease holds.
    pub(crate) fn held_by(&self, lease: LeaseId) -> Option<&str> {
        let slot = match self.groups.first_from(Stay::Held(lease, 0)) {
            Some(stay @ Stay::Held(main, _)) if main == lease => self.groups.member(stay)?,
            _ => {
                let (other, slot) = *self.more_of_lease.range((lease, 0)..).next()?;
                (other == lease).then_some(slot)?
            }
        };
        Some(self.records.slots[slot].name.text())
    }

    /// Leases of a user that have ended let go.
    pub(crate) fn settle_user(&mut self, user: &str, means: &mut Means<'_, impl Ledger>) {
        if let Some(slot) = self.find(user) {
            self.settle(slot, means);
        }
    }

    fn find(&self, user: &str) -> Option<u32> {
        self.find_from(self.index.first(hash::short(user.as_bytes())), user.as_bytes())
    }

    /// The user's slot in the chain that begins at `slot`.
    fn find_from(&self, mut slot: u32, user: &[u8]) -> Option<u32> {
        while slot != NONE {
            let record = &self.records.slots[slot];
            if record.name.bytes() == user {
                return Some(slot);
            }
            slot = record.next;
        }
        None
    }

    /// A new record is in no group yet: the caller says why it stays.
    fn find_or_create(&mut self, user: &str) -> u32 {
        if let Some(slot) = self.find(user) {
            return slot;
        }
        let slot = self.records.insert(user);
        self.names += self.records.slots[slot].name.heap();
        self.index.insert(&mut self.records, slot);
        slot
    }

    fn remove(&mut self, slot: u32) {
        self.groups.leave(&mut self.records, slot);
        self.index.remove(&mut self.records, slot);
        self.names -= self.records.slots[slot].name.heap();
        self.records.remove(slot);
    }

    fn stay_of(&self, slot: u32) -> Option<Stay> {
        self.groups.key(self.records.slots[slot].hold.group)
    }

    fn stay(&mut self, slot: u32, stay: Stay) {
        if self.stay_of(slot) != Some(stay) {
            self.groups.leave(&mut self.records, slot);
            self.groups.join(&mut self.records, slot, stay);
        }
    }

    /// All leases that hold a record, dead ones included.
    fn holders(&self, slot: u32) -> impl Iterator<Item = LeaseId> + '_ {
        let main = match self.stay_of(slot) {
            Some(Stay::Held(lease, _)) => Some(lease),
            _ => None,
        };
        main.into_iter().chain(self.more(slot))
    }

    fn more(&self, slot: u32) -> impl Iterator<Item = LeaseId> + '_ {
        let all = self.more_of_slot.range((slot, LeaseId::ENDED)..=(slot, LeaseId::MAX));
        all.map(|(_, lease)| *lease)
    }

    /// Lets go of leases that have ended, each at the moment it ended.
    fn settle(&mut self, slot: u32, means: &mut Means<'_, impl Ledger>) {
        let Some(Stay::Held(_, ex)) = self.stay_of(slot) else { return };
        if self.holders(slot).all(|lease| means.leases.alive(lease).is_some()) {
            return;
        }
        let dead: Vec<(u32, LeaseId)> = self
            .holders(slot)
            .filter_map(|lease| Some((means.leases.ended_at(lease)?, lease)))
            .collect();
        // The end that came last is the one that counts, whatever the order of release.
        let last = dead.iter().map(|(at, _)| *at).max().unwrap_or_default();
        for (_, lease) in dead {
            self.release(slot, lease, (last, ex), means.ledger);
        }
    }

    /// What [`Self::settle`] would make of a record that no live lease holds: when it was last
    /// online, and when it expires.
    fn settled(&self, slot: u32, leases: &Leases) -> (u32, u32) {
        let record = &self.records.slots[slot];
        match self.stay_of(slot) {
            Some(Stay::Held(_, ex)) => {
                let ends = self.holders(slot).filter_map(|lease| leases.ended_at(lease));
                let online = later(record.online, ends.max().unwrap_or_default());
                (online, online.max(record.active).saturating_add(ex))
            }
            Some(Stay::Expires(at)) => (record.online, at),
            None => (record.online, 0),
        }
    }

    fn release(
        &mut self,
        slot: u32,
        lease: LeaseId,
        (at, ex): (u32, u32),
        ledger: &mut impl Ledger,
    ) {
        let Some(Stay::Held(main, _)) = self.stay_of(slot) else { return };
        let heir = self.more(slot).find(|other| *other != lease);
        let gone = if main == lease { heir } else { Some(lease) };
        if let Some(gone) = gone {
            self.more_of_slot.remove(&(slot, gone));
            self.more_of_lease.remove(&(gone, slot));
        }
        match (main == lease, heir) {
            (true, None) => {
                let record = &mut self.records.slots[slot];
                record.online = later(record.online, at);
                let from = record.online.max(record.active);
                self.stay(slot, Stay::Expires(from.saturating_add(ex)));
            }
            (true, Some(heir)) => self.stay(slot, Stay::Held(heir, ex)),
            (false, _) => self.stay(slot, Stay::Held(main, ex)),
        }
        self.count(lease, false, ledger);
    }

    fn count(&mut self, lease: LeaseId, gained: bool, ledger: &mut impl Ledger) {
        let count = self.held.entry(lease).or_default();
        if gained {
            *count += 1;
            ledger.gained(lease, *count == 1);
            return;
        }
        *count -= 1;
        let left = *count;
        if left == 0 {
            self.held.remove(&lease);
        }
        ledger.lost(lease, left == 0);
    }
}

/// The later one of a time that is known and one that is, 0 where that is not known. Times never go
/// backwards.
fn later(known: u32, at: u32) -> u32 {
    if at > 0 && known > at.saturating_add(AHEAD) { at } else { known.max(at) }
}
