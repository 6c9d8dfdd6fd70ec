//! Leases are few, whatever a client that may only keep them, or only restore keys, does.

use rollcall_tests::dump::crc64;
use rollcall_tests::{Redis, Reply, Resp, Server, eventually, stack};
use serde_json::json;

const CAP: &str = "rollcall.max-leases 3";

fn keep(cli: &mut Resp, node: &str) -> Reply {
    cli.call(&["PRESENCE.LEASE", "KEEP", node, "PX", "60000"])
}

fn nodes(cli: &mut Resp) -> Vec<String> {
    let list = cli.ask("PRESENCE.LEASE LIST").array().into_iter();
    list.map(|lease| lease.array()[0].text()).collect()
}

/// Sends many renewals in one go; the replies that are errors.
fn keep_many(cli: &mut Resp, names: impl Iterator<Item = (String, u64)>) -> Vec<String> {
    let names: Vec<_> = names.collect();
    let mut errors = Vec::new();
    for some in names.chunks(500) {
        for (node, px) in some {
            cli.send(&["PRESENCE.LEASE", "KEEP", node, "PX", &px.to_string()]).expect("it reads");
        }
        for _ in some {
            if let Reply::Error(text) = cli.read().expect("it answers") {
                errors.push(text);
            }
        }
    }
    errors
}

fn used_memory(redis: &Redis) -> u64 {
    redis.info("used_memory").parse().expect("bytes")
}

#[test]
fn one_lease_too_many_is_refused_and_those_there_are_renewed() {
    let redis = Redis::with(&[CAP]);
    redis.cli().session(
        r#"
        > PRESENCE.LEASE KEEP n1 PX 60000
        [<n>, 1, 0, 0]
        > PRESENCE.LEASE KEEP n2 PX 60000
        [<n>, 1, 0, 0]
        > PRESENCE.LEASE KEEP n3 PX 60000
        [<n>, 1, 0, 0]
        > PRESENCE.LEASE KEEP n4 PX 60000
        !ERR too many leases: rollcall.max-leases is 3
        > PRESENCE.ADD room c1 ann LEASE n4
        !NOLEASE <*>
        > PRESENCE.LEASE KEEP n3 PX 50000
        [<n>, 0, 0, 0]
        > PRESENCE.LEASE DROP n1
        1
        > PRESENCE.LEASE KEEP n4 PX 60000
        [<n>, 1, 0, 0]
        > CONFIG SET rollcall.max-leases 4
        OK
        > PRESENCE.LEASE KEEP n5 PX 60000
        [<n>, 1, 0, 0]
        > CONFIG SET rollcall.max-leases 1
        OK
        > PRESENCE.LEASE KEEP n5 PX 60000
        [<n>, 0, 0, 0]
        > PRESENCE.LEASE KEEP n6 PX 60000
        !ERR too many leases: rollcall.max-leases is 1
        > CONFIG SET rollcall.max-leases 0
        !ERR <*>between 1 and 100000<*>
        > CONFIG SET rollcall.max-leases 100001
        !ERR <*>between 1 and 100000<*>
        > CONFIG GET rollcall.max-leases
        ["rollcall.max-leases", "1"]
        "#,
    );
    assert_eq!(nodes(&mut redis.cli()), ["n2", "n3", "n4", "n5"]);
    assert_eq!(redis.info("rollcall_leases_refused"), "2");
    let told = redis.log().lines().filter(|line| line.contains("a lease was refused")).count();
    assert_eq!(told, 1, "once a minute");
}

