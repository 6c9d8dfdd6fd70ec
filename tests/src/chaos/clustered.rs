//! A cluster of three masters with a replica each, and two servers.

use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::redis::{flush, pause_writes, trouble};
use super::waking::Guests;
use super::{Fault, Harm, World, between};
use crate::cluster::{BRITTLE, Cluster};
use crate::config::over;
use crate::copies::Group;
use crate::process::{self, Signal};
use crate::random::Random;
use crate::redis::{PASSWORD, Redis, USERS};
use crate::relay::Line;
use crate::server::Server;
use crate::wait::{eventually, within};

/// Until a replica has taken over.
const REPLACED: Duration = Duration::from_secs(60);

/// As [`BRITTLE`], with a file of what nodes were told.
const LASTING: &[&str] =
    &["cluster-node-timeout 2500", "cluster-require-full-coverage no", "appendonly yes"];

/// All of it.
#[derive(Debug)]
pub struct Clustered {
    cluster: Cluster,
}

// === impl Clustered ===

impl Clustered {
    /// Everybody is well.
    pub fn start(random: &mut Random) -> Self {
        let mut cluster = Cluster::relayed([BRITTLE, LASTING][random.below(2)]);
        (0..3).for_each(|master| cluster.keep_replica(master));
        Self { cluster }
    }

    /// The places of the masters.
    fn places(&self) -> Vec<usize> {
        eventually("three are masters", || {
            let masters = self.cluster.masters();
            (masters.len() == 3).then_some(masters)
        })
    }

    fn any(&self, random: &mut Random) -> usize {
        self.places()[random.below(3)]
    }

    fn kill(&mut self, node: usize, random: &mut Random) -> Harm {
        self.cluster.kill(node);
        thread::sleep(between(random, 0, 5000));
        self.cluster.run(node);
        self.cluster.is_whole();
        Harm::NONE
    }

    fn kill_replica(&mut self, random: &mut Random) -> Harm {
        let masters = self.places();
        let nodes = 0..self.cluster.nodes().len();
        let replicas: Vec<usize> = nodes.filter(|node| !masters.contains(node)).collect();
        self.kill(replicas[random.below(replicas.len())], random)
    }

    fn kill_master(&mut self, random: &mut Random) -> Harm {
        self.kill(self.any(random), random)
    }

    /// Nobody is there to take over; what is elsewhere goes on.
    fn kill_with_replica(&mut self, random: &mut Random) -> Harm {
        let master = self.any(random);
        let nodes = self.cluster.nodes();
        let replica = nodes.iter().position(|node| node.follows(&nodes[master]));
        let mut both: Vec<usize> = replica.into_iter().chain([master]).collect();
        for &node in &both {
            self.cluster.kill(node);
        }
        thread::sleep(between(random, 0, 5000));
        if random.percent(50) {
            both.reverse();
        }
        for &node in &both {
            self.cluster.run(node);
        }
        self.cluster.is_whole();
        Harm::NONE
    }

    /// It sleeps until its replica has taken over, and runs what waited for it meanwhile.
    fn wake_replaced(&mut self, servers: &[Server], random: &mut Random) -> Harm {
        let master = self.any(random);
        let mut guests = Guests::enter(servers, &self.cluster.nodes()[master]);
        let id = self.cluster.nodes()[master].id();
        process::signal(id, Signal::STOP);
        guests.leave();
        let others = || (self.cluster.masters_but(master).len() == 3).then_some(());
        within(REPLACED, "a replica takes over", others);
        guests.come_back();
        thread::sleep(between(random, 0, 2000));
        process::signal(id, Signal::CONT);
        guests.stay();
        self.cluster.is_whole();
        Harm::NONE
    }

    fn fail_over(&mut self, random: &mut Random) -> Harm {
        self.cluster.fail_over(self.any(random));
        self.cluster.is_whole();
        Harm::NONE
    }

    fn reshard(&mut self, random: &mut Random) -> Harm {
        let masters = self.places();
        let from = random.below(3);
        let to = (from + 1 + random.below(2)) % 3;
        let nodes = self.cluster.nodes();
        let (from, to) = (&nodes[masters[from]], &nodes[masters[to]]);
        // Enough for some of the channels to be among them, whoever has the lowest slots.
        self.cluster.reshard(from, to, 1600 + random.below(1400));
        self.cluster.is_whole();
        Harm::NONE
    }
}

impl World for Clustered {
    const REPLACES: bool = true;

    fn faults() -> Vec<Fault<Self>> {
        vec![
            Fault::forgets("kill a master", |world, _, random| world.kill_master(random)),
            Fault::forgets("kill a master and its replica", |world, _, random| {
                world.kill_with_replica(random)
            }),
            Fault::forks("wake a replaced master", |world, servers, random| {
                world.wake_replaced(servers, random)
            }),
            Fault::forgets("kill a replica", |world, _, random| world.kill_replica(random)),
            Fault::forgets("fail over", |world, _, random| world.fail_over(random)),
            Fault::forgets("reshard", |world, _, random| world.reshard(random)),
            Fault::cuts("flush", |world, _, random| trouble(world, random, flush)),
            Fault::new("pause writes", |world, _, random| trouble(world, random, pause_writes)),
        ]
    }

    fn configs(&self) -> Vec<Value> {
        let config = |name: &str| {
            let login = json!({"user": name, "password": PASSWORD});
            over(self.cluster.config(), json!({"engine": {"redis": login}}))
        };
        USERS.map(config).to_vec()
    }

    fn master(&self, random: &mut Random) -> &Redis {
        &self.cluster.nodes()[self.any(random)]
    }

    fn master_mut(&mut self, random: &mut Random) -> &mut Redis {
        let place = self.any(random);
        self.cluster.node_mut(place)
    }

    fn lines(&self, random: &mut Random) -> [&Line; 2] {
        self.master(random).lines()
    }

    fn groups(&self) -> Vec<Group<'_>> {
        let nodes = self.cluster.nodes();
        let group = |place: usize| {
            let master = &nodes[place];
            Group { master, replicas: nodes.iter().filter(|node| node.follows(master)).collect() }
        };
        self.places().into_iter().map(group).collect()
    }

    fn is_whole(&self) {
        self.cluster.is_whole();
    }
}
