//! Faults at random, one after the other and together: after each, everything becomes right.

pub mod clustered;
pub mod deck;
pub mod loading;
pub mod network;
pub mod plain;
pub mod redis;
pub mod servers;
pub mod story;
pub mod waking;
pub mod watched;

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::churn::Sight;
use crate::config::over;
use crate::copies::Group;
use crate::crowd;
use crate::random::Random;
use crate::redis::Redis;
use crate::relay::Line;
use crate::resp::Resp;
use crate::scene::{SOON, Scene};
use crate::server::Server;
use deck::Decks;
use story::Story;

/// How long leases live: a server that a busy machine gives no turn for two seconds keeps it.
const LEASE: Duration = Duration::from_secs(4);

/// Whom Redis does not hear from for so long may lose the lease: noticing that a connection is gone,
/// and connecting, takes its time as well.
const LAPSE: Duration = LEASE.saturating_sub(Duration::from_millis(1700));

/// The same for a server that stands still while its connections hold.
const STOPPED: Duration = LEASE.saturating_sub(Duration::from_secs(1));

/// Redis, however many of them, and what lies between them and the servers.
pub trait World: Sized + 'static {
    /// Whether a master that stands still is replaced.
    const REPLACES: bool;

    /// What can go wrong here, besides what can in every world: [`redis::faults`],
    /// [`loading::faults`], [`network::faults`] and [`servers::faults`].
    fn faults() -> Vec<Fault<Self>>;

    /// The configuration of each server.
    fn configs(&self) -> Vec<Value>;

    /// One of the masters.
    fn master(&self, random: &mut Random) -> &Redis;

    /// The same, to be killed.
    fn master_mut(&mut self, random: &mut Random) -> &mut Redis;

    /// What connects each server with one of the masters.
    fn lines(&self, random: &mut Random) -> [&Line; 2];

    /// Each master and its replicas.
    fn groups(&self) -> Vec<Group<'_>>;

    /// Waits until there is a master for everything, and everybody else follows one.
    fn is_whole(&self) {}

    /// A connection to each master.
    fn masters(&self) -> Vec<Resp> {
        self.groups().iter().map(|group| group.master.cli()).collect()
    }
}

/// A fault that ends by itself before `strike` returns.
#[derive(Debug)]
pub struct Fault<W> {
    /// For the log.
    name: &'static str,
    strike: Strike<W>,
    trace: Trace,
}

/// What is left of what happens meanwhile, for observers who cannot see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trace {
    /// Everybody sees it.
    Seen,
    /// Servers may be cut off, and Redis remembers it for them.
    Remembered,
    /// The same, but what was remembered before is forgotten.
    Forgotten,
    /// A master may be replaced that is still written to: some of it leaves no trace.
    Lost,
}

/// What does something to Redis, the network or the servers.
pub type Strike<W> = fn(&mut W, &mut [Server], &mut Random) -> Harm;

/// What clients of servers have to expect from a fault.
#[derive(Debug, Default, Clone, Copy)]
pub struct Harm {
    /// This server has begun a new life.
    pub restarted: Option<usize>,
    /// This server did not reach a Redis for so long.
    pub cut_off: Option<(usize, Duration)>,
    /// This server stood still for so long.
    pub stood_still: Option<(usize, Duration)>,
}

/// How long, how large, and of which seed.
#[derive(Debug)]
struct Plan {
    time: Duration,
    channels: usize,
    clients: usize,
    seed: u64,
}

/// Faults for the time that `TEST_CHAOS_SECONDS` says, and until each kind has struck.
pub fn run<W: World>(seed: u64, world: impl FnOnce(&mut Random) -> W) {
    let plan = Plan::from_environment(seed);
    let mut random = Random::exactly(plan.seed);
    let mut story = Story::of(plan.seed);
    let mut world = world(&mut random);
    let lease = json!({"engine": {"redis": {"lease": format!("{LEASE:?}")}}});
    let configs = world.configs().into_iter().map(|config| over(config, lease.clone())).collect();
    let mut scene = Scene::start(configs, crowd::channels(plan.channels), plan.clients);
    let faults =
        [W::faults(), redis::faults(), loading::faults(), network::faults(), servers::faults()];
    scene.newcomers.counts_from(story.start());
    let mut decks = Decks::of(faults.iter().flatten());
    while story.time() < plan.time || decks.has_more() {
        let hand = decks.deal(&mut random);
        strike(&hand, &mut world, &mut scene, &mut random, &mut story);
    }
    let kinds = faults.iter().flatten().count();
    assert_eq!(story.kinds(), kinds, "{story:?}");
    story.ends(&scene);
}