#[test]
fn a_user_who_may_only_keep_leases_cannot_fill_the_memory() {
    const MOST: u64 = 16 << 20;
    let redis = Redis::start();
    redis.cli().ask("ACL SETUSER node on >secret +presence.lease|keep");
    let mut node = redis.cli();
    node.ask("AUTH node secret");
    let before = used_memory(&redis);
    let long = "n".repeat(248);
    // Of 255 bytes each.
    let errors = keep_many(&mut node, (0..30_000).map(|n| (format!("{long}{n:07}"), 86_400_000)));
    assert_eq!(errors.len(), 20_000);
    assert_eq!(errors[0], "ERR too many leases: rollcall.max-leases is 10000");
    let taken = used_memory(&redis) - before;
    assert!(taken < MOST, "{taken} bytes");
    assert_eq!(nodes(&mut redis.cli()).len(), 10_000, "all of them can be listed at once");
    let info = redis.cli().ask("INFO rollcall").text();
    assert!(info.contains("rollcall_leases:10000"), "{info}");
    let listed = info.lines().filter(|line| line.starts_with("rollcall_lease_")).count();
    assert_eq!(listed, 100);
    // Short lives are no way around it.
    for _ in 0..20 {
        keep_many(&mut node, (0..10_000).map(|n| (format!("{long}{n:07}"), 1)));
    }
    let taken = used_memory(&redis).saturating_sub(before);
    assert!(taken < MOST, "{taken} bytes");
    eventually("all end", || (redis.info("rollcall_leases") == "0").then_some(()));
    let lines = redis.log().lines().filter(|line| line.contains("<rollcall>")).count();
    assert!(lines < 1000, "{lines} lines in the log");
}

#[test]
fn leases_that_are_renewed_while_clients_are_paused_are_told_once() {
    let redis = Redis::start();
    let replica = redis.replica();
    let mut cli = redis.cli();
    cli.ask("CLIENT PAUSE 60000 WRITE");
    let before = used_memory(&redis);
    let errors = keep_many(&mut cli, (1..=100_000).map(|px| ("n".repeat(255), px + 10_000)));
    assert_eq!(errors, [""; 0]);
    let taken = used_memory(&redis).saturating_sub(before);
    assert!(taken < 8 << 20, "{taken} bytes wait for the replica");
    cli.ask("CLIENT UNPAUSE");
    eventually("the replica knows it as it is", || {
        let list = replica.cli().ask("PRESENCE.LEASE LIST").array();
        (list.first()?.clone().array()[1].number() == 110_000).then_some(())
    });
}

#[test]
fn many_leases_begun_while_clients_are_paused_are_all_told() {
    let redis = Redis::start();
    let replica = redis.replica();
    let mut cli = redis.cli();
    cli.ask("CLIENT PAUSE 60000 WRITE");
    keep_many(&mut cli, (0..5000).map(|n| (format!("n{n}"), 600_000)));
    assert_eq!(replica.info("rollcall_leases"), "0");
    cli.ask("CLIENT UNPAUSE");
    eventually("the replica knows all", || {
        (replica.info("rollcall_leases") == "5000").then_some(())
    });
}

#[test]
fn leases_that_end_together_let_everything_go() {
    let redis = Redis::start();
    let mut cli = redis.cli();
    let mut listener = redis.listener("room");
    keep_many(&mut cli, (0..2000).map(|n| (format!("n{n}"), 60_000)));
    for n in 0..2000 {
        cli.ask(&format!("PRESENCE.ADD room c{n} ann LEASE n{n} NOTIFY"));
    }
    keep_many(&mut cli, (0..2000).map(|n| (format!("n{n}"), 300)));
    let leaves = (0..4000).map(|_| listener.event()).filter(|event| event["t"] == "leave").count();
    assert_eq!(leaves, 2000);
    assert_eq!(redis.info("rollcall_leases_ended"), "2000");
    assert_eq!(redis.info("rollcall_entries_due"), "0");
    let lines = redis.log().lines().filter(|line| line.contains("<rollcall>")).count();
    assert!(lines < 200, "{lines} lines in the log");
}

