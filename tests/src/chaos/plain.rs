//! One Redis, or channels spread over several; two servers, with a network of their own to each.

use serde_json::{Value, json};

use super::redis::{delete, disconnect, flush, freeze, kill, pause, refuse_writes, restore};
use super::{Fault, World, network};
use crate::config;
use crate::random::Random;
use crate::redis::Redis;
use crate::relay::Relay;
use crate::resp::Resp;

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

    fn redis(&mut self, random: &mut Random) -> &mut Redis {
        let n = random.below(self.shards.len());
        &mut self.shards[n]
    }

    fn network(&self, random: &mut Random) -> &[Relay; 2] {
        &self.relays[random.below(self.relays.len())]
    }
}

impl World for Plain {
    const FAULTS: &'static [Fault<Self>] = &[
        Fault::new("cut", |world, _, random| network::cut(world.network(random), random)),
        Fault::new("delay", |world, _, random| network::delay(world.network(random), random)),
        Fault::new("split", |world, _, random| network::split(world.network(random), random)),
        Fault::new("stall", |world, _, random| network::stall(world.network(random), random)),
        Fault::new("deafen", |world, _, random| network::deafen(world.network(random), random)),
        Fault::new("refuse", |world, _, random| network::refuse(world.network(random), random)),
        Fault::new("kill a server", |_, servers, random| network::kill_server(servers, random)),
        Fault::new("stop a server", |_, servers, random| network::stop_server(servers, random)),
        Fault::new("freeze a server", |_, servers, random| network::freeze_server(servers, random)),
        Fault::new("flush", |world, _, random| flush(world.redis(random), random)),
        Fault::new("pause Redis", |world, _, random| pause(world.redis(random), random)),
        Fault::new("freeze Redis", |world, _, random| freeze(world.redis(random), random)),
        Fault::new("kill Redis", |world, _, random| kill(world.redis(random), random)),
        Fault::new("restore an old Redis", |world, _, random| restore(world.redis(random), random)),
        Fault::alone("delete keys", |world, _, random| delete(world.redis(random), random)),
        Fault::new("end connections", |world, _, random| disconnect(world.redis(random), random)),
        Fault::new("refuse writes", |world, _, random| refuse_writes(world.redis(random), random)),
    ];

    fn configs(&self) -> Vec<Value> {
        let config = |server: usize| {
            let address = |relays: &[Relay; 2]| relays[server].address();
            let addresses: Vec<String> = self.relays.iter().map(address).collect();
            let redis = json!({"address": addresses, "io_timeout": "2s"});
            config::with(json!({"engine": {"type": "redis", "redis": redis}}))
        };
        (0..2).map(config).collect()
    }

    fn masters(&self) -> Vec<Resp> {
        self.shards.iter().map(Redis::cli).collect()
    }
}
