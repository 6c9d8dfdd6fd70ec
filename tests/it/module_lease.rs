//! Leases: one name and one renewal for everything a server holds.

use std::time::Duration;

use rollcall_tests::{Redis, Resp, eventually, within};

fn keep(cli: &mut Resp, node: &str) -> Vec<i64> {
    let reply = cli.ask(&format!("PRESENCE.LEASE KEEP {node} PX 60000")).array();
    reply.iter().map(rollcall_tests::Reply::number).collect()
}

#[test]
fn a_lease_counts_what_it_holds() {
    Redis::start().cli().session(
        r#"
        > PRESENCE.LEASE KEEP n1 PX 60000
        [<n>, 1, 0, 0]
        > PRESENCE.LEASE KEEP n1 PX 60000
        [<n>, 0, 0, 0]
        > PRESENCE.ADD room c1 ann LEASE n1
        1
        > PRESENCE.ADD hall c1 ann LEASE n1
        1
        > SELECT 1
        OK
        > PRESENCE.ADD room c2 bob LEASE n1
        1
        > USERSTATUS.ONLINE book LEASE n1 EX 60 ann
        1
        > PRESENCE.LEASE KEEP n1 PX 50000
        [<n>, 0, 3, 1]
        > PRESENCE.LEASE LIST
        [["n1", 50000, <n>, 3, 1]]
        > PRESENCE.REM room c2
        1
        > PRESENCE.LEASE KEEP n1 PX 50000
        [<n>, 0, 2, 1]
        > SELECT 0
        OK
        > PRESENCE.ADD room c1 ann EX 60
        0
        > DEL hall
        1
        > PRESENCE.LEASE KEEP n1 PX 50000
        [<n>, 0, 0, 1]
        "#,
    );
}

#[test]
fn nothing_can_be_held_without_a_lease() {
    Redis::start().cli().session(
        r"
        > PRESENCE.ADD room c1 ann LEASE n1
        !NOLEASE <*>
        > PRESENCE.ADD room c1 ann LEASE ''
        !ERR <*>node<*>
        > PRESENCE.ADD room c1 ann LEASE n1 EX 60
        !ERR <*>
        > PRESENCE.LEASE KEEP n1
        !ERR <*>
        > PRESENCE.LEASE KEEP n1 PX 0
        !ERR <*>
        > PRESENCE.LEASE KEEP n1 EX 10
        !ERR <*>
        > PRESENCE.LEASE
        !ERR <*>
        > PRESENCE.LEASE STEAL n1
        !ERR <*>
        > PRESENCE.LEASE DROP n1
        0
        > PRESENCE.LEASE LIST
        []
        > EXISTS room
        0
        ",
    );
}