#[test]
fn pages_have_each_lease_once() {
    let mut redis = Redis::start();
    let mut cli = redis.cli();
    keep_many(&mut cli, (0..250).map(|n| (format!("n{n}"), 60_000)));
    let (mut cursor, mut seen, mut pages) = (String::from("0"), Vec::new(), 0);
    loop {
        let mut page = cli.ask(&format!("PRESENCE.LEASE LIST {cursor} COUNT 60")).array();
        let leases = page.pop().expect("leases").array();
        cursor = page.pop().expect("a cursor").text();
        assert!(leases.len() <= 60);
        seen.extend(leases.into_iter().map(|lease| lease.array()[0].text()));
        pages += 1;
        // One comes, one that was shown goes, and one that was not.
        if pages == 2 {
            keep(&mut cli, "late");
            cli.ask("PRESENCE.LEASE DROP n0");
            cli.ask("PRESENCE.LEASE DROP n249");
        }
        if cursor == "0" {
            break;
        }
    }
    let mut expected: Vec<String> = (0..249).map(|n| format!("n{n}")).collect();
    expected.push(String::from("late"));
    assert_eq!((seen, pages), (expected, 5), "oldest first");
    let first = cli.ask("PRESENCE.LEASE LIST 0 COUNT 1").array()[0].text();
    assert_eq!(cli.ask("PRESENCE.LEASE LIST 0").array()[1].clone().array().len(), 100);
    redis.restart();
    redis.cli().session(&format!(
        "
        > PRESENCE.LEASE LIST {first}
        !BADCURSOR <*>
        > PRESENCE.LEASE LIST 0
        [\"0\", []]
        > PRESENCE.LEASE LIST
        []
        > PRESENCE.LEASE LIST all
        !ERR cursor <*>
        > PRESENCE.LEASE LIST 0 COUNT
        !ERR COUNT <*>
        "
    ));
}

#[test]
fn more_leases_than_a_page_can_hold_are_listed_with_a_cursor_only() {
    let redis = Redis::with(&["rollcall.max-leases 20000"]);
    let mut cli = redis.cli();
    assert_eq!(keep_many(&mut cli, (0..10_001).map(|n| (format!("n{n}"), 600_000))), [""; 0]);
    cli.session(
        "
        > PRESENCE.LEASE LIST
        !ERR LIST without a cursor returns at most 10000 leases, and there are 10001<*>
        > PRESENCE.LEASE LIST 0 COUNT 10001
        !ERR COUNT must be at most 10000
        ",
    );
    let page = cli.ask("PRESENCE.LEASE LIST 0 COUNT 10000").array();
    assert_eq!(page[1].clone().array().len(), 10_000);
}

/// A roster, as a server without limits dumps it, whose entries name so many leases.
fn roster_of(leases: usize) -> Vec<u8> {
    let redis = Redis::start();
    let mut cli = redis.cli();
    for n in 0..leases {
        keep(&mut cli, &format!("n{n}"));
        cli.ask(&format!("PRESENCE.ADD room c{n} ann LEASE n{n}"));
        cli.ask(&format!("USERSTATUS.ONLINE book LEASE n{n} EX 60 ann"));
    }
    dump(&mut cli, "room")
}

fn dump(cli: &mut Resp, key: &str) -> Vec<u8> {
    match cli.call(&["DUMP", key]) {
        Reply::Bulk(bytes) => bytes,
        other => panic!("no dump: {other}"),
    }
}

fn restore(cli: &mut Resp, key: &str, dump: &[u8]) -> String {
    cli.call(&[b"RESTORE", key.as_bytes(), b"0", dump]).to_string()
}

#[test]
fn a_payload_may_name_no_more_leases_than_there_is_room_for() {
    let (two, three) = (roster_of(2), roster_of(3));
    let redis = Redis::with(&[CAP]);
    let replica = redis.replica();
    let mut cli = redis.cli();
    keep(&mut cli, "mine");
    assert!(restore(&mut cli, "room", &three).starts_with("!ERR"));
    assert_eq!(nodes(&mut cli), ["mine"], "what was refused leaves nothing");
    assert_eq!(redis.info("rollcall_leases_refused"), "1");
    assert_eq!(restore(&mut cli, "room", &two), "OK");
    assert_eq!(nodes(&mut cli), ["mine", "n0", "n1"]);
    // Those that are there cost nothing.
    assert_eq!(restore(&mut cli, "hall", &two), "OK");
    // A replica believes its master, whatever its own setting says.
    replica.cli().ask("CONFIG SET rollcall.max-leases 1");
    assert_eq!(restore(&mut cli, "attic", &two), "OK");
    cli.ask("CONFIG SET rollcall.max-leases 4");
    assert_eq!(restore(&mut cli, "cellar", &three), "OK");
    eventually("the replica has all", || {
        (nodes(&mut replica.cli()) == ["mine", "n0", "n1", "n2"]).then_some(())
    });
}

#[test]
fn a_record_may_name_no_more_leases_either() {
    let source = Redis::start();
    let mut cli = source.cli();
    for n in 0..9 {
        keep(&mut cli, &format!("n{n}"));
        cli.ask(&format!("USERSTATUS.ONLINE book LEASE n{n} EX 60 ann"));
    }
    let book = dump(&mut cli, "book");
    let redis = Redis::with(&[CAP]);
    let mut cli = redis.cli();
    assert!(restore(&mut cli, "book", &book).starts_with("!ERR"));
    assert_eq!(nodes(&mut cli), [""; 0]);
}

#[test]
fn a_payload_that_does_not_load_leaves_no_lease() {
    let mut broken = roster_of(3);
    // The end of the value is gone: a type, an end mark and the footer are left.
    let footer = broken.split_off(broken.len() - 10);
    broken.truncate(broken.len() - 8);
    broken.extend_from_slice(&footer[..2]);
    let sum = crc64(&broken);
    broken.extend_from_slice(&sum.to_le_bytes());
    let redis = Redis::start();
    let mut cli = redis.cli();
    keep(&mut cli, "mine");
    assert!(restore(&mut cli, "room", &broken).starts_with("!ERR Bad data format"));
    assert_eq!(nodes(&mut cli), ["mine"]);
}

#[test]
fn a_file_may_name_more_leases_than_clients_may_begin() {
    let mut redis = Redis::with(&["appendonly yes"]);
    let mut cli = redis.cli();
    for n in 0..5 {
        keep(&mut cli, &format!("n{n}"));
        cli.ask(&format!("PRESENCE.ADD room c{n} ann LEASE n{n}"));
    }
    cli.ask("CONFIG SET rollcall.max-leases 2");
    cli.ask("CONFIG SET appendfsync always");
    redis.stop();
    redis.run_with(&["rollcall.max-leases 2".to_owned()]);
    let mut cli = redis.cli();
    assert_eq!(nodes(&mut cli).len(), 5);
    assert!(keep(&mut cli, "n0").to_string().ends_with(", 0, 1, 0]"));
    assert_eq!(keep(&mut cli, "n5").to_string(), "!ERR too many leases: rollcall.max-leases is 2");
}

#[test]
fn a_lease_that_holds_nothing_does_not_come_back_from_a_file() {
    let mut redis = Redis::with(&["appendonly yes", "appendfsync always"]);
    let mut cli = redis.cli();
    for node in ["idle", "left", "held"] {
        keep(&mut cli, node);
    }
    cli.ask("PRESENCE.ADD room c1 ann LEASE held");
    cli.ask("PRESENCE.ADD room c2 ann LEASE left");
    cli.ask("PRESENCE.REM room c2");
    redis.restart();
    let mut cli = redis.cli();
    assert_eq!(nodes(&mut cli), ["held"]);
    cli.session(
        r"
        > PRESENCE.ADD room c2 ann LEASE idle
        !NOLEASE <*>
        > PRESENCE.LEASE KEEP left PX 60000
        [<n>, 1, 0, 0]
        > PRESENCE.LEASE KEEP held PX 60000
        [<n>, 0, 1, 0]
        ",
    );
}

#[test]
fn a_rollcall_server_without_a_lease_says_why_and_serves_when_there_is_room() {
    let redis = Redis::with(&["rollcall.max-leases 1"]);
    let mut cli = redis.cli();
    keep(&mut cli, "another");
    let server = Server::listening(stack::on(&redis, json!({})));
    let why = "too many leases: rollcall.max-leases is 1";
    eventually("it says why", || {
        (server.http().get("/ready").status == 503 && server.log().contains(why)).then_some(())
    });
    cli.ask("PRESENCE.LEASE DROP another");
    eventually("it serves", || (server.http().get("/ready").status == 200).then_some(()));
    assert_eq!(nodes(&mut cli).len(), 1);
}
