//! How things are called in a cluster: nodes by host names, keys so that all have one slot.

use rollcall_tests::cluster::Cluster;
use rollcall_tests::{Redis, Server, config, eventually};
use serde_json::{Value, json};

fn on(redis: Value) -> Value {
    config::with(json!({"engine": {"type": "redis", "redis": redis}}))
}

/// A channel in one of the first slots of the first node.
fn channel(node: &Redis) -> String {
    let mut cli = node.cli();
    let mut slot = |name: &String| cli.ask(&format!("CLUSTER KEYSLOT rollcall:p:{name}")).number();
    let mut names = (0..).map(|n| format!("room{n}"));
    names.find(|name| slot(name) < 100).expect("a channel")
}

#[test]
fn nodes_that_send_to_host_names_are_followed() {
    let cluster = Cluster::with(&[
        "cluster-node-timeout 5000",
        "cluster-announce-hostname localhost",
        "cluster-preferred-endpoint-type hostname",
    ]);
    let (from, to) = (&cluster.nodes()[0], &cluster.nodes()[1]);
    let sent = eventually("nodes know the names of each other", || {
        let reply = to.cli().ask("GET rollcall:p:room0").to_string();
        (reply.starts_with("!MOVED") && reply.contains("localhost")).then_some(reply)
    });
    let server = Server::start(on(json!({"address": format!("localhost:{}", to.port())})));
    let room = channel(from);
    let mut ann = server.client("ann");
    ann.enters(&room);
    cluster.reshard(from, to, 100);
    let mut bob = server.client("bob");
    bob.enters(&room);
    assert_eq!(ann.push()["join"]["info"]["user"], "bob", "{sent}");
    assert_eq!(ann.presence(&room).as_object().expect("a roster").len(), 2);
    assert_eq!(server.http().get("/ready").status, 200);
}

#[test]
fn a_hash_tag_in_the_prefix_is_warned_of_in_a_cluster_only() {
    let warning = "engine.redis.prefix has the hash tag {app}";
    let cluster = Cluster::start();
    let address = cluster.nodes()[2].address();
    let server = Server::start(on(json!({"address": address, "prefix": "{app}x"})));
    assert_eq!(server.log().matches(warning).count(), 1, "{}", server.log());
    let mut ann = server.client("ann");
    (0..10).for_each(|n| ann.enters(&format!("room{n}")));
    let rosters = cluster.nodes().iter().map(|node| node.info("rollcall_rosters"));
    let mut rosters: Vec<String> = rosters.collect();
    rosters.sort();
    assert_eq!(rosters, ["0", "0", "10"]);
    let redis = Redis::start();
    let alone = Server::start(on(json!({"address": redis.address(), "prefix": "{app}x"})));
    assert!(!alone.log().contains("hash tag"), "{}", alone.log());
}
