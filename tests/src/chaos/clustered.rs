//! A cluster of three masters with a replica each, and two servers.

use std::thread;

use serde_json::Value;

use super::redis::{delete, disconnect, flush, freeze, pause, refuse_writes};
use super::{Fault, Harm, World, between, network};
use crate::cluster::{BRITTLE, Cluster};
use crate::random::Random;
use crate::redis::Redis;
use crate::resp::Resp;
use crate::wait::eventually;

/// All of it.
#[derive(Debug)]
pub struct Clustered {
    cluster: Cluster,
}

// === impl Clustered ===

impl Clustered {
    /// Everybody is well.
    pub fn start(_: &mut Random) -> Self {
        let mut cluster = Cluster::with(BRITTLE);
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

    /// Does something to a master that may cost it its place, and waits until all is well.
    fn trouble(&mut self, random: &mut Random, fault: fn(&Redis, &mut Random) -> Harm) -> Harm {
        let harm = fault(&self.cluster.nodes()[self.any(random)], random);
        self.cluster.is_whole();
        harm
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
        self.cluster.reshard(from, to, 50 + random.below(150));
        self.cluster.is_whole();
        Harm::NONE
    }
}

impl World for Clustered {
    const FAULTS: &'static [Fault<Self>] = &[
        Fault::new("kill a master", |world, _, random| world.kill_master(random)),
        Fault::new("kill a replica", |world, _, random| world.kill_replica(random)),
        Fault::new("fail over", |world, _, random| world.fail_over(random)),
        Fault::new("reshard", |world, _, random| world.reshard(random)),
        Fault::new("freeze a master", |world, _, random| world.trouble(random, freeze)),
        Fault::new("pause a master", |world, _, random| world.trouble(random, pause)),
        Fault::new("flush", |world, _, random| world.trouble(random, flush)),
        Fault::alone("delete keys", |world, _, random| world.trouble(random, delete)),
        Fault::new("end connections", |world, _, random| world.trouble(random, disconnect)),
        Fault::new("refuse writes", |world, _, random| world.trouble(random, refuse_writes)),
        Fault::new("kill a server", |_, servers, random| network::kill_server(servers, random)),
        Fault::new("freeze a server", |_, servers, random| network::freeze_server(servers, random)),
    ];

    fn configs(&self) -> Vec<Value> {
        vec![self.cluster.config(); 2]
    }

    fn masters(&self) -> Vec<Resp> {
        let nodes = self.cluster.nodes();
        self.cluster.masters().into_iter().map(|node| nodes[node].cli()).collect()
    }
}
