//! A Redis Cluster: masters are killed, slots move, nodes come and go while clients do.

use std::thread;
use std::time::{Duration, Instant};

use rollcall_tests::cluster::{BRITTLE, Cluster, is_master};
use rollcall_tests::config::{self, over};
use rollcall_tests::crowd;
use rollcall_tests::process::{self, Signal};
use rollcall_tests::{Heard, Redis, Reply, Resp, Scene, Server, Stopwatch, eventually, within};
use serde_json::{Value, json};

/// Slots of the first node that move, the first ones it has.
const MOVING: usize = 500;

/// Two servers with clients.
fn scene(config: &Value, nodes: &[&Redis]) -> Scene {
    let channels = channels(nodes[0]);
    let mut scene = Scene::start(vec![config.clone(), config.clone()], channels, 12);
    scene.during(|_| ());
    scene.converges(|| masters(nodes));
    scene
}

/// Channels in all parts of the cluster, and some in slots that move.
fn channels(node: &Redis) -> Vec<String> {
    let mut cli = node.cli();
    let mut slot = |name: &String| cli.ask(&format!("CLUSTER KEYSLOT rollcall:p:{name}")).number();
    let moving = i64::try_from(MOVING).expect("a number of slots");
    let names = (0..).map(|n| format!("moving{n}"));
    let moving = names.filter(|name| slot(name) < moving).take(10).collect();
    [moving, crowd::channels(20)].concat()
}

/// Connections to those that are masters now and have slots.
fn masters(nodes: &[&Redis]) -> Vec<Resp> {
    nodes.iter().filter(|node| is_master(node)).map(|node| node.cli()).collect()
}

fn all(cluster: &Cluster) -> Vec<&Redis> {
    cluster.nodes().iter().collect()
}

#[test]
fn a_killed_master_with_a_replica_is_in_no_ledger() {
    let mut cluster = Cluster::with(BRITTLE);
    let replica = cluster.replica(0);
    let mut scene = scene(&cluster.config(), &all(&cluster));
    let killed = Instant::now();
    scene.during(|_| {
        cluster.kill(0);
        cluster.serves_all_slots(cluster.nodes()[1..].iter().chain([&replica]));
    });
    scene.has_died(&cluster.nodes()[0]);
    let nodes = [&cluster.nodes()[1], &cluster.nodes()[2], &replica];
    scene.converges(|| masters(&nodes));
    print_time("kill -9 of a cluster master with a replica", killed);
    // It comes back as a replica of its replica.
    scene.during(|_| {
        cluster.run(0);
        let role = || cluster.nodes()[0].try_ask("ROLE").map(Reply::array);
        eventually("the old master follows", || (role()?[0].text() == "slave").then_some(()));
    });
    let mut nodes = all(&cluster);
    nodes.push(&replica);
    scene.converges(|| masters(&nodes));
}

#[test]
fn a_killed_master_without_a_replica_is_in_no_ledger_and_the_others_serve_on() {
    let mut cluster = Cluster::with(BRITTLE);
    let mut scene = scene(&cluster.config(), &all(&cluster));
    let mut cli = cluster.nodes()[1].cli();
    let mut names = (0..).map(|n| format!("elsewhere{n}"));
    let home = |name: &String, cli: &mut Resp| cluster.home(cli, &format!("rollcall:p:{name}"));
    let elsewhere = [(); 2].map(|()| names.find(|name| home(name, &mut cli) == 1).unwrap());
    let lost = names.find(|name| home(name, &mut cli) == 0).unwrap();
    scene.during(|servers| {
        let mut ann = servers[0].client("ann");
        cluster.kill(0);
        let start = Stopwatch::start();
        ann.enters(&elsewhere[0]);
        assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
        let reply = ann.call(json!({"subscribe": {"channel": lost}}));
        assert_eq!(reply["error"]["temporary"], true, "{reply}");
        thread::sleep(Duration::from_secs(4));
        ann.enters(&elsewhere[1]);
        cluster.run(0);
        cluster.serves_all_slots(cluster.nodes().iter());
    });
    scene.has_died(&cluster.nodes()[0]);
    scene.converges(|| masters(&all(&cluster)));
}

