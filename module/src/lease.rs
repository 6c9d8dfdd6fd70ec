//! Leases: a node's word that it lives, and the clock that judges it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::rc::Rc;

/// One life of a node name. Never given out twice by a process: 64 bits do not wrap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct LeaseId(u64);

/// A living lease.
#[derive(Debug)]
pub(crate) struct Lease {
    node: Rc<str>,
    px: u64,
    /// Both on the lease clock.
    began_at: u64,
    ends_at: u64,
    /// When it is looked at next: never after its end, and often before, so that renewing it costs
    /// nothing there.
    look_at: u64,
}

/// All leases of the server.
#[derive(Debug)]
pub(crate) struct Leases {
    by_node: HashMap<Rc<str>, LeaseId>,
    alive: BTreeMap<LeaseId, Lease>,
    /// The same by when they are looked at.
    looks: BTreeSet<(u64, LeaseId)>,
    /// Those that ended while they held something, until that is swept: the Unix second of the end.
    ended: BTreeMap<LeaseId, u32>,
    /// The last ended lease that [`Self::some_ended`] handed out.
    looked_at: LeaseId,
    last_id: u64,
    /// While a value is loaded that no master and no file vouches for.
    bound: Option<Bounds>,
    pub(crate) clock: LeaseClock,
}

/// What a loaded value may do to the number of leases.
#[derive(Debug)]
struct Bounds {
    most: usize,
    /// It named more leases than that.
    exceeded: bool,
}

/// The state before a value is loaded, to return to if that fails.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BeforeLoad(u64);

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
    pub(crate) const MAX: Self = Self(u64::MAX);

    /// As a number that [`Self::from_number`] reads back.
    pub(crate) fn number(self) -> u64 {
        self.0
    }

    pub(crate) fn from_number(number: u64) -> Self {
        Self(number)
    }
}

// === impl Lease ===

impl Lease {
    pub(crate) fn node(&self) -> &str {
        &self.node
    }

    pub(crate) fn px(&self) -> u64 {
        self.px
    }

    /// Is looked at when it ends, from now on.
    fn look_again(&mut self, id: LeaseId, looks: &mut BTreeSet<(u64, LeaseId)>) {
        looks.remove(&(self.look_at, id));
        looks.insert((self.ends_at, id));
        self.look_at = self.ends_at;
    }

    pub(crate) fn age_ms(&self, clock: &LeaseClock) -> u64 {
        clock.now - self.began_at
    }
}

// === impl Leases ===

impl Leases {
    pub(crate) fn new() -> Self {
        Self {
            by_node: HashMap::new(),
            alive: BTreeMap::new(),
            looks: BTreeSet::new(),
            ended: BTreeMap::new(),
            looked_at: LeaseId::ENDED,
            last_id: 0,
            bound: None,
            clock: LeaseClock::default(),
        }
    }

    /// The lease that a node holds.
    pub(crate) fn of_node(&self, node: &str) -> Option<LeaseId> {
        self.by_node.get(node).copied()
    }

    /// The lease, while it is alive.
    pub(crate) fn alive(&self, lease: LeaseId) -> Option<&Lease> {
        self.alive.get(&lease)
    }

    /// The Unix second at which a lease ended; 0 when that is not known any more.
    pub(crate) fn ended_at(&self, lease: LeaseId) -> Option<u32> {
        if self.alive.contains_key(&lease) {
            return None;
        }
        Some(self.ended.get(&lease).copied().unwrap_or_default())
    }

    /// Renews a node's lease, or begins one.
    pub(crate) fn keep(&mut self, node: &str, px: u64, monotonic_ms: u64) -> Kept {
        let kept = self.renew(node, px, monotonic_ms);
        kept.unwrap_or_else(|| self.begin(node, px, monotonic_ms))
    }

    /// The same, but begins none when there are `most` already.
    pub(crate) fn keep_within(
        &mut self,
        most: usize,
        node: &str,
        px: u64,
        monotonic_ms: u64,
    ) -> Option<Kept> {
        let kept = self.renew(node, px, monotonic_ms);
        let is_full = self.alive.len() >= most;
        kept.or_else(|| (!is_full).then(|| self.begin(node, px, monotonic_ms)))
    }

    fn renew(&mut self, node: &str, px: u64, monotonic_ms: u64) -> Option<Kept> {
        let id = self.of_node(node)?;
        let ends_at = self.clock.reading(monotonic_ms) + px;
        let lease = self.alive.get_mut(&id)?;
        let changed = lease.px != px;
        (lease.px, lease.ends_at) = (px, ends_at);
        if ends_at < lease.look_at {
            lease.look_again(id, &mut self.looks);
        }
        Some(Kept { lease: id, fresh: false, changed })
    }

    fn begin(&mut self, node: &str, px: u64, monotonic_ms: u64) -> Kept {
        let ends_at = self.clock.reading(monotonic_ms) + px;
        self.last_id += 1;
        let id = LeaseId(self.last_id);
        let (node, began_at) = (Rc::<str>::from(node), self.clock.now);
        self.by_node.insert(node.clone(), id);
        self.looks.insert((ends_at, id));
        self.alive.insert(id, Lease { node, px, began_at, ends_at, look_at: ends_at });
        Kept { lease: id, fresh: true, changed: true }
    }

