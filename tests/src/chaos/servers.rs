//! Faults of the servers themselves.

use std::thread;
use std::time::{Duration, Instant};

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
        Fault::new("stop a server for a moment", |_, servers, random| falter(servers, random)),
        if W::REPLACES {
            Fault::forks("kill a server and a master", kill_with_master)
        } else {
            Fault::forgets("kill a server and a master", kill_with_master)
        },
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
    Harm { stood_still: Some((n, start.elapsed())), ..Harm::NONE }
}

/// The same for less than its lease: nobody is shown leaving.
fn falter(servers: &mut [Server], random: &mut Random) -> Harm {
    let n = random.below(servers.len());
    let still = [1200, 2000, 2400][random.below(3)];
    let start = Instant::now();
    servers[n].process().signal(Signal::STOP);
    thread::sleep(Duration::from_millis(still));
    servers[n].process().signal(Signal::CONT);
    Harm { stood_still: Some((n, start.elapsed())), ..Harm::NONE }
}

/// Nobody puts back the clients of this server, and nobody says that they have left.
fn kill_with_master<W: World>(world: &mut W, servers: &mut [Server], random: &mut Random) -> Harm {
    let n = random.below(servers.len());
    servers[n].kill();
    let master = world.master_mut(random);
    master.kill();
    thread::sleep(between(random, 0, 3000));
    master.run();
    servers[n].run_again();
    world.is_whole();
    Harm { restarted: Some(n), ..Harm::NONE }
}
