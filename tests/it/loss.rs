//! Redis loses everything: presence is put back, and nobody is shown coming or going.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rollcall_tests::process::{self, Signal};
use rollcall_tests::{
    Client, Ending, Listener, Redis, Server, Stack, Stopwatch, config, eventually, within,
};
use serde_json::{Value, json};

/// How soon presence has to be whole again.
const WHOLE: Duration = Duration::from_secs(5);

/// Longer than a server waits before it believes that somebody who vanished has left.
const WATCHED: Duration = Duration::from_secs(8);

/// Clients of these servers in the room, and nothing in the air between them any more.
fn settled(servers: &[&Server]) -> Vec<Client> {
    let mut clients: Vec<Client> = Vec::new();
    for n in 0..10 {
        let mut client = servers[n % servers.len()].client(&format!("u{n}"));
        client.enters("room");
        clients.push(client);
    }
    servers[0].api("publish", json!({"channel": "room", "data": "settled"}));
    for (n, client) in clients.iter_mut().enumerate() {
        let pushes = client.pushes_until("settled");
        assert_eq!(pushes.len(), 9 - n, "client {n} saw those who came after it: {pushes:?}");
    }
    clients
}

/// Who is in the room, as a server says.
fn presence(server: &Server) -> Option<Value> {
    server
        .api_answer("presence", json!({"channel": "room"}))
        .get("result")?
        .get("presence")
        .cloned()
}

/// Presence becomes whole in time after `lost`, statuses too, and no client sees a thing.
fn is_put_back(servers: &[&Server], clients: &mut [Client], lost: Stopwatch, before: &Value) {
    for server in servers {
        let left = WHOLE.saturating_sub(lost.elapsed());
        within(left, "presence is whole again", || {
            (presence(server).as_ref() == Some(before)).then_some(())
        });
        within(left, "everybody is online again", || {
            let users: Vec<String> = (0..10).map(|n| format!("u{n}")).collect();
            let answer = server.api_answer("get_user_status", json!({"users": users}));
            let statuses = answer["result"]["statuses"].as_array()?;
            statuses.iter().all(|status| status["online"].is_number()).then_some(())
        });
    }
    let watch = WATCHED.saturating_sub(lost.elapsed());
    let heard = clients[0].hears_within(watch);
    assert!(heard.is_none(), "{heard:?}");
    servers[0].api("publish", json!({"channel": "room", "data": "marker"}));
    for client in clients {
        assert_eq!(client.pushes_until("marker"), Vec::<Value>::new());
    }
    assert_eq!(presence(servers[0]).as_ref(), Some(before));
}

#[test]
fn after_a_flush_presence_is_whole_again_and_nobody_saw_anything() {
    let stack = Stack::start();
    let other = stack.another_server();
    let servers = [&stack.server, &other];
    let mut clients = settled(&servers);
    let before = presence(&stack).unwrap();
    stack.redis.cli().ask("FLUSHALL");
    is_put_back(&servers, &mut clients, Stopwatch::start(), &before);
}

#[test]
fn what_is_put_back_says_so_to_whoever_listens_to_redis() {
    let stack = Stack::start();
    let mut clients = settled(&[&stack.server]);
    let mut listener = Listener::of(stack.redis.cli(), "rollcall:p:room");
    stack.redis.cli().ask("FLUSHALL");
    let mut back: Vec<String> = (0..clients.len())
        .map(|_| {
            let event = listener.event();
            assert_eq!((&event["t"], &event["back"]), (&json!("join"), &json!(true)), "{event}");
            event["info"]["user"].as_str().expect("a user").to_owned()
        })
        .collect();
    back.sort_unstable();
    let everybody: Vec<String> = (0..clients.len()).map(|n| format!("u{n}")).collect();
    assert_eq!(back, everybody);
    clients.clear();
}

#[test]
fn a_key_that_is_no_roster_any_more_is_the_trouble_of_its_channel_alone() {
    let stack = Stack::start();
    let mut clients = settled(&[&stack.server]);
    let mut cli = stack.redis.cli();
    stack.server.client("other").enters("elsewhere");
    cli.ask("SET rollcall:p:room junk");
    // The server notices that its entries are gone, and cannot put them back.
    eventually("the leftover lease is dropped", || {
        let leases = cli.ask("PRESENCE.LEASE LIST").array();
        let held = leases.first()?.clone().array().get(3)?.number();
        (leases.len() == 1 && held == 0).then_some(())
    });
    let mut ann = stack.client("ann");
    ann.enters("elsewhere");
    cli.ask("DEL rollcall:p:room");
    eventually("everybody is put back", || {
        (presence(&stack)?.as_object()?.len() == 10).then_some(())
    });
    clients.clear();
}

#[test]
fn after_a_restart_of_an_empty_redis_presence_is_whole_again() {
    let mut stack = Stack::start();
    let other = stack.another_server();
    let mut clients = settled(&[&stack.server, &other]);
    let before = presence(&stack).unwrap();
    stack.redis.kill();
    stack.redis.run();
    is_put_back(&[&stack.server, &other], &mut clients, Stopwatch::start(), &before);
}

#[test]
fn after_the_embedded_redis_is_killed_presence_is_whole_again() {
    let server = Server::start(config::base());
    let mut clients = settled(&[&server]);
    let before = presence(&server).unwrap();
    let redis = server.embedded_redis();
    process::signal(redis, Signal::KILL);
    is_put_back(&[&server], &mut clients, Stopwatch::start(), &before);
    assert_ne!(server.embedded_redis(), redis);
}