/// It is started again as the master that it was, and hears of no other: what it took would be lost.
#[test]
fn a_master_that_comes_back_is_looked_at_before_it_is_used() {
    let mut cluster = Cluster::with(BRITTLE);
    let replica = cluster.replica(0);
    let mut server = Server::start(cluster.config());
    let ready = |server: &Server, node: &Redis| {
        let line = format!("redis is ready address=127.0.0.1:{}", node.port());
        server.log().matches(&line).count()
    };
    eventually("all are used", || {
        cluster.nodes().iter().all(|node| ready(&server, node) == 1).then_some(())
    });
    // It sees the master die, and not the replica take over.
    process::signal(replica.id(), Signal::STOP);
    cluster.kill(0);
    eventually("it is away", || server.log().contains("redis is away").then_some(()));
    server.process().signal(Signal::STOP);
    process::signal(replica.id(), Signal::CONT);
    within(Duration::from_secs(60), "the replica takes over", || is_master(&replica).then_some(()));
    let others: Vec<u32> = cluster.nodes()[1..].iter().chain([&replica]).map(Redis::id).collect();
    for id in &others {
        process::signal(*id, Signal::STOP);
    }
    cluster.run(0);
    assert!(is_master(&cluster.nodes()[0]), "it hears of no other");
    eventually("it finds that the cluster is down", || {
        let info = cluster.nodes()[0].cli().ask("CLUSTER INFO").text();
        info.contains("cluster_state:fail").then_some(())
    });
    // Not only because it has just begun: that ends after two seconds.
    thread::sleep(Duration::from_secs(3));
    eventually("it still does", || {
        let info = cluster.nodes()[0].cli().ask("CLUSTER INFO").text();
        info.contains("cluster_state:fail").then_some(())
    });
    server.process().signal(Signal::CONT);
    let down = format!("address=127.0.0.1:{}", cluster.nodes()[0].port());
    eventually("it is not taken for a master of a cluster that serves", || {
        let log = server.log();
        let mut lines = log.lines().filter(|line| line.contains("cluster_state:fail"));
        lines.any(|line| line.contains(&down)).then_some(())
    });
    assert_eq!(ready(&server, &cluster.nodes()[0]), 1, "{}", server.log());
    for id in &others {
        process::signal(*id, Signal::CONT);
    }
    within(Duration::from_secs(60), "the new master is used", || {
        (ready(&server, &replica) > 0).then_some(())
    });
}

#[test]
fn slots_that_move_are_in_no_ledger() {
    let cluster = Cluster::start();
    let mut scene = scene(&cluster.config(), &all(&cluster));
    scene.during(|_| {
        cluster.reshard(&cluster.nodes()[0], &cluster.nodes()[1], MOVING);
        cluster.reshard(&cluster.nodes()[1], &cluster.nodes()[2], MOVING);
    });
    scene.converges(|| masters(&all(&cluster)));
}

/// A key that is deleted is put back before anybody is shown leaving, also when counts cannot be
/// compared because slots have just moved.
#[test]
fn rosters_that_are_deleted_while_slots_move_are_in_no_ledger() {
    let cluster = Cluster::start();
    let mut scene = scene(&cluster.config(), &all(&cluster));
    scene.during(|_| {
        cluster.reshard(&cluster.nodes()[0], &cluster.nodes()[1], 10);
        cluster.nodes().iter().for_each(|node| node.delete("rollcall:p:room*"));
    });
    scene.converges(|| masters(&all(&cluster)));
}

/// Its connections hang, which is worse than if it were dead.
#[test]
fn a_master_that_stands_still_delays_no_keepalive_to_the_others() {
    let cluster = Cluster::start();
    let mut scene = scene(&cluster.config(), &all(&cluster));
    scene.during(|_| {
        process::signal(cluster.nodes()[0].id(), Signal::STOP);
        // Longer than a lease, and not so long that the nodes notice.
        thread::sleep(Duration::from_secs(4));
        process::signal(cluster.nodes()[0].id(), Signal::CONT);
    });
    scene.converges(|| masters(&all(&cluster)));
    for node in &cluster.nodes()[1..] {
        let log = node.log();
        assert!(!log.contains("not renewed"), "a lease ended: {log}");
    }
}

