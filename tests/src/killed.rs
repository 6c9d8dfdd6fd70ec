//! One of two servers is killed with many members on it.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::crowd::{Member, channels, crowd};
use crate::ledger::{Ledger, Times};
use crate::redis::Redis;
use crate::server::Server;
use crate::stack;
use crate::truth::{Membership, Truth};

/// Connections to the server that is killed, and to the one that lives on.
const GO: usize = 100;
const STAY: usize = 5;

/// Each connection is in all of them.
const CHANNELS: usize = 100;

/// What is promised for the 99th percentile of the leaves.
pub const BUDGET: Duration = Duration::from_secs(3);

/// For a busy machine, on which everything has to become right all the same.
const SLACK: Duration = Duration::from_secs(10);

/// What is left, with everybody gone who has to be.
#[derive(Debug)]
pub struct Killed {
    _redis: Redis,
    /// The one that lives on.
    pub server: Server,
    /// Its members.
    pub stay: Vec<Member>,
    /// Of two who listen there.
    pub ledgers: [Ledger; 2],
    /// What they have to say.
    pub truth: Truth,
    /// Where everybody is.
    pub channels: Vec<String>,
    /// How long it took until the leaves were in each ledger.
    pub times: [Times; 2],
}

// === impl Killed ===

impl Killed {
    /// Ten thousand memberships end, as by `kill -9`.
    pub fn with_ten_thousand_members() -> Self {
        let redis = Redis::start();
        // Members between two steps answer no pings.
        let client = json!({"channel_limit": CHANNELS, "ping_interval": "1h"});
        let config = stack::on(&redis, json!({"client": client}));
        let server = Server::start(config.clone());
        let mut other = Server::start(config);
        let channels = channels(CHANNELS);
        let ledgers = ["first", "second"].map(|name| Ledger::open(name, &server, &channels));
        let mut truth = Truth::default();
        let stay = crowd(&server, STAY, &channels, &mut truth);
        let go = crowd(&other, GO, &channels, &mut truth);
        for ledger in &ledgers {
            ledger.agrees_within(SLACK, &truth);
        }

        let killed = Instant::now();
        other.kill();
        let gone: Vec<Membership> = go.iter().flat_map(Member::memberships).collect();
        for (channel, client) in &gone {
            truth.left(channel, client);
        }
        let times = ledgers.each_ref().map(|ledger| {
            ledger.agrees_within(SLACK, &truth);
            ledger.times(&gone, killed).expect("there are leaves")
        });
        Self { _redis: redis, server, stay, ledgers, truth, channels, times }
    }
}
