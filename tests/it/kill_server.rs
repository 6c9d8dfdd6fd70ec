//! One of two servers is killed with ten thousand members on it.

use std::time::{Duration, Instant};

use rollcall_tests::crowd::{Member, channels, crowd};
use rollcall_tests::truth::Membership;
use rollcall_tests::{Ledger, Redis, Server, Truth, stack};
use serde_json::{Value, json};

const CONNECTIONS: usize = 100;
const CHANNELS: usize = 100;

/// What is promised is 3 seconds for the 99th percentile; a busy machine fails nothing here.
const SLACK: Duration = Duration::from_secs(10);

#[test]
fn ten_thousand_members_of_a_killed_server_leave_once_each_in_seconds() {
    let redis = Redis::start();
    let config = stack::on(&redis, json!({"client": {"channel_limit": CHANNELS}}));
    let one = Server::start(config.clone());
    let mut two = Server::start(config);
    let channels = channels(CHANNELS);
    let mut ledgers = ["first", "second"].map(|name| Ledger::open(name, &one, &channels));
    let mut truth = Truth::default();
    let stay: Vec<Member> = crowd(&one, 5, &channels, &mut truth);
    let go = crowd(&two, CONNECTIONS, &channels, &mut truth);
    for ledger in &ledgers {
        ledger.agrees_within(SLACK, &truth);
    }

    let killed = Instant::now();
    two.kill();
    let gone: Vec<Membership> = go.iter().flat_map(Member::memberships).collect();
    assert_eq!(gone.len(), CONNECTIONS * CHANNELS);
    for (channel, client) in &gone {
        truth.left(channel, client);
    }
    for ledger in &ledgers {
        ledger.agrees_within(SLACK, &truth);
        print_times("kill -9 of a server", ledger, &gone, killed);
    }
    for ledger in &mut ledgers {
        ledger.agrees_for_good(&one, &channels, &truth);
    }
    for channel in &channels {
        let stats = one.api("presence_stats", json!({"channel": channel}));
        // Five connections of three users, and the observers, who are one.
        assert_eq!(stats, json!({"num_clients": 7, "num_users": 4}), "{channel}");
        let present = one.api("presence", json!({"channel": channel}))["presence"].clone();
        for member in &stay {
            assert_ne!(present[member.client.id()], Value::Null, "{channel}");
        }
    }
}

#[expect(
    clippy::print_stdout,
    reason = "measured, not judged: `--nocapture` or ./dev chaos shows it"
)]
fn print_times(what: &str, ledger: &Ledger, gone: &[Membership], since: Instant) {
    let times = ledger.times(gone, since).expect("there are leaves");
    println!("{what}: {times}");
    assert!(times.p99 <= SLACK, "{times}");
}
