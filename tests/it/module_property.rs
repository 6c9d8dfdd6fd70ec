//! Whoever applies the events has the picture, at every moment, whatever was done to the roster.

use std::collections::{BTreeMap, VecDeque};

use rollcall_tests::mirror::Outcome;
use rollcall_tests::traffic::{KEYS, Read};
use rollcall_tests::{Listener, Mirror, Random, Redis, Resp, Traffic, eventually};
use serde_json::Value;

/// A listener that hears everything, and one that does not.
struct Ears {
    listener: Listener,
    heard: VecDeque<Value>,
    whole: Mirror,
    holey: Mirror,
    missed: usize,
}

#[derive(Default)]
struct Tally {
    events: usize,
    gaps: usize,
    silent: usize,
    reads: usize,
}

#[test]
fn the_events_make_the_picture_and_gaps_show() {
    let mut tally = Tally::default();
    for seed in [1, 2] {
        run(seed, 500, &mut tally);
    }
    let Tally { events, gaps, silent, reads } = tally;
    assert!(events > 1000 && reads > 1000, "{events} events, {reads} reads");
    assert!(gaps > 50 && silent > 0, "{gaps} gaps that show, {silent} that need not");
}

fn run(seed: u64, steps: usize, tally: &mut Tally) {
    let redis = Redis::start();
    let mut cli = redis.cli();
    let mut random = Random::new(seed + 1000);
    let mut traffic = Traffic::new(seed);
    let mut ears: BTreeMap<&str, Ears> = KEYS.map(|key| (key, Ears::of(&redis, key))).into();
    for number in 0..steps {
        let step = traffic.step(&mut cli);
        for (key, ears) in &mut ears {
            ears.drain();
            if step.flushed {
                ears.forget();
            } else if step.reset.contains(*key) {
                ears.wait_for_reset(&format!("step {number}: {key} is reset"));
            }
        }
        let settled = number % 5 == 0;
        if settled {
            nothing_is_due(&mut cli);
        }
        let last = KEYS.map(|key| traffic.read(&mut cli, key, settled));
        ears.values_mut().for_each(Ears::drain);
        for read in step.reads.iter().chain(&last) {
            let ears = ears.get_mut(&*read.key).expect("a known key");
            ears.place(read, &mut random, tally);
        }
    }
}

fn nothing_is_due(cli: &mut Resp) {
    eventually("what ended leases held has left", || {
        cli.ask("INFO rollcall").text().contains("rollcall_entries_due:0\r").then_some(())
    });
}

// === impl Ears ===

impl Ears {
    fn of(redis: &Redis, key: &str) -> Self {
        let mut whole = Mirror::default();
        whole.read(0, BTreeMap::new());
        let holey = whole.clone();
        Self { listener: redis.listener(key), heard: VecDeque::new(), whole, holey, missed: 0 }
    }

    fn drain(&mut self) {
        self.heard.extend(self.listener.so_far());
    }

    fn forget(&mut self) {
        self.heard.clear();
        self.whole.forget();
        self.holey.forget();
        self.missed = 0;
    }

    fn wait_for_reset(&mut self, what: &str) {
        eventually(what, || {
            self.drain();
            self.heard.iter().any(|event| event["t"] == "reset").then_some(())
        });
    }

    /// Applies the events up to a read: the picture then has to be what was read.
    fn place(&mut self, read: &Read, random: &mut Random, tally: &mut Tally) {
        tally.reads += 1;
        if read.seq == 0 {
            // Nobody was announced in this life of the key.
            assert!(read.announced.is_empty(), "{read:?}");
            return;
        }
        let is_before = |event: &Value| event["seq"].as_u64().is_some_and(|seq| seq <= read.seq);
        while self.heard.front().is_some_and(is_before) {
            let event = self.heard.pop_front().expect("there is one");
            self.take(&event, random, tally);
        }
        if self.whole.members().is_none() {
            self.whole.read(read.seq, read.announced.clone());
        }
        assert_eq!(self.whole.members(), Some(&read.announced), "at {}: {read:?}", self.whole.at());
        self.compare();
    }

    fn take(&mut self, event: &Value, random: &mut Random, tally: &mut Tally) {
        tally.events += 1;
        assert_ne!(self.whole.apply(event), Outcome::Gap, "heard everything: {event}");
        if random.percent(40) {
            self.missed += 1;
            return;
        }
        match self.holey.apply(event) {
            Outcome::Gap => {
                assert_ne!(self.missed, 0, "missed nothing: {event}");
                tally.gaps += 1;
            }
            Outcome::Applied if self.missed > 0 => {
                // What was missed ended in an empty roster.
                assert_eq!(event["prev"], 0, "missed {}: {event}", self.missed);
                tally.silent += 1;
            }
            Outcome::Applied | Outcome::Unread => {}
        }
        self.missed = 0;
        self.compare();
    }

    /// The holey picture is right unless something was missed since; a lost one is read again.
    fn compare(&mut self) {
        let Some(members) = self.whole.members() else { return };
        if self.holey.members().is_none() {
            self.holey = self.whole.clone();
            self.missed = 0;
        }
        if self.missed == 0 {
            assert_eq!(self.holey.members(), Some(members), "the holey picture");
        }
    }
}
