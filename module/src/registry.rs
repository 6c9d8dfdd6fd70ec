//! Which keys there are in one database, when they next need a visit, and what leases hold there.
//!
//! Names and times are hints: whoever visits a key opens it and checks that it is the one meant.

use std::collections::{BTreeMap, BTreeSet, btree_map};

use crate::lease::LeaseId;
use crate::linear_hash::NONE;
use crate::native::thin::ThinBytes;
use crate::roster::Ledger;
use crate::segvec::SegVec;

/// Milliseconds of a tick of the deadline queue.
pub(crate) const TICK_MS: u64 = crate::roster::TICK_MS;

/// A key's number in its database's registry; a value without one has no known key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct KeyId(u32);

/// The two native types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Kind {
    #[default]
    Roster,
    Book,
}

/// What is known of one database.
#[derive(Debug)]
pub(crate) struct Space {
    keys: SegVec<Key>,
    free: u32,
    pub(crate) rosters: u64,
    pub(crate) books: u64,
    /// Entries of all rosters, their users counted per roster, records of all books.
    pub(crate) sizes: Sizes,
    /// By tick: keys with something to expire about then, each once. What is queued earlier, or is
    /// gone, must leave nothing behind.
    queue: BTreeMap<u64, Vec<KeyId>>,
    pub(crate) holds: BTreeMap<LeaseId, Hold>,
}

/// How much the values of a database, or one of them, hold.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sizes {
    pub(crate) members: u64,
    pub(crate) users: u64,
    pub(crate) statuses: u64,
}

#[derive(Debug, Default)]
struct Key {
    /// `None` for a free number, chained through `link`.
    name: Option<ThinBytes>,
    kind: Kind,
    /// The next free number; of a key that is queued, its place among those of its tick.
    link: u32,
    /// The tick the key is queued for; `u64::MAX` for none.
    queued: u64,
}

/// What one lease holds in one database.
#[derive(Debug, Default)]
pub(crate) struct Hold {
    pub(crate) entries: u64,
    pub(crate) users: u64,
    pub(crate) keys: BTreeSet<KeyId>,
}

/// Books what one value's changes mean for leases.
#[derive(Debug)]
pub(crate) struct Account<'a> {
    pub(crate) holds: &'a mut BTreeMap<LeaseId, Hold>,
    pub(crate) key: KeyId,
    pub(crate) kind: Kind,
}

// === impl KeyId ===

impl KeyId {
    /// Of a value that is not, or not yet, under a key.
    pub(crate) const NONE: Self = Self(NONE);
}

// === impl Space ===

impl Default for Space {
    fn default() -> Self {
        Self {
            keys: SegVec::new(),
            free: NONE,
            rosters: 0,
            books: 0,
            sizes: Sizes::default(),
            queue: BTreeMap::new(),
            holds: BTreeMap::new(),
        }
    }
}

impl Space {
    /// Gives a key a number.
    pub(crate) fn attach(&mut self, name: &[u8], kind: Kind) -> KeyId {
        *self.counter(kind) += 1;
        let key = Key { name: Some(ThinBytes::new(name)), kind, link: NONE, queued: u64::MAX };
        if self.free == NONE {
            self.keys.push(key);
            return KeyId(u32::try_from(self.keys.len() - 1).unwrap_or(NONE));
        }
        let at = self.free;
        self.free = self.keys[at].link;
        self.keys[at] = key;
        KeyId(at)
    }

    /// Takes the number back.
    pub(crate) fn detach(&mut self, id: KeyId) {
        if self.name(id).is_none() {
            return;
        }
        self.unqueue(id);
        let key = &mut self.keys[id.0];
        let kind = key.kind;
        key.name = None;
        key.link = self.free;
        self.free = id.0;
        *self.counter(kind) -= 1;
    }

    pub(crate) fn name(&self, id: KeyId) -> Option<(&[u8], Kind)> {
        let key = self.keys.get(id.0 as usize)?;
        Some((key.name.as_ref()?.as_slice(), key.kind))
    }

    /// Visits a key at `tick`, if it is not visited earlier anyway.
    pub(crate) fn queue(&mut self, id: KeyId, tick: Option<u64>) {
        let (Some(tick), Some(key)) = (tick, self.keys.get(id.0 as usize)) else { return };
        if tick >= key.queued || key.name.is_none() {
            return;
        }
        self.unqueue(id);
        let others = self.queue.entry(tick).or_default();
        let key = &mut self.keys[id.0];
        key.queued = tick;
        key.link = place(others.len());
        others.push(id);
    }

    /// Takes a key off the queue.
    fn unqueue(&mut self, id: KeyId) {
        let key = &mut self.keys[id.0];
        let (tick, at) = (std::mem::replace(&mut key.queued, u64::MAX), key.link as usize);
        let btree_map::Entry::Occupied(mut others) = self.queue.entry(tick) else { return };
        others.get_mut().swap_remove(at);
        // The last one has taken its place.
        if let Some(moved) = others.get().get(at) {
            self.keys[moved.0].link = place(at);
        }
        if others.get().is_empty() {
            others.remove();
        } else if others.get().len() < others.get().capacity() / 4 {
            let left = others.get().len();
            others.get_mut().shrink_to(left * 2);
        }
    }

    /// Books a value that came under a key, or went from it.
    pub(crate) fn book(
        &mut self,
        (key, kind): (KeyId, Kind),
        held: impl Iterator<Item = (LeaseId, u64)>,
        gained: bool,
    ) {
        let mut account = Account { holds: &mut self.holds, key, kind };
        for (lease, count) in held {
            account.whole(lease, count, gained);
        }
    }

