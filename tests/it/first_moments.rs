//! The first moment: a client that comes before Redis is ready is served.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rollcall_tests::process::{Process, Signal, module_library, server_binary};
use rollcall_tests::{Http, Redis, Server, Stopwatch, config, eventually, port, stack, token};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A redis-server that begins when `go` is there.
fn late_redis(dir: &Path) -> (PathBuf, PathBuf) {
    let (program, go) = (dir.join("redis-server"), dir.join("go"));
    let wait = format!("while [ ! -e {} ]; do sleep 0.01; done", go.display());
    fs::write(&program, format!("#!/bin/sh\n{wait}\nexec redis-server \"$@\"\n"))
        .expect("it is written");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("it may be run");
    (program, go)
}

/// Clients connect, subscribe and ask who is there, backends call, and then `go` begins Redis: all
/// of them are served.
fn is_served(server: &Server, go: impl FnOnce() + Send) {
    let mut ann = server.websocket();
    let (command, params) =
        (json!({"connect": {"token": token::of("ann")}}), json!({"users": ["ann"]}));
    std::thread::scope(|scope| {
        let calls = [
            scope.spawn(|| server.api_answer("get_user_status", params)),
            scope.spawn(|| server.api_answer("presence", json!({"channel": "room"}))),
            scope.spawn(|| server.api_answer("publish", json!({"channel": "room", "data": 1}))),
        ];
        let clients = scope.spawn(|| {
            let subscribe = json!({"subscribe": {"channel": "room"}});
            let replies = ann.calls(vec![command, subscribe]);
            (replies, ann.presence("room"))
        });
        assert_eq!(server.http().get("/health").status, 200);
        assert_eq!(server.http().get("/ready").status, 503);
        go();
        let (replies, presence) = clients.join().expect("the client is answered");
        assert!(replies[0]["connect"]["client"].is_string(), "{replies:?}");
        assert!(replies[1]["subscribe"].is_object(), "{replies:?}");
        assert_eq!(presence.as_object().map(serde_json::Map::len), Some(1), "{presence}");
        for call in calls {
            let answer = call.join().expect("the call is answered");
            assert!(answer["result"].is_object(), "{answer}");
        }
    });
    // The channel is heard, too: what waited was not taken for something that is listened to.
    server.api("publish", json!({"channel": "room", "data": "heard"}));
    ann.pushes_until("heard");
}

#[test]
fn clients_of_a_server_whose_embedded_redis_starts_are_served() {
    let dir = TempDir::new().unwrap();
    let (program, go) = late_redis(dir.path());
    let embedded = json!({"redis_server": program});
    // Long enough for a busy machine.
    let engine = json!({"embedded": embedded, "redis": {"connect_timeout": "30s"}});
    let server = Server::listening(config::with(json!({"engine": engine})));
    is_served(&server, || fs::write(&go, "").unwrap());
}

#[test]
fn clients_of_a_server_whose_redis_comes_later_are_served() {
    let mut redis = Redis::start();
    redis.stop();
    let changes = json!({"engine": {"redis": {"connect_timeout": "30s"}}});
    let server = Server::listening(stack::on(&redis, changes));
    is_served(&server, || redis.run());
}

#[test]
fn calls_wait_no_longer_than_connecting_may_take() {
    let mut redis = Redis::start();
    redis.stop();
    let changes = json!({"engine": {"redis": {"connect_timeout": "200ms"}}});
    let server = Server::listening(stack::on(&redis, changes));
    let start = Stopwatch::start();
    let answer = server.api_answer("presence", json!({"channel": "room"}));
    assert_eq!(answer["error"]["code"], 100, "{answer}");
    assert!(start.elapsed() >= Duration::from_millis(200));
    let reply = server.websocket().call(json!({"connect": {"token": token::of("ann")}}));
    assert_eq!(reply["error"]["code"], 100, "{reply}");
}

