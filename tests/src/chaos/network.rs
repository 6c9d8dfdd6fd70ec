//! Faults of the network between each server and Redis.

use std::thread;
use std::time::{Duration, Instant};

use super::{Fault, Harm, World, between};
use crate::random::Random;
use crate::relay::Line;
use crate::wait::eventually;

/// What can go wrong with the network in every world: between one server and one Redis.
pub fn faults<W: World>() -> Vec<Fault<W>> {
    vec![
        Fault::new("split", |world, _, random| split(world.lines(random), random)),
        Fault::new("delay", |world, _, random| delay(world.lines(random), random)),
        Fault::new("hold", |world, _, random| hold(world.lines(random), random)),
        Fault::cuts("stall", |world, _, random| stall(world.lines(random), random)),
        Fault::cuts("cut", |world, _, random| cut(world.lines(random), random)),
        Fault::cuts("deafen", |world, _, random| deafen(world.lines(random), random)),
        Fault::cuts("refuse", |world, _, random| refuse(world.lines(random), random)),
    ]
}

/// The connections of a server end, a few times.
pub fn cut(lines: [&Line; 2], random: &mut Random) -> Harm {
    for _ in 0..=random.below(4) {
        any(lines, random).1.cut();
        thread::sleep(between(random, 0, 400));
    }
    Harm::NONE
}

/// Everything takes longer.
pub fn delay(lines: [&Line; 2], random: &mut Random) -> Harm {
    let (_, line) = any(lines, random);
    line.delay(between(random, 10, 300));
    thread::sleep(between(random, 500, 2500));
    line.delay(Duration::ZERO);
    Harm::NONE
}

/// Bytes come a few at a time.
pub fn split(lines: [&Line; 2], random: &mut Random) -> Harm {
    let (_, line) = any(lines, random);
    line.split(true);
    thread::sleep(between(random, 500, 2000));
    line.split(false);
    Harm::NONE
}

/// Nothing arrives, for less than anybody waits for an answer.
pub fn hold(lines: [&Line; 2], random: &mut Random) -> Harm {
    let time = between(random, 100, 800);
    still(lines, random, time);
    Harm::NONE
}

/// Nothing arrives, for less than a lease or for longer.
pub fn stall(lines: [&Line; 2], random: &mut Random) -> Harm {
    let time = between(random, 1500, 5000);
    let start = Instant::now();
    let n = still(lines, random, time);
    Harm { cut_off: Some((n, start.elapsed())), ..Harm::NONE }
}

/// Nothing arrives in one direction, or in both; at which server.
fn still(lines: [&Line; 2], random: &mut Random, time: Duration) -> usize {
    let (n, line) = any(lines, random);
    let way = random.below(3);
    line.stall_ways(way != 1, way != 2);
    thread::sleep(time);
    line.flow();
    n
}

/// Connections are silent from now on, without an end, until a server gives them up.
pub fn deafen(lines: [&Line; 2], random: &mut Random) -> Harm {
    let (n, line) = any(lines, random);
    let start = Instant::now();
    line.deafen();
    line.silence_is_noticed();
    Harm { cut_off: Some((n, start.elapsed())), ..Harm::NONE }
}

/// A server cannot connect for a while.
pub fn refuse(lines: [&Line; 2], random: &mut Random) -> Harm {
    let (n, line) = any(lines, random);
    let start = Instant::now();
    line.refuse(true);
    line.cut();
    thread::sleep(between(random, 100, 5000));
    line.refuse(false);
    Harm { cut_off: Some((n, start.elapsed())), ..Harm::NONE }
}

/// One of the lines, once it is in use.
fn any<'a>(lines: [&'a Line; 2], random: &mut Random) -> (usize, &'a Line) {
    let n = random.below(lines.len());
    let used = || (lines[n].connections() > 0).then_some(());
    eventually("a server is connected", used);
    (n, lines[n])
}
