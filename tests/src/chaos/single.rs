//! One Redis, two servers, and a network for each.

use std::thread;

use serde_json::{Value, json};

use super::{Fault, Harm, World, between, network};
use crate::config;
use crate::process::{self, Signal};
use crate::random::Random;
use crate::redis::Redis;
use crate::relay::Relay;
use crate::resp::Resp;

/// All of it.
#[derive(Debug)]
pub struct Single {
    redis: Redis,
    relays: [Relay; 2],
}

// === impl Single ===

impl Single {
    /// With or without a file of what it was told.
    pub fn start(random: &mut Random) -> Self {
        let persistence = ["appendonly no", "appendonly yes"][random.below(2)];
        let redis = Redis::with(&[persistence, "maxmemory-policy noeviction"]);
        let relays = [(); 2].map(|()| Relay::to(redis.port()));
        Self { redis, relays }
    }
}

impl World for Single {
    const FAULTS: &'static [Fault<Self>] = &[
        Fault { name: "cut", strike: |world, _, random| network::cut(&world.relays, random) },
        Fault { name: "delay", strike: |world, _, random| network::delay(&world.relays, random) },
        Fault { name: "split", strike: |world, _, random| network::split(&world.relays, random) },
        Fault { name: "stall", strike: |world, _, random| network::stall(&world.relays, random) },
        Fault { name: "deafen", strike: |world, _, random| network::deafen(&world.relays, random) },
        Fault { name: "refuse", strike: |world, _, random| network::refuse(&world.relays, random) },
        Fault {
            name: "kill a server",
            strike: |_, servers, random| network::kill_server(servers, random),
        },
        Fault {
            name: "stop a server",
            strike: |_, servers, random| network::stop_server(servers, random),
        },
        Fault {
            name: "freeze a server",
            strike: |_, servers, random| network::freeze_server(servers, random),
        },
        Fault { name: "flush", strike: |world, _, random| flush(&world.redis, random) },
        Fault { name: "pause Redis", strike: |world, _, random| pause(&world.redis, random) },
        Fault { name: "freeze Redis", strike: |world, _, random| freeze(&world.redis, random) },
        Fault { name: "kill Redis", strike: |world, _, random| kill(&mut world.redis, random) },
        Fault {
            name: "restore an old Redis",
            strike: |world, _, random| restore(&mut world.redis, random),
        },
        Fault { name: "delete keys", strike: |world, _, random| delete(&world.redis, random) },
        Fault {
            name: "end connections",
            strike: |world, _, random| disconnect(&world.redis, random),
        },
        Fault {
            name: "refuse writes",
            strike: |world, _, random| refuse_writes(&world.redis, random),
        },
    ];

    fn configs(&self) -> Vec<Value> {
        let config = |relay: &Relay| {
            let redis = json!({"address": relay.address(), "io_timeout": "2s"});
            config::with(json!({"engine": {"type": "redis", "redis": redis}}))
        };
        self.relays.iter().map(config).collect()
    }

    fn masters(&self) -> Vec<Resp> {
        vec![self.redis.cli()]
    }
}

/// Everything is lost.
pub fn flush(redis: &Redis, random: &mut Random) -> Harm {
    redis.cli().ask(random.pick(&["FLUSHALL", "FLUSHALL ASYNC", "FLUSHDB", "SWAPDB 0 1"]));
    Harm::NONE
}

/// Commands wait.
pub fn pause(redis: &Redis, random: &mut Random) -> Harm {
    let (time, mode) = (between(random, 200, 5000), random.pick(&["ALL", "WRITE"]));
    redis.cli().ask(&format!("CLIENT PAUSE {} {mode}", time.as_millis()));
    thread::sleep(time);
    Harm::NONE
}

/// The process stands still.
pub fn freeze(redis: &Redis, random: &mut Random) -> Harm {
    process::signal(redis.id(), Signal::STOP);
    thread::sleep(between(random, 200, 5000));
    process::signal(redis.id(), Signal::CONT);
    Harm::NONE
}

/// It is killed, and comes back with what its file says.
pub fn kill(redis: &mut Redis, random: &mut Random) -> Harm {
    redis.kill();
    thread::sleep(between(random, 0, 3000));
    redis.run();
    Harm::NONE
}

/// It is killed, and comes back as it was some time before.
pub fn restore(redis: &mut Redis, random: &mut Random) -> Harm {
    redis.cli().ask("SAVE");
    thread::sleep(between(random, 0, 1000));
    kill(redis, random)
}

/// Some rosters and books are deleted.
pub fn delete(redis: &Redis, random: &mut Random) -> Harm {
    let mut cli = redis.cli();
    for key in cli.ask("KEYS rollcall:*").array() {
        if random.percent(30) {
            cli.ask(&format!("DEL {}", key.text()));
        }
    }
    Harm::NONE
}

/// Redis ends its clients' connections.
pub fn disconnect(redis: &Redis, random: &mut Random) -> Harm {
    for _ in 0..=random.below(3) {
        let kind = random.pick(&["pubsub", "normal"]);
        redis.cli().ask(&format!("CLIENT KILL TYPE {kind} SKIPME yes"));
        thread::sleep(between(random, 0, 300));
    }
    Harm::NONE
}

/// Redis takes no writes.
pub fn refuse_writes(redis: &Redis, random: &mut Random) -> Harm {
    let mut cli = redis.cli();
    let setting = random.pick(&["maxmemory", "min-replicas-to-write"]);
    cli.ask(&format!("CONFIG SET {setting} 1"));
    thread::sleep(between(random, 200, 3000));
    cli.ask(&format!("CONFIG SET {setting} 0"));
    Harm::NONE
}