/// A lease that is so short is given up on soon, for each name that is renewed there.
#[test]
fn a_master_that_stands_still_for_a_moment_keeps_its_leases() {
    let cluster = Cluster::start();
    let config = over(cluster.config(), json!({"engine": {"redis": {"lease": "1s"}}}));
    let mut scene = scene(&config, &all(&cluster));
    scene.during(|_| {
        process::signal(cluster.nodes()[0].id(), Signal::STOP);
        thread::sleep(Duration::from_millis(1700));
        process::signal(cluster.nodes()[0].id(), Signal::CONT);
    });
    scene.converges(|| masters(&all(&cluster)));
    for server in &scene.servers {
        let log = server.log();
        assert!(!log.contains("lost data"), "{log}");
    }
}

#[test]
fn nodes_that_come_and_go_are_in_no_ledger() {
    let cluster = Cluster::start();
    let fourth = cluster.stranger();
    let mut scene = scene(&cluster.config(), &all(&cluster));
    let mut nodes = all(&cluster);
    nodes.push(&fourth);
    scene.during(|_| {
        cluster.add(&fourth);
        cluster.reshard(&cluster.nodes()[0], &fourth, MOVING);
    });
    scene.converges(|| masters(&nodes));
    scene.during(|_| {
        cluster.empty(&fourth, &cluster.nodes()[0]);
        cluster.remove(&fourth);
    });
    scene.converges(|| masters(&all(&cluster)));
}

#[test]
fn a_node_that_joins_another_cluster_does_not_bring_it_along() {
    let (cluster, other) = (Cluster::start(), Cluster::start());
    let wanderer = cluster.stranger();
    let mut scene = scene(&cluster.config(), &all(&cluster));
    scene.during(|_| {
        cluster.add(&wanderer);
        cluster.reshard(&cluster.nodes()[0], &wanderer, 100);
        cluster.empty(&wanderer, &cluster.nodes()[0]);
        cluster.remove(&wanderer);
        other.add(&wanderer);
        other.reshard(&other.nodes()[0], &wanderer, 100);
    });
    scene.converges(|| masters(&all(&cluster)));
    for node in other.nodes() {
        assert_eq!(node.cli().ask("PRESENCE.LEASE LIST").array(), [], "nobody asks here");
    }
}

#[test]
fn a_replica_that_takes_over_as_planned_is_in_no_ledger() {
    let cluster = Cluster::start();
    let replica = cluster.replica(1);
    let mut scene = scene(&cluster.config(), &all(&cluster));
    let mut nodes = all(&cluster);
    nodes.push(&replica);
    for new in [&replica, &cluster.nodes()[1]] {
        scene.during(|_| {
            eventually("a failover starts", || {
                (new.cli().ask("CLUSTER FAILOVER").to_string() == "OK").then_some(())
            });
            eventually("it is the master", || {
                (new.try_ask("ROLE")?.array()[0].text() == "master").then_some(())
            });
        });
        scene.converges(|| masters(&nodes));
    }
}

#[test]
fn a_plain_address_of_one_node_stands_for_the_cluster() {
    let cluster = Cluster::start();
    let address = cluster.nodes()[2].address();
    let redis = json!({"engine": {"type": "redis", "redis": {"address": address}}});
    let config = config::with(redis);
    let mut scene = scene(&config, &all(&cluster));
    scene.during(|_| ());
    scene.converges(|| masters(&all(&cluster)));
    for node in cluster.nodes() {
        assert_ne!(node.info("rollcall_members"), "0", "every node has some");
        assert_ne!(node.info("rollcall_books"), "0", "and some users");
    }
}

