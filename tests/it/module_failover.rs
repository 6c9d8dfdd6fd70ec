//! Planned failovers: nothing is lost, nobody leaves twice, and nobody leaves because of them.

use std::collections::BTreeMap;

use rollcall_tests::cluster::Cluster;
use rollcall_tests::{Listener, Redis, Reply, Resp, eventually};

const BRIEF: usize = 600;

/// Clients of n1, who stay, and many whose deadlines pass one after the other for 3 seconds.
fn fill(cli: &mut Resp, key: &str) {
    for n in 0..BRIEF {
        let (client, ms) = (format!("s{n}"), (200 + 5 * n).to_string());
        let add = ["PRESENCE.ADD", key, &client, "ann", "PX", &ms, "NOTIFY"];
        assert_eq!(cli.call(&add), Reply::Number(1));
    }
    cli.ask("PRESENCE.LEASE KEEP n1 PX 1000");
    for n in 0..10 {
        let add = format!("PRESENCE.ADD {key} c{n} bob LEASE n1 NOTIFY");
        assert_eq!(cli.ask(&add), Reply::Number(1));
    }
    keep(cli);
}

/// Renews; the epoch.
fn keep(cli: &mut Resp) -> i64 {
    let kept = cli.ask("PRESENCE.LEASE KEEP n1 PX 1000").array();
    assert_eq!(kept[1..], [0, 10, 0].map(Reply::Number), "nothing is lost");
    kept[0].number()
}

/// How often each client left, according to these listeners.
fn leaves(listeners: &mut [Listener]) -> BTreeMap<String, usize> {
    let mut leaves = BTreeMap::new();
    for event in listeners.iter_mut().flat_map(Listener::so_far) {
        if event["t"] == "leave" {
            assert_eq!(event["why"], "expired", "{event}");
            *leaves.entry(event["info"]["client"].to_string()).or_default() += 1;
        }
        assert_ne!(event["t"], "reset", "{event}");
    }
    leaves
}

fn everybody_left_once(leaves: &BTreeMap<String, usize>) {
    assert_eq!(leaves.len(), BRIEF, "everybody whose time was up left");
    let twice: Vec<_> = leaves.iter().filter(|&(_, times)| *times > 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
}

fn stay(cli: &mut Resp, key: &str) {
    let ten = "[[10, 1, ";
    eventually("only those who stay are there", || {
        keep(cli);
        cli.ask(&format!("PRESENCE.STATS {key}")).to_string().starts_with(ten).then_some(())
    });
}

#[test]
fn a_failover_neither_loses_nor_repeats_a_leave() {
    let old = Redis::start();
    let new = old.replica();
    let (mut from, mut to) = (old.cli(), new.cli());
    let mut listeners = [old.listener("room"), new.listener("room")];
    fill(&mut from, "room");
    eventually("the first leave", || (old.info("rollcall_leaves_expired") != "0").then_some(()));
    let epoch = keep(&mut from);
    let failover = from.ask(&format!("FAILOVER TO 127.0.0.1 {}", new.port()));
    assert_eq!(failover.to_string(), "OK");
    eventually("the replica is the master", || (new.info("role") == "master").then_some(()));
    assert_ne!(keep(&mut to), epoch, "a new epoch");
    assert_ne!(new.info("rollcall_members"), "10", "some go under the new master");
    stay(&mut to, "room");
    eventually("the old master follows", || {
        (from.ask("PRESENCE.GET room WITHSEQ") == to.ask("PRESENCE.GET room WITHSEQ")).then_some(())
    });
    everybody_left_once(&leaves(&mut listeners));
}

#[test]
fn a_failover_in_a_cluster_neither_loses_nor_repeats_a_leave() {
    let cluster = Cluster::start();
    let old = &cluster.nodes()[0];
    let new = cluster.replica(0);
    let mut cli = old.cli();
    let mut names = (0..1000).map(|n| format!("room:{n}"));
    let key = names.find(|key| cluster.home(&mut cli, key) == 0).expect("some name");
    let mut listeners = [new.listener(&key)];
    fill(&mut cli, &key);
    eventually("the first leave", || (old.info("rollcall_leaves_expired") != "0").then_some(()));
    let mut to = new.cli();
    assert_eq!(to.ask("CLUSTER FAILOVER").to_string(), "OK");
    eventually("the replica is the master", || (new.info("role") == "master").then_some(()));
    keep(&mut to);
    stay(&mut to, &key);
    let decided = |redis: &Redis| redis.info("rollcall_leaves_expired").parse::<usize>();
    let decided = [old, &new].map(|redis| decided(redis).expect("a count"));
    assert_eq!(decided.iter().sum::<usize>(), BRIEF, "each is decided once: {decided:?}");
    assert!(decided[1] > 0, "some by the new master: {decided:?}");
    // Redis 8 and Valkey 8 end subscriptions at a replica when it becomes the master of the slot.
    if new.version() < [8, 0, 0] && new.valkey() < Some([8, 0, 0]) {
        everybody_left_once(&leaves(&mut listeners));
    }
    let moved = cli.ask(&format!("PRESENCE.STATS {key}")).to_string();
    assert!(moved.ends_with(&format!(":{}", new.port())), "{moved}");
}
