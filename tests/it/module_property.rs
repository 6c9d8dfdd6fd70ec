//! Whoever applies the events has the picture, at every moment, whatever was done to the roster.

use std::collections::{BTreeMap, VecDeque};

use rollcall_tests::copies::are_equal;
use rollcall_tests::mirror::Outcome;
use rollcall_tests::traffic::{KEYS, Place, Read};
use rollcall_tests::{Listener, Mirror, Random, Redis, Resp, Traffic, eventually};
use serde_json::Value;

/// Whoever follows one roster: one hears everything, one does not.
struct Ears {
    heard: VecDeque<Value>,
    /// The highest sequence heard.
    highest: u64,
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

/// Everybody's ears. The databases share a channel for each name.
struct Audience {
    listeners: BTreeMap<&'static str, Listener>,
    ears: BTreeMap<Place, Ears>,
}

#[test]
fn the_events_make_the_picture_and_gaps_show() {
    let mut tally = Tally::default();
    for seed in [1, 2] {
        run(1, seed, &mut tally);
    }
    for seed in [3, 4] {
        run(3, seed, &mut tally);
    }
    let Tally { events, gaps, silent, reads } = tally;
    assert!(events > 1000 && reads > 1000, "{events} events, {reads} reads");
    assert!(gaps > 50 && silent > 0, "{gaps} gaps that show, {silent} that need not");
}

fn run(databases: usize, seed: u64, tally: &mut Tally) {
    let redis = Redis::with(&["enable-debug-command yes"]);
    let replica = redis.replica();
    let copies = [&replica, &redis.replica(), &replica.replica()];
    let mut cli = redis.cli();
    let mut random = Random::new(seed + 1000);
    let mut traffic = Traffic::across(databases, seed);
    let places = traffic.places();
    let mut audience = Audience::of(&redis, &places);
    for number in 0..500 {
        let step = traffic.step(&mut cli);
        audience.drain();
        for (place, ears) in &mut audience.ears {
            if step.lost.contains(&place.0) {
                ears.forget();
            }
        }
        for place in &step.reset {
            audience.wait_for_reset(place, number);
        }
        let settled = number % 5 == 0;
        if settled {
            nothing_is_due(&mut cli);
        }
        audience.drain();
        let last: Vec<Read> =
            places.iter().map(|place| traffic.read(&mut cli, place, settled)).collect();
        for read in &last {
            let highest = audience.ears[&read.place].highest;
            assert!(read.seq >= highest, "an event of {highest} was before {read:?}");
        }
        audience.drain();
        for read in step.reads.iter().chain(&last) {
            let ears = audience.ears.get_mut(&read.place).expect("a known key");
            ears.place(read, &mut random, tally);
        }
    }
    are_equal(&redis, &copies, databases, &KEYS);
}

fn nothing_is_due(cli: &mut Resp) {
    eventually("what ended leases held has left", || {
        cli.ask("INFO rollcall").text().contains("rollcall_entries_due:0\r").then_some(())
    });
}

// === impl Audience ===

impl Audience {
    fn of(redis: &Redis, places: &[Place]) -> Self {
        let listeners = KEYS.map(|key| (key, redis.listener(key))).into();
        Self { listeners, ears: places.iter().map(|place| (place.clone(), Ears::new())).collect() }
    }

    fn drain(&mut self) {
        for (key, listener) in &mut self.listeners {
            for event in listener.so_far() {
                let db = usize::try_from(event["db"].as_u64().unwrap_or(0)).expect("a database");
                let ears = self.ears.get_mut(&(db, (*key).to_owned())).expect("a known key");
                ears.highest = event["seq"].as_u64().expect("a sequence");
                ears.heard.push_back(event);
            }
        }
    }

    fn wait_for_reset(&mut self, place: &Place, step: usize) {
        eventually(&format!("step {step}: {place:?} is reset"), || {
            self.drain();
            self.ears[place].heard.iter().any(|event| event["t"] == "reset").then_some(())
        });
    }
}

// === impl Ears ===

impl Ears {
    fn new() -> Self {
        let mut whole = Mirror::default();
        whole.read(0, BTreeMap::new());
        let holey = whole.clone();
        Self { heard: VecDeque::new(), highest: 0, whole, holey, missed: 0 }
    }

    fn forget(&mut self) {
        self.heard.clear();
        self.highest = 0;
        self.whole.forget();
        self.holey.forget();
        self.missed = 0;
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
