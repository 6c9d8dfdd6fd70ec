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
        Fault::new("kill the master", |world, _, random| world.kill_master(random)),
        Fault::new("kill a replica", |world, _, random| world.kill_replica(random)),
        Fault::new("fail over", |world, _, _| world.fail_over()),
        Fault::new("freeze the master", |world, _, random| world.trouble(random, freeze)),
        Fault::new("pause the master", |world, _, random| world.trouble(random, pause)),
        Fault::new("flush", |world, _, random| world.trouble(random, flush)),
        Fault::alone("delete keys", |world, _, random| world.trouble(random, delete)),
        Fault::new("end connections", |world, _, random| world.trouble(random, disconnect)),
        Fault::new("refuse writes", |world, _, random| world.trouble(random, refuse_writes)),
        Fault::new("kill a server", |_, servers, random| network::kill_server(servers, random)),
        Fault::new("freeze a server", |_, servers, random| network::freeze_server(servers, random)),
    ];

    fn configs(&self) -> Vec<Value> {
        vec![self.group.config(); 2]
    }

    fn masters(&self) -> Vec<Resp> {
        vec![self.master().cli()]
    }
}
