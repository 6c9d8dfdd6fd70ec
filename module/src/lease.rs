//! Leases: a node's word that it lives, and the clock that judges it.

use std::collections::{BTreeMap, HashMap};

/// One life of a node name. Never given out twice by a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct LeaseId(u32);

/// A lease, alive or ended but not yet swept.
#[derive(Debug)]
pub(crate) struct Lease {
    node: Box<str>,
    px: u64,
    /// Both on the lease clock.
    began_at: u64,
    ends_at: u64,
    /// The Unix second at which it ended.
    ended: Option<u32>,
}

/// All leases of the server.
#[derive(Debug)]
pub(crate) struct Leases {
    alive: HashMap<Box<str>, LeaseId>,
    all: BTreeMap<LeaseId, Lease>,
    last_id: u32,
    pub(crate) clock: LeaseClock,
}

/// What a `KEEP` found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) lease: LeaseId,
    pub(crate) fresh: bool,
    /// Replicas must hear of it.
    pub(crate) changed: bool,
}

/// Milliseconds in which the server ran. Monotonic, advanced by capped steps, so that time in
/// which the server stood still does not count.
#[derive(Debug, Default)]
pub(crate) struct LeaseClock {
    now: u64,
    seen: Option<u64>,
}

/// A step counts at most this many milliseconds.
const STEP_MAX: u64 = 100;
/// After a longer silence nobody is judged in this step: keepalives may wait in the sockets.
const STALL: u64 = 250;

// === impl LeaseId ===

impl LeaseId {
    /// Entries that were stored as due: their lease ended in another life of the server.
    pub(crate) const ENDED: Self = Self(0);
    /// After every other lease.
    pub(crate) const MAX: Self = Self(u32::MAX);
}

// === impl Lease ===

impl Lease {
    pub(crate) fn node(&self) -> &str {
        &self.node
    }

    pub(crate) fn px(&self) -> u64 {
        self.px
    }

    pub(crate) fn age_ms(&self, clock: &LeaseClock) -> u64 {
        clock.now - self.began_at
    }
}

// === impl Leases ===

impl Leases {
    pub(crate) fn new() -> Self {
        Self {
            alive: HashMap::new(),
            all: BTreeMap::new(),
            last_id: 0,
            clock: LeaseClock::default(),
        }
    }

    /// The lease that a node holds.
    pub(crate) fn of_node(&self, node: &str) -> Option<LeaseId> {
        self.alive.get(node).copied()
    }

    /// The lease, while it is alive.
    pub(crate) fn alive(&self, lease: LeaseId) -> Option<&Lease> {
        self.all.get(&lease).filter(|lease| lease.ended.is_none())
    }

    /// The Unix second at which a lease ended; 0 when that is not known any more.
    pub(crate) fn ended_at(&self, lease: LeaseId) -> Option<u32> {
        match self.all.get(&lease) {
            Some(lease) => lease.ended,
            None => Some(0),
        }
    }

    /// Renews a node's lease, or begins one.
    pub(crate) fn keep(&mut self, node: &str, px: u64, monotonic_ms: u64) -> Kept {
        let ends_at = self.clock.reading(monotonic_ms) + px;
        if let Some((id, lease)) =
            self.of_node(node).and_then(|id| Some((id, self.all.get_mut(&id)?)))
        {
            let changed = lease.px != px;
            (lease.px, lease.ends_at) = (px, ends_at);
            return Kept { lease: id, fresh: false, changed };
        }
        self.last_id += 1;
        let id = LeaseId(self.last_id);
        self.alive.insert(node.into(), id);
        let began_at = self.clock.now;
        self.all.insert(id, Lease { node: node.into(), px, began_at, ends_at, ended: None });
        Kept { lease: id, fresh: true, changed: true }
    }

    /// The node's lease; where there is none, one with its full time.
    pub(crate) fn ensure(&mut self, node: &str, px: u64) -> LeaseId {
        self.of_node(node).unwrap_or_else(|| self.keep(node, px, 0).lease)
    }

    /// Ends a node's lease at a Unix second. Its entries are swept later.
    pub(crate) fn end(&mut self, node: &str, at: u32) -> Option<LeaseId> {
        let id = self.alive.remove(node)?;
        if let Some(lease) = self.all.get_mut(&id) {
            lease.ended = Some(at);
        }
        Some(id)
    }

    /// How many are alive.
    pub(crate) fn alive_count(&self) -> usize {
        self.alive.len()
    }

