//! Faults of one Redis.

use std::thread;

use super::{Fault, Harm, World, between};
use crate::process::{self, Signal};
use crate::random::Random;
use crate::redis::Redis;
use crate::resp::Resp;
use crate::server::Server;
use crate::wait::eventually;

/// What can go wrong with a master in every world.
pub fn faults<W: World>() -> Vec<Fault<W>> {
    vec![
        Fault::new("delete keys", |world, _, random| trouble(world, random, delete)),
        Fault::new("refuse writes", |world, _, random| trouble(world, random, refuse_writes)),
        Fault::stops("pause Redis", |world, _, random| trouble(world, random, pause)),
        Fault::stops("freeze Redis", |world, _, random| trouble(world, random, freeze)),
        Fault::cuts("end connections", |world, _, random| trouble(world, random, disconnect)),
    ]
}

/// Does something to a master that may cost it its place, and waits until all is well.
pub fn trouble<W: World>(
    world: &W,
    random: &mut Random,
    fault: fn(&Redis, &mut Random) -> Harm,
) -> Harm {
    let harm = fault(world.master(random), random);
    world.is_whole();
    harm
}

/// Everything is lost.
pub fn flush(redis: &Redis, random: &mut Random) -> Harm {
    let mut cli = redis.cli();
    let command = random.pick(&["FLUSHALL", "FLUSHALL ASYNC", "FLUSHDB", "SWAPDB 0 1"]);
    if cli.ask(command).to_string() != "OK" {
        // A cluster has one database.
        ok(&mut cli, "FLUSHALL");
    }
    Harm::NONE
}

/// Commands wait.
fn pause(redis: &Redis, random: &mut Random) -> Harm {
    wait(redis, "ALL", random)
}

/// Commands that write wait.
pub fn pause_writes(redis: &Redis, random: &mut Random) -> Harm {
    wait(redis, "WRITE", random)
}

fn wait(redis: &Redis, mode: &str, random: &mut Random) -> Harm {
    let time = between(random, 200, 5000);
    ok(&mut redis.cli(), &format!("CLIENT PAUSE {} {mode}", time.as_millis()));
    thread::sleep(time);
    Harm::NONE
}

/// The process stands still.
fn freeze(redis: &Redis, random: &mut Random) -> Harm {
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
    ok(&mut redis.cli(), "SAVE");
    thread::sleep(between(random, 0, 1000));
    kill(redis, random)
}

/// A server dies and its clients leave, and then Redis comes back as it was before: it holds them for
/// as long as leases have grace.
pub fn restore_the_dead(redis: &mut Redis, servers: &mut [Server], random: &mut Random) -> Harm {
    let names = |redis: &Redis| redis.cli().ask("PRESENCE.LEASE LIST").array().len();
    eventually("every server has a lease", || (names(redis) >= servers.len()).then_some(()));
    let files = redis.keep_files();
    let before = names(redis);
    let n = random.below(servers.len());
    servers[n].kill();
    eventually("its lease ends", || (names(redis) < before).then_some(()));
    thread::sleep(between(random, 0, 1000));
    redis.kill();
    redis.bring_back(&files);
    thread::sleep(between(random, 0, 1000));
    redis.run();
    thread::sleep(between(random, 0, 3000));
    servers[n].run_again();
    Harm { restarted: Some(n), ..Harm::NONE }
}

/// Some rosters and books are deleted.
fn delete(redis: &Redis, random: &mut Random) -> Harm {
    let mut cli = redis.cli();
    for key in cli.ask("KEYS rollcall:*").array() {
        if random.percent(30) {
            cli.ask(&format!("DEL {}", key.text()));
        }
    }
    Harm::NONE
}

/// Redis ends its clients' connections.
fn disconnect(redis: &Redis, random: &mut Random) -> Harm {
    for _ in 0..=random.below(3) {
        let kind = random.pick(&["pubsub", "normal"]);
        redis.cli().ask(&format!("CLIENT KILL TYPE {kind} SKIPME yes"));
        thread::sleep(between(random, 0, 300));
    }
    Harm::NONE
}

/// Redis takes no writes.
fn refuse_writes(redis: &Redis, random: &mut Random) -> Harm {
    let mut cli = redis.cli();
    let setting = random.pick(&["maxmemory", "min-replicas-to-write"]);
    // Less memory than it has, or more replicas.
    ok(&mut cli, &format!("CONFIG SET {setting} 9"));
    thread::sleep(between(random, 200, 3000));
    ok(&mut cli, &format!("CONFIG SET {setting} 0"));
    Harm::NONE
}

/// Has a command done.
pub fn ok(cli: &mut Resp, command: &str) {
    assert_eq!(cli.ask(command).to_string(), "OK", "{command}");
}
