//! `INFO rollcall`: every field is what is, or what happened.

use std::collections::BTreeMap;

use rollcall_tests::{Redis, Resp, eventually};

type Fields = BTreeMap<String, String>;

fn fields(redis: &Redis) -> Fields {
    let info = redis.cli().ask("INFO rollcall").text();
    let lines = info.lines().filter_map(|line| line.strip_prefix("rollcall_")?.split_once(':'));
    lines.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect()
}

fn number(redis: &Redis, name: &str) -> u64 {
    fields(redis)[name].parse().unwrap_or_else(|_| panic!("{name} is not a number"))
}

fn are(redis: &Redis, expected: &[(&str, u64)]) {
    let fields = fields(redis);
    for (name, value) in expected {
        assert_eq!(fields[*name], value.to_string(), "{name} in {fields:#?}");
    }
}

fn ask_all(cli: &mut Resp, commands: &[&str]) {
    for command in commands {
        let reply = cli.ask(command);
        assert!(!reply.to_string().starts_with('!'), "{command}: {reply}");
    }
}

#[test]
fn the_fields_are_those_of_the_documentation() {
    let redis = Redis::start();
    redis.cli().ask("PRESENCE.LEASE KEEP n1 PX 60000");
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/module.md");
    let text = std::fs::read_to_string(path).expect("the documentation");
    let section = text.split("### INFO").nth(1).expect("a section").split("###").next();
    let rows = section.expect("its text").lines().filter_map(|line| line.strip_prefix("| `"));
    let cells = rows.filter_map(|row| row.split_once(" | ").map(|(cell, _)| format!("`{cell}")));
    let mut documented: Vec<String> = cells
        .flat_map(|cell| {
            let names = cell.split('`').skip(1).step_by(2);
            names.map(str::to_owned).collect::<Vec<_>>()
        })
        // One lease, one line.
        .filter(|name| name != "lease_1")
        .collect();
    documented.sort();
    let there: Vec<String> = fields(&redis).into_keys().collect();
    assert_eq!(there, documented);
}

#[test]
fn what_is_there_is_counted_in_all_databases() {
    let redis = Redis::start();
    let mut cli = redis.cli();
    let mut other = redis.cli();
    ask_all(
        &mut cli,
        &[
            "PRESENCE.LEASE KEEP n1 PX 60000",
            "PRESENCE.ADD room c1 ann LEASE n1 NOTIFY",
            "PRESENCE.ADD room c2 ann EX 600",
            "PRESENCE.ADD room c3 '' EX 600",
            "USERSTATUS.TOUCH book EX 600 ann bob",
            "USERSTATUS.ONLINE book LEASE n1 EX 600 ann carl",
        ],
    );
    ask_all(&mut other, &["SELECT 3", "PRESENCE.ADD room c1 ann LEASE n1 NOTIFY"]);
    let all = [("rosters", 2), ("members", 4), ("users", 3), ("books", 1), ("statuses", 3)];
    are(&redis, &all);
    are(&redis, &[("leases", 1), ("leases_ended", 0), ("entries_due", 0)]);
    ask_all(&mut cli, &["COPY room hall", "COPY book book2", "DEL room"]);
    are(&redis, &[("rosters", 2), ("members", 4), ("users", 3), ("books", 2), ("statuses", 6)]);
    ask_all(&mut cli, &["FLUSHDB"]);
    are(&redis, &[("rosters", 1), ("members", 1), ("users", 1), ("books", 0), ("statuses", 0)]);
    ask_all(&mut other, &["PRESENCE.REM room c1"]);
    are(&redis, &[("rosters", 0), ("members", 0), ("users", 0)]);
}

