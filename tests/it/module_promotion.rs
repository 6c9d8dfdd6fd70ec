//! A replica that becomes the master goes on where the old one stopped.

use rollcall_tests::{Redis, Reply, Resp, eventually};

const ENTRIES: i64 = 50_000;

fn clients(cli: &mut Resp, key: &str) -> i64 {
    cli.ask(&format!("PRESENCE.STATS {key}")).array().remove(0).array()[0].number()
}

/// Adds so many clients whom the node holds.
fn add_many(cli: &mut Resp) {
    for start in (0..ENTRIES).step_by(1000) {
        let some = (start..start + 1000).map(|n| format!("c{n}"));
        some.for_each(|client| {
            let add = ["PRESENCE.ADD", "crowd", &client, "ann", "LEASE", "n1", "NOTIFY"];
            cli.send(&add).expect("the server takes commands");
        });
        (0..1000).for_each(|_| assert_eq!(cli.read().expect("a reply"), Reply::Number(1)));
    }
}

/// A master that stops in the middle of the end of a lease, the replica that has all it said, and
/// how many entries are left.
fn stopped_midway() -> (Redis, Redis, i64) {
    let master = Redis::start();
    let replica = master.replica();
    let mut cli = master.cli();
    cli.ask("PRESENCE.LEASE KEEP n1 PX 60000");
    cli.ask("PRESENCE.LEASE KEEP n2 PX 1500");
    add_many(&mut cli);
    cli.ask("PRESENCE.LEASE KEEP n2 PX 1500");
    assert_eq!(cli.ask("PRESENCE.ADD room keeps bob LEASE n2 NOTIFY").number(), 1);
    assert_eq!(cli.ask("PRESENCE.ADD room later bob EX 600 NOTIFY").number(), 1);
    assert_eq!(cli.ask("USERSTATUS.ONLINE book LEASE n1 EX 600 ann").number(), 1);
    assert_eq!(cli.ask("PRESENCE.LEASE DROP n1").number(), 1);
    while clients(&mut cli, "crowd") == ENTRIES {}
    cli.ask("CLIENT PAUSE 60000 WRITE");
    let left = clients(&mut cli, "crowd");
    assert!((1..ENTRIES).contains(&left), "in the middle: {left}");
    let mut copy = replica.cli();
    eventually("the replica has all of it", || (clients(&mut copy, "crowd") == left).then_some(()));
    (master, replica, left)
}

#[test]
fn a_promoted_replica_goes_on_with_the_end_of_a_lease() {
    let (mut master, replica, left) = stopped_midway();
    let mut copy = replica.cli();
    assert_eq!(clients(&mut copy, "crowd"), left, "a replica ends nothing");
    master.kill();
    let mut listener = replica.listener("crowd");
    let mut room = replica.listener("room");
    assert_eq!(copy.ask("REPLICAOF NO ONE").to_string(), "OK");
    for n in (0..left).rev() {
        let event = listener.event();
        assert_eq!((&event["t"], &event["why"]), (&"leave".into(), &"lease".into()), "{event}");
        assert_eq!(event["clients"].as_i64(), Some(n), "one after the other: {event}");
    }
    listener.hears_nothing();
    assert_eq!(copy.ask("EXISTS crowd").number(), 0);
    // The other lease has its grace, and the deadline its time.
    copy.session(
        r#"
        > PRESENCE.STATS room
        [[2, 1, <n>]]
        > PRESENCE.LEASE LIST
        [["n2", 1500, <n>, 1, 0]]
        > PRESENCE.LEASE KEEP n2 PX 1500
        [<n>, 0, 1, 0]
        > PRESENCE.LEASE KEEP n1 PX 1500
        [<n>, 1, 0, 0]
        "#,
    );
    room.hears_nothing();
}

#[test]
fn a_promotion_draws_an_epoch_and_gives_every_lease_its_grace() {
    let master = Redis::start();
    // A replica may take longer to start than the lease lives.
    let replica = master.replica();
    let mut cli = master.cli();
    let mut copy = replica.cli();
    let keep = "PRESENCE.LEASE KEEP n1 PX 1500";
    let old = cli.ask(keep).array().remove(0);
    cli.ask("PRESENCE.ADD room c1 ann LEASE n1 NOTIFY");
    assert_eq!(cli.ask("WAIT 1 15000").number(), 1);
    copy.ask("REPLICAOF NO ONE");
    let left = copy.ask("PRESENCE.LEASE LIST").array().remove(0).array()[2].number();
    assert!((5_000..=10_000).contains(&left), "the grace is 10 s: {left}");
    let reply = copy.ask(keep).array();
    assert_ne!(reply[0], old, "another epoch");
    assert_eq!(reply[1..], [0, 1, 0].map(Reply::Number));
    // Whoever renews has noticed, and needs no grace: its end is again noticed in its own time.
    let left = copy.ask("PRESENCE.LEASE LIST").array().remove(0).array()[2].number();
    assert!((1..=1500).contains(&left), "its own time: {left}");
}

#[test]
fn a_master_that_becomes_a_replica_decides_nothing_any_more() {
    let redis = Redis::start();
    let other = Redis::start();
    let mut cli = redis.cli();
    cli.ask("PRESENCE.LEASE KEEP n1 PX 300");
    cli.ask("PRESENCE.ADD room c1 ann LEASE n1 NOTIFY");
    cli.ask(&format!("REPLICAOF 127.0.0.1 {}", other.port()));
    eventually("it has what its master has", || {
        (redis.info("master_link_status") == "up").then_some(())
    });
    cli.session(
        "
        > EXISTS room
        0
        > PRESENCE.LEASE LIST
        []
        > REPLICAOF NO ONE
        OK
        > PRESENCE.LEASE KEEP n1 PX 300
        [<n>, 1, 0, 0]
        ",
    );
}
