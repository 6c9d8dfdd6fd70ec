//! A master and two replicas under Sentinel, and two servers.

use std::thread;

use serde_json::Value;

use super::redis::{delete, disconnect, flush, freeze, pause, refuse_writes};
use super::{Fault, Harm, World, between, network};
use crate::random::Random;
use crate::redis::Redis;
use crate::resp::Resp;
use crate::sentinel::Sentinels;
use crate::wait::eventually;

/// All of it.
#[derive(Debug)]
pub struct Watched {
    group: Sentinels,
}

// === impl Watched ===

impl Watched {
    /// Everybody is well.
    pub fn start(_: &mut Random) -> Self {
        Self { group: Sentinels::start(2) }
    }

    fn master(&self) -> &Redis {
        &self.group.redis[eventually("the Sentinels agree", || self.group.master())]
    }

    /// Does something to the master that may cost it its place, and waits until all is well.
    fn trouble(&mut self, random: &mut Random, fault: fn(&Redis, &mut Random) -> Harm) -> Harm {
        let harm = fault(self.master(), random);
        self.group.follow();
        harm
    }

    fn kill_master(&mut self, random: &mut Random) -> Harm {
        let old = self.group.kill_master();
        if random.percent(70) {
            self.group.fails_over_from(old);
        } else {
            // It may be back before anybody has noticed.
            thread::sleep(between(random, 0, 1500));
        }
        self.group.redis[old].run();
        self.group.follow();
        Harm::NONE
    }

    fn kill_replica(&mut self, random: &mut Random) -> Harm {
        let master = eventually("the Sentinels agree", || self.group.master());
        let replica = (master + 1 + random.below(2)) % 3;
        self.group.redis[replica].kill();
        thread::sleep(between(random, 0, 2000));
        self.group.redis[replica].run();
        self.group.follow();
        Harm::NONE
    }

    fn fail_over(&mut self) -> Harm {
        self.group.fail_over();
        self.group.follow();
        Harm::NONE
    }
}

impl World for Watched {
    const FAULTS: &'static [Fault<Self>] = &[
        Fault { name: "kill the master", strike: |world, _, random| world.kill_master(random) },
        Fault { name: "kill a replica", strike: |world, _, random| world.kill_replica(random) },
        Fault { name: "fail over", strike: |world, _, _| world.fail_over() },
        Fault {
            name: "freeze the master",
            strike: |world, _, random| world.trouble(random, freeze),
        },
        Fault { name: "pause the master", strike: |world, _, random| world.trouble(random, pause) },
        Fault { name: "flush", strike: |world, _, random| world.trouble(random, flush) },
        Fault { name: "delete keys", strike: |world, _, random| world.trouble(random, delete) },
        Fault {
            name: "end connections",
            strike: |world, _, random| world.trouble(random, disconnect),
        },
        Fault {
            name: "refuse writes",
            strike: |world, _, random| world.trouble(random, refuse_writes),
        },
        Fault {
            name: "kill a server",
            strike: |_, servers, random| network::kill_server(servers, random),
        },
        Fault {
            name: "freeze a server",
            strike: |_, servers, random| network::freeze_server(servers, random),
        },
    ];

    fn configs(&self) -> Vec<Value> {
        vec![self.group.config(); 2]
    }

    fn masters(&self) -> Vec<Resp> {
        vec![self.master().cli()]
    }
}
