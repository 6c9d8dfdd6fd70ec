//! What happens when the server goes, or is copied, while what an ended lease held is leaving and
//! its node is back already.

use rollcall_tests::copies::are_equal;
use rollcall_tests::{Redis, Reply, Resp, eventually};

/// A lease held 300 entries and a user and ended, the node's new one holds one and one, and nobody
/// has left yet: the master is paused.
fn midway(options: &[&str]) -> Redis {
    let redis = Redis::with(options);
    bring_midway(&redis);
    redis
}

fn bring_midway(redis: &Redis) {
    let mut cli = redis.cli();
    cli.ask("PRESENCE.LEASE KEEP n1 PX 50000");
    for n in 0..300 {
        assert_eq!(cli.ask(&format!("PRESENCE.ADD crowd c{n} u{n} LEASE n1 NOTIFY")).number(), 1);
    }
    assert_eq!(cli.ask("USERSTATUS.ONLINE book LEASE n1 EX 600 ann both").number(), 2);
    cli.session(
        "
        > MULTI
        OK
        > PRESENCE.LEASE DROP n1
        QUEUED
        > PRESENCE.LEASE KEEP n1 PX 60000
        QUEUED
        > PRESENCE.ADD crowd new new LEASE n1 NOTIFY
        QUEUED
        > PRESENCE.ADD crowd c7 u7 LEASE n1 NOTIFY
        QUEUED
        > USERSTATUS.ONLINE book LEASE n1 EX 600 new both
        QUEUED
        > CLIENT PAUSE 60000 WRITE
        QUEUED
        > EXEC
        [1, [<n>, 1, 0, 0], 1, 1, 2, OK]
        > PRESENCE.STATS crowd
        [[301, 301, <n>]]
        > PRESENCE.LEASE LIST
        [[\"n1\", 60000, <n>, 2, 2]]
        ",
    );
}

/// The old life's entries leave, the new one's stay.
fn ends_well(redis: &Redis) {
    let mut cli = redis.cli();
    eventually("the old entries leave", || {
        cli.ask("PRESENCE.STATS crowd").to_string().starts_with("[[2, 2, ").then_some(())
    });
    eventually("nothing is due", || (redis.info("rollcall_entries_due") == "0").then_some(()));
    cli.session(
        "
        > PRESENCE.LEASE KEEP n1 PX 60000
        [<n>, 0, 2, 2]
        > PRESENCE.REM crowd new c7
        2
        > EXISTS crowd
        0
        > PRESENCE.LEASE KEEP n1 PX 60000
        [<n>, 0, 0, 2]
        ",
    );
    let online = |cli: &mut Resp| {
        let statuses = cli.ask("USERSTATUS.GET book ann new both").array().into_iter();
        statuses.map(|status| status.array()[1].number()).collect::<Vec<_>>()
    };
    let before = online(&mut cli);
    let after = eventually("time passes", || {
        let now = online(&mut cli);
        (now[1] > before[1] + 1).then_some(now)
    });
    assert_eq!(after[0], before[0], "who is offline stays so");
    assert!(after[2] > before[2], "who is online stays so");
}

#[test]
fn an_unpaused_master_goes_on() {
    let redis = midway(&[]);
    let mut listener = redis.listener("crowd");
    redis.cli().ask("CLIENT UNPAUSE");
    let why = |event: &serde_json::Value| event["why"] == "lease" && event["t"] == "leave";
    assert!((0..299).all(|_| why(&listener.event())));
    listener.hears_nothing();
    ends_well(&redis);
}

#[test]
fn a_crash_with_aof_goes_on() {
    for preamble in ["no", "yes"] {
        let preamble = format!("aof-use-rdb-preamble {preamble}");
        let mut redis = midway(&["appendonly yes", "appendfsync always", &preamble]);
        redis.kill();
        redis.run();
        ends_well(&redis);
    }
}

#[test]
fn a_crash_after_a_rewrite_of_the_aof_goes_on() {
    for preamble in ["no", "yes"] {
        let preamble = format!("aof-use-rdb-preamble {preamble}");
        let mut redis = midway(&["appendonly yes", "appendfsync always", &preamble]);
        let size = |redis: &Redis| redis.info("aof_base_size");
        let before = size(&redis);
        redis.cli().ask("BGREWRITEAOF");
        eventually("the AOF is rewritten", || (size(&redis) != before).then_some(()));
        redis.kill();
        redis.run();
        ends_well(&redis);
    }
}

#[test]
fn a_saved_server_goes_on() {
    let mut redis = midway(&["save 3600 1"]);
    assert_eq!(redis.cli().ask("SAVE").to_string(), "OK");
    redis.kill();
    redis.run();
    ends_well(&redis);
}

#[test]
fn a_replica_that_came_in_the_middle_goes_on_as_master() {
    let mut master = midway(&[]);
    let replica = master.replica();
    let second = replica.replica();
    master.kill();
    let mut copy = replica.cli();
    let stats = copy.ask("PRESENCE.STATS crowd").to_string();
    assert!(stats.starts_with("[[301, 301, "), "a replica ends nothing: {stats}");
    assert_eq!(copy.ask("REPLICAOF NO ONE"), Reply::Status("OK".to_owned()));
    ends_well(&replica);
    eventually("its replica follows", || {
        (second.cli().ask("EXISTS crowd").number() == 0).then_some(())
    });
    assert_eq!(second.cli().ask("PRESENCE.LEASE LIST").array().len(), 1);
}

#[test]
fn a_replica_that_followed_all_along_goes_on_as_master() {
    let mut master = Redis::with(&["enable-debug-command yes"]);
    let replica = master.replica();
    let second = replica.replica();
    bring_midway(&master);
    are_equal(&master, &[&replica, &second], 1, &["crowd", "book"]);
    master.kill();
    assert_eq!(replica.cli().ask("REPLICAOF NO ONE"), Reply::Status("OK".to_owned()));
    ends_well(&replica);
    eventually("its replica follows", || {
        (second.cli().ask("EXISTS crowd").number() == 0).then_some(())
    });
}

/// The end of the first life must be heard before what the second one holds, although the end of
/// a lease is a thing that waits while clients are paused.
#[test]
fn a_lease_that_ends_in_a_transaction_that_pauses_ends_before_its_next_life() {
    let mut master = Redis::with(&["enable-debug-command yes"]);
    let replica = master.replica();
    let mut cli = master.cli();
    cli.session(
        "
        > PRESENCE.LEASE KEEP n1 PX 60000
        [<n>, 1, 0, 0]
        > PRESENCE.ADD room old ann LEASE n1 NOTIFY
        1
        > MULTI
        OK
        > CLIENT PAUSE 60000 WRITE
        QUEUED
        > PRESENCE.LEASE DROP n1
        QUEUED
        > PRESENCE.LEASE KEEP n1 PX 60000
        QUEUED
        > PRESENCE.ADD room new bob LEASE n1 NOTIFY
        QUEUED
        > EXEC
        [OK, 1, [<n>, 1, 0, 0], 1]
        > PRESENCE.LEASE LIST
        [[\"n1\", 60000, <n>, 1, 0]]
        ",
    );
    are_equal(&master, &[&replica], 1, &["room"]);
    master.kill();
    let mut copy = replica.cli();
    assert_eq!(copy.ask("REPLICAOF NO ONE"), Reply::Status("OK".to_owned()));
    eventually("the old one leaves", || {
        let room = copy.ask("PRESENCE.GET room").to_string();
        (room == r#"[["new", "bob", nil, nil]]"#).then_some(())
    });
    let kept = copy.ask("PRESENCE.LEASE KEEP n1 PX 60000").to_string();
    assert!(kept.ends_with(", 0, 1, 0]"), "{kept}");
}
