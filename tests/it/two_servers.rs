//! Several servers on one Redis are one presence.

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use rollcall_tests::crowd::channels;
use rollcall_tests::{Client, Redis, Scene, Server, Stack, Stopwatch, stack, token, within};
use serde_json::{Value, json};

#[test]
fn clients_of_two_servers_see_each_other() {
    let one = Stack::start();
    let two = one.another_server();
    let mut ann = one.websocket();
    ann.connect(&token::token(json!({"sub": "ann", "info": {"name": "Ann"}})));
    ann.enters("room");
    let mut bob = two.client("bob");
    bob.enters("room");
    let join = json!({"channel": "room", "join": {"info": {"user": "bob", "client": bob.id()}}});
    assert_eq!(ann.push(), join);
    let (a, b) = (ann.id().to_owned(), bob.id().to_owned());
    let everyone = json!({
        a.as_str(): {"user": "ann", "client": a, "conn_info": {"name": "Ann"}},
        b.as_str(): {"user": "bob", "client": b},
    });
    assert_eq!(ann.presence("room"), everyone);
    assert_eq!(bob.presence("room"), everyone);
    assert_eq!(two.api("presence", json!({"channel": "room"}))["presence"], everyone);
    let said = bob.call(json!({"publish": {"channel": "room", "data": "hi"}}));
    assert!(said.get("publish").is_some(), "{said}");
    assert_eq!(ann.push()["pub"]["data"], "hi");
    bob.cut();
    let leave = json!({"channel": "room", "leave": {"info": {"user": "bob", "client": b}}});
    assert_eq!(ann.push(), leave);
}

/// Forty clients of a server in the room; every one of them knows of all.
fn crowd(server: &Server) -> Vec<Client> {
    let enter = |n: u32| {
        let mut client = server.client(&format!("u{}", n % 10));
        client.call(json!({"subscribe": {"channel": "room"}}));
        client
    };
    (0..40).map(enter).collect()
}

#[test]
fn after_a_server_is_killed_every_leave_is_told_once_within_three_seconds() {
    let one = Stack::start();
    let mut two = one.another_server();
    let mut ann = one.client("ann");
    ann.enters("room");
    let clients: BTreeSet<String> =
        crowd(&two).iter().map(|client| client.id().to_owned()).collect();
    // The crowd is dropped here: its leaves are ordinary ones.
    let left: BTreeSet<String> = (0..80).filter_map(|_| leaver(&ann.push())).collect();
    assert_eq!(left, clients);

    let crowd = crowd(&two);
    let clients: BTreeSet<String> = crowd.iter().map(|client| client.id().to_owned()).collect();
    for _ in 0..40 {
        assert!(ann.push().get("join").is_some());
    }
    two.kill();
    let killed = Stopwatch::start();
    let left: BTreeSet<String> = (0..40).map(|_| leaver(&ann.push()).expect("a leave")).collect();
    let took = killed.elapsed();
    assert_eq!(left, clients, "each client's leave, once");
    assert!(took <= Duration::from_secs(3), "the last leave came after {took:?}");
    assert_eq!(ann.presence("room").as_object().unwrap().len(), 1);
    assert_nothing_more(&one, &mut ann);
}

#[test]
fn a_server_that_stops_takes_its_clients_with_it_at_once() {
    let one = Stack::start();
    let mut two = one.another_server();
    let mut ann = one.client("ann");
    ann.enters("room");
    let crowd = crowd(&two);
    for _ in 0..40 {
        assert!(ann.push().get("join").is_some());
    }
    two.process().signal(rollcall_tests::process::Signal::TERM);
    let left: BTreeSet<String> = (0..40).map(|_| leaver(&ann.push()).expect("a leave")).collect();
    assert_eq!(left, crowd.iter().map(|client| client.id().to_owned()).collect());
    assert!(two.process().ended().success());
    assert_nothing_more(&one, &mut ann);
    let leases = || one.redis.cli().ask("PRESENCE.LEASE LIST").array().len();
    within(Duration::from_secs(1), "its lease is dropped", || (leases() == 1).then_some(()));
}

/// A put-back costs as much as everything that is held: it shall have a reason.
#[test]
fn comings_and_goings_alone_make_nobody_put_anything_back() {
    let redis = Redis::start();
    let config = stack::on(&redis, json!({}));
    let mut scene = Scene::start(vec![config; 2], channels(20), 40);
    scene.during(|_| thread::sleep(Duration::from_secs(6)));
    scene.converges(|| vec![redis.cli()]);
    for server in &scene.servers {
        let log = server.log();
        assert!(!log.contains("WARN"), "{log}");
    }
}

/// The client of a leave push.
fn leaver(push: &Value) -> Option<String> {
    Some(push.get("leave")?["info"]["client"].as_str()?.to_owned())
}

fn assert_nothing_more(server: &Server, client: &mut Client) {
    server.api("publish", json!({"channel": "room", "data": "marker"}));
    assert_eq!(client.pushes_until("marker"), Vec::<Value>::new());
}