    /// Those whose time is up, with their nodes.
    pub(crate) fn overdue(&self) -> Vec<(LeaseId, Box<str>)> {
        let now = self.clock.now;
        let alive = self.all.iter().filter(|(_, lease)| lease.ended.is_none());
        let overdue = alive.filter(|(_, lease)| lease.ends_at <= now);
        overdue.map(|(id, lease)| (*id, lease.node.clone())).collect()
    }

    /// Forgets an ended lease that holds nothing any more.
    pub(crate) fn forget(&mut self, id: LeaseId) {
        if self.all.get(&id).is_some_and(|lease| lease.ended.is_some()) {
            self.all.remove(&id);
        }
    }

    /// Ended leases that are still known.
    pub(crate) fn ended(&self) -> Vec<LeaseId> {
        let ended = self.all.iter().filter(|(_, lease)| lease.ended.is_some());
        ended.map(|(id, _)| *id).collect()
    }

    /// Gives every lease at least `ms` from now on.
    pub(crate) fn grace(&mut self, ms: u64) {
        let at_least = self.clock.now + ms;
        for lease in self.all.values_mut() {
            lease.ends_at = lease.ends_at.max(at_least);
        }
    }

    /// Forgets the leases that hold nothing, as before a load. Identities go on. Where a load
    /// leaves old data in place, their leases stay with them.
    pub(crate) fn retain(&mut self, holds: impl Fn(LeaseId) -> bool) {
        self.alive.retain(|_, id| holds(*id));
        self.all.retain(|id, _| holds(*id));
    }

    /// Live leases by node, with what is left of their time.
    pub(crate) fn list(&self, monotonic_ms: u64) -> Vec<(LeaseId, &Lease, u64)> {
        let now = self.clock.reading(monotonic_ms);
        let mut list: Vec<_> = self
            .all
            .iter()
            .filter(|(_, lease)| lease.ended.is_none())
            .map(|(id, lease)| (*id, lease, lease.ends_at.saturating_sub(now)))
            .collect();
        list.sort_by(|a, b| a.1.node.cmp(&b.1.node));
        list
    }
}

// === impl LeaseClock ===

impl LeaseClock {
    /// Moves on to a reading of the system's monotonic clock; whether leases may be judged.
    pub(crate) fn advance(&mut self, monotonic_ms: u64) -> bool {
        let step = monotonic_ms.saturating_sub(self.seen.unwrap_or(monotonic_ms));
        self.seen = Some(monotonic_ms);
        self.now += step.min(STEP_MAX);
        step <= STALL
    }

    /// What the clock would show at a reading, between two steps.
    fn reading(&self, monotonic_ms: u64) -> u64 {
        let step = monotonic_ms.saturating_sub(self.seen.unwrap_or(monotonic_ms));
        self.now + step.min(STEP_MAX)
    }

    /// Lets time pass without counting it.
    pub(crate) fn stand_still(&mut self, monotonic_ms: u64) {
        self.seen = Some(monotonic_ms);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stall_does_not_end_a_lease() {
        let mut leases = Leases::new();
        assert!(leases.clock.advance(1_000));
        let lease = leases.keep("n", 300, 1_000).lease;
        assert!(!leases.clock.advance(60_000));
        assert!(leases.overdue().is_empty());
        for ms in [60_050, 60_100, 60_150, 60_199] {
            assert!(leases.clock.advance(ms));
        }
        assert!(leases.overdue().is_empty());
        leases.clock.advance(60_200);
        assert_eq!(leases.overdue(), [(lease, Box::from("n"))]);
    }

    #[test]
    fn a_node_that_comes_back_has_a_new_lease() {
        let mut leases = Leases::new();
        let first = leases.keep("n", 100, 0);
        assert!(first.fresh);
        assert_eq!(leases.keep("n", 100, 0), Kept { fresh: false, changed: false, ..first });
        assert!(leases.keep("n", 200, 0).changed);
        assert_eq!(leases.end("n", 7), Some(first.lease));
        assert_eq!(leases.end("n", 8), None);
        let second = leases.keep("n", 100, 0);
        assert!(second.fresh && second.lease != first.lease);
        assert_eq!(leases.ended_at(first.lease), Some(7));
        assert_eq!(leases.ended_at(second.lease), None);
        leases.forget(first.lease);
        leases.forget(second.lease);
        assert_eq!(leases.ended_at(first.lease), Some(0));
        assert!(leases.alive(second.lease).is_some());
    }
}
