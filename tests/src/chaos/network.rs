//! Faults of the network between each server and Redis.

use std::thread;
use std::time::Duration;

use super::{Harm, between};
use crate::random::Random;
use crate::relay::Relay;

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

/// Nothing arrives, for less than anybody waits for an answer.
pub fn hold(relays: &[Relay], random: &mut Random) -> Harm {
    let time = between(random, 100, 800);
    still(relays, random, time);
    Harm::NONE
}

/// Nothing arrives, for less than a lease or for longer.
pub fn stall(relays: &[Relay], random: &mut Random) -> Harm {
    let time = between(random, 1500, 5000);
    Harm { cut_off: Some(still(relays, random, time)), ..Harm::NONE }
}

/// Nothing arrives in one direction, or in both; at which server.
fn still(relays: &[Relay], random: &mut Random, time: Duration) -> usize {
    let n = random.below(relays.len());
    let way = random.below(3);
    relays[n].stall_ways(way != 1, way != 2);
    thread::sleep(time);
    relays[n].flow();
    n
}

/// Connections are silent from now on, without an end, until a server gives them up.
pub fn deafen(relays: &[Relay], random: &mut Random) -> Harm {
    let n = random.below(relays.len());
    relays[n].deafen();
    relays[n].silence_is_noticed();
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
