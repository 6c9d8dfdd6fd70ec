//! Servers with clients that come and go, and a ledger on each: something goes wrong, and then
//! everything has to be right again.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::churn::{Churn, Sight};
use crate::config::over;
use crate::crowd;
use crate::ledger::{Ledger, OBSERVER};
use crate::newcomers::{Newcomers, Observer, RIGHT};
use crate::random::Random;
use crate::redis::Redis;
use crate::resp::Resp;
use crate::server::Server;
use crate::stopwatch::Stopwatch;
use crate::token;
use crate::truth::Truth;
use crate::wait::{eventually, within};

/// How soon all has to be right after a fault has ended: 5 seconds until a leave is believed after
/// a loss, what comes before it, and slack for a busy machine.
pub const SOON: Duration = Duration::from_secs(20);

/// How long clients go on coming and going around a fault.
const AROUND: Duration = Duration::from_millis(300);

/// Everything that takes part.
#[derive(Debug)]
pub struct Scene {
    /// The servers.
    pub servers: Vec<Server>,
    /// Those on servers that were killed are missing until [`Self::converges`] opens new ones.
    pub ledgers: Vec<Option<Ledger>>,
    /// The clients of each server.
    pub churns: Vec<Churn>,
    /// Observers that come at random moments.
    pub newcomers: Newcomers,
    /// Where they go.
    pub channels: Vec<String>,
    /// When clients began to come and go last.
    start: Instant,
}

// === impl Scene ===

impl Scene {
    /// A server for each configuration, and so many clients of each in the channels.
    pub fn start(configs: Vec<Value>, channels: Vec<String>, clients: usize) -> Self {
        // Clients between two steps answer no pings.
        let rare = json!({"client": {"ping_interval": "1h"}});
        let start = |config| Server::start(over(config, rare.clone()));
        let servers: Vec<Server> = configs.into_iter().map(start).collect();
        let open = |(n, server)| Some(Ledger::open(&format!("ledger {n}"), server, &channels));
        let ledgers = servers.iter().enumerate().map(open).collect();
        let churn = |(n, server): (usize, &Server)| {
            Churn::new(&format!("s{n}u"), server.port(), &channels, clients)
        };
        let mut churns: Vec<Churn> = servers.iter().enumerate().map(churn).collect();
        churns.iter_mut().for_each(Churn::fill);
        let newcomers = Newcomers::into(&channels);
        Self { servers, ledgers, churns, newcomers, channels, start: Instant::now() }
    }

    /// Two servers with this configuration, ten channels and a dozen clients on each; right so far,
    /// also after everybody came and went.
    pub fn of_two(config: &Value, masters: impl Fn() -> Vec<Resp>) -> Self {
        Self::of([config, config].map(Clone::clone), masters)
    }

    /// As [`Self::of_two`], each with its own.
    pub fn of(configs: [Value; 2], masters: impl Fn() -> Vec<Resp>) -> Self {
        let mut scene = Self::start(configs.into(), crowd::channels(10), 12);
        scene.during(|_| ());
        scene.converges(masters);
        scene
    }

    /// Decides by this what clients do.
    pub fn seed(&mut self, random: &mut Random) {
        self.churns.iter_mut().for_each(|churn| churn.seed(random.number()));
        self.newcomers.seed(random.number());
    }

    /// While clients come and go, does what `fault` does to the servers or to anything else.
    pub fn during<T>(&mut self, fault: impl FnOnce(&mut [Server]) -> T) -> T {
        self.during_as(Sight::Clear, fault)
    }

    /// The same where clients have to see to it that everything can be seen.
    pub fn during_as<T>(&mut self, sight: Sight, fault: impl FnOnce(&mut [Server]) -> T) -> T {
        self.start = Instant::now();
        let stop = AtomicBool::new(false);
        let (servers, churns) = (&mut self.servers, &mut self.churns);
        let ports: Vec<u16> = servers.iter().map(Server::port).collect();
        let newcomers = &mut self.newcomers;
        newcomers.marks(self.start, "clients begin to come and go");
        let outcome = thread::scope(|scope| {
            let (stop, ports) = (&stop, &ports);
            let ending = Ending(stop);
            for churn in churns {
                scope.spawn(move || churn.run(sight, stop));
            }
            scope.spawn(|| newcomers.come(ports, stop));
            thread::sleep(AROUND);
            let outcome = fault(servers);
            thread::sleep(AROUND);
            drop(ending);
            outcome
        });
        self.newcomers.marks(Instant::now(), "clients are still");
        outcome
    }

    /// Clients of this server may have been shown leaving: it was taken for dead since then.
    pub fn interrupted(&mut self, server: usize, start: Instant) {
        self.churns[server].truth_mut().interrupted(start);
        self.newcomers.excuses(server);
    }

    /// A server was killed and started again: whoever observed there has to begin anew.
    pub fn begins_anew(&mut self, server: usize) {
        self.ledgers[server] = None;
    }

    /// This Redis may have been killed since everything was right: nobody knows its last words.
    pub fn has_died(&mut self, redis: &Redis) {
        if let Some(dead) = redis.died() {
            let start = self.start;
            self.churns.iter_mut().for_each(|churn| churn.truth_mut().untold(dead, start));
        }
    }

