//! Faults of the servers themselves.

use std::thread;
use std::time::Instant;

use super::{Fault, Harm, World, between};
use crate::process::Signal;
use crate::random::Random;
use crate::server::Server;

/// What can go wrong in every world.
pub fn faults<W: World>() -> Vec<Fault<W>> {
    vec![
        Fault::new("kill a server", |_, servers, random| kill(servers, random)),
        Fault::new("stop a server", |_, servers, random| stop(servers, random)),
        Fault::cuts("freeze a server", |_, servers, random| freeze(servers, random)),
    ]
}

/// It is killed and comes back.
fn kill(servers: &mut [Server], random: &mut Random) -> Harm {
    let n = random.below(servers.len());
    servers[n].kill();
    thread::sleep(between(random, 0, 3000));
    servers[n].run_again();
    Harm { restarted: Some(n), ..Harm::NONE }
}

/// It is stopped as an operator would, and comes back.
fn stop(servers: &mut [Server], random: &mut Random) -> Harm {
    let n = random.below(servers.len());
    servers[n].process().signal(Signal::TERM);
    servers[n].process().ended();
    servers[n].run_again();
    Harm { restarted: Some(n), ..Harm::NONE }
}

/// It does nothing for a while, and does not know it.
fn freeze(servers: &mut [Server], random: &mut Random) -> Harm {
    let n = random.below(servers.len());
    servers[n].process().signal(Signal::STOP);
    let start = Instant::now();
    thread::sleep(between(random, 100, 4000));
    servers[n].process().signal(Signal::CONT);
    Harm { cut_off: Some((n, start.elapsed())), ..Harm::NONE }
}
