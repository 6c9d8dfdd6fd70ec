//! Redis is away, or is not what it should be.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rollcall_tests::{Ending, Redis, Server, Stack, Stopwatch, eventually, process, stack, token};
use serde_json::json;

#[test]
fn while_redis_is_away_calls_fail_at_once_and_clients_stay() {
    let mut stack = Stack::start();
    let mut ann = stack.client("ann");
    ann.enters("room");
    let before = ann.presence("room");
    stack.redis.stop();
    eventually("the server says that it is not ready", || {
        (stack.http().get("/ready").status == 503).then_some(())
    });
    assert_eq!(stack.http().get("/health").status, 200);
    let start = Stopwatch::start();
    let error = json!({"code": 100, "message": "internal server error", "temporary": true});
    for command in [
        json!({"presence": {"channel": "room"}}),
        json!({"presence_stats": {"channel": "room"}}),
        json!({"subscribe": {"channel": "hall"}}),
        json!({"publish": {"channel": "room", "data": 1}}),
        json!({"rpc": {"method": "update_user_status"}}),
    ] {
        assert_eq!(ann.call(command.clone())["error"], error, "{command}");
    }
    let mut bob = stack.websocket();
    let reply = bob.call(json!({"connect": {"token": token::of("bob")}}));
    assert_eq!(reply["error"], error);
    let error = json!({"error": {"code": 100, "message": "internal server error"}});
    for (method, params) in [
        ("presence", json!({"channel": "room"})),
        ("publish", json!({"channel": "room", "data": 1})),
        ("get_user_status", json!({"users": ["ann"]})),
    ] {
        assert_eq!(stack.api_answer(method, params), error, "{method}");
    }
    assert!(start.elapsed() < Duration::from_secs(2), "at once, not after {:?}", start.elapsed());
    stack.redis.run();
    eventually("the server is ready again", || {
        (stack.http().get("/ready").status == 200).then_some(())
    });
    eventually("presence is whole again", || {
        let reply = ann.call(json!({"presence": {"channel": "room"}}));
        (reply["presence"]["presence"] == before).then_some(())
    });
    ann.enters("hall");
    stack.client("bob").enters("room");
    assert_eq!(ann.push()["join"]["info"]["user"], "bob");
}

/// Those that were on their way when it died do not wait for `io_timeout`, which is four seconds.
#[test]
fn calls_on_their_way_fail_at_once_when_redis_dies() {
    let mut stack = Stack::start();
    let mut ann = stack.client("ann");
    ann.enters("room");
    for _ in 0..5 {
        let (server, over) = (&stack.server, AtomicBool::new(false));
        thread::scope(|scope| {
            let calls = [0, 1, 2, 3].map(|_| {
                scope.spawn(|| {
                    let mut longest = Duration::ZERO;
                    while !over.load(Ordering::Relaxed) {
                        let start = Stopwatch::start();
                        server.api_answer("presence", json!({"channel": "room"}));
                        longest = longest.max(start.elapsed());
                    }
                    longest
                })
            });
            let ending = Ending(&over);
            stack.redis.kill();
            eventually("calls fail", || {
                let answer = server.api_answer("presence_stats", json!({"channel": "room"}));
                (answer["error"]["code"] == 100).then_some(())
            });
            drop(ending);
            for call in calls {
                let longest = call.join().expect("calls are answered");
                assert!(longest < Duration::from_secs(2), "not after {longest:?}");
            }
        });
        stack.redis.run();
        eventually("the server is ready again", || {
            (stack.http().get("/ready").status == 200).then_some(())
        });
    }
}

#[test]
fn a_server_waits_for_a_redis_that_comes_later() {
    let mut redis = Redis::start();
    redis.stop();
    let server = Server::listening(stack::on(&redis, json!({})));
    assert_eq!(server.http().get("/ready").status, 503);
    assert_eq!(server.http().get("/health").status, 200);
    eventually("it says which Redis is away", || {
        server.log().contains(&redis.port().to_string()).then_some(())
    });
    redis.run();
    eventually("it is ready", || (server.http().get("/ready").status == 200).then_some(()));
    server.client("ann").enters("room");
}

#[test]
fn a_redis_without_the_module_is_told_what_it_lacks() {
    let redis = Redis::plain(&["enable-module-command yes"]);
    let server = Server::listening(stack::on(&redis, json!({})));
    eventually("the log says what to do", || {
        let log = server.log();
        (log.contains("module") && log.contains("loadmodule")).then_some(())
    });
    assert_eq!(server.http().get("/ready").status, 503);
    let load = format!("MODULE LOAD {}", process::module_library().display());
    assert_eq!(redis.cli().ask(&load).to_string(), "OK");
    eventually("it is ready", || (server.http().get("/ready").status == 200).then_some(()));
    server.client("ann").enters("room");
}

#[test]
fn a_redis_that_hangs_while_many_subscribe_serves_all_of_them_afterwards() {
    let stack = Stack::with(json!({"engine": {"redis": {"io_timeout": "1s"}}}));
    let mut clients: Vec<_> = (0..40).map(|n| stack.client(&format!("u{n}"))).collect();
    let subscribe = |n: usize| json!({"subscribe": {"channel": format!("c{n}")}});
    process::signal(stack.redis.id(), process::Signal::STOP);
    for (n, client) in clients.iter_mut().enumerate() {
        client.sends(&json!({"id": 9, "subscribe": {"channel": format!("c{n}")}}).to_string());
    }
    // None of them can be served; each is told so.
    for client in &mut clients {
        assert_eq!(client.line()["error"]["code"], 100);
    }
    process::signal(stack.redis.id(), process::Signal::CONT);
    for (n, client) in clients.iter_mut().enumerate() {
        eventually("a subscribe is served again", || {
            client.call(subscribe(n)).get("subscribe").map(|_| ())
        });
    }
    for (n, client) in clients.iter_mut().enumerate() {
        stack.api("publish", json!({"channel": format!("c{n}"), "data": "here"}));
        client.pushes_until("here");
    }
}
