//! Faults of the network between each server and Redis, and of the servers themselves.

use std::thread;
use std::time::Duration;

use super::{Harm, between};
use crate::process::Signal;
use crate::random::Random;
use crate::relay::Relay;
use crate::server::Server;

/// The connections of a server end, a few times.
pub fn cut(relays: &[Relay], random: &mut Random) -> Harm {
    for _ in 0..=random.below(4) {
        relays[random.below(relays.len())].cut();
        thread::sleep(between(random, 0, 400));
    }
    Harm::NONE
}

/// Everything takes longer.
pub fn delay(relays: &[Relay], random: &mut Random) -> Harm {
    let relay = &relays[random.below(relays.len())];
    relay.delay(between(random, 10, 300));
    thread::sleep(between(random, 500, 2500));
    relay.delay(Duration::ZERO);
    Harm::NONE
}

/// Bytes come a few at a time.
pub fn split(relays: &[Relay], random: &mut Random) -> Harm {
    let relay = &relays[random.below(relays.len())];
    relay.split(true);
    thread::sleep(between(random, 500, 2000));
    relay.split(false);
    Harm::NONE
}

/// Nothing arrives, for less than a lease or for longer, in one direction or in both.
pub fn stall(relays: &[Relay], random: &mut Random) -> Harm {
    let n = random.below(relays.len());
    let long = random.percent(40);
    let way = random.below(3);
    relays[n].stall_ways(way != 1, way != 2);
    thread::sleep(if long { between(random, 1500, 5000) } else { between(random, 100, 800) });
    relays[n].flow();
    Harm { cut_off: long.then_some(n), ..Harm::NONE }
}

/// Connections are silent from now on, without an end.
pub fn deafen(relays: &[Relay], random: &mut Random) -> Harm {
    let n = random.below(relays.len());
    relays[n].deafen();
    thread::sleep(between(random, 0, 3000));
    Harm { cut_off: Some(n), ..Harm::NONE }
}

/// A server cannot connect for a while.
pub fn refuse(relays: &[Relay], random: &mut Random) -> Harm {
    let n = random.below(relays.len());
    relays[n].refuse(true);
    relays[n].cut();
    thread::sleep(between(random, 100, 5000));
    relays[n].refuse(false);
    Harm { cut_off: Some(n), ..Harm::NONE }
}

/// A server is killed and comes back.
pub fn kill_server(servers: &mut [Server], random: &mut Random) -> Harm {
    let n = random.below(servers.len());
    servers[n].kill();
    thread::sleep(between(random, 0, 3000));
    servers[n].run_again();
    Harm { restarted: Some(n), ..Harm::NONE }
}

/// A server is stopped as an operator would, and comes back.
pub fn stop_server(servers: &mut [Server], random: &mut Random) -> Harm {
    let n = random.below(servers.len());
    servers[n].process().signal(Signal::TERM);
    servers[n].process().ended();
    servers[n].run_again();
    Harm { restarted: Some(n), ..Harm::NONE }
}

/// A server does nothing for a while, and does not know it.
pub fn freeze_server(servers: &mut [Server], random: &mut Random) -> Harm {
    let n = random.below(servers.len());
    servers[n].process().signal(Signal::STOP);
    thread::sleep(between(random, 100, 4000));
    servers[n].process().signal(Signal::CONT);
    Harm { cut_off: Some(n), ..Harm::NONE }
}
