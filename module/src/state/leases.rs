//! Leases and what they hold: what ends, and what is left to sweep.

use super::State;
use crate::lease::{LeaseId, Leases};
use crate::news::Lapsed;
use crate::registry::{KeyId, Space};

// === impl State ===

impl State {
    /// Ends a lease that a master judges; whether there was one.
    pub(crate) fn end_lease(&mut self, node: &str, at: u32) -> bool {
        let ended = self.end_lease_untold(node, at);
        if ended {
            self.counters.leases_ended += 1;
            self.untold.end(node, at);
        }
        ended
    }

    /// The same for one whose end a master or a file tells.
    pub(crate) fn end_lease_untold(&mut self, node: &str, at: u32) -> bool {
        let Some(lease) = self.leases.end(node, at) else { return false };
        if !self.holds(lease) {
            self.leases.forget(lease);
        }
        true
    }

    /// Looks at up to `most` leases and ends those whose time is up; whether there may be more.
    pub(crate) fn end_overdue(&mut self, most: usize, at: u32) -> (Vec<Lapsed>, bool) {
        let mut lapsed = Vec::new();
        let (overdue, more) = self.leases.overdue(most);
        for id in overdue {
            let Some(lease) = self.leases.alive(id) else { continue };
            let (node, px): (Box<str>, u64) = (lease.node().into(), lease.px());
            let (entries, users) = self.held(id);
            self.end_lease(&node, at);
            lapsed.push(Lapsed { node, px, entries, users });
        }
        (lapsed, more)
    }

    /// Forgets some of the ended leases that hold nothing any more.
    pub(crate) fn prune(&mut self, most: usize) {
        for lease in self.leases.some_ended(most) {
            if !self.holds(lease) {
                self.leases.forget(lease);
            }
        }
    }

    /// A key in which an ended lease still holds something, dead leases of earlier lives included.
    pub(crate) fn next_unswept(&mut self) -> Option<(u32, KeyId, LeaseId)> {
        let next = |leases: &Leases| leases.ended().next();
        while let Some(lease) = next(&self.leases) {
            if let Some(found) = self.first_held(lease) {
                return Some(found);
            }
            self.leases.forget(lease);
        }
        self.first_held(LeaseId::ENDED)
    }

    /// Whether there may be such a key.
    pub(crate) fn is_swept(&self) -> bool {
        self.leases.ended().next().is_none() && !self.holds(LeaseId::ENDED)
    }

    fn first_held(&self, lease: LeaseId) -> Option<(u32, KeyId, LeaseId)> {
        let of =
            |space: &Space| space.holds.get(&lease).and_then(|hold| hold.keys.first().copied());
        (0..).zip(&self.spaces).find_map(|(db, space)| Some((db, of(space)?, lease)))
    }

    fn holds(&self, lease: LeaseId) -> bool {
        self.spaces.iter().any(|space| space.holds.contains_key(&lease))
    }

    pub(super) fn forget_idle_leases(&mut self) {
        let spaces = &self.spaces;
        self.leases.retain(|lease| spaces.iter().any(|space| space.holds.contains_key(&lease)));
    }

    /// Entries, and users held online, that wait for their slice.
    pub(crate) fn due_entries(&self) -> u64 {
        let unswept = self.leases.ended().chain(std::iter::once(LeaseId::ENDED));
        let held = unswept.map(|lease| self.held(lease));
        held.map(|(entries, users)| entries + users).sum()
    }

    /// Entries and online users of a lease, in all databases.
    pub(crate) fn held(&self, lease: LeaseId) -> (u64, u64) {
        let holds = self.spaces.iter().filter_map(|space| space.holds.get(&lease));
        holds.fold((0, 0), |sum, hold| (sum.0 + hold.entries, sum.1 + hold.users))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::{Account, Kind};

    #[test]
    fn a_load_brings_no_lease_that_holds_nothing() {
        let mut state = State::new();
        state.before_load(false);
        // A file of commands tells of every lease that ever began.
        let held = state.leases.ensure("held", 1_000);
        state.leases.ensure("idle", 1_000);
        let key = state.space(0).attach(b"room", Kind::Roster);
        let mut account = Account { holds: &mut state.space(0).holds, key, kind: Kind::Roster };
        account.whole(held, 1, true);
        state.after_load(0, None);
        assert_eq!((state.leases.of_node("held"), state.leases.alive_count()), (Some(held), 1));
    }

    #[test]
    fn a_lease_that_ends_is_forgotten_when_nothing_is_left_of_it() {
        let mut state = State::new();
        let key = state.space(2).attach(b"room", Kind::Roster);
        for node in ["idle", "held"] {
            state.leases.ensure(node, 1_000);
        }
        let held = state.leases.of_node("held").unwrap();
        let mut account = Account { holds: &mut state.space(2).holds, key, kind: Kind::Roster };
        account.whole(held, 5, true);
        assert!(state.end_lease("idle", 7) && state.is_swept());
        assert!(state.end_lease("held", 7) && !state.is_swept());
        state.prune(9);
        assert_eq!((state.next_unswept(), state.due_entries()), (Some((2, key, held)), 5));
        let mut account = Account { holds: &mut state.space(2).holds, key, kind: Kind::Roster };
        account.whole(held, 5, false);
        assert_eq!((state.next_unswept(), state.is_swept()), (None, true));
    }
}
