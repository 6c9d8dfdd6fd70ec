//! Random sequences of commands on a master with a replica, which is promoted now and then: what
//! reads, events and memory promise holds at every moment.
//!
//! A seed is printed with what fails; `TEST_SEED` repeats it first. `TEST_SEQUENCES` is how many
//! sequences there are.

use std::collections::BTreeMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::thread;

use rollcall_tests::copies::{linked, same_offset};
use rollcall_tests::promises::{Ears, Look};
use rollcall_tests::sequence::{DATABASES, KEYS, Sequence};
use rollcall_tests::{Listener, Redis, Resp, eventually};

const SEQUENCES: u64 = 8;
const STEPS: usize = 80;
/// Nothing is too old while a sequence runs.
const LONG: &str = "rollcall.recent-events-ms 600000";

/// One sequence, and everybody who follows it.
struct Play {
    seed: u64,
    sequence: Sequence,
    master: Redis,
    replica: Redis,
    cli: Resp,
    reader: Resp,
    listeners: BTreeMap<&'static str, Listener>,
    ears: BTreeMap<(usize, &'static str), Ears>,
    promoted: bool,
}

#[test]
fn reads_events_and_memory_agree_after_any_sequence_of_commands() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let first = number("TEST_SEED").unwrap_or(RandomState::new().hash_one(0) % 1_000_000);
    for seed in first..first + number("TEST_SEQUENCES").unwrap_or(SEQUENCES) {
        Play::new(seed).run();
    }
}

fn places() -> impl Iterator<Item = (usize, &'static str)> {
    (0..DATABASES).flat_map(|db| KEYS.map(|key| (db, key)))
}

// === impl Play ===

impl Play {
    fn new(seed: u64) -> Self {
        let master = Redis::with(&[LONG]);
        let replica = Redis::with(&[LONG, &format!("replicaof 127.0.0.1 {}", master.port())]);
        linked(&replica);
        same_sequences(&master, &replica);
        let (cli, reader) = (master.cli(), master.cli());
        let listeners = KEYS.map(|key| (key, master.listener(key))).into();
        let ears = places().map(|place| (place, Ears::default())).collect();
        let sequence = Sequence::new(seed);
        Self { seed, sequence, master, replica, cli, reader, listeners, ears, promoted: false }
    }

    fn run(mut self) {
        for number in 0..STEPS {
            if self.sequence.step(&mut self.cli).lost {
                // Before, between and after it were events.
                self.ears.values_mut().for_each(Ears::lose);
                self.hear(false);
                self.ears.values_mut().for_each(Ears::forget);
            }
            self.read();
            if number % 10 == 9 {
                self.compare();
            }
            if number % 40 == 39 {
                self.promote();
            }
        }
    }

    /// Everything that was published before this.
    fn hear(&mut self, later: bool) {
        for (key, listener) in &mut self.listeners {
            for event in listener.so_far() {
                let db = usize::try_from(event["db"].as_u64().unwrap_or(0)).expect("a database");
                let ears = self.ears.get_mut(&(db, *key)).expect("a known roster");
                ears.hear(event, later);
            }
        }
    }

    fn read(&mut self) {
        // What comes between these is before or after a read: nobody can tell.
        self.hear(true);
        self.ears.values_mut().for_each(Ears::hears_all);
        let looks = looks(&mut self.reader);
        self.hear(false);
        for (place, look) in looks {
            look.remembers_rightly();
            self.ears.get_mut(&place).expect("a known roster").read(&look);
        }
    }

    /// The replica has what the master has, at a moment at which nothing happens.
    fn compare(&mut self) {
        self.sequence.note("compare");
        // Nothing is over that a pause lets stay.
        for (db, key) in places() {
            self.reader.ask(&format!("SELECT {db}"));
            self.reader.ask(&format!("PERSIST {key}"));
        }
        self.sequence.all_persist();
        self.reader.ask("CLIENT PAUSE 60000 WRITE");
        same_offset(&self.master, &self.replica);
        let mut copies = looks(&mut self.replica.cli());
        for (place, look) in looks(&mut self.reader) {
            let copy = copies.remove(&place).expect("a roster on the replica");
            assert_eq!(copy.members, look.members, "{place:?} on the replica");
            // Where no event was, each knows by itself until when there may have been one.
            if self.promoted && look.announced().is_empty() {
                self.ears[&place].read_elsewhere(&copy);
            } else {
                assert_eq!(copy.seq, look.seq, "{place:?} on the replica: {look:?}");
            }
            copy.remembers_rightly();
        }
        assert!(copies.is_empty(), "only on the replica: {copies:?}");
        self.reader.ask("CLIENT UNPAUSE");
    }

    /// The replica becomes the master, and the master its replica.
    fn promote(&mut self) {
        self.sequence.note("promote");
        self.promoted = true;
        self.hear(true);
        self.reader.ask("CLIENT PAUSE 60000 WRITE");
        same_offset(&self.master, &self.replica);
        self.hear(true);
        let mut copy = self.replica.cli();
        self.listeners = KEYS.map(|key| (key, self.replica.listener(key))).into();
        self.ears.values_mut().for_each(Ears::move_on);
        assert_eq!(copy.ask("REPLICAOF NO ONE").to_string(), "OK");
        for (place, look) in looks(&mut copy) {
            look.remembers_rightly();
            self.ears[&place].read_elsewhere(&look);
        }
        let port = self.replica.port();
        assert_eq!(self.reader.ask(&format!("REPLICAOF 127.0.0.1 {port}")).to_string(), "OK");
        self.master.cli().ask("CLIENT UNPAUSE");
        std::mem::swap(&mut self.master, &mut self.replica);
        linked(&self.replica);
        same_sequences(&self.master, &self.replica);
        (self.cli, self.reader) = (self.master.cli(), self.master.cli());
        self.sequence.begin(&mut self.cli);
    }
}

impl Drop for Play {
    #[expect(clippy::print_stderr, reason = "the commands of a failed test are what explains it")]
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("{}\nTEST_SEED={}", self.sequence.said(), self.seed);
        }
    }
}

/// A replica that is new was told how far names have got.
fn same_sequences(master: &Redis, replica: &Redis) {
    eventually("the replica has seen the same", || {
        (replica.info("rollcall_seq") == master.info("rollcall_seq")).then_some(())
    });
}

fn looks(cli: &mut Resp) -> BTreeMap<(usize, &'static str), Look> {
    places().filter_map(|(db, key)| Some(((db, key), Look::at(cli, db, key)?))).collect()
}