/// Faults one after the other, while clients come and go; everything is right before and after.
fn strike<W: World>(
    faults: &[&Fault<W>],
    world: &mut W,
    scene: &mut Scene,
    random: &mut Random,
    story: &mut Story,
) {
    scene.seed(random);
    scene.during(|_| ());
    scene.converges(|| world.masters());
    let start = Instant::now();
    let sight = sight(faults);
    let mut marks = Vec::new();
    let harms: Vec<Harm> = scene.during_as(sight, |servers| {
        let strike = |fault: &&Fault<W>| {
            story.strikes(fault.name);
            marks.push((Instant::now(), fault.name));
            // Of its own, so that what comes next does not depend on how much it takes.
            (fault.strike)(world, servers, &mut Random::exactly(random.number()))
        };
        faults.iter().map(strike).collect()
    });
    for (at, fault) in marks {
        scene.newcomers.marks(at, fault);
    }
    for server in harms.iter().filter_map(|harm| harm.restarted) {
        scene.begins_anew(server);
    }
    // Where sight is dim, it is seen to already.
    if sight == Sight::Clear {
        for group in world.groups() {
            group.replicas.iter().chain([&group.master]).for_each(|redis| scene.has_died(redis));
        }
    }
    for server in 0..scene.servers.len() {
        if lapses(server, &harms) {
            scene.interrupted(server, start);
        }
    }
    scene.converges(|| world.masters());
    world.is_whole();
    world.groups().iter().for_each(|group| group.becomes_equal(SOON));
    story.say("all is right");
}

/// Whether this server may have lost its lease.
fn lapses(server: usize, harms: &[Harm]) -> bool {
    // One after the other may be as long as all of them.
    let sum = |of: fn(&Harm) -> Option<(usize, Duration)>| -> Duration {
        let times = harms.iter().filter_map(of);
        times.filter(|(n, _)| *n == server).map(|(_, time)| time).sum()
    };
    let (cut_off, still) = (sum(|harm| harm.cut_off), sum(|harm| harm.stood_still));
    let limit = if cut_off.is_zero() { STOPPED } else { LAPSE };
    cut_off + still > limit
}

/// What can be seen while all of these happen, one after the other.
fn sight<W>(faults: &[&Fault<W>]) -> Sight {
    let mut cut_off = false;
    for fault in faults {
        // A server that is cut off already may not have asked yet.
        let lost = fault.trace == Trace::Lost || (fault.trace == Trace::Forgotten && cut_off);
        if lost {
            return Sight::Dim;
        }
        cut_off |= fault.trace != Trace::Seen;
    }
    Sight::Clear
}

/// A time between two, in milliseconds.
pub fn between(random: &mut Random, least: usize, most: usize) -> Duration {
    let ms = least + random.below(most - least + 1);
    Duration::from_millis(u64::try_from(ms).expect("a time is short"))
}

// === impl Fault ===

impl<W> Fault<W> {
    /// One in which no connection of a server breaks that lives on.
    pub const fn new(name: &'static str, strike: Strike<W>) -> Self {
        Self { name, strike, trace: Trace::Seen }
    }

    /// One in which connections between servers and Redis may break.
    pub const fn cuts(name: &'static str, strike: Strike<W>) -> Self {
        Self { name, strike, trace: Trace::Remembered }
    }

    /// One in which a Redis ends, a replica begins anew or a slot moves: what was announced there
    /// before is remembered no more.
    pub const fn forgets(name: &'static str, strike: Strike<W>) -> Self {
        Self { name, strike, trace: Trace::Forgotten }
    }

    /// One in which a master is replaced that can still be written to.
    pub const fn forks(name: &'static str, strike: Strike<W>) -> Self {
        Self { name, strike, trace: Trace::Lost }
    }
}

impl<W: World> Fault<W> {
    /// One in which a master stands still and goes on, replaced or not.
    pub const fn stops(name: &'static str, strike: Strike<W>) -> Self {
        if W::REPLACES { Self::forks(name, strike) } else { Self::cuts(name, strike) }
    }
}

// === impl Harm ===

impl Harm {
    /// None that a client may see.
    pub const NONE: Self = Self { restarted: None, cut_off: None, stood_still: None };
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
