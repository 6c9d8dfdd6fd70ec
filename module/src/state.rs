//! What the module knows beside the values themselves: leases, keys by database, counters.

mod leases;

use rollcall_wire::{Event, Why};

use crate::book::Means;
use crate::hash;
use crate::lapses::Lapses;
use crate::lease::{LeaseId, Leases};
use crate::outbox::Outbox;
use crate::recent::Recent;
use crate::registry::{Account, KeyId, Kind, Space, TICK_MS};
use crate::resets::Resets;
use crate::roster::change::World;
use crate::roster::{Holder, Ledger};
use crate::sequences::Sequences;
use crate::untold::Untold;

/// Epochs fit a number that JSON readers hold exactly.
const EPOCH_BITS: u32 = 53;

/// A replica looks again at what is due after so many ticks, and at so many keys at a time.
const POSTPONED: u64 = 10;
const POSTPONED_MAX: usize = 500;

/// One per server process.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) leases: Leases,
    spaces: Vec<Space>,
    pub(crate) epoch: u64,
    pub(crate) sequences: Sequences,
    pub(crate) counters: Counters,
    /// Keys whose listeners must read again.
    pub(crate) resets: Resets,
    /// The module itself deletes an emptied key just now: nobody need read again.
    pub(crate) own_delete: bool,
    /// Lease changes that replicas must still hear of.
    pub(crate) untold: Untold,
    /// Leases that ended and that the log must still tell of.
    pub(crate) lapses: Lapses,
    /// When the log last told that leases were refused, on the monotonic clock.
    pub(crate) refusal_told_ms: Option<u64>,
    /// Events of the running command or slice; nothing while they are published. In a box, as it
    /// goes to and fro: moving the fields themselves waits for every store before.
    pub(crate) outbox: Option<Box<Outbox>>,
    /// Events of late. What the server was told otherwise, by a flush or a load, changes nothing
    /// of what was announced.
    pub(crate) recent: Recent,
    /// Room for the stored form of one entry, empty between commands.
    pub(crate) record: Vec<u8>,
    /// The timer last saw clients paused.
    pub(crate) paused: bool,
    /// What a master sends is being loaded: what is flushed now makes room for it.
    pub(crate) syncing: bool,
    /// When the timer last ran, on the monotonic clock.
    pub(crate) visited_ms: u64,
}

/// What `INFO rollcall` shows besides the state itself.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) joins: u64,
    pub(crate) leaves_removed: u64,
    pub(crate) leaves_expired: u64,
    pub(crate) leaves_lease: u64,
    pub(crate) resets: u64,
    pub(crate) events: u64,
    pub(crate) slices: u64,
    pub(crate) slice_max_us: u64,
    /// The same in time of the processor, which others at work on the machine do not lengthen.
    pub(crate) slice_max_cpu_us: u64,
    pub(crate) leases_ended: u64,
    /// Calls and payloads that asked for one lease too many.
    pub(crate) leases_refused: u64,
}

/// The state as one roster's change sees it.
#[derive(Debug)]
pub(crate) struct Acting<'a> {
    account: Account<'a>,
    leases: &'a Leases,
    counters: &'a mut Counters,
    sequences: &'a mut Sequences,
    outbox: &'a mut Outbox,
    db: u32,
    now_us: u64,
}

// === impl State ===

impl State {
    pub(crate) fn new() -> Self {
        Self {
            leases: Leases::new(),
            spaces: Vec::new(),
            epoch: new_epoch(),
            sequences: Sequences::default(),
            counters: Counters::default(),
            resets: Resets::default(),
            own_delete: false,
            untold: Untold::default(),
            lapses: Lapses::default(),
            refusal_told_ms: None,
            outbox: None,
            recent: Recent::default(),
            record: Vec::new(),
            paused: false,
            syncing: false,
            visited_ms: 0,
        }
    }

    pub(crate) fn space(&mut self, db: u32) -> &mut Space {
        let at = db as usize;
        if self.spaces.len() <= at {
            self.spaces.resize_with(at + 1, Space::default);
        }
        &mut self.spaces[at]
    }

    pub(crate) fn spaces(&self) -> &[Space] {
        &self.spaces
    }

    /// A database was emptied; all of them for `None`. The old contents are the caller's to drop.
    #[must_use]
    pub(crate) fn flush(&mut self, db: Option<u32>) -> Vec<Space> {
        self.epoch = new_epoch();
        let old = match db {
            None => std::mem::take(&mut self.spaces),
            Some(db) => vec![std::mem::take(self.space(db))],
        };
        // Valkey 9 flushes only when the load has begun and what comes looks right.
        if self.syncing {
            self.forget_idle_leases();
        } else {
            self.sequences.lose(db);
            self.resets.lose(|of| db.is_none_or(|db| db == of));
        }
        old
    }

    /// Keeps the deadline queue of a replica small.
    pub(crate) fn postpone(&mut self, tick: u64) {
        for space in &mut self.spaces {
            space.postpone(tick, tick + POSTPONED, POSTPONED_MAX);
        }
    }