    /// The node's lease; where there is none, one with its full time. One that a loaded value may
    /// not begin is as good as ended: [`Self::may_go_on`] says so, and the value is refused.
    pub(crate) fn ensure(&mut self, node: &str, px: u64) -> LeaseId {
        if let Some(id) = self.of_node(node) {
            return id;
        }
        if let Some(bound) = &mut self.bound
            && self.alive.len() >= bound.most
        {
            bound.exceeded = true;
            return LeaseId::ENDED;
        }
        self.keep(node, px, 0).lease
    }

    /// Ends a node's lease at a Unix second. Its entries are swept later.
    pub(crate) fn end(&mut self, node: &str, at: u32) -> Option<LeaseId> {
        let id = self.by_node.remove(node)?;
        if let Some(lease) = self.alive.remove(&id) {
            self.looks.remove(&(lease.look_at, id));
        }
        self.ended.insert(id, at);
        Some(id)
    }

    /// How many are alive.
    pub(crate) fn alive_count(&self) -> usize {
        self.alive.len()
    }

    /// Looks at up to `most` leases; those of them whose time is up, and whether that may not be all.
    pub(crate) fn overdue(&mut self, most: usize) -> (Vec<LeaseId>, bool) {
        let now = self.clock.now;
        let due = self.looks.iter().take_while(|(at, _)| *at <= now).take(most);
        let mut looked: Vec<LeaseId> = due.map(|(_, id)| *id).collect();
        let more = looked.len() == most;
        looked.retain(|id| {
            let Some(lease) = self.alive.get_mut(id) else { return false };
            if lease.ends_at > now {
                lease.look_again(*id, &mut self.looks);
            }
            lease.ends_at <= now
        });
        (looked, more)
    }

    /// Forgets an ended lease that holds nothing any more.
    pub(crate) fn forget(&mut self, id: LeaseId) {
        self.ended.remove(&id);
    }

    /// Ended leases that are still known, oldest first.
    pub(crate) fn ended(&self) -> impl Iterator<Item = LeaseId> + '_ {
        self.ended.keys().copied()
    }

    /// Up to `most` of them: other ones each time, until all have had their turn.
    pub(crate) fn some_ended(&mut self, most: usize) -> Vec<LeaseId> {
        let after = (Bound::Excluded(self.looked_at), Bound::Unbounded);
        let some: Vec<LeaseId> = self.ended.range(after).map(|(id, _)| *id).take(most).collect();
        self.looked_at =
            some.last().copied().filter(|_| some.len() == most).unwrap_or(LeaseId::ENDED);
        some
    }

    /// Gives every lease at least `ms` from now on.
    pub(crate) fn grace(&mut self, ms: u64) {
        let at_least = self.clock.now + ms;
        for lease in self.alive.values_mut() {
            lease.ends_at = lease.ends_at.max(at_least);
        }
    }

    /// Forgets the leases that hold nothing. Identities go on. Where a load leaves old data in
    /// place, their leases stay with them.
    pub(crate) fn retain(&mut self, holds: impl Fn(LeaseId) -> bool) {
        self.by_node.retain(|_, id| holds(*id));
        self.alive.retain(|id, _| holds(*id));
        self.looks.retain(|(_, id)| holds(*id));
        self.ended.retain(|id, _| holds(*id));
    }

    /// Living leases that began after another, oldest first, with what is left of their time.
    pub(crate) fn after(
        &self,
        lease: LeaseId,
        monotonic_ms: u64,
    ) -> impl Iterator<Item = (LeaseId, &Lease, u64)> {
        let now = self.clock.reading(monotonic_ms);
        let after = self.alive.range((Bound::Excluded(lease), Bound::Unbounded));
        after.map(move |(id, lease)| (*id, lease, lease.ends_at.saturating_sub(now)))
    }

    /// Up to `most` living leases, the oldest, by node.
    pub(crate) fn list(&self, most: usize, monotonic_ms: u64) -> Vec<(LeaseId, &Lease, u64)> {
        let mut list: Vec<_> = self.after(LeaseId::ENDED, monotonic_ms).take(most).collect();
        list.sort_by(|a, b| a.1.node.cmp(&b.1.node));
        list
    }

    /// A value is loaded from now on, which may bring leases until there are `most`; any number for
    /// `None`.
    pub(crate) fn begin_load(&mut self, most: Option<usize>) -> BeforeLoad {
        self.bound = most.map(|most| Bounds { most, exceeded: false });
        BeforeLoad(self.last_id)
    }

    /// Whether the value that is loaded has named no more leases than it may.
    pub(crate) fn may_go_on(&self) -> bool {
        self.bound.as_ref().is_none_or(|bound| !bound.exceeded)
    }

    /// It is loaded, or has failed: then the leases that it began never were. Whether it was refused
    /// for them.
    pub(crate) fn end_load(&mut self, before: BeforeLoad, loaded: bool) -> bool {
        if !loaded {
            let began = self.alive.split_off(&LeaseId(before.0.saturating_add(1)));
            for (id, lease) in began {
                self.by_node.remove(&lease.node);
                self.looks.remove(&(lease.look_at, id));
            }
        }
        self.bound.take().is_some_and(|bound| bound.exceeded)
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
mod tests;
