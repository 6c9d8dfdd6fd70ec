//! One Redis, or channels spread over several; two servers, with a network of their own to each.

use serde_json::{Value, json};

use super::redis::{flush, kill, pause_writes, restore, trouble};
use super::{Fault, World, network};
use crate::config;
use crate::copies::Group;
use crate::random::Random;
use crate::redis::Redis;
use crate::relay::Relay;

/// All of it.
#[derive(Debug)]
pub struct Plain {
    shards: Vec<Redis>,
    /// For each Redis, from each server.
    relays: Vec<[Relay; 2]>,
}

// === impl Plain ===

impl Plain {
    /// One Redis.
    pub fn one(random: &mut Random) -> Self {
        Self::several(1, random)
    }

    /// Three of them.
    pub fn three(random: &mut Random) -> Self {
        Self::several(3, random)
    }

    /// Each with or without a file of what it was told.
    fn several(count: usize, random: &mut Random) -> Self {
        let start = |_| {
            let persistence = ["appendonly no", "appendonly yes"][random.below(2)];
            Redis::with(&[persistence, "maxmemory-policy noeviction"])
        };
        let shards: Vec<Redis> = (0..count).map(start).collect();
        let relays = |redis: &Redis| [(); 2].map(|()| Relay::to(redis.port()));
        Self { relays: shards.iter().map(relays).collect(), shards }
    }

    /// A Redis, to kill.
    fn redis(&mut self, random: &mut Random) -> &mut Redis {
        let n = random.below(self.shards.len());
        &mut self.shards[n]
    }

    /// To one of them, from each server.
    fn relays(&self, random: &mut Random) -> &[Relay; 2] {
        &self.relays[random.below(self.relays.len())]
    }
}

impl World for Plain {
    fn faults() -> Vec<Fault<Self>> {
        vec![
            Fault::seen("split", |world, _, random| network::split(world.relays(random), random)),
            Fault::seen("delay", |world, _, random| network::delay(world.relays(random), random)),
            Fault::seen("hold", |world, _, random| network::hold(world.relays(random), random)),
            Fault::new("stall", |world, _, random| network::stall(world.relays(random), random)),
            Fault::new("cut", |world, _, random| network::cut(world.relays(random), random)),
            Fault::new("deafen", |world, _, random| network::deafen(world.relays(random), random)),
            Fault::new("refuse", |world, _, random| network::refuse(world.relays(random), random)),
            Fault::seen("flush", |world, _, random| trouble(world, random, flush)),
            Fault::seen("pause writes", |world, _, random| trouble(world, random, pause_writes)),
            Fault::new("kill Redis", |world, _, random| kill(world.redis(random), random)),
            Fault::new("restore Redis", |world, _, random| restore(world.redis(random), random)),
        ]
    }

    fn configs(&self) -> Vec<Value> {
        let config = |server: usize| {
            let address = |relays: &[Relay; 2]| relays[server].address();
            let addresses: Vec<String> = self.relays.iter().map(address).collect();
            let redis = json!({"address": addresses, "io_timeout": "2s"});
            config::with(json!({"engine": {"type": "redis", "redis": redis}}))
        };
        (0..2).map(config).collect()
    }

    fn master(&self, random: &mut Random) -> &Redis {
        &self.shards[random.below(self.shards.len())]
    }

    fn groups(&self) -> Vec<Group<'_>> {
        self.shards.iter().map(|master| Group { master, replicas: Vec::new() }).collect()
    }
}
