//! One Redis, or channels spread over several; two servers, with a network of their own to each.

use serde_json::{Value, json};

use super::redis::{flush, kill, pause_writes, restore, restore_the_dead, trouble};
use super::{Fault, World};
use crate::config;
use crate::copies::Group;
use crate::random::Random;
use crate::redis::Redis;
use crate::relay::{Line, Relay};

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
            Redis::with(&[persistence, "enable-debug-command yes"])
        };
        let shards: Vec<Redis> = (0..count).map(start).collect();
        let relays = |redis: &Redis| [(); 2].map(|()| Relay::to(redis.port()));
        Self { relays: shards.iter().map(relays).collect(), shards }
    }
}

impl World for Plain {
    const REPLACES: bool = false;

    fn faults() -> Vec<Fault<Self>> {
        vec![
            Fault::new("flush", |world, _, random| trouble(world, random, flush)),
            Fault::new("pause writes", |world, _, random| trouble(world, random, pause_writes)),
            Fault::forgets("kill Redis", |world, _, random| kill(world.master_mut(random), random)),
            Fault::forgets("restore Redis", |world, _, random| {
                restore(world.master_mut(random), random)
            }),
            Fault::forgets("restore Redis with a dead server", |world, servers, random| {
                restore_the_dead(world.master_mut(random), servers, random)
            }),
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

    fn master_mut(&mut self, random: &mut Random) -> &mut Redis {
        let n = random.below(self.shards.len());
        &mut self.shards[n]
    }

    fn lines(&self, random: &mut Random) -> [&Line; 2] {
        self.relays[random.below(self.relays.len())].each_ref().map(|relay| &**relay)
    }

    fn groups(&self) -> Vec<Group<'_>> {
        self.shards.iter().map(|master| Group { master, replicas: Vec::new() }).collect()
    }
}
