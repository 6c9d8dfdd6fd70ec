//! Redis is there and does not do what it should: full, read-only, slow, loading.

use std::thread;
use std::time::Duration;

use rollcall_tests::process::{self, Signal};
use rollcall_tests::{Redis, Scene, Stack, Stopwatch, eventually, stack};
use serde_json::json;

/// For this long.
const TROUBLE: Duration = Duration::from_secs(4);

/// What `trouble` does to Redis, while clients come and go, harms nobody who is there.
fn is_unseen(options: &[&str], trouble: impl FnOnce(&mut Redis)) {
    let mut redis = Redis::with(options);
    let config = stack::on(&redis, json!({"engine": {"redis": {"io_timeout": "1s"}}}));
    let mut scene = Scene::of_two(&config, || vec![redis.cli()]);
    scene.during(|_| trouble(&mut redis));
    scene.converges(|| vec![redis.cli()]);
}

/// A setting is one value for a while and then another.
fn is_set(redis: &Redis, setting: &str, bad: &str, good: &str) {
    let mut cli = redis.cli();
    assert_eq!(cli.ask(&format!("CONFIG SET {setting} {bad}")).to_string(), "OK");
    thread::sleep(TROUBLE);
    assert_eq!(cli.ask(&format!("CONFIG SET {setting} {good}")).to_string(), "OK");
}

#[test]
fn a_full_redis_refuses_joins_and_keeps_everybody() {
    let options = &["maxmemory-policy noeviction"];
    is_unseen(options, |redis| is_set(redis, "maxmemory", "1", "0"));
}

#[test]
fn a_redis_without_enough_replicas_keeps_everybody() {
    is_unseen(&[], |redis| is_set(redis, "min-replicas-to-write", "1", "0"));
}

#[test]
fn a_redis_that_loads_keeps_everybody() {
    // A load of 3 seconds, during which clients are told so.
    let options = ["appendonly yes", "loading-process-events-interval-bytes 1024"];
    let options = [&options[..], &["key-load-delay 30000"]].concat();
    is_unseen(&options, |redis| {
        redis.kill();
        redis.run();
    });
}

#[test]
fn a_redis_that_answers_in_bursts_harms_nobody() {
    // Answers take nearly as long as they may.
    is_unseen(&[], |redis| {
        for _ in 0..5 {
            process::signal(redis.id(), Signal::STOP);
            thread::sleep(Duration::from_millis(900));
            process::signal(redis.id(), Signal::CONT);
            thread::sleep(Duration::from_millis(100));
        }
    });
}

#[test]
fn connections_that_redis_ends_harm_nobody() {
    is_unseen(&[], |redis| {
        let mut cli = redis.cli();
        for kind in ["pubsub", "normal", "pubsub", "pubsub", "normal"] {
            cli.ask(&format!("CLIENT KILL TYPE {kind} SKIPME yes"));
            thread::sleep(Duration::from_millis(400));
        }
    });
}

#[test]
fn a_join_that_redis_refuses_is_a_temporary_error() {
    let stack = Stack::start();
    let mut ann = stack.client("ann");
    ann.enters("room");
    let mut cli = stack.redis.cli();
    let error = json!({"code": 100, "message": "internal server error", "temporary": true});
    for (setting, bad, good) in [("maxmemory", "1", "0"), ("min-replicas-to-write", "1", "0")] {
        cli.ask(&format!("CONFIG SET {setting} {bad}"));
        let start = Stopwatch::start();
        for _ in 0..2 {
            let reply = ann.call(json!({"subscribe": {"channel": "hall"}}));
            assert_eq!(reply["error"], error, "{setting}");
        }
        assert!(start.elapsed() < Duration::from_secs(1), "{setting}: at once");
        // Reading goes on, and so does leaving where Redis lets it.
        assert_eq!(ann.presence("room").as_object().unwrap().len(), 1, "{setting}");
        cli.ask(&format!("CONFIG SET {setting} {good}"));
        eventually("it is served again", || {
            ann.call(json!({"subscribe": {"channel": "hall"}})).get("subscribe").map(|_| ())
        });
        ann.call(json!({"unsubscribe": {"channel": "hall"}}));
    }
    let log = stack.server.log();
    for word in ["OOM", "NOREPLICAS"] {
        let told = format!("redis refuses commands: {word}");
        let lines =
            log.lines().filter(|line| line.contains(&told) && line.contains("PRESENCE.ADD"));
        assert_eq!(lines.count(), 1, "an operator is told, and not at every call: {log}");
    }
}

#[test]
fn a_master_that_becomes_a_replica_is_a_temporary_error() {
    let stack = Stack::start();
    let mut ann = stack.client("ann");
    ann.enters("room");
    let mut cli = stack.redis.cli();
    // Of a master that does not answer: it keeps what it has.
    cli.ask("REPLICAOF 127.0.0.1 1");
    eventually("the server says that it is not ready", || {
        (stack.http().get("/ready").status == 503).then_some(())
    });
    let reply = ann.call(json!({"subscribe": {"channel": "hall"}}));
    assert_eq!(reply["error"]["code"], 100, "{reply}");
    cli.ask("REPLICAOF NO ONE");
    eventually("it is served again", || {
        ann.call(json!({"subscribe": {"channel": "hall"}})).get("subscribe").map(|_| ())
    });
    assert_eq!(ann.presence("room").as_object().unwrap().len(), 1);
}