#[test]
fn what_happened_is_counted_by_its_reason() {
    let redis = Redis::start();
    let mut cli = redis.cli();
    let mut listener = redis.listener("room");
    ask_all(
        &mut cli,
        &[
            "PRESENCE.LEASE KEEP n1 PX 60000",
            "PRESENCE.ADD room c1 ann LEASE n1 NOTIFY",
            "PRESENCE.ADD room c1 ann LEASE n1 NOTIFY",
            "PRESENCE.ADD room c1 ann CONNINFO 1 LEASE n1",
            "PRESENCE.ADD room c1 bob LEASE n1",
            "PRESENCE.ADD room c2 ann PX 300 NOTIFY",
            "PRESENCE.ADD room c3 ann EX 600",
            "PRESENCE.REM room c3 nobody",
            "PRESENCE.LEASE DROP n1",
        ],
    );
    eventually("all leave", || (number(&redis, "members") == 0).then_some(()));
    // c1 as ann, c1 as bob, c2 and c3; c3 was not announced.
    are(&redis, &[("joins", 4), ("leaves_removed", 2), ("leaves_expired", 1), ("leaves_lease", 1)]);
    are(&redis, &[("leases", 0), ("leases_ended", 1), ("resets", 0), ("events_published", 7)]);
    let events = listener.so_far();
    assert_eq!(events.len(), 7, "{events:#?}");
    let highest = events.last().and_then(|event| event["seq"].as_u64());
    assert_eq!(Some(number(&redis, "seq")), highest);
    ask_all(&mut cli, &["PRESENCE.ADD room c1 ann EX 600 NOTIFY", "DEL room"]);
    eventually("the reset is published", || (number(&redis, "resets") == 1).then_some(()));
    are(&redis, &[("joins", 5), ("events_published", 9)]);
    assert_eq!(listener.so_far().len(), 2);
}

#[test]
fn leases_are_shown_with_what_they_hold_and_their_age() {
    let redis = Redis::start();
    let mut cli = redis.cli();
    let epoch = cli.ask("PRESENCE.LEASE KEEP n1 PX 60000").array()[0].number();
    assert_eq!(fields(&redis)["epoch"], epoch.to_string());
    cli.ask("PRESENCE.ADD room c1 ann LEASE n1");
    cli.ask("USERSTATUS.ONLINE book LEASE n1 EX 600 ann bob");
    cli.call(&["PRESENCE.LEASE", "KEEP", "odd\r\nname,px=1", "PX", "50000"]);
    let lease = |number: usize| -> Fields {
        let fields = fields(&redis);
        let parts = fields[&format!("lease_{number}")].split(',');
        let parts = parts.map(|part| part.split_once('=').expect("a name and a value"));
        parts.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    };
    let n1 = lease(0);
    let expected = [("node", "n1"), ("px", "60000"), ("entries", "1"), ("users", "2")];
    for (name, value) in expected {
        assert_eq!(n1[name], value, "{name} in {n1:?}");
    }
    assert_eq!(lease(1)["node"], "odd??name?px=1", "nobody writes lines of INFO");
    let of = |lease: &Fields, name: &str| lease[name].parse::<u64>().expect("milliseconds");
    eventually("it ages", || {
        let now = lease(0);
        let aged = of(&now, "age_ms") > of(&n1, "age_ms") + 200;
        (aged && of(&now, "left_ms") < of(&n1, "left_ms")).then_some(())
    });
    let aged = of(&lease(0), "age_ms");
    cli.ask("PRESENCE.LEASE KEEP n1 PX 60000");
    let renewed = lease(0);
    assert!(of(&renewed, "age_ms") >= aged && of(&renewed, "left_ms") > 59_000, "{renewed:?}");
}

#[test]
fn due_entries_and_slices_are_counted_until_they_are_done() {
    let redis = Redis::start();
    let mut cli = redis.cli();
    cli.ask("PRESENCE.LEASE KEEP n1 PX 60000");
    for n in 0..500 {
        cli.ask(&format!("PRESENCE.ADD room c{n} ann LEASE n1"));
    }
    cli.ask("USERSTATUS.ONLINE book LEASE n1 EX 600 ann bob carl");
    let before = number(&redis, "slices");
    // Nothing leaves while clients are paused.
    cli.ask("MULTI");
    cli.ask("PRESENCE.LEASE DROP n1");
    cli.ask("CLIENT PAUSE 60000 WRITE");
    cli.ask("EXEC");
    are(&redis, &[("entries_due", 503), ("members", 500), ("leases", 0), ("slices", before)]);
    cli.ask("CLIENT UNPAUSE");
    eventually("they leave", || (number(&redis, "entries_due") == 0).then_some(()));
    are(&redis, &[("members", 0), ("statuses", 3), ("leaves_lease", 500)]);
    assert!(number(&redis, "slices") > before);
    let longest = number(&redis, "slice_max_us");
    assert!((1..1_000_000).contains(&longest), "{longest}");
}
