//! Faults of one Redis.

use std::thread;

use super::{Harm, between};
use crate::process::{self, Signal};
use crate::random::Random;
use crate::redis::Redis;

/// Everything is lost.
pub fn flush(redis: &Redis, random: &mut Random) -> Harm {
    redis.cli().ask(random.pick(&["FLUSHALL", "FLUSHALL ASYNC", "FLUSHDB", "SWAPDB 0 1"]));
    Harm::NONE
}

/// Commands wait.
pub fn pause(redis: &Redis, random: &mut Random) -> Harm {
    let (time, mode) = (between(random, 200, 5000), random.pick(&["ALL", "WRITE"]));
    redis.cli().ask(&format!("CLIENT PAUSE {} {mode}", time.as_millis()));
    thread::sleep(time);
    Harm::NONE
}

/// The process stands still.
pub fn freeze(redis: &Redis, random: &mut Random) -> Harm {
    process::signal(redis.id(), Signal::STOP);
    thread::sleep(between(random, 200, 5000));
    process::signal(redis.id(), Signal::CONT);
    Harm::NONE
}

/// It is killed, and comes back with what its file says.
pub fn kill(redis: &mut Redis, random: &mut Random) -> Harm {
    redis.kill();
    thread::sleep(between(random, 0, 3000));
    redis.run();
    Harm::NONE
}

/// It is killed, and comes back as it was some time before.
pub fn restore(redis: &mut Redis, random: &mut Random) -> Harm {
    redis.cli().ask("SAVE");
    thread::sleep(between(random, 0, 1000));
    kill(redis, random)
}

/// Some rosters and books are deleted.
pub fn delete(redis: &Redis, random: &mut Random) -> Harm {
    let mut cli = redis.cli();
    for key in cli.ask("KEYS rollcall:*").array() {
        if random.percent(30) {
            cli.ask(&format!("DEL {}", key.text()));
        }
    }
    Harm::NONE
}

/// Redis ends its clients' connections.
pub fn disconnect(redis: &Redis, random: &mut Random) -> Harm {
    for _ in 0..=random.below(3) {
        let kind = random.pick(&["pubsub", "normal"]);
        redis.cli().ask(&format!("CLIENT KILL TYPE {kind} SKIPME yes"));
        thread::sleep(between(random, 0, 300));
    }
    Harm::NONE
}

/// Redis takes no writes.
pub fn refuse_writes(redis: &Redis, random: &mut Random) -> Harm {
    let mut cli = redis.cli();
    let setting = random.pick(&["maxmemory", "min-replicas-to-write"]);
    cli.ask(&format!("CONFIG SET {setting} 1"));
    thread::sleep(between(random, 200, 3000));
    cli.ask(&format!("CONFIG SET {setting} 0"));
    Harm::NONE
}
