//! A master and two replicas under Sentinel, and two servers.

use std::thread;

use serde_json::{Value, json};

use super::redis::{flush, pause_writes, trouble};
use super::waking::Guests;
use super::{Fault, Harm, World, between, network};
use crate::config::over;
use crate::copies::Group;
use crate::process::{self, Signal};
use crate::random::Random;
use crate::redis::{PASSWORD, Redis, USERS};
use crate::relay::Line;
use crate::sentinel::Sentinels;
use crate::server::Server;
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
        Self { group: Sentinels::relayed(2) }
    }

    /// Which of them is the master.
    fn place(&self) -> usize {
        eventually("the Sentinels agree", || self.group.master())
    }

    fn kill_master(&mut self) -> Harm {
        let old = self.group.kill_master();
        self.group.fails_over_from(old);
        self.group.redis[old].run();
        self.group.follow();
        Harm::NONE
    }

    /// It is back before anybody has noticed, or just as it is replaced.
    fn restart_master(&mut self, random: &mut Random) -> Harm {
        let old = self.group.kill_master();
        thread::sleep(between(random, 0, 1500));
        self.group.redis[old].run();
        self.group.follow();
        Harm::NONE
    }

    /// It sleeps until a replica has taken over, and runs what waited for it meanwhile.
    fn wake_replaced(&mut self, servers: &[Server], random: &mut Random) -> Harm {
        let old = self.place();
        let mut guests = Guests::enter(servers, &self.group.redis[old]);
        let id = self.group.redis[old].id();
        process::signal(id, Signal::STOP);
        guests.leave();
        self.group.fails_over_from(old);
        guests.come_back();
        thread::sleep(between(random, 0, 2000));
        process::signal(id, Signal::CONT);
        guests.stay();
        self.group.follow();
        Harm::NONE
    }

    /// Nobody is there to take over, and then whoever is back first may.
    fn kill_all(&mut self, random: &mut Random) -> Harm {
        let all = self.group.redis.len();
        let first = self.place();
        for place in 0..all {
            self.group.kill((first + place) % all);
        }
        thread::sleep(between(random, 0, 3000));
        for place in 0..all {
            self.group.redis[(first + place) % all].run();
        }
        self.group.follow();
        Harm::NONE
    }

    fn kill_replica(&mut self, random: &mut Random) -> Harm {
        let master = self.place();
        let replica = (master + 1 + random.below(2)) % 3;
        self.group.kill(replica);
        thread::sleep(between(random, 0, 2000));
        self.group.redis[replica].run();
        self.group.follow();
        Harm::NONE
    }

    /// What connects each server with one of the Sentinels.
    fn to_sentinel(&self, random: &mut Random) -> [&Line; 2] {
        let lines = self.group.lines();
        lines[random.below(lines.len())]
    }

    fn kill_sentinel(&mut self, random: &mut Random) -> Harm {
        let sentinel = random.below(self.group.count());
        self.group.kill_sentinel(sentinel);
        thread::sleep(between(random, 0, 3000));
        self.group.run_sentinel(sentinel);
        Harm::NONE
    }

    fn fail_over(&mut self) -> Harm {
        self.group.fail_over();
        self.group.follow();
        Harm::NONE
    }
}

impl World for Watched {
    const REPLACES: bool = true;

    fn faults() -> Vec<Fault<Self>> {
        vec![
            Fault::forgets("kill the master", |world, _, _| world.kill_master()),
            Fault::forks("restart the master", |world, _, random| world.restart_master(random)),
            Fault::forks("wake a replaced master", |world, servers, random| {
                world.wake_replaced(servers, random)
            }),
            Fault::forks("kill the master and its replicas", |world, _, random| {
                world.kill_all(random)
            }),
            Fault::forgets("kill a replica", |world, _, random| world.kill_replica(random)),
            Fault::forks("fail over", |world, _, _| world.fail_over()),
            Fault::new("flush", |world, _, random| trouble(world, random, flush)),
            // The others name the master.
            Fault::new("kill a Sentinel", |world, _, random| world.kill_sentinel(random)),
            Fault::new("stall a Sentinel", |world, _, random| {
                network::stall(world.to_sentinel(random), random);
                Harm::NONE
            }),
            Fault::new("refuse a Sentinel", |world, _, random| {
                network::refuse(world.to_sentinel(random), random);
                Harm::NONE
            }),
            // Sentinels publish, which waits as well: the master may be replaced.
            Fault::forks("pause writes", |world, _, random| trouble(world, random, pause_writes)),
        ]
    }

    fn configs(&self) -> Vec<Value> {
        let config = |name: &str| {
            let login = json!({
                "user": name, "password": PASSWORD,
                "sentinel_user": name, "sentinel_password": PASSWORD,
            });
            over(self.group.config(), json!({"engine": {"redis": login}}))
        };
        USERS.map(config).to_vec()
    }

    fn master(&self, _: &mut Random) -> &Redis {
        &self.group.redis[self.place()]
    }

    fn master_mut(&mut self, _: &mut Random) -> &mut Redis {
        let place = self.place();
        let master = &mut self.group.redis[place];
        master.remember_role();
        master
    }

    fn lines(&self, random: &mut Random) -> [&Line; 2] {
        self.master(random).lines()
    }

    fn groups(&self) -> Vec<Group<'_>> {
        let place = self.place();
        let others = self.group.redis.iter().enumerate().filter(|(n, _)| *n != place);
        let replicas = others.map(|(_, redis)| redis).collect();
        vec![Group { master: &self.group.redis[place], replicas }]
    }

    fn is_whole(&self) {
        self.group.follow();
    }
}
