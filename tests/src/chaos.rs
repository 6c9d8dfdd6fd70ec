//! Faults at random, one after the other and together: after each, everything becomes right.

pub mod clustered;
pub mod network;
pub mod plain;
pub mod redis;
pub mod watched;

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::churn::Sight;
use crate::crowd;
use crate::random::Random;
use crate::resp::Resp;
use crate::scene::Scene;
use crate::server::Server;

/// Redis, however many of them, and what lies between them and the servers.
pub trait World: Sized + 'static {
    /// What can go wrong.
    const FAULTS: &'static [Fault<Self>];

    /// The configuration of each server.
    fn configs(&self) -> Vec<Value>;

    /// A connection to each master.
    fn masters(&self) -> Vec<Resp>;
}

/// A fault that ends by itself before `strike` returns.
#[derive(Debug)]
pub struct Fault<W> {
    /// For the log.
    name: &'static str,
    strike: Strike<W>,
    /// Nothing else may go wrong at the same time.
    alone: bool,
}

/// What does something to Redis, the network or the servers.
pub type Strike<W> = fn(&mut W, &mut [Server], &mut Random) -> Harm;

/// What clients of servers have to expect from a fault.
#[derive(Debug, Default, Clone, Copy)]
pub struct Harm {
    /// This server has begun a new life.
    pub restarted: Option<usize>,
    /// This server's lease may have ended: its clients may be shown leaving and coming back.
    pub cut_off: Option<usize>,
}

/// How long, how large, and of which seed.
#[derive(Debug)]
struct Plan {
    time: Duration,
    channels: usize,
    clients: usize,
    seed: u64,
}

/// What was done, for whoever has to find out why it went wrong.
#[derive(Debug)]
struct Story {
    seed: u64,
    start: Instant,
    lines: Vec<String>,
}

/// Faults for the time that `TEST_CHAOS_SECONDS` says, or about half a minute.
pub fn run<W: World>(seed: u64, world: impl FnOnce(&mut Random) -> W) {
    let plan = Plan::from_environment(seed);
    let mut random = Random::exactly(plan.seed);
    let mut story = Story { seed: plan.seed, start: Instant::now(), lines: Vec::new() };
    let mut world = world(&mut random);
    let mut scene = Scene::start(world.configs(), crowd::channels(plan.channels), plan.clients);
    let mut faults = 0;
    while story.start.elapsed() < plan.time {
        scene.seed(&mut random);
        scene.during(Sight::Clear, |_| ());
        scene.converges(|| world.masters());
        let start = Instant::now();
        let chosen = choose::<W>(&mut random);
        let harms: Vec<Harm> = scene.during(Sight::Dim, |servers| {
            let strike = |fault: &&Fault<W>| {
                story.say(fault.name);
                (fault.strike)(&mut world, servers, &mut random)
            };
            chosen.iter().map(strike).collect()
        });
        faults += harms.len();
        for harm in harms {
            if let Some(server) = harm.restarted {
                scene.begins_anew(server);
            }
            if let Some(server) = harm.cut_off {
                scene.churns[server].truth_mut().interrupted(start);
            }
        }
        scene.converges(|| world.masters());
        story.say("all is right");
    }
    story.ends(faults, &scene);
}

/// Up to three faults, for one after the other.
fn choose<W: World>(random: &mut Random) -> Vec<&'static Fault<W>> {
    let first = &W::FAULTS[random.below(W::FAULTS.len())];
    let others = (0..random.below(3)).map(|_| &W::FAULTS[random.below(W::FAULTS.len())]);
    let others: Vec<_> = others.filter(|other| !other.alone && !first.alone).collect();
    [&[first], &others[..]].concat()
}

/// A time between two, in milliseconds.
pub fn between(random: &mut Random, least: usize, most: usize) -> Duration {
    let ms = least + random.below(most - least + 1);
    Duration::from_millis(u64::try_from(ms).expect("a time is short"))
}

// === impl Fault ===

impl<W> Fault<W> {
    /// One of those that may come together.
    pub const fn new(name: &'static str, strike: Strike<W>) -> Self {
        Self { name, strike, alone: false }
    }

    /// One that comes alone: a roster that is deleted while nobody can hear of it, for example,
    /// looks as if everybody had left.
    pub const fn alone(name: &'static str, strike: Strike<W>) -> Self {
        Self { name, strike, alone: true }
    }
}

// === impl Harm ===

impl Harm {
    /// None that a client may see.
    pub const NONE: Self = Self { restarted: None, cut_off: None };
}

// === impl Plan ===

impl Plan {
    fn from_environment(seed: u64) -> Self {
        let number = |name: &str, default: usize| {
            let set = std::env::var(name).ok().and_then(|text| text.parse().ok());
            set.unwrap_or(default)
        };
        let seconds = number("TEST_CHAOS_SECONDS", 30);
        let scale = number("TEST_CHAOS_SCALE", 1);
        Self {
            time: Duration::from_secs(u64::try_from(seconds).expect("a time")),
            channels: 10 * scale,
            clients: 12 * scale,
            seed: u64::try_from(number("TEST_SEED", 0))
                .ok()
                .filter(|&set| set != 0)
                .unwrap_or(seed),
        }
    }
}

// === impl Story ===

impl Story {
    fn say(&mut self, what: &str) {
        self.lines.push(format!("{:7.2} s  {what}", self.start.elapsed().as_secs_f32()));
    }

    #[expect(clippy::print_stdout, reason = "what a run was is its result")]
    fn ends(&self, faults: usize, scene: &Scene) {
        let memberships: usize = scene.truth().lives().values().map(|life| life.joins).sum();
        println!("chaos: seed {}, {faults} faults, {memberships} memberships", self.seed);
    }
}

impl Drop for Story {
    #[expect(clippy::print_stderr, reason = "a failed run is explained")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            let seed = self.seed;
            eprintln!(
                "--- chaos: repeat with TEST_SEED={seed}; its faults:\n{}\n---",
                self.lines.join("\n")
            );
        }
    }
}
