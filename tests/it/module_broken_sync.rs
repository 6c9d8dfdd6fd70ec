//! A replica whose first load is interrupted: nothing of it stays, and the next one is whole.

use rollcall_tests::process::{Signal, children, signal};
use rollcall_tests::{Redis, Resp, eventually};

const KEYS: i64 = 1500;

fn fill(cli: &mut Resp) {
    cli.ask("PRESENCE.LEASE KEEP n1 PX 600000");
    cli.ask("PRESENCE.LEASE KEEP n2 PX 600000");
    for n in 0..KEYS {
        for command in [
            format!("PRESENCE.ADD room:{n} c1 ann LEASE n1 NOTIFY"),
            format!("PRESENCE.ADD room:{n} c2 bob PX 600000"),
            format!("USERSTATUS.ONLINE book:{} LEASE n2 EX 600 u{n}", n % 50),
        ] {
            cli.send(&rollcall_tests::resp::words(&command)).expect("the server takes commands");
        }
    }
    (0..3 * KEYS).for_each(|_| assert_eq!(cli.read().expect("a reply").number(), 1));
}

fn digest(redis: &Redis) -> String {
    redis.cli().ask("DEBUG DIGEST").text()
}

/// Per lease its node, its entries and its users.
fn held(redis: &Redis) -> Vec<String> {
    let leases = redis.cli().ask("PRESENCE.LEASE LIST").array().into_iter();
    leases
        .map(|lease| {
            let lease = lease.array();
            format!("{} {} {}", lease[0].text(), lease[3], lease[4])
        })
        .collect()
}

fn connected(replica: &Redis) {
    eventually("the replica is connected", || {
        (replica.info("master_link_status") == "up").then_some(())
    });
}

#[test]
fn a_load_that_ends_midway_leaves_nothing_and_the_next_one_is_whole() {
    for load in ["disabled", "on-empty-db", "swapdb"] {
        let mut master =
            Redis::with(&["enable-debug-command yes", "appendonly yes", "repl-diskless-sync yes"]);
        fill(&mut master.cli());
        // Microseconds a key: the load takes longer than the test waits.
        master.cli().ask("CONFIG SET rdb-key-save-delay 20000");
        let replica =
            Redis::with(&["enable-debug-command yes", &format!("repl-diskless-load {load}")]);
        // What it had before goes.
        let mut copy = replica.cli();
        copy.ask("PRESENCE.LEASE KEEP n2 PX 600000");
        copy.ask("PRESENCE.LEASE KEEP old PX 600000");
        copy.ask("PRESENCE.ADD before c1 ann LEASE old");
        copy.ask("USERSTATUS.ONLINE book:0 LEASE n2 EX 600 before");
        copy.ask(&format!("REPLICAOF 127.0.0.1 {}", master.port()));
        eventually("the load is on its way", || {
            let saved: i64 = master.info("current_save_keys_processed").parse().expect("a count");
            (saved > 0).then_some(())
        });
        // Newer servers' children send the file by themselves, and would go on.
        for (child, _) in children(master.id()) {
            signal(child, Signal::KILL);
        }
        master.kill();
        eventually("the replica gives up", || {
            let log = replica.log();
            let lost =
                ["I/O error", "Connection lost", "MASTER aborted replication", "Failed trying"];
            let down = replica.info("master_link_status") == "down";
            (down && replica.info("loading") == "0" && lost.iter().any(|line| log.contains(line)))
                .then_some(())
        });
        check_interrupted(&replica, load);
        master.run();
        connected(&replica);
        eventually("the replica has everything", || {
            let offset = master.info("master_repl_offset");
            (replica.info("slave_repl_offset") == offset).then_some(())
        });
        assert_eq!(digest(&replica), digest(&master), "{load}");
        let expected = [format!("n1 {KEYS} 0"), format!("n2 0 {KEYS}")];
        assert_eq!(held(&replica), expected, "{load}");
        for field in ["rosters", "members", "users", "books", "statuses", "entries_due"] {
            let field = format!("rollcall_{field}");
            assert_eq!(replica.info(&field), master.info(&field), "{load}: {field}");
        }
        master.kill();
        ends_go_on(&replica, load);
    }
}

/// Either all that was before is still there, or nothing is; never a part of what came.
fn check_interrupted(replica: &Redis, load: &str) {
    let keys = replica.cli().ask("DBSIZE").number();
    let members = replica.info("rollcall_members");
    let loaded = held(replica).into_iter().filter(|lease| !lease.ends_with(" 0 0"));
    let loaded: Vec<String> = loaded.collect();
    match keys {
        0 => assert_eq!((members.as_str(), loaded.len()), ("0", 0), "{load}: {loaded:?}"),
        2 => assert_eq!(loaded, ["n2 0 1", "old 1 0"], "{load}"),
        other => panic!("{load}: {other} keys"),
    }
}

fn ends_go_on(promoted: &Redis, load: &str) {
    let mut cli = promoted.cli();
    assert_eq!(cli.ask("REPLICAOF NO ONE").to_string(), "OK");
    assert_eq!(cli.ask("PRESENCE.ADD room:0 brief ann PX 100").number(), 1);
    assert_eq!(cli.ask("PRESENCE.LEASE DROP n1").number(), 1);
    eventually("what is due leaves", || {
        (promoted.info("rollcall_members") == KEYS.to_string()).then_some(())
    });
    assert_eq!(held(promoted), [format!("n2 0 {KEYS}")], "{load}");
}
