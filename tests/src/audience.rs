//! Servers with members that do what a test says, and everybody who watches them: a ledger on each
//! server, which has listened all along, and newcomers.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::config::over;
use crate::crowd::{Entry, Member};
use crate::ledger::Ledger;
use crate::newcomers::{Newcomers, Observer};
use crate::random::Random;
use crate::server::Server;
use crate::stopwatch::Stopwatch;
use crate::truth::Truth;
use crate::wait::within;

/// Until something is true on a busy machine that has to be true soon.
const CALM: Duration = Duration::from_secs(20);

/// Until a client is let in that may not be at first.
const LET_IN: Duration = Duration::from_secs(60);

/// All of them. Members are in some of the channels.
#[derive(Debug)]
pub struct Audience {
    /// The servers.
    pub servers: Vec<Server>,
    /// Members of each server.
    pub members: Vec<Vec<Member>>,
    /// Who comes later.
    pub newcomers: Newcomers,
    /// What is true of the members.
    pub truth: Truth,
    channels: Vec<String>,
    /// A ledger on each server that is not dead.
    ledgers: Vec<Option<Ledger>>,
}

// === impl Audience ===

impl Audience {
    /// A server for each configuration, and so many members of each in half of the channels.
    pub fn start(configs: Vec<Value>, channels: Vec<String>, members: usize) -> Self {
        // Members between two steps answer no pings.
        let rare = json!({"client": {"ping_interval": "1h"}});
        let start = |config| Server::start(over(config, rare.clone()));
        let servers: Vec<Server> = configs.into_iter().map(start).collect();
        let open = |(n, server)| Some(Ledger::open(&format!("ledger {n}"), server, &channels));
        let ledgers = servers.iter().enumerate().map(open).collect();
        let newcomers = Newcomers::into(&channels);
        let mut audience = Self {
            servers,
            members: Vec::new(),
            newcomers,
            truth: Truth::default(),
            channels,
            ledgers,
        };
        let mut random = Random::new(1);
        for n in 0..audience.servers.len() {
            let crowd = (0..members).map(|m| audience.member(n, m, &mut random)).collect();
            audience.members.push(crowd);
        }
        audience.agrees_for_good();
        audience
    }

    /// Two servers of this configuration, ten channels and a dozen members on each.
    pub fn of_two(config: &Value) -> Self {
        Self::start(vec![config.clone(); 2], crate::crowd::channels(10), 12)
    }

    fn member(&mut self, server: usize, number: usize, random: &mut Random) -> Member {
        let mut member = Member::of(&self.servers[server], &format!("s{server}u{number}"));
        let mut channels = self.channels.clone();
        let least = channels.swap_remove(number % channels.len());
        channels.retain(|_| random.percent(50));
        channels.push(least);
        member.enters(&channels, &mut self.truth);
        member
    }

    /// A server is killed, and all its members are gone.
    pub fn kills(&mut self, server: usize) {
        self.servers[server].kill();
        self.ledgers[server] = None;
        for member in std::mem::take(&mut self.members[server]) {
            for (channel, client) in member.memberships() {
                self.truth.left(&channel, &client);
            }
        }
    }

    /// A member leaves one of its channels; which.
    pub fn leaves(&mut self, server: usize, member: usize) -> String {
        let channel = self.leaves_one(server, member);
        self.truth.left(&channel, self.members[server][member].client.id());
        channel
    }

    /// The same where what happens now may be told to some only.
    pub fn leaves_perhaps_unseen(&mut self, server: usize, member: usize) -> String {
        let channel = self.leaves_one(server, member);
        self.truth.left_unseen(&channel, self.members[server][member].client.id());
        channel
    }

    fn leaves_one(&mut self, server: usize, member: usize) -> String {
        let member = &mut self.members[server][member];
        let channel = member.channels.first().expect("a channel").clone();
        assert!(member.leaves(&channel), "the connection lives on");
        channel
    }

    /// A member comes to a channel, tried again and again if it has to be.
    pub fn comes(&mut self, server: usize, member: usize, channel: &str) {
        let member = &mut self.members[server][member];
        within(LET_IN, "a member is let in", || match member.tries(channel, &mut self.truth) {
            Entry::In => Some(()),
            Entry::Refused => None,
            Entry::Gone => panic!("the connection lives on"),
        });
    }

    /// Newcomers come to this server, one each `pace`, for so long.
    pub fn newcomers_come(&mut self, server: usize, pace: Duration, time: Duration) {
        let start = Instant::now();
        while start.elapsed() < time {
            self.newcomers.comes(server, self.servers[server].port());
            thread::sleep(pace);
        }
    }

    /// Every ledger and every picture becomes right within so long, and it is said how long it took
    /// until each ledger was.
    pub fn agrees_within(&mut self, limit: Duration) {
        let start = Stopwatch::start();
        for ledger in self.ledgers.iter().flatten() {
            ledger.agrees_within(limit.saturating_sub(start.elapsed()), &self.truth);
        }
        let left = limit.saturating_sub(start.elapsed());
        self.newcomers.agree_within(left, &self.truth, &self.observers());
    }

    /// Every picture becomes right within so long.
    pub fn pictures_agree_within(&mut self, limit: Duration) {
        self.newcomers.agree_within(limit, &self.truth, &self.observers());
    }

    /// Everything is right, and nothing is on its way that would change it.
    pub fn agrees_for_good(&mut self) {
        self.agrees_within(CALM);
        for (n, ledger) in self.ledgers.iter_mut().enumerate() {
            let Some(ledger) = ledger else { continue };
            ledger.agrees_for_good(&self.servers[n], &self.channels, &self.truth);
            ledger.begins_anew(self.truth.clone());
        }
        self.newcomers.agree_within(CALM, &self.truth, &self.observers());
        self.newcomers.begin_anew(self.truth.clone());
    }

    fn observers(&self) -> Vec<Observer> {
        let ledgers = self.ledgers.iter().enumerate();
        let open = ledgers.filter_map(|(n, ledger)| Some((ledger.as_ref()?, n)));
        open.map(|(ledger, n)| (ledger.client().to_owned(), n)).collect()
    }
}