/// Faster than anybody looks: the node forgets who listened to the slot, and nobody is told.
#[test]
fn a_slot_that_goes_and_comes_back_at_once_is_listened_to_again() {
    let cluster = Cluster::start();
    let plain = json!({"name": "plain", "allow_subscribe_for_client": true});
    let config = over(cluster.config(), json!({"channel": {"namespaces": [plain]}}));
    let server = Server::start(config);
    let mut ann = server.client("ann");
    let mut homes = [0, 1].map(|node| cluster.nodes()[node].cli());
    let key = |n: &usize| format!("rollcall:p:plain:room{n}");
    let n =
        (0..10_000).find(|n| cluster.home(&mut homes[0], &key(n)) == 0).expect("a channel there");
    let channel = format!("plain:room{n}");
    ann.subscribe(&channel);
    let slot = homes[0].ask(&format!("CLUSTER KEYSLOT {}", key(&n))).number();
    let ids = [0, 1].map(|node| cluster.id(node));
    for (from, to) in [(0, 1), (1, 0)] {
        homes[to].ask(&format!("CLUSTER SETSLOT {slot} IMPORTING {}", ids[from]));
        for node in [to, from] {
            let moved = homes[node].ask(&format!("CLUSTER SETSLOT {slot} NODE {}", ids[to]));
            assert_eq!(moved.to_string(), "OK");
        }
    }
    eventually("publications arrive again", || {
        server.api("publish", json!({"channel": channel, "data": {}}));
        ann.hears_within(Duration::from_millis(100)).map(|_| ())
    });
}

/// Nothing that a server can ask for tells of it but what it was not told.
#[test]
fn a_channel_whose_events_do_not_come_is_listened_to_again() {
    let cluster = Cluster::start();
    let [one, two] = [(); 2].map(|()| Server::start(cluster.config()));
    let mut node = cluster.nodes()[0].cli();
    let key = |n: &usize| format!("rollcall:p:room{n}");
    let n = (0..10_000).find(|n| cluster.home(&mut node, &key(n)) == 0).expect("a channel there");
    let channel = format!("room{n}");
    let mut ann = one.client("ann");
    ann.enters(&channel);
    let slot = node.ask(&format!("CLUSTER KEYSLOT {}", key(&n))).number();
    for word in ["DELSLOTS", "ADDSLOTS"] {
        assert_eq!(node.ask(&format!("CLUSTER {word} {slot}")).to_string(), "OK");
    }
    let mut joins = |user: &str, limit| {
        let mut client = two.client(user);
        let mut joined = || client.try_call(json!({"subscribe": {"channel": channel}}));
        eventually("the slot is served", || joined()?.get("subscribe").map(|_| ()));
        let shown = || match ann.hears_within(Duration::from_millis(100))? {
            Heard::Line(line) => (line["push"]["join"]["info"]["user"] == user).then_some(()),
            _ => None,
        };
        within(limit, &format!("{user} is shown"), shown);
        client
    };
    // Counts are compared every ten seconds.
    let _bob = joins("bob", Duration::from_secs(15));
    let _carl = joins("carl", Duration::from_secs(3));
}

#[test]
fn a_server_waits_for_a_cluster_that_is_not_whole() {
    let cluster = Cluster::start();
    let lacking = cluster.nodes()[0].cli().ask("CLUSTER DELSLOTSRANGE 0 100");
    assert_eq!(lacking.to_string(), "OK");
    let server = Server::listening(cluster.config());
    let ready = || server.http().get("/ready").status == 200;
    assert_eq!(server.http().get("/health").status, 200);
    cluster.nodes()[0].cli().ask("CLUSTER ADDSLOTSRANGE 0 100");
    within(Duration::from_secs(10), "it is ready", || ready().then_some(()));
    for n in 0..20 {
        server.client("ann").enters(&format!("room{n}"));
    }
}

#[expect(clippy::print_stdout, reason = "measured, not judged")]
fn print_time(what: &str, since: Instant) {
    println!("{what}: everything was right again after {:.2?}", since.elapsed());
}
