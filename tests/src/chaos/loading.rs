//! Faults of a Redis that takes its time to load what it had, and says so to whoever asks.

use std::fs;
use std::thread;

use super::redis::ok;
use super::{Fault, Harm, World, between};
use crate::random::Random;
use crate::redis::Redis;
use crate::resp::Resp;
use crate::wait::eventually;

/// Keys that are none of ours, so that there is much to load.
const BALLAST: usize = 3000;

/// Options by which each key takes so many microseconds, and somebody is answered after each of
/// them.
const SLOW: [&str; 2] = ["key-load-delay", "loading-process-events-interval-bytes"];

/// What can go wrong in every world.
pub fn faults<W: World>() -> Vec<Fault<W>> {
    vec![
        Fault::stops("reload", |world, _, random| {
            reload(world.master(random), random);
            world.is_whole();
            Harm::NONE
        }),
        Fault::forgets("kill and load slowly", |world, _, random| {
            restart(world.master_mut(random), random);
            world.is_whole();
            Harm::NONE
        }),
    ]
}

/// It writes down what it has, forgets it and loads it again.
fn reload(redis: &Redis, random: &mut Random) {
    let mut cli = redis.cli();
    let ballast = Ballast::put(redis);
    let time = delay(random);
    ok(&mut cli, &format!("CONFIG SET {} {time} {} 1024", SLOW[0], SLOW[1]));
    thread::scope(|scope| {
        scope.spawn(|| ok(&mut cli, "DEBUG RELOAD"));
        eventually("it says that it loads", || says_loading(redis).then_some(()));
    });
    ok(&mut cli, &format!("CONFIG SET {} 0", SLOW[0]));
    ballast.goes(redis);
}

/// It is killed, and comes back with all that it had, after a while.
fn restart(redis: &mut Redis, random: &mut Random) {
    let mut cli = redis.cli();
    let ballast = Ballast::put(redis);
    if redis.info("aof_enabled") == "1" {
        cli.ask("BGREWRITEAOF");
        let done = |redis: &Redis| {
            let running = ["aof_rewrite_in_progress", "aof_rewrite_scheduled"];
            running.iter().all(|field| redis.info(field) == "0")
        };
        eventually("the file is written anew", || done(redis).then_some(()));
    } else {
        ok(&mut cli, "SAVE");
    }
    redis.kill();
    let time = delay(random);
    redis.run_with(&[format!("{} {time}", SLOW[0]), format!("{} 1024", SLOW[1])]);
    // Who waited until it answers was told so.
    assert!(redis.try_info("errorstat_LOADING").is_some(), "it said that it loads");
    ok(&mut redis.cli(), &format!("CONFIG SET {} 0", SLOW[0]));
    ballast.goes(redis);
}

/// For each key, so that all of them take between half a second and three.
fn delay(random: &mut Random) -> usize {
    let all = usize::try_from(between(random, 500, 3000).as_micros()).expect("a time is short");
    // What it takes to sleep at all.
    (all / BALLAST).saturating_sub(100).max(50)
}

fn says_loading(redis: &Redis) -> bool {
    redis.try_ask("PING").is_some_and(|reply| reply.to_string().starts_with("!LOADING"))
}

/// Keys of a name that this Redis has.
struct Ballast(String);

// === impl Ballast ===

impl Ballast {
    fn put(redis: &Redis) -> Self {
        let mut cli = redis.cli();
        let mut names = (0..).map(|n| format!("ballast{{{n}}}"));
        // A node of a cluster sends others away.
        let here = |name: &String| !cli.ask(&format!("TYPE {name}")).to_string().starts_with('!');
        let name = names.find(here).expect("every node has slots");
        ok(&mut cli, &format!("DEBUG POPULATE {BALLAST} {name} 64"));
        Self(name)
    }

    /// Takes it off, and the file that holds it.
    fn goes(self, redis: &Redis) {
        let Self(name) = self;
        let keys: Vec<String> = (0..BALLAST).map(|n| format!("{name}:{n}")).collect();
        let mut cli: Resp = redis.cli();
        // One that is no master any more follows one that never had any.
        cli.ask(&format!("DEL {}", keys.join(" ")));
        // It would be read by a Redis that keeps nothing.
        let _ = fs::remove_file(redis.dir().join("dump.rdb"));
    }
}