    /// Two databases changed places.
    pub(crate) fn swap(&mut self, a: u32, b: u32) {
        self.epoch = new_epoch();
        self.sequences.exchange(a, b);
        self.resets.lose(|of| of == a || of == b);
        self.space(a.max(b));
        self.spaces.swap(a as usize, b as usize);
    }

    /// A roster changed otherwise than by joins and leaves: its sequence from now on.
    pub(crate) fn note_reset(&mut self, db: u32, name: &[u8], followed: bool) -> u64 {
        let seq = self.sequences.take();
        self.resets.add(db, name, seq, followed);
        seq
    }

    pub(crate) fn draw_epoch(&mut self) {
        self.epoch = new_epoch();
    }

    /// The state as a change of one value sees it.
    pub(crate) fn acting(
        &mut self,
        db: u32,
        (key, kind): (KeyId, Kind),
        now_us: u64,
    ) -> Acting<'_> {
        self.space(db);
        Acting {
            account: Account { holds: &mut self.spaces[db as usize].holds, key, kind },
            leases: &self.leases,
            counters: &mut self.counters,
            sequences: &mut self.sequences,
            outbox: self.outbox.get_or_insert_default(),
            db,
            now_us,
        }
    }

    /// Data is about to be loaded, and names its leases: those of data that is gone are forgotten.
    pub(crate) fn before_load(&mut self, from_master: bool) {
        self.syncing = from_master;
        if from_master {
            // A master that was replaced announced things of its own to whoever was still there.
            // What it is told now knows nothing of them.
            drop(self.recent.clear());
            self.resets = Resets::default();
        }
        self.sequences.before_load(from_master);
        self.forget_idle_leases();
    }

    /// Exactly those leases live that what was loaded names. A file tells of others too, which had
    /// let go of everything. `now_us` on a master.
    pub(crate) fn after_load(&mut self, grace_ms: u64, now_us: Option<u64>) {
        self.syncing = false;
        self.sequences.begin(now_us);
        self.draw_epoch();
        self.forget_idle_leases();
        self.leases.grace(grace_ms);
    }
}

fn new_epoch() -> u64 {
    hash::random() >> (u64::BITS - EPOCH_BITS)
}

// === impl Acting ===

impl<'a> Acting<'a> {
    /// What a change of a book needs.
    pub(crate) fn means(&mut self) -> Means<'_, Account<'a>> {
        Means { leases: self.leases, ledger: &mut self.account }
    }

    pub(crate) fn leases(&self) -> &'a Leases {
        self.leases
    }
}

impl Ledger for Acting<'_> {
    fn gained(&mut self, lease: LeaseId, first_here: bool) {
        self.account.gained(lease, first_here);
    }

    fn lost(&mut self, lease: LeaseId, last_here: bool) {
        self.account.lost(lease, last_here);
    }
}

impl World for Acting<'_> {
    fn next_seq(&mut self) -> u64 {
        self.sequences.next(self.now_us)
    }

    fn highest_seq(&self) -> u64 {
        self.sequences.highest()
    }

    fn lost_at(&self) -> u64 {
        self.sequences.lost(self.db)
    }

    fn due(&self, holder: Holder) -> Option<Why> {
        match holder {
            Holder::Lease(lease) => self.leases.alive(lease).is_none().then_some(Why::Lease),
            Holder::Deadline(tick) => {
                (tick.saturating_mul(TICK_MS * 1000) <= self.now_us).then_some(Why::Expired)
            }
        }
    }

    fn emit(&mut self, event: &Event<'_>) {
        self.outbox.push(event);
    }

    fn db(&self) -> u32 {
        self.db
    }

    fn joined(&mut self) {
        self.counters.joins += 1;
    }

    fn left(&mut self, why: Why) {
        match why {
            Why::Removed => self.counters.leaves_removed += 1,
            Why::Expired => self.counters.leaves_expired += 1,
            Why::Lease => self.counters.leaves_lease += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(state: &State) -> Vec<String> {
        let list = state.leases.list(99, 0);
        list.into_iter().map(|(_, lease, _)| lease.node().to_owned()).collect()
    }

    fn hold(state: &mut State, node: &str) {
        let lease = state.leases.ensure(node, 1_000);
        let key = state.space(0).attach(b"room", Kind::Roster);
        let mut account = Account { holds: &mut state.space(0).holds, key, kind: Kind::Roster };
        account.whole(lease, 1, true);
    }

    #[test]
    fn a_flush_ends_no_lease_unless_it_makes_room_for_what_a_master_sends() {
        let mut state = State::new();
        state.leases.ensure("idle", 1_000);
        hold(&mut state, "held");
        // The load of a file, in which a flush may be written down.
        state.before_load(false);
        drop(state.flush(None));
        assert_eq!(nodes(&state), ["held"]);
        state.after_load(0, None);
        assert_eq!(nodes(&state), [""; 0]);
        // Valkey 9: the load begins, and only then the old data goes.
        hold(&mut state, "held");
        state.before_load(true);
        drop(state.flush(None));
        assert_eq!(nodes(&state), [""; 0]);
        state.after_load(0, None);
        state.leases.ensure("new", 1_000);
        drop(state.flush(None));
        assert_eq!(nodes(&state), ["new"]);
    }
}
