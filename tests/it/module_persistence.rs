//! A restart keeps rosters and statuses, however they were written to disk.

use rollcall_tests::{Redis, Reply, Resp, eventually};

fn fill(cli: &mut Resp) {
    cli.session(
        r#"
        > PRESENCE.LEASE KEEP n1 PX 5000
        [<n>, 1, 0, 0]
        > PRESENCE.ADD room c1 ann CONNINFO '{"n":1}' LEASE n1 NOTIFY
        1
        > PRESENCE.ADD room c2 bob CHANINFO 2 EX 600 NOTIFY
        1
        > PRESENCE.ADD room c3 "" EX 600
        1
        > USERSTATUS.TOUCH book EX 600 ann bob
        2
        > USERSTATUS.ONLINE book LEASE n1 EX 600 ann carl
        2
        > USERSTATUS.OFFLINE book LEASE n1 EX 600 carl
        1
        "#,
    );
    for n in 0..300 {
        let notify = if n == 0 { "NOTIFY" } else { "" };
        cli.ask(&format!("PRESENCE.ADD crowd c{n} u{} CONNINFO {n} EX 600 {notify}", n % 9));
    }
}

/// Everything that a restart must not change.
fn seen(cli: &mut Resp) -> String {
    let mut members = cli.ask("PRESENCE.GET room").array();
    members.extend(cli.ask("PRESENCE.GET crowd").array());
    members.sort_by_key(ToString::to_string);
    let stats = cli.ask("PRESENCE.STATS room crowd");
    let statuses = cli.ask("USERSTATUS.GET book bob carl");
    format!("{} {stats} {statuses}", Reply::Array(members))
}

fn survives_a_restart(options: &[&str], before: impl FnOnce(&mut Resp)) {
    let mut redis = Redis::with(options);
    let mut cli = redis.cli();
    fill(&mut cli);
    before(&mut cli);
    let expected = seen(&mut cli);
    redis.restart();
    let mut cli = redis.cli();
    let mut listener = redis.listener("room");
    assert_eq!(seen(&mut cli), expected);
    cli.session(
        r#"
        > PRESENCE.LEASE LIST
        [["n1", 5000, <n>, 1, 1]]
        > PRESENCE.LEASE KEEP n1 PX 5000
        [<n>, 0, 1, 1]
        > USERSTATUS.GET book ann
        [[<n>, <n>]]
        > PRESENCE.REM room c2
        1
        "#,
    );
    // What was announced before the restart still is, and c1 has lost nothing.
    listener.hears(
        r#"
        {"t":"leave","seq":"<1>","prev":"<0>","clients":2,"users":2,"last":true,"why":"removed","info":{"user":"bob","client":"c2","chan_info":2}}
        "#,
    );
    assert!(listener.number("1") > listener.number("0"));
}

#[test]
fn a_restart_with_rdb_keeps_everything() {
    survives_a_restart(&["save 3600 1"], |_| {});
}

#[test]
fn a_restart_with_aof_keeps_everything() {
    survives_a_restart(&["appendonly yes"], |_| {});
}

#[test]
fn a_restart_with_a_rewritten_aof_keeps_everything() {
    survives_a_restart(&["appendonly yes", "aof-use-rdb-preamble yes"], rewrite);
}

#[test]
fn a_restart_with_an_aof_rewritten_as_commands_keeps_everything() {
    survives_a_restart(&["appendonly yes", "aof-use-rdb-preamble no"], rewrite);
}

fn rewrite(cli: &mut Resp) {
    let rewriting = cli.ask("BGREWRITEAOF").to_string();
    assert!(rewriting.starts_with("Background"), "{rewriting}");
    eventually("the AOF is rewritten", || {
        let info = cli.ask("INFO persistence").text();
        let done = [
            "aof_rewrite_in_progress:0",
            "aof_rewrite_scheduled:0",
            "aof_last_bgrewrite_status:ok",
        ];
        done.iter().all(|line| info.contains(line)).then_some(())
    });
}

#[test]
fn a_crash_with_aof_keeps_what_was_written() {
    let mut redis = Redis::with(&["appendonly yes", "appendfsync always"]);
    let mut cli = redis.cli();
    fill(&mut cli);
    let expected = seen(&mut cli);
    redis.kill();
    redis.run();
    assert_eq!(seen(&mut redis.cli()), expected);
}

#[test]
fn an_entry_that_came_due_while_the_server_was_down_leaves_after_the_start() {
    let mut redis = Redis::with(&["save 3600 1"]);
    let mut cli = redis.cli();
    cli.ask("PRESENCE.ADD room c1 ann PX 300 NOTIFY");
    cli.ask("PRESENCE.ADD room c2 bob EX 600 NOTIFY");
    redis.restart();
    let mut cli = redis.cli();
    eventually("the due entry goes", || {
        let room = cli.ask("PRESENCE.GET room").to_string();
        (room == r#"[["c2", "bob", nil, nil]]"#).then_some(())
    });
}

#[test]
fn a_lease_that_nobody_renews_after_a_restart_has_its_grace_and_then_ends() {
    let mut redis = Redis::with(&["save 3600 1"]);
    let mut cli = redis.cli();
    cli.ask("PRESENCE.LEASE KEEP n1 PX 500");
    cli.ask("PRESENCE.ADD room c1 ann LEASE n1 NOTIFY");
    redis.restart();
    let mut cli = redis.cli();
    let left = cli.ask("PRESENCE.LEASE LIST").array().remove(0).array()[2].number();
    assert!(left > 5000, "the grace is 10 s: {left}");
    cli.session(
        "
        > CONFIG GET rollcall.lease-grace-ms
        [\"rollcall.lease-grace-ms\", \"10000\"]
        > PRESENCE.LEASE DROP n1
        1
        ",
    );
    eventually("its entry goes", || (cli.ask("EXISTS room").number() == 0).then_some(()));
}
