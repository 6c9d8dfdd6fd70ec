//! Keys on a node that does not have their slot, or not any more. Nobody can reach them, so all
//! that matters is that they end as ever, for the node's replicas too, and that nobody hears of it.
//! Valkey 8 deletes them when it starts.

use std::fs;

use rollcall_tests::cluster::Cluster;
use rollcall_tests::{Redis, Resp, eventually};

/// A key of the first node.
fn key(cluster: &Cluster) -> String {
    let mut cli = cluster.nodes()[0].cli();
    let mut names = (0..).map(|n| format!("room:{n}"));
    names.find(|name| cluster.home(&mut cli, name) == 0).expect("some name")
}

fn fill(cli: &mut Resp, key: &str) {
    cli.ask("PRESENCE.LEASE KEEP n1 PX 60000");
    for add in ["c1 ann LEASE n1 NOTIFY", "c2 bob PX 1000 NOTIFY", "c3 carl EX 600 NOTIFY"] {
        assert_eq!(cli.ask(&format!("PRESENCE.ADD {key} {add}")).number(), 1);
    }
    let book = format!("{{{key}}}book");
    assert_eq!(cli.ask(&format!("USERSTATUS.ONLINE {book} LEASE n1 EX 600 ann")).number(), 1);
}

/// Gives a slot without keys to the second node.
fn hand_over(cluster: &Cluster, slot: i64) {
    let id = cluster.id(1);
    for node in [1, 0, 2] {
        let done = cluster.nodes()[node].cli().ask(&format!("CLUSTER SETSLOT {slot} NODE {id}"));
        assert_eq!(done.to_string(), "OK");
    }
}

fn same_everywhere(master: &Redis, replica: &Redis) {
    let digest = |redis: &Redis| redis.cli().ask("DEBUG DIGEST").text();
    eventually("the replica is the same", || {
        let up = replica.info("master_link_status") == "up";
        (up && digest(replica) == digest(master)).then_some(())
    });
    let list = |redis: &Redis| -> Vec<String> {
        let leases = redis.cli().ask("PRESENCE.LEASE LIST").array().into_iter();
        leases
            .map(rollcall_tests::Reply::array)
            .map(|lease| format!("{} {} {}", lease[0].text(), lease[3], lease[4]))
            .collect()
    };
    assert_eq!(list(replica), list(master));
}

#[test]
fn strays_of_an_old_file_end_unheard() {
    let mut cluster = Cluster::start();
    let key = key(&cluster);
    let replica = cluster.replica(0);
    let mut cli = cluster.nodes()[0].cli();
    fill(&mut cli, &key);
    let slot = cli.ask(&format!("CLUSTER KEYSLOT {key}")).number();
    assert_eq!(cli.ask("SAVE").to_string(), "OK");
    let file = cluster.nodes()[0].dir().join("dump.rdb");
    let old = fs::read(&file).unwrap();
    cli.ask("FLUSHALL");
    hand_over(&cluster, slot);
    cluster.node_mut(0).stop();
    fs::write(&file, old).unwrap();
    cluster.node_mut(0).run();
    let (stray, owner) = (&cluster.nodes()[0], &cluster.nodes()[1]);
    let mut cli = stray.cli();
    eventually("the node is back and knows that the slot is not its own", || {
        cli.ask(&format!("PRESENCE.GET {key}")).to_string().starts_with("!MOVED ").then_some(())
    });
    // The owner has a roster of that name.
    owner.cli().ask(&format!("PRESENCE.ADD {key} c1 ann EX 600 NOTIFY"));
    let mut listener = owner.listener(&key);
    if stray.valkey() < Some([8, 0, 0]) {
        assert_eq!(cli.ask(&format!("CLUSTER COUNTKEYSINSLOT {slot}")).number(), 2);
        end_as_ever(stray, &replica);
    } else {
        are_gone(stray);
    }
    same_everywhere(stray, &replica);
    let kept = cli.ask("PRESENCE.LEASE KEEP n1 PX 60000").to_string();
    assert!(kept.ends_with(", 1, 0, 0]"), "{kept}");
    listener.hears_nothing();
}

fn end_as_ever(stray: &Redis, replica: &Redis) {
    let mut cli = stray.cli();
    // The deadline has passed, and the lease can be ended here.
    eventually("the deadline is kept", || (stray.info("rollcall_members") == "2").then_some(()));
    let kept = cli.ask("PRESENCE.LEASE KEEP n1 PX 60000").to_string();
    assert!(kept.ends_with(", 0, 1, 1]"), "{kept}");
    same_everywhere(stray, replica);
    cli.ask("PRESENCE.LEASE DROP n1");
    eventually("the lease ends", || (stray.info("rollcall_members") == "1").then_some(()));
    eventually("for books too", || (stray.info("rollcall_entries_due") == "0").then_some(()));
}

/// The server deleted them; the lease that held some of them is there and holds nothing.
fn are_gone(stray: &Redis) {
    for field in ["rosters", "members", "users", "books", "statuses", "entries_due"] {
        assert_eq!(stray.info(&format!("rollcall_{field}")), "0", "{field}");
    }
    let mut cli = stray.cli();
    let kept = cli.ask("PRESENCE.LEASE KEEP n1 PX 60000").to_string();
    assert!(kept.ends_with(", 0, 0, 0]"), "{kept}");
    cli.ask("PRESENCE.LEASE DROP n1");
}

#[test]
fn a_slot_that_is_lost_takes_its_keys_and_what_was_held() {
    let cluster = Cluster::start();
    let key = key(&cluster);
    let replica = cluster.replica(0);
    let (loser, winner) = (&cluster.nodes()[0], &cluster.nodes()[1]);
    let mut cli = loser.cli();
    let slot = cli.ask(&format!("CLUSTER KEYSLOT {key}")).number();
    fill(&mut cli, &key);
    // A newer word than the loser's, whatever it holds.
    let mut other = winner.cli();
    let id = cluster.id(1);
    assert_eq!(other.ask(&format!("CLUSTER SETSLOT {slot} NODE {id}")).to_string(), "OK");
    other.ask("CLUSTER BUMPEPOCH");
    eventually("the winner has the slot", || {
        let reply = other.ask(&format!("PRESENCE.ADD {key} c9 zoe EX 600 NOTIFY"));
        reply.to_string().parse::<i64>().ok()
    });
    let mut listener = winner.listener(&key);
    eventually("the loser drops its keys", || {
        (cli.ask(&format!("CLUSTER COUNTKEYSINSLOT {slot}")).number() == 0).then_some(())
    });
    for field in ["rosters", "members", "users", "books", "statuses", "entries_due"] {
        assert_eq!(loser.info(&format!("rollcall_{field}")), "0", "{field}");
    }
    let kept = cli.ask("PRESENCE.LEASE KEEP n1 PX 60000").to_string();
    assert!(kept.ends_with(", 0, 0, 0]"), "{kept}");
    eventually("the reset is over", || (loser.info("rollcall_resets") == "1").then_some(()));
    // Redis 7.0 does not tell replicas of these deletions (redis #10967).
    if loser.version() >= [7, 2, 0] {
        same_everywhere(loser, &replica);
    }
    listener.hears_nothing();
    let room = other.ask(&format!("PRESENCE.GET {key}")).to_string();
    assert_eq!(room, r#"[["c9", "zoe", nil, nil]]"#);
}