#[test]
fn calls_do_not_wait_again_when_redis_was_there_once() {
    let mut redis = Redis::start();
    let changes = json!({"engine": {"redis": {"connect_timeout": "10m"}}});
    let server = Server::start(stack::on(&redis, changes));
    redis.stop();
    eventually("the server says that it is not ready", || {
        (server.http().get("/ready").status == 503).then_some(())
    });
    let answer = server.api_answer("presence", json!({"channel": "room"}));
    assert_eq!(answer["error"]["code"], 100, "{answer}");
}

/// One call waits once, however many channels it names, and a stop waits for none.
#[test]
fn a_call_for_many_channels_waits_as_long_as_one() {
    let mut redis = Redis::start();
    redis.stop();
    let changes = json!({"engine": {"redis": {"connect_timeout": "2s"}}});
    let mut server = Server::listening(stack::on(&redis, changes));
    let channels: Vec<String> = (0..5_000).map(|n| format!("room{n}")).collect();
    let asked = Instant::now();
    let answer = server.api_answer("broadcast", json!({"channels": channels, "data": 1}));
    let first = &answer["result"]["responses"][0];
    assert_eq!(first["error"]["code"], 100, "{first}");
    // One after the other, in turns of 256, it would be forty seconds.
    assert!(asked.elapsed() < Duration::from_secs(20), "{:?}", asked.elapsed());
    let stopped = Instant::now();
    server.process().signal(Signal::TERM);
    assert!(server.process().ended().success());
    assert!(stopped.elapsed() < Duration::from_secs(10), "{:?}", stopped.elapsed());
}

#[test]
fn the_banner_of_development_comes_when_the_server_can_serve() {
    let dir = TempDir::new().unwrap();
    let (program, go) = late_redis(dir.path());
    let port = port::free().to_string();
    let variable =
        |name: &str, value: &Path| format!("ROLLCALL_ENGINE_EMBEDDED_{name}={}", value.display());
    let words = [
        variable("MODULE", &module_library()),
        variable("REDIS_SERVER", &program),
        server_binary().display().to_string(),
        "--dev".to_owned(),
        "-p".to_owned(),
        port.clone(),
    ];
    let server = Process::start("rollcall", "env", &words, dir.path());
    let http = Http::new(format!("http://127.0.0.1:{port}"));
    eventually("it listens", || http.try_send("GET", "/health", &[], "").ok());
    let banner = "Ctrl-C stops everything";
    assert_eq!(http.get("/ready").status, 503);
    assert!(!server.log().contains(banner) && !server.log().contains("serving"));
    fs::write(go, "").unwrap();
    eventually("the banner is there", || server.log().contains(banner).then_some(()));
    assert_eq!(http.get("/ready").status, 200);
    let log = server.log();
    let key = log.split("X-API-Key: ").nth(1).and_then(|rest| rest.split_whitespace().next());
    let key = [("X-API-Key", key.expect("the banner has a key"))];
    let answer = http.post("/api/presence", &key, r#"{"channel":"public:test"}"#).json();
    assert_eq!(answer, json!({"result": {"presence": {}}}));
}

#[test]
fn how_long_the_start_took_is_one_line_of_the_log() {
    let server = Server::start(config::with(json!({"log": {"format": "json"}})));
    let line = eventually("the line is there", || {
        let log = server.log();
        let mut lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.find(|line| line["fields"]["message"] == "serving")
    });
    let fields = &line["fields"];
    let [redis, all] = ["redis_ms", "start_ms"].map(|name| fields[name].as_u64());
    assert!(redis.is_some() && redis < all, "{line}");
}

#[test]
fn why_redis_cannot_be_used_is_said_each_time_that_changes() {
    let mut redis = Redis::plain(&[]);
    redis.stop();
    let server = Server::listening(stack::on(&redis, json!({})));
    let says = |what: &str| eventually(what, || server.log().contains(what).then_some(()));
    says("redis is away: connection refused");
    redis.run();
    says("redis runs without the Rollcall module");
    redis.stop();
    redis.run_with(&[format!("loadmodule {}", module_library().display())]);
    says("redis is ready");
}