/// What is asked all the while is answered with everybody, or not at all.
#[test]
fn nobody_who_stayed_is_missing_from_an_answer_while_redis_restarts() {
    let mut stack = Stack::start();
    let clients = settled(&[&stack.server]);
    let before = presence(&stack).unwrap();
    let server = &stack.server;
    let calls = [
        ("presence", json!({"channel": "room"})),
        ("presence_stats", json!({"channel": "room"})),
        ("get_user_status", json!({"users": ["u1", "u2"]})),
    ];
    let whole = calls.each_ref().map(|(method, params)| server.api(method, params.clone()));
    for _ in 0..5 {
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            for ((method, params), whole) in calls.iter().zip(&whole) {
                let over = &over;
                scope.spawn(move || {
                    while !over.load(Ordering::Relaxed) {
                        let answer = server.api_answer(method, params.clone());
                        match answer.get("result") {
                            Some(result) => assert_eq!(shape(result), shape(whole), "{method}"),
                            None => assert_eq!(answer["error"]["code"], 100, "{answer}"),
                        }
                    }
                });
            }
            let _ending = Ending(&over);
            stack.redis.kill();
            stack.redis.run();
            within(WHOLE, "presence is whole again", || {
                (presence(server).as_ref() == Some(&before)).then_some(())
            });
        });
    }
    drop(clients);
}

/// It restarts empty and takes no writes: nobody can be put back, also when all have stopped waiting
/// for that.
#[test]
fn nobody_who_stayed_is_missing_from_an_answer_while_redis_refuses_them() {
    let mut stack = Stack::start();
    let mut ann = stack.client("ann");
    ann.enters("room");
    let before = presence(&stack).unwrap();
    stack.redis.kill();
    stack.redis.run_with(&["min-replicas-to-write 1".to_owned()]);
    eventually("the server is ready again", || {
        (stack.http().get("/ready").status == 200).then_some(())
    });
    let start = Instant::now();
    while start.elapsed() < WATCHED {
        assert_eq!(presence(&stack), None, "{}", stack.server.log());
    }
    stack.redis.cli().ask("CONFIG SET min-replicas-to-write 0");
    let after = eventually("calls are answered again", || presence(&stack));
    assert_eq!(after, before);
}

/// An answer without times, which are new after a loss.
fn shape(result: &Value) -> Value {
    let mut shape = result.clone();
    for status in shape["statuses"].as_array_mut().into_iter().flatten() {
        status["active"] = json!(status["active"].is_number());
        status["online"] = json!(status["online"].is_number());
    }
    shape
}

#[test]
fn who_left_while_redis_was_away_is_gone_afterwards_and_the_others_are_told() {
    let mut stack = Stack::with(json!({}));
    let mut clients = settled(&[&stack.server]);
    stack.redis.kill();
    let gone = clients.pop().unwrap();
    let id = gone.id().to_owned();
    gone.cut();
    eventually("the server notices", || (stack.http().get("/ready").status == 503).then_some(()));
    stack.redis.run();
    for client in &mut clients {
        let push = client.push();
        assert_eq!(push["leave"]["info"]["client"], id.as_str(), "{push}");
    }
    let ids: Vec<String> = presence(&stack).unwrap().as_object().unwrap().keys().cloned().collect();
    assert_eq!(ids.len(), 9, "{ids:?}");
    assert!(!ids.contains(&id));
}

#[test]
fn the_embedded_redis_dies_with_a_server_that_is_killed() {
    let mut server = Server::start(config::base());
    let redis = server.embedded_redis();
    server.kill();
    eventually("the embedded Redis is gone", || (!process::is_running(redis)).then_some(()));
}

#[test]
fn an_interrupt_stops_everything() {
    for signal in [Signal::INT, Signal::TERM] {
        let mut server = Server::start(config::base());
        let mut ann = server.client("ann");
        let redis = server.embedded_redis();
        server.process().signal(signal);
        assert_eq!(ann.closed(), (3001, "shutdown".to_owned()));
        assert!(server.process().ended().success());
        assert!(!process::is_running(redis), "the server waits for its child");
    }
}

#[test]
fn the_data_of_an_embedded_redis_stays_where_it_has_a_directory() {
    let dir = tempfile::TempDir::new().unwrap();
    let config = config::with(json!({"engine": {"embedded": {"dir": dir.path()}}}));
    let mut server = Server::start(config.clone());
    server.api("update_user_status", json!({"users": ["ann"]}));
    server.process().signal(Signal::TERM);
    server.process().ended();
    let server = Server::start(config);
    let status = server.api("get_user_status", json!({"users": ["ann"]}));
    assert!(status["statuses"][0]["active"].is_number(), "{status}");
}

/// Only to say that a Redis with data of its own is not mistaken for a loss.
#[test]
fn a_restart_that_lost_nothing_shows_nobody_coming_or_going() {
    let redis = Redis::with(&["appendonly yes"]);
    let server = Server::start(rollcall_tests::stack::on(&redis, json!({})));
    let mut stack = Stack { server, redis };
    let mut clients = settled(&[&stack.server]);
    let before = presence(&stack).unwrap();
    stack.redis.kill();
    stack.redis.run();
    is_put_back(&[&stack.server], &mut clients, Stopwatch::start(), &before);
}
