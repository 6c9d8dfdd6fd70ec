//! Who comes and goes while a server cannot listen is shown both, as soon as it can again.

use std::fs;
use std::time::Duration;

use rollcall_tests::cluster::Cluster;
use rollcall_tests::crowd::{self, Entry, Member};
use rollcall_tests::ledger::Ledger;
use rollcall_tests::truth::Truth;
use rollcall_tests::{Redis, Relay, Server, config, eventually, stack};
use serde_json::{Value, json};

/// How long showing what was missed may take on a busy machine.
const SHOWN: Duration = Duration::from_secs(10);

/// A server that reaches Redis through a relay; being cut off does not end its lease.
fn through(relay: &Relay) -> Value {
    let redis = json!({"address": relay.address(), "lease": "30s"});
    config::with(json!({"engine": {"type": "redis", "redis": redis}}))
}

/// What is there while a server is cut off.
struct Meanwhile<'a> {
    redis: &'a mut Redis,
    channels: &'a [String],
    /// A client of another server, which is in the first channels.
    stays: &'a mut Member,
    /// Another one, which is nowhere yet.
    member: &'a mut Member,
    truth: &'a mut Truth,
}

/// An observer on a server that is cut off is shown what happens on another one meanwhile.
fn is_shown(options: &[&str], passing: impl FnOnce(Meanwhile<'_>)) {
    let mut redis = Redis::with(options);
    let relay = Relay::to(redis.port());
    let cut_off = Server::start(through(&relay));
    let other = Server::start(stack::on(&redis, json!({})));
    let channels = crowd::channels(4);
    let mut ledger = Ledger::open("the cut off", &cut_off, &channels);
    let mut truth = Truth::default();
    // Some rooms are empty, and some are not.
    let mut stays = Member::of(&other, "stays");
    stays.enters(&channels[..2], &mut truth);
    // A restart may bring this back, which is older than what is shown.
    assert_eq!(redis.cli().ask("SAVE").to_string(), "OK");
    let mut comes = Member::of(&other, "comes late");
    comes.enters(&channels[1..3], &mut truth);
    ledger.agrees_for_good(&cut_off, &channels, &truth);
    let mut passer_by = Member::of(&other, "passes by");
    relay.refuse(true);
    relay.cut();
    passing(Meanwhile {
        redis: &mut redis,
        channels: &channels,
        stays: &mut stays,
        member: &mut passer_by,
        truth: &mut truth,
    });
    relay.refuse(false);
    ledger.agrees_within(SHOWN, &truth);
    ledger.agrees_for_good(&cut_off, &channels, &truth);
}

/// A client enters these channels and leaves them again.
fn passes_by(member: &mut Member, channels: &[String], truth: &mut Truth) {
    for channel in channels {
        // A connection may still be made anew just after Redis is back: SDKs try again as well.
        eventually("the client enters", || {
            (member.tries(channel, truth) == Entry::In).then_some(())
        });
    }
    for channel in channels {
        assert!(member.leaves(channel), "the client is there");
        truth.left(channel, member.client.id());
    }
}

#[test]
fn who_comes_and_goes_meanwhile_is_shown_both() {
    is_shown(&[], |Meanwhile { channels, member, truth, .. }| passes_by(member, channels, truth));
}

#[test]
fn who_comes_and_goes_again_and_again_is_shown_each_time() {
    is_shown(&[], |Meanwhile { channels, member, truth, .. }| {
        for _ in 0..3 {
            passes_by(member, channels, truth);
        }
        member.enters(channels, truth);
    });
}

/// What Redis remembers is not saved: this happens after the restart, in which it may lose all or
/// the last it had.
fn once_redis_is_back(loses: fn(&Redis)) {
    is_shown(&[], |Meanwhile { redis, channels, member, truth, .. }| {
        redis.kill();
        loses(redis);
        redis.run();
        is_let_in(member);
        passes_by(member, channels, truth);
    });
}

/// Redis is back for the client's server.
fn is_let_in(member: &mut Member) {
    eventually("the client is let in again", || {
        (member.tries("elsewhere", &mut Truth::default()) == Entry::In).then_some(())
    });
}

#[test]
fn who_comes_and_goes_once_an_empty_redis_is_back_is_shown_both() {
    once_redis_is_back(|redis| {
        fs::remove_file(redis.dir().join("dump.rdb")).expect("there is a file");
    });
}

#[test]
fn who_comes_and_goes_once_an_older_redis_is_back_is_shown_both() {
    once_redis_is_back(|_| ());
}

/// What was missed before the restart nobody remembers, and what comes after it follows that.
#[test]
fn who_comes_and_goes_after_what_is_forgotten_is_shown_both() {
    is_shown(&[], |Meanwhile { redis, channels, stays, member, truth }| {
        for channel in &channels[..2] {
            assert!(stays.leaves(channel), "the client is there");
            truth.left(channel, stays.client.id());
        }
        assert_eq!(redis.cli().ask("SAVE").to_string(), "OK");
        redis.kill();
        redis.run();
        is_let_in(member);
        passes_by(member, channels, truth);
    });
}

/// `ACL SETUSER default -presence.recent`: reads tell what there is to tell.
#[test]
fn a_server_that_may_not_ask_is_shown_who_is_there() {
    is_shown(
        &["user default on nopass ~* &* +@all -presence.recent"],
        |Meanwhile { channels, member, truth, .. }| {
            member.enters(channels, truth);
        },
    );
}

#[test]
fn a_redis_that_remembers_nothing_tells_who_is_there() {
    is_shown(&["rollcall.recent-events-ms 0"], |Meanwhile { channels, member, truth, .. }| {
        member.enters(channels, truth);
    });
}

/// Redis holds a stay of which the end was lost, as a replica that became master or an older file
/// can: nobody shows the client any more, and its next stay is one of its own.
#[test]
fn who_comes_anew_over_a_lost_leave_is_shown_joining() {
    let mut redis = Redis::with(&[]);
    let server = Server::start(stack::on(&redis, json!({})));
    let channels = crowd::channels(1);
    let mut ledger = Ledger::open("the ledger", &server, &channels);
    let mut truth = Truth::default();
    let mut member = Member::of(&server, "comes again");
    member.enters(&channels, &mut truth);
    ledger.agrees_for_good(&server, &channels, &truth);
    assert_eq!(redis.cli().ask("SAVE").to_string(), "OK");
    assert!(member.leaves(&channels[0]), "the client is there");
    truth.left(&channels[0], member.client.id());
    ledger.agrees_for_good(&server, &channels, &truth);
    redis.kill();
    redis.run();
    eventually("the client is let in", || {
        (member.tries(&channels[0], &mut truth) == Entry::In).then_some(())
    });
    ledger.agrees_within(SHOWN, &truth);
    ledger.agrees_for_good(&server, &channels, &truth);
}

/// While a slot is between two masters its rosters are on the new one already, and listeners are
/// still at the old one.
#[test]
fn who_comes_and_goes_while_a_slot_moves_is_shown_both() {
    let cluster = Cluster::start();
    let [one, two] = [(); 2].map(|()| Server::start(cluster.config()));
    let mut homes = [0, 1].map(|node| cluster.nodes()[node].cli());
    let key = |n: &usize| format!("rollcall:p:room{n}");
    let here = |n: &usize| cluster.home(&mut homes[0], &key(n)) == 0;
    let n = (0..10_000).find(here).expect("a channel there");
    let channels = [format!("room{n}")];
    let mut ledger = Ledger::open("the ledger", &one, &channels);
    let mut truth = Truth::default();
    let mut stays = Member::of(&two, "stays");
    stays.enters(&channels, &mut truth);
    ledger.agrees_for_good(&one, &channels, &truth);
    let slot = homes[0].ask(&format!("CLUSTER KEYSLOT {}", key(&n))).number();
    let ids = [0, 1].map(|node| cluster.id(node));
    homes[1].ask(&format!("CLUSTER SETSLOT {slot} IMPORTING {}", ids[0]));
    homes[0].ask(&format!("CLUSTER SETSLOT {slot} MIGRATING {}", ids[1]));
    let port = cluster.nodes()[1].port();
    let moved = homes[0].ask(&format!("MIGRATE 127.0.0.1 {port} {} 0 5000", key(&n)));
    assert_eq!(moved.to_string(), "OK");
    let mut member = Member::of(&two, "passes by");
    passes_by(&mut member, &channels, &mut truth);
    for node in [1, 0] {
        homes[node].ask(&format!("CLUSTER SETSLOT {slot} NODE {}", ids[1]));
    }
    ledger.agrees_within(SHOWN, &truth);
    ledger.agrees_for_good(&one, &channels, &truth);
}
