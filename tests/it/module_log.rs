//! What the module tells an operator in the server's log.

use rollcall_tests::{Redis, eventually};

/// Waits for a line with all of `parts`, at the level that `mark` stands for in the server's log.
fn logs(redis: &Redis, mark: char, parts: &[&str]) {
    let what = format!("a line with {mark} and {parts:?}");
    eventually(&what, || {
        let log = redis.log();
        let mut lines = log.lines().filter(|line| line.contains(&format!(" {mark} <rollcall> ")));
        lines.any(|line| parts.iter().all(|part| line.contains(part))).then_some(())
    });
}

/// How many lines the module wrote.
fn lines(redis: &Redis) -> Vec<String> {
    let log = redis.log();
    log.lines().filter(|line| line.contains("<rollcall>")).map(str::to_owned).collect()
}

fn epoch(redis: &Redis) -> String {
    format!("the epoch is {} now", redis.info("rollcall_epoch"))
}

#[test]
fn a_lease_that_nobody_renews_is_one_line_and_a_dropped_one_is_none() {
    let redis = Redis::start();
    let mut cli = redis.cli();
    cli.call(&["PRESENCE.LEASE", "KEEP", "web-1\r\n%s", "PX", "60000"]);
    cli.ask("PRESENCE.LEASE KEEP web-2 PX 60000");
    for n in 0..100 {
        let client = format!("c{n}");
        let add = ["PRESENCE.ADD", "room", &client, "ann", "LEASE", "web-1\r\n%s", "NOTIFY"];
        assert_eq!(cli.call(&add).number(), 1);
        cli.ask(&format!("PRESENCE.ADD room d{n} bob LEASE web-2 NOTIFY"));
    }
    cli.call(&["USERSTATUS.ONLINE", "book", "LEASE", "web-1\r\n%s", "EX", "600", "ann"]);
    cli.ask("PRESENCE.LEASE DROP web-2");
    cli.call(&["PRESENCE.LEASE", "KEEP", "web-1\r\n%s", "PX", "300"]);
    let held = "held 100 entries and 1 user online";
    logs(&redis, '#', &["node 'web-1??%s' ended", "not renewed for 300 ms", held]);
    eventually("all have left", || (redis.info("rollcall_members") == "0").then_some(()));
    assert_eq!(lines(&redis).len(), 1, "{:#?}", lines(&redis));
}

#[test]
fn leases_that_end_together_do_not_fill_the_log() {
    let redis = Redis::start();
    let mut cli = redis.cli();
    cli.ask("MULTI");
    for n in 0..500 {
        cli.ask(&format!("PRESENCE.LEASE KEEP n{n} PX 500"));
    }
    cli.ask("EXEC");
    eventually("they end", || (redis.info("rollcall_leases") == "0").then_some(()));
    logs(&redis, '#', &["more leases ended at the same time"]);
    assert!(lines(&redis).len() < 100, "{:#?}", lines(&redis));
}

#[test]
fn a_new_epoch_is_told_with_its_reason() {
    let mut redis = Redis::with(&["appendonly yes"]);
    let mut cli = redis.cli();
    cli.ask("FLUSHALL");
    assert_eq!(lines(&redis), [""; 0], "nobody was there");
    cli.ask("PRESENCE.LEASE KEEP n1 PX 60000");
    cli.ask("PRESENCE.ADD room c1 ann LEASE n1 NOTIFY");
    cli.ask("USERSTATUS.TOUCH book EX 600 ann");
    cli.ask("FLUSHDB");
    logs(&redis, '*', &["database 0 was flushed, with 1 roster and 1 book", &epoch(&redis)]);
    cli.ask("FLUSHALL");
    logs(&redis, '*', &["all databases were flushed, with 0 rosters and 0 books", &epoch(&redis)]);
    cli.ask("SWAPDB 0 3");
    logs(&redis, '*', &["databases 0 and 3 were swapped", &epoch(&redis)]);
    cli.ask("PRESENCE.ADD room c1 ann LEASE n1 NOTIFY");
    assert_eq!(lines(&redis).len(), 3, "{:#?}", lines(&redis));
    cli.ask("CONFIG SET rollcall.lease-grace-ms 20000");
    cli.ask("CLIENT PAUSE 200 WRITE");
    logs(&redis, '*', &["paused no more: 1 lease has at least 20000 ms to be renewed"]);
    redis.restart();
    logs(&redis, '*', &["data was loaded", &epoch(&redis), "1 lease has at least 10000 ms"]);
    assert_eq!(lines(&redis).len(), 5, "{:#?}", lines(&redis));
}

#[test]
fn a_promotion_is_told_with_the_grace_it_gives() {
    let master = Redis::start();
    let replica = master.replica();
    let mut cli = master.cli();
    for node in ["n1", "n2"] {
        cli.ask(&format!("PRESENCE.LEASE KEEP {node} PX 60000"));
    }
    eventually("the replica knows", || (replica.info("rollcall_leases") == "2").then_some(()));
    cli.ask("FLUSHALL");
    replica.cli().ask("REPLICAOF NO ONE");
    let grace = "2 leases have at least 10000 ms to be renewed";
    logs(&replica, '*', &["this is a master now", &epoch(&replica), grace]);
    let of_flush = lines(&replica).into_iter().filter(|line| line.contains("flushed"));
    assert_eq!(of_flush.count(), 0, "its master says that: {:#?}", lines(&replica));
    replica.cli().ask(&format!("REPLICAOF 127.0.0.1 {}", master.port()));
    logs(&replica, '*', &["this is a replica now"]);
}