    /// One value's sizes changed.
    pub(crate) fn resize(&mut self, before: Sizes, after: Sizes) {
        let sum = |all: u64, before: u64, after: u64| (all + after).saturating_sub(before);
        let all = &mut self.sizes;
        all.members = sum(all.members, before.members, after.members);
        all.users = sum(all.users, before.users, after.users);
        all.statuses = sum(all.statuses, before.statuses, after.statuses);
    }

    /// A key that is due at `now`, in ticks, taken off the queue.
    pub(crate) fn pop_due(&mut self, now: u64) -> Option<KeyId> {
        let (_, keys) = self.queue.first_key_value().filter(|(tick, _)| **tick <= now)?;
        let id = *keys.last()?;
        self.unqueue(id);
        Some(id)
    }

    /// For a replica, which ends nothing: up to `limit` keys that are due have their turn `again`.
    pub(crate) fn postpone(&mut self, now: u64, again: u64, limit: usize) {
        for _ in 0..limit {
            let Some(id) = self.pop_due(now) else { return };
            self.queue(id, Some(again));
        }
    }

    /// What a lease was believed to hold under a key is not there.
    pub(crate) fn drop_hint(&mut self, lease: LeaseId, key: KeyId) {
        if let Some(hold) = self.holds.get_mut(&lease) {
            hold.keys.remove(&key);
            if hold.keys.is_empty() {
                self.holds.remove(&lease);
            }
        }
    }

    /// The first tick at which something is due.
    pub(crate) fn next_due(&self) -> Option<u64> {
        self.queue.first_key_value().map(|(tick, _)| *tick)
    }

    fn counter(&mut self, kind: Kind) -> &mut u64 {
        match kind {
            Kind::Roster => &mut self.rosters,
            Kind::Book => &mut self.books,
        }
    }
}

/// A place among the keys of a tick, which are no more than keys have numbers.
fn place(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(NONE)
}

// === impl Hold ===

impl Hold {
    pub(crate) fn count(&mut self, kind: Kind) -> &mut u64 {
        match kind {
            Kind::Roster => &mut self.entries,
            Kind::Book => &mut self.users,
        }
    }
}

// === impl Account ===

impl Account<'_> {
    /// Books that a value appeared or vanished with `count` things of a lease.
    pub(crate) fn whole(&mut self, lease: LeaseId, count: u64, gained: bool) {
        if self.key == KeyId::NONE || count == 0 {
            return;
        }
        let hold = self.holds.entry(lease).or_default();
        let number = hold.count(self.kind);
        if gained {
            *number += count;
            hold.keys.insert(self.key);
        } else {
            *number = number.saturating_sub(count);
            hold.keys.remove(&self.key);
            self.prune(lease);
        }
    }

    fn prune(&mut self, lease: LeaseId) {
        if self.holds.get(&lease).is_some_and(|hold| hold.keys.is_empty()) {
            self.holds.remove(&lease);
        }
    }
}

impl Ledger for Account<'_> {
    fn gained(&mut self, lease: LeaseId, first_here: bool) {
        if self.key == KeyId::NONE {
            return;
        }
        let hold = self.holds.entry(lease).or_default();
        *hold.count(self.kind) += 1;
        if first_here {
            hold.keys.insert(self.key);
        }
    }

    fn lost(&mut self, lease: LeaseId, last_here: bool) {
        let Some(hold) = self.holds.get_mut(&lease).filter(|_| self.key != KeyId::NONE) else {
            return;
        };
        let number = hold.count(self.kind);
        *number = number.saturating_sub(1);
        if last_here {
            hold.keys.remove(&self.key);
            self.prune(lease);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_visited_at_its_earliest_time_and_hints_do_not_pile_up() {
        let mut space = Space::default();
        let (a, b) = (space.attach(b"a", Kind::Roster), space.attach(b"b", Kind::Book));
        space.queue(a, Some(50));
        space.queue(a, Some(70));
        space.queue(b, Some(60));
        assert_eq!((space.rosters, space.books, space.next_due()), (1, 1, Some(50)));
        space.detach(a);
        assert_eq!(space.name(a), None);
        space.postpone(100, 110, 10);
        assert_eq!(space.next_due(), Some(110));
        assert_eq!(
            (space.pop_due(109), space.pop_due(110), space.next_due()),
            (None, Some(b), None)
        );
        assert_eq!(space.attach(b"c", Kind::Roster), a);
        assert_eq!(space.name(a), Some((&b"c"[..], Kind::Roster)));
    }

    #[test]
    fn a_key_is_queued_once_however_often_it_changes_or_comes_again() {
        let mut space = Space::default();
        let kept = space.attach(b"kept", Kind::Roster);
        for tick in (1000..2000).rev() {
            space.queue(kept, Some(tick));
            let brief = space.attach(b"brief", Kind::Roster);
            space.queue(brief, Some(9000 - tick));
            space.detach(brief);
            assert_eq!((space.queue.len(), space.next_due()), (1, Some(tick)));
        }
    }

    #[test]
    fn keys_of_one_tick_go_in_any_order() {
        let mut space = Space::default();
        let ids: Vec<KeyId> = (0..6).map(|n: u8| space.attach(&[b'k', n], Kind::Roster)).collect();
        for id in &ids {
            space.queue(*id, Some(9));
        }
        space.detach(ids[1]);
        space.queue(ids[0], Some(5));
        space.detach(ids[5]);
        space.queue(ids[5], Some(1));
        assert_eq!((space.pop_due(8), space.pop_due(8)), (Some(ids[0]), None));
        let mut left: Vec<KeyId> = std::iter::from_fn(|| space.pop_due(9)).collect();
        left.sort_unstable();
        assert_eq!((left, space.queue.len()), (ids[2..5].to_vec(), 0));
    }
}
