//! A replica shows what its master does, and decides nothing itself.

use rollcall_tests::{Redis, Resp, eventually};

/// Waits until the replica has what the master wrote so far.
fn caught_up(master: &mut Resp) {
    let replicas = master.ask("WAIT 1 15000");
    assert_eq!(replicas.to_string(), "1", "the replica follows");
}

fn digests(cli: &mut Resp, keys: &str) -> String {
    cli.ask(&format!("DEBUG DIGEST-VALUE {keys}")).to_string()
}

#[test]
fn a_replica_shows_the_same() {
    let master = Redis::with(&["enable-debug-command yes"]);
    let mut cli = master.cli();
    cli.ask("PRESENCE.LEASE KEEP n1 PX 60000");
    cli.ask("PRESENCE.ADD before c1 ann CONNINFO 1 LEASE n1 NOTIFY");
    let replica = master.replica();
    cli.session(
        r#"
        > PRESENCE.ADD room c1 ann CONNINFO '{"n":1}' LEASE n1 NOTIFY
        1
        > PRESENCE.ADD room c2 bob EX 600 NOTIFY
        1
        > PRESENCE.ADD room c2 bob CONNINFO 2 EX 700
        0
        > PRESENCE.ADD room c3 carl EX 600
        1
        > PRESENCE.REM room c3
        1
        > USERSTATUS.TOUCH book EX 600 ann bob carl
        3
        > USERSTATUS.ONLINE book LEASE n1 EX 600 ann
        1
        > USERSTATUS.DEL book carl
        1
        "#,
    );
    caught_up(&mut cli);
    let mut copy = replica.cli();
    for command in [
        "PRESENCE.GET before WITHSEQ",
        "PRESENCE.GET room JSON WITHSEQ",
        "PRESENCE.STATS room before",
        "USERSTATUS.GET book ann bob carl",
    ] {
        assert_eq!(copy.ask(command), cli.ask(command), "{command}");
    }
    assert_eq!(digests(&mut copy, "room before book"), digests(&mut cli, "room before book"));
}

#[test]
fn ends_are_decided_on_the_master_and_followed_by_the_replica() {
    let master = Redis::with(&["enable-debug-command yes"]);
    let replica = master.replica();
    let (mut cli, mut copy) = (master.cli(), replica.cli());
    cli.ask("PRESENCE.LEASE KEEP n1 PX 300");
    cli.ask("PRESENCE.LEASE KEEP n2 PX 60000");
    cli.ask("PRESENCE.ADD room c1 ann LEASE n1 NOTIFY");
    cli.ask("PRESENCE.ADD room c2 ann PX 300 NOTIFY");
    cli.ask("PRESENCE.ADD room c3 ann LEASE n2 NOTIFY");
    cli.ask("USERSTATUS.ONLINE book LEASE n1 EX 600 ann");
    eventually("the replica follows", || {
        let room = copy.ask("PRESENCE.GET room").to_string();
        (room == r#"[["c3", "ann", nil, nil]]"#).then_some(())
    });
    caught_up(&mut cli);
    assert_eq!(digests(&mut copy, "room book"), digests(&mut cli, "room book"));
    assert_eq!(copy.ask("PRESENCE.GET room WITHSEQ"), cli.ask("PRESENCE.GET room WITHSEQ"));
}

#[test]
fn a_replica_without_its_master_ends_nothing() {
    let mut master = Redis::start();
    let mut cli = master.cli();
    let replica = master.replica();
    // Long enough for a busy machine to kill the master before it ends them itself.
    cli.ask("PRESENCE.LEASE KEEP n1 PX 2000");
    cli.ask("PRESENCE.ADD room c1 ann LEASE n1");
    cli.ask("PRESENCE.ADD room c2 ann PX 2000");
    caught_up(&mut cli);
    master.kill();
    // Elsewhere a later deadline passes.
    let other = Redis::start();
    let mut clock = other.cli();
    clock.ask("PRESENCE.ADD control c1 ann PX 2500");
    eventually("a deadline passes", || (clock.ask("EXISTS control").number() == 0).then_some(()));
    assert_eq!(
        replica.cli().ask("PRESENCE.STATS room").to_string().split(", ").next(),
        Some("[[2")
    );
}

#[test]
fn a_replica_refuses_leases_and_writes() {
    let master = Redis::start();
    let replica = master.replica();
    replica.cli().session(
        r"
        > PRESENCE.LEASE KEEP n1 PX 1000
        !READONLY <*>
        > PRESENCE.LEASE DROP n1
        !READONLY <*>
        > PRESENCE.ADD room c1 ann EX 60
        !READONLY <*>
        > USERSTATUS.TOUCH book EX 60 ann
        !READONLY <*>
        ",
    );
}

#[test]
fn a_user_whom_an_ended_lease_held_and_another_lets_go_expires_everywhere() {
    let master = Redis::start();
    let replica = master.replica();
    let mut cli = master.cli();
    cli.session(
        "
        > MULTI
        OK
        > PRESENCE.LEASE KEEP n1 PX 600000
        QUEUED
        > PRESENCE.LEASE KEEP n2 PX 600000
        QUEUED
        > USERSTATUS.TOUCH book EX 600 ann
        QUEUED
        > USERSTATUS.ONLINE book LEASE n2 EX 1 bob
        QUEUED
        > PRESENCE.LEASE DROP n2
        QUEUED
        > USERSTATUS.OFFLINE book LEASE n1 EX 1 bob
        QUEUED
        > EXEC
        [[<n>, 1, 0, 0], [<n>, 1, 0, 0], 1, 1, 1, 0]
        ",
    );
    eventually("bob expires", || (master.info("rollcall_statuses") == "1").then_some(()));
    caught_up(&mut cli);
    assert_eq!(replica.cli().ask("USERSTATUS.GET book bob").to_string(), "[[nil, nil]]");
}
