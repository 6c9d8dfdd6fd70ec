//! What was done, for whoever has to find out why it went wrong.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::scene::Scene;

/// Everything that a run has done so far. One that fails prints itself.
#[derive(Debug)]
pub struct Story {
    seed: u64,
    start: Instant,
    lines: Vec<String>,
    /// How often each kind of fault struck.
    struck: BTreeMap<&'static str, usize>,
}

// === impl Story ===

impl Story {
    /// Of nothing yet.
    pub fn of(seed: u64) -> Self {
        Self { seed, start: Instant::now(), lines: Vec::new(), struck: BTreeMap::new() }
    }

    /// When it began.
    pub fn start(&self) -> Instant {
        self.start
    }

    /// How long it is.
    pub fn time(&self) -> Duration {
        self.start.elapsed()
    }

    /// How many faults struck.
    pub fn faults(&self) -> usize {
        self.struck.values().sum()
    }

    /// Of how many kinds.
    pub fn kinds(&self) -> usize {
        self.struck.len()
    }

    /// A fault strikes.
    pub fn strikes(&mut self, fault: &'static str) {
        self.say(fault);
        *self.struck.entry(fault).or_default() += 1;
    }

    /// Something happened.
    pub fn say(&mut self, what: &str) {
        self.lines.push(format!("{:7.2} s  {what}", self.time().as_secs_f32()));
    }

    /// All went well.
    #[expect(clippy::print_stdout, reason = "what a run was is its result")]
    pub fn ends(&self, scene: &Scene) {
        let memberships: usize = scene.truth().lives().values().map(|life| life.joins).sum();
        let kinds: Vec<String> =
            self.struck.iter().map(|(kind, times)| format!("{kind} {times} ×")).collect();
        println!(
            "chaos: seed {}, {:.0?}, {memberships} memberships, {} faults of {} kinds: {}",
            self.seed,
            self.time(),
            self.faults(),
            self.kinds(),
            kinds.join(", ")
        );
    }
}

impl Drop for Story {
    #[expect(clippy::print_stderr, reason = "a failed run is explained")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.say("it fails");
            let seed = self.seed;
            eprintln!(
                "--- chaos: repeat with TEST_SEED={seed}; its faults:\n{}\n---",
                self.lines.join("\n")
            );
        }
    }
}