    /// What is true of all clients.
    pub fn truth(&self) -> Truth {
        let mut truth = Truth::default();
        self.churns.iter().for_each(|churn| truth.merge(churn.truth()));
        truth
    }

    /// Everything becomes right and stays so: each server's answers, what is in Redis (connections
    /// to its masters), users' statuses, and the ledgers.
    pub fn converges(&mut self, masters: impl Fn() -> Vec<Resp>) {
        eventually("the servers are ready", || {
            let ready = |server: &Server| {
                server.http().try_send("GET", "/ready", &[], "").is_ok_and(|a| a.status == 200)
            };
            self.servers.iter().all(ready).then_some(())
        });
        for churn in &mut self.churns {
            churn.call_the_roll();
            eventually("everybody connects", || churn.connect_all().then_some(()));
        }
        let truth = self.truth();
        assert!(truth.lives().values().any(|life| life.present), "somebody is there");
        self.newcomers.agree_within(RIGHT, &truth, &self.observers());
        for ledger in self.ledgers.iter().flatten() {
            ledger.agrees_within(SOON, &truth);
        }
        for (n, server) in self.servers.iter().enumerate() {
            for channel in &self.channels {
                let what = format!("server {n} says who is in {channel}");
                within(SOON, &what, || says(server, channel, &truth).then_some(()));
            }
            within(SOON, "everybody is online", || self.all_online(server).then_some(()));
        }
        for (n, server) in self.servers.iter().enumerate() {
            self.ledgers[n].get_or_insert_with(|| {
                Ledger::open_amid(&format!("ledger {n}"), server, &self.channels, truth.clone())
            });
        }
        self.leases_hold(&truth, &masters);
        for (n, ledger) in self.ledgers.iter_mut().flatten().enumerate() {
            ledger.agrees_for_good(&self.servers[n], &self.channels, &truth);
            ledger.begins_anew(truth.clone());
        }
        self.newcomers.agree_within(SOON, &truth, &self.observers());
        self.newcomers.begin_anew(truth);
    }

    /// The clients whose ledgers these are.
    pub fn observers(&self) -> Vec<Observer> {
        let ledgers = self.ledgers.iter().enumerate();
        let open = ledgers.filter_map(|(n, ledger)| Some((ledger.as_ref()?, n)));
        open.map(|(ledger, n)| (ledger.client().to_owned(), n)).collect()
    }

    /// The leases of the masters hold what there is, and no more.
    fn leases_hold(&self, truth: &Truth, masters: impl Fn() -> Vec<Resp>) {
        let start = Stopwatch::start();
        loop {
            let masters = masters();
            let expected = self.held(truth, masters.len());
            let held = held(masters);
            if held == expected {
                return;
            }
            assert!(start.elapsed() < SOON, "leases hold {held:?} instead of {expected:?}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// What the leases on so many masters have to hold.
    fn held(&self, truth: &Truth, masters: usize) -> Held {
        let members = truth.lives().values().filter(|life| life.present).count();
        let users: usize = self.churns.iter().map(|churn| churn.users().len()).sum();
        Held {
            names: self.servers.len() * masters,
            entries: members
                + self.newcomers.memberships()
                + self.servers.len() * self.channels.len(),
            users: users + self.servers.len(),
        }
    }

    fn all_online(&self, server: &Server) -> bool {
        let users: BTreeSet<String> = self.churns.iter().flat_map(Churn::users).collect();
        let answer = server.api_answer("get_user_status", json!({"users": users}));
        let now = token::now();
        let online = |status: &Value| {
            status["online"].as_u64().is_some_and(|online| online.abs_diff(now) <= 3)
        };
        let statuses = answer["result"]["statuses"].as_array();
        statuses.is_some_and(|all| all.len() == users.len() && all.iter().all(online))
    }
}

/// Tells threads that it is over when it goes, also in a panic.
#[derive(Debug)]
pub struct Ending<'a>(pub &'a AtomicBool);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// What leases hold.
#[derive(Debug, PartialEq, Eq)]
struct Held {
    /// A server has one for each master, and tells it to each.
    names: usize,
    entries: usize,
    users: usize,
}

/// What the leases of all masters hold together.
fn held(masters: Vec<Resp>) -> Held {
    let mut names = BTreeSet::new();
    let (mut entries, mut users) = (0, 0);
    for mut master in masters {
        // One that is just going away holds nothing.
        let Ok(leases) = master.try_call(&["PRESENCE.LEASE", "LIST"]) else { continue };
        for lease in leases.array() {
            let lease = lease.array();
            let count = |n: usize| usize::try_from(lease[n].number()).expect("a count");
            names.insert(lease[0].text());
            entries += count(3);
            users += count(4);
        }
    }
    Held { names: names.len(), entries, users }
}

/// Whether a server's answers about a channel are right.
fn says(server: &Server, channel: &str, truth: &Truth) -> bool {
    let answer = server.api_answer("presence", json!({"channel": channel}));
    let Some(all) = answer["result"]["presence"].as_object() else { return false };
    let clients = all.iter().filter(|(_, info)| info["user"] != OBSERVER);
    let clients: BTreeSet<String> = clients.map(|(client, _)| client.clone()).collect();
    let stats = server.api_answer("presence_stats", json!({"channel": channel}));
    clients == truth.present(channel) && stats["result"]["num_clients"] == all.len()
}