#[test]
fn everything_held_leaves_when_the_lease_is_not_renewed() {
    let redis = Redis::start();
    let mut cli = redis.cli();
    let mut listener = redis.listener("room");
    cli.ask("PRESENCE.LEASE KEEP n1 PX 1000");
    cli.ask("PRESENCE.LEASE KEEP n2 PX 60000");
    for n in 0..100 {
        cli.ask(&format!("PRESENCE.ADD room a{n} ann LEASE n1 NOTIFY"));
    }
    cli.ask("PRESENCE.ADD room quiet ann LEASE n1");
    cli.ask("PRESENCE.ADD room b1 bob LEASE n2 NOTIFY");
    for _ in 0..101 {
        assert_eq!(listener.event()["t"], "join");
    }
    let mut left = Vec::new();
    for _ in 0..100 {
        let event = listener.event();
        assert_eq!((&event["t"], &event["why"]), (&"leave".into(), &"lease".into()), "{event}");
        left.push(event["info"]["client"].as_str().unwrap().to_owned());
    }
    left.sort();
    left.dedup();
    assert_eq!(left.len(), 100, "a leave each, once");
    eventually("only what n2 holds is left", || {
        let room = cli.ask("PRESENCE.GET room").to_string();
        (room == r#"[["b1", "bob", nil, nil]]"#).then_some(())
    });
    listener.hears_nothing();
}

#[test]
fn a_lease_ends_on_time() {
    let redis = Redis::start();
    let mut cli = redis.cli();
    cli.ask("PRESENCE.LEASE KEEP n1 PX 500");
    cli.ask("PRESENCE.ADD room c1 ann LEASE n1");
    let end = Duration::from_millis(1500);
    within(end, "the client leaves", || (cli.ask("EXISTS room").number() == 0).then_some(()));
}

#[test]
fn dropping_a_lease_lets_everything_go_with_events() {
    let redis = Redis::start();
    let mut cli = redis.cli();
    let mut listener = redis.listener("room");
    cli.session(
        r"
        > PRESENCE.LEASE KEEP n1 PX 60000
        [<n>, 1, 0, 0]
        > PRESENCE.ADD room c1 ann LEASE n1 NOTIFY
        1
        > PRESENCE.LEASE DROP n1
        1
        > PRESENCE.LEASE DROP n1
        0
        > PRESENCE.ADD room c2 ann LEASE n1
        !NOLEASE <*>
        ",
    );
    listener.hears(
        r#"
        {"t":"join","seq":"<1>","prev":0,"clients":1,"users":1,"first":true,"info":{"user":"ann","client":"c1"}}
        {"t":"leave","seq":"<2>","prev":"<1>","clients":0,"users":0,"last":true,"why":"lease","info":{"user":"ann","client":"c1"}}
        "#,
    );
}

#[test]
fn a_new_life_of_a_name_revives_nothing() {
    let redis = Redis::start();
    let mut cli = redis.cli();
    let mut listener = redis.listener("room");
    keep(&mut cli, "n1");
    for n in 0..2000 {
        cli.ask(&format!("PRESENCE.ADD room c{n} u{n} LEASE n1 NOTIFY"));
    }
    cli.ask("PRESENCE.LEASE DROP n1");
    assert_eq!(keep(&mut cli, "n1")[1..], [1, 0, 0], "fresh, and counts from 0");
    cli.ask("PRESENCE.ADD room c0 u0 LEASE n1 NOTIFY");
    eventually("only the new life's entry is left", || {
        (cli.ask("PRESENCE.GET room").to_string() == r#"[["c0", "u0", nil, nil]]"#).then_some(())
    });
    assert_eq!(keep(&mut cli, "n1")[1..], [0, 1, 0]);
    let leaves = (0..4001).map(|_| listener.event()).filter(|event| event["t"] == "leave").count();
    assert_eq!(leaves, 2000, "2000 joins, 2000 leaves, and one join of the new life");
    listener.hears_nothing();
}

#[test]
fn the_epoch_changes_when_data_may_be_lost() {
    let mut redis = Redis::start();
    let mut cli = redis.cli();
    let first = keep(&mut cli, "n1")[0];
    assert_eq!(keep(&mut cli, "n1")[0], first);
    assert!((0..1 << 53).contains(&first), "a JSON number: {first}");
    let mut epochs = vec![first];
    for command in ["FLUSHALL", "FLUSHDB", "SWAPDB 0 1"] {
        cli.ask("PRESENCE.ADD room c1 ann LEASE n1");
        cli.ask(command);
        let reply = keep(&mut cli, "n1");
        assert_eq!(reply[1], 0, "{command} ends no lease");
        epochs.push(reply[0]);
    }
    redis.restart();
    epochs.push(keep(&mut redis.cli(), "n1")[0]);
    epochs.sort_unstable();
    epochs.dedup();
    assert_eq!(epochs.len(), 5);
}

#[test]
fn a_flush_leaves_the_lease_with_nothing_to_count() {
    let redis = Redis::start();
    let mut cli = redis.cli();
    keep(&mut cli, "n1");
    cli.ask("PRESENCE.ADD room c1 ann LEASE n1");
    cli.ask("USERSTATUS.ONLINE book LEASE n1 EX 60 ann");
    assert_eq!(keep(&mut cli, "n1")[1..], [0, 1, 1]);
    cli.ask("FLUSHALL");
    assert_eq!(keep(&mut cli, "n1")[1..], [0, 0, 0]);
}
