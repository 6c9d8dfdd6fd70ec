//! Redis stands still for longer than a lease: nobody leaves because of it.

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use rollcall_tests::process::{self, Signal};
use rollcall_tests::{Redis, Scene, Server, Stopwatch, stack};
use serde_json::json;

/// Twice the lease.
const STILL: Duration = Duration::from_secs(5);

/// The node names that Redis knows: a server whose lease ended takes a new one.
fn nodes(redis: &Redis) -> BTreeSet<String> {
    let leases = redis.cli().ask("PRESENCE.LEASE LIST").array();
    leases.into_iter().map(|lease| lease.array()[0].text()).collect()
}

/// Clients come and go while Redis stands still; no lease ends, and everything becomes right.
fn stands_still(still: impl FnOnce(&Redis)) {
    let redis = Redis::start();
    let mut scene = Scene::of_two(&stack::on(&redis, json!({})), || vec![redis.cli()]);
    let before = nodes(&redis);
    scene.during(|_| still(&redis));
    scene.converges(|| vec![redis.cli()]);
    assert_eq!(nodes(&redis), before, "no lease ended");
    assert_eq!(redis.info("rollcall_leaves_lease"), "0");
}

#[test]
fn nobody_leaves_while_all_clients_of_redis_are_paused() {
    stands_still(|redis| {
        redis.cli().ask(&format!("CLIENT PAUSE {} ALL", STILL.as_millis()));
        thread::sleep(STILL);
    });
}

#[test]
fn nobody_leaves_while_writes_are_paused() {
    // Servers give up connections that owe answers, but not those on which events come.
    stands_still(|redis| {
        redis.cli().ask(&format!("CLIENT PAUSE {} WRITE", STILL.as_millis()));
        thread::sleep(STILL);
    });
}

#[test]
fn nobody_leaves_while_the_process_of_redis_is_stopped() {
    stands_still(|redis| {
        process::signal(redis.id(), Signal::STOP);
        thread::sleep(STILL);
        process::signal(redis.id(), Signal::CONT);
    });
}

#[test]
fn calls_are_answered_while_redis_is_stopped() {
    let redis = Redis::start();
    let server =
        Server::start(stack::on(&redis, json!({"engine": {"redis": {"io_timeout": "1s"}}})));
    let mut ann = server.client("ann");
    ann.enters("room");
    process::signal(redis.id(), Signal::STOP);
    let start = Stopwatch::start();
    for command in [
        json!({"presence": {"channel": "room"}}),
        json!({"subscribe": {"channel": "hall"}}),
        json!({"publish": {"channel": "room", "data": 1}}),
    ] {
        assert_eq!(ann.call(command.clone())["error"]["code"], 100, "{command}");
    }
    let answer = server.api_answer("presence", json!({"channel": "room"}));
    assert_eq!(answer["error"]["code"], 100, "{answer}");
    assert!(start.elapsed() < STILL, "{:?}", start.elapsed());
    process::signal(redis.id(), Signal::CONT);
}
