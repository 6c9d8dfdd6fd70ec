//! `/ready`: what it says, to whom, and where.

use rollcall_tests::{Http, Redis, Server, Stack, eventually, port, stack};
use serde_json::{Value, json};

/// What a caller from this machine is told.
fn told(http: &Http, path: &str) -> (u16, Value) {
    let answer = http.get(path);
    (answer.status, answer.json())
}

/// Waits until `/ready` says this of Redis, with a status of 200.
fn says(stack: &Stack, words: &str) {
    eventually(words, || {
        let (status, body) = told(stack.http(), "/ready");
        assert_eq!(status, 200, "{body}");
        body["redis"].as_str()?.contains(words).then_some(())
    });
}

fn says_nothing(stack: &Stack) {
    eventually("nothing is wrong any more", || {
        (told(stack.http(), "/ready") == (200, json!({}))).then_some(())
    });
}

#[test]
fn a_redis_that_refuses_writes_is_named() {
    let stack = Stack::start();
    let mut ann = stack.client("ann");
    ann.enters("room");
    let mut cli = stack.redis.cli();
    for (setting, bad, good, word) in
        [("maxmemory", "1", "0", "OOM"), ("min-replicas-to-write", "1", "0", "NOREPLICAS")]
    {
        says_nothing(&stack);
        cli.ask(&format!("CONFIG SET {setting} {bad}"));
        says(&stack, word);
        assert_eq!(ann.presence("room").as_object().expect("an object").len(), 1, "{setting}");
        cli.ask(&format!("CONFIG SET {setting} {good}"));
    }
    says_nothing(&stack);
    let log = stack.server.log();
    let lines = |words: &str| log.lines().filter(|line| line.contains(words)).count();
    assert_eq!(lines("redis refuses commands: OOM"), 1, "though nobody has joined: {log}");
    assert_eq!(cli.ask("KEYS *probe*").to_string(), "[]", "nothing is left behind");
}

#[test]
fn a_redis_that_pauses_writes_is_named() {
    let stack = Stack::start();
    let mut cli = stack.redis.cli();
    says_nothing(&stack);
    cli.ask("CLIENT PAUSE 120000 WRITE");
    says(&stack, "takes no writes");
    cli.ask("CLIENT UNPAUSE");
    says_nothing(&stack);
    let log = stack.server.log();
    assert!(log.contains("takes no writes"), "an operator is told: {log}");
}

#[test]
fn only_this_machine_is_told_what_is_wrong() {
    let mut redis = Redis::start();
    let server = Server::start(stack::on(&redis, json!({})));
    redis.kill();
    let http = server.http();
    let body = eventually("it is not ready", || {
        let (status, body) = told(http, "/ready");
        (status == 503).then_some(body)
    });
    assert!(body["redis"].is_string(), "{body}");
    // A proxy on this machine asks for somebody else.
    for header in ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"] {
        let answer = http.send("GET", "/ready", &[(header, "for=203.0.113.7")], "");
        assert_eq!((answer.status, answer.json()), (503, json!({})), "{header}");
    }
}

#[test]
fn the_internal_port_tells_everybody_what_is_wrong() {
    let mut redis = Redis::start();
    let internal = port::free();
    let own = json!({"http_server": {"internal_port": internal, "internal_address": "127.0.0.1"}});
    let server = Server::listening(stack::on(&redis, own));
    let http = Http::new(format!("http://127.0.0.1:{internal}"));
    eventually("it is ready", || (told(&http, "/ready") == (200, json!({}))).then_some(()));
    assert_eq!(server.http().get("/ready").status, 404, "clients do not get there");
    redis.kill();
    eventually("it is not ready", || (http.get("/ready").status == 503).then_some(()));
    let answer = http.send("GET", "/ready", &[("X-Forwarded-For", "203.0.113.7")], "");
    assert!(answer.json()["redis"].is_string(), "{answer}");
}

#[test]
fn readiness_is_beside_health() {
    let redis = Redis::start();
    for (prefix, health, ready) in [
        ("/healthz", "/healthz", "/ready"),
        ("/x/health", "/x/health", "/x/ready"),
        ("/a/b/live/", "/a/b/live", "/a/b/ready"),
    ] {
        let own = json!({"health": {"handler_prefix": prefix}});
        let server = Server::listening(stack::on(&redis, own));
        let http = server.http();
        assert_eq!(told(http, health), (200, json!({})), "{prefix}");
        eventually(ready, || (http.get(ready).status == 200).then_some(()));
        if ready != "/ready" {
            assert_eq!(http.get("/ready").status, 404, "{prefix}");
        }
    }
}
