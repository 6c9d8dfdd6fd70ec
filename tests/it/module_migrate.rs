//! Rosters and books that go from one server to another.

use rollcall_tests::{Redis, Reply, Resp, eventually};

fn fill(cli: &mut Resp) {
    cli.session(
        "
        > PRESENCE.LEASE KEEP n1 PX 30000
        [<n>, 1, 0, 0]
        > PRESENCE.LEASE KEEP n2 PX 40000
        [<n>, 1, 0, 0]
        > PRESENCE.ADD room c1 ann LEASE n1 NOTIFY
        1
        > PRESENCE.ADD room c2 bob LEASE n2 NOTIFY
        1
        > PRESENCE.ADD room c3 carl PX 1000 NOTIFY
        1
        > USERSTATUS.ONLINE book LEASE n1 EX 600 ann
        1
        ",
    );
}

fn migrate(from: &mut Resp, to: &Redis, rest: &str) -> String {
    from.ask(&format!("MIGRATE 127.0.0.1 {} {rest}", to.port())).to_string()
}

/// Node, time, entries and users of each lease.
fn leases(cli: &mut Resp) -> Vec<String> {
    let leases = cli.ask("PRESENCE.LEASE LIST").array().into_iter().map(Reply::array);
    leases.map(|lease| format!("{} {} {} {}", lease[0], lease[1], lease[3], lease[4])).collect()
}

#[test]
fn migrated_rosters_bring_their_leases_and_go_on() {
    let (source, target) = (Redis::start(), Redis::start());
    let (mut from, mut to) = (source.cli(), target.cli());
    fill(&mut from);
    to.ask("PRESENCE.LEASE KEEP n2 PX 50000");
    let mut here = source.listener("room");
    let mut there = target.listener("room");
    assert_eq!(migrate(&mut from, &target, "'' 0 5000 KEYS room book"), "OK");
    assert_eq!(leases(&mut from), ["\"n1\" 30000 0 0", "\"n2\" 40000 0 0"]);
    // n2 was alive and keeps the time it had here.
    assert_eq!(leases(&mut to), ["\"n1\" 30000 1 1", "\"n2\" 50000 1 0"]);
    assert_eq!(here.event()["t"], "reset");
    let reset = there.event();
    assert_eq!(reset["t"], "reset");
    let expired = there.event();
    assert_eq!(
        (&expired["why"], &expired["prev"]),
        (&"expired".into(), &reset["seq"]),
        "{expired}"
    );
    to.ask("PRESENCE.LEASE DROP n1");
    assert_eq!(there.event()["info"]["client"], "c1");
    assert_eq!(to.ask("PRESENCE.GET room").to_string(), r#"[["c2", "bob", nil, nil]]"#);
    eventually("the user is offline", || {
        (target.info("rollcall_entries_due") == "0").then_some(())
    });
    there.hears_nothing();
    here.hears_nothing();
}

#[test]
fn a_copy_that_migrates_leaves_everything_where_it_was() {
    let (source, target) = (Redis::start(), Redis::start());
    let (mut from, mut to) = (source.cli(), target.cli());
    fill(&mut from);
    to.ask("PRESENCE.ADD room old zoe EX 600 NOTIFY");
    assert!(migrate(&mut from, &target, "room 0 5000 COPY").starts_with("!ERR"), "BUSYKEY");
    assert_eq!(migrate(&mut from, &target, "room 0 5000 COPY REPLACE"), "OK");
    assert_eq!(leases(&mut from), ["\"n1\" 30000 1 1", "\"n2\" 40000 1 0"]);
    assert_eq!(leases(&mut to), ["\"n1\" 30000 1 0", "\"n2\" 40000 1 0"]);
    assert_eq!(to.ask("PRESENCE.REM room old").number(), 0);
}

#[test]
fn a_dump_of_what_has_ended_leaves_at_once_where_it_is_restored() {
    let (source, target) = (Redis::start(), Redis::start());
    let (mut from, mut to) = (source.cli(), target.cli());
    fill(&mut from);
    from.ask("MULTI");
    from.ask("PRESENCE.LEASE DROP n1");
    from.ask("DUMP room");
    let dump = from.ask("EXEC").array().remove(1);
    let Reply::Bulk(dump) = dump else { panic!("DUMP: {dump}") };
    let mut there = target.listener("room");
    to.ask("PRESENCE.LEASE KEEP n1 PX 30000");
    let restore: [&[u8]; 4] = [b"RESTORE", b"room", b"0", &dump];
    assert_eq!(to.call(&restore).to_string(), "OK");
    let first = [there.event(), there.event()];
    assert!(first.iter().any(|event| event["t"] == "reset"), "{first:?}");
    let leave = first.iter().find(|event| event["t"] == "leave").expect("a leave");
    assert_eq!((&leave["why"], &leave["info"]["client"]), (&"lease".into(), &"c1".into()));
    assert_eq!(leases(&mut to), ["\"n1\" 30000 0 0", "\"n2\" 40000 1 0"]);
}

#[test]
fn a_restored_key_follows_to_the_replica() {
    let (source, target) = (Redis::start(), Redis::with(&["enable-debug-command yes"]));
    let replica = target.replica();
    let (mut from, mut to) = (source.cli(), target.cli());
    fill(&mut from);
    assert_eq!(migrate(&mut from, &target, "'' 0 5000 KEYS room book"), "OK");
    eventually("the short deadline passes", || {
        (to.ask("PRESENCE.STATS room").to_string().starts_with("[[2, ")).then_some(())
    });
    let digest = to.ask("DEBUG DIGEST-VALUE room book");
    eventually("the replica follows", || {
        (replica.cli().ask("DEBUG DIGEST-VALUE room book") == digest).then_some(())
    });
    assert_eq!(leases(&mut replica.cli()), leases(&mut to));
}
