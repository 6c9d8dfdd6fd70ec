//! The network between servers and Redis misbehaves.

use std::io::Write;
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use rollcall_tests::config;
use rollcall_tests::redis::{PASSWORD, USERS};
use rollcall_tests::relay::Line;
use rollcall_tests::{Redis, Relay, Scene, Server, eventually};
use serde_json::{Value, json};

/// The configuration of a server that reaches Redis through a relay.
fn through(relay: &Relay) -> Value {
    let redis = json!({"address": relay.address(), "io_timeout": "2s"});
    config::with(json!({"engine": {"type": "redis", "redis": redis}}))
}

/// Two servers, each with a network of its own; `trouble` is what happens to it.
fn goes_wrong(trouble: impl FnOnce(&[Relay; 2])) -> (Redis, [Relay; 2], Scene) {
    let redis = Redis::start();
    let relays = [(); 2].map(|()| Relay::to(redis.port()));
    let configs = [through(&relays[0]), through(&relays[1])];
    let mut scene = Scene::of(configs, || vec![redis.cli()]);
    scene.during(|_| trouble(&relays));
    (redis, relays, scene)
}

/// Everything becomes right, and no lease has ended.
fn is_unseen(trouble: impl FnOnce(&[Relay; 2])) {
    let (redis, _relays, mut scene) = goes_wrong(trouble);
    scene.converges(|| vec![redis.cli()]);
    assert_eq!(redis.info("rollcall_leaves_lease"), "0", "no lease ended");
}

/// Everything becomes right; the first server's lease may end meanwhile, and then its clients
/// leave and come back.
fn interrupts_the_first(trouble: impl FnOnce(&[Relay; 2])) {
    let start = Instant::now();
    let (redis, _relays, mut scene) = goes_wrong(trouble);
    scene.interrupted(0, start);
    scene.converges(|| vec![redis.cli()]);
}

#[test]
fn bytes_that_come_a_few_at_a_time_harm_nothing() {
    is_unseen(|relays| {
        for relay in relays {
            relay.split(true);
        }
        thread::sleep(Duration::from_secs(2));
        for relay in relays {
            relay.split(false);
        }
    });
}

#[test]
fn a_slow_network_harms_nothing() {
    is_unseen(|relays| {
        for ms in [50, 400, 150, 0] {
            for relay in relays {
                relay.delay(Duration::from_millis(ms));
            }
            thread::sleep(Duration::from_secs(1));
        }
    });
}

#[test]
fn connections_that_are_cut_again_and_again_harm_nothing() {
    is_unseen(|relays| {
        for n in 0..9 {
            if n % 3 != 0 {
                relays[0].cut();
            }
            if n % 3 != 1 {
                relays[1].cut();
            }
            thread::sleep(Duration::from_millis(300));
        }
    });
}

#[test]
fn a_stall_that_is_shorter_than_a_lease_harms_nothing() {
    is_unseen(|relays| {
        for relay in relays {
            relay.stall();
            thread::sleep(Duration::from_secs(1));
            relay.flow();
            thread::sleep(Duration::from_millis(1500));
        }
    });
}

#[test]
fn answers_that_come_late_harm_nothing() {
    is_unseen(|relays| {
        relays[0].stall_ways(false, true);
        thread::sleep(Duration::from_secs(1));
        relays[0].flow();
    });
}

#[test]
fn a_server_that_was_cut_off_for_long_puts_everything_back() {
    interrupts_the_first(|relays| {
        relays[0].refuse(true);
        relays[0].cut();
        thread::sleep(Duration::from_secs(5));
        relays[0].refuse(false);
    });
}

#[test]
fn a_network_that_stalls_for_long_ends_nothing_for_good() {
    interrupts_the_first(|relays| {
        relays[0].stall();
        thread::sleep(Duration::from_secs(6));
        relays[0].flow();
    });
}

#[test]
fn commands_that_arrive_and_answers_that_do_not_end_nothing_for_good() {
    interrupts_the_first(|relays| {
        relays[0].stall_ways(false, true);
        thread::sleep(Duration::from_secs(6));
        relays[0].flow();
    });
}

/// A lease ends while its server is cut off in a way of `trouble`. Whenever calls are answered again,
/// what it held is put back.
fn is_noticed(before: impl FnOnce(&Redis, &Server), trouble: [fn(&Relay); 2]) {
    let redis = Redis::start();
    let relay = Relay::to(redis.port());
    let server = Server::start(through(&relay));
    let mut ann = server.client("ann");
    ann.enters("room");
    before(&redis, &server);
    let [begin, end] = trouble;
    begin(&relay);
    eventually("the lease ends", || (redis.info("rollcall_leaves_lease") != "0").then_some(()));
    eventually("the server has noticed", || {
        (server.http().get("/ready").status == 503).then_some(())
    });
    end(&relay);
    let answer = eventually("calls are answered again", || {
        server.api_answer("presence", json!({"channel": "room"})).get("result").cloned()
    });
    assert_eq!(answer["presence"].as_object().expect("an object").len(), 1, "{}", server.log());
}

/// Renewals that stood on the way arrive when the lease has ended, and begin it again; nobody waits
/// for the answers that say so.
#[test]
fn a_lease_that_ended_unheard_is_noticed_before_calls_are_answered() {
    is_noticed(|_, _| (), [|relay| relay.stall(), |relay| relay.flow()]);
}

/// Everything was put back under a new name, which was not renewed since.
#[test]
fn a_lease_that_ended_before_its_first_renewal_is_noticed() {
    let put_back = |redis: &Redis, server: &Server| {
        assert_eq!(redis.cli().ask("FLUSHALL").to_string(), "OK");
        eventually("everything is put back", || {
            server.log().contains("everything held was put back").then_some(())
        });
    };
    let cut = |relay: &Relay| {
        relay.refuse(true);
        relay.cut();
    };
    is_noticed(put_back, [cut, |relay| relay.refuse(false)]);
}

#[test]
fn connections_that_went_silent_are_made_anew() {
    interrupts_the_first(|relays| {
        relays[0].deafen();
        relays[0].silence_is_noticed();
    });
}

#[test]
fn calls_do_not_keep_a_silent_connection_alive() {
    let redis = Redis::start();
    let relay = Relay::to(redis.port());
    let server = Server::start(through(&relay));
    let mut ann = server.client("ann");
    ann.enters("room");
    relay.deafen();
    let params = json!({"channel": "room"});
    eventually("calls are answered again", || {
        // One after the other, as those of a busy application: there is never a second of silence.
        let start = Instant::now();
        let answer = server.api_answer("presence", params.clone());
        thread::sleep(Duration::from_millis(100).saturating_sub(start.elapsed()));
        answer.get("result").map(|_| ())
    });
}

/// What random runs under Sentinel and in a cluster need.
#[test]
fn servers_that_log_in_by_names_of_their_own_have_networks_of_their_own() {
    let redis = Redis::relayed(&[]);
    let config = |user: &str| {
        let login = json!({"address": redis.address(), "user": user, "password": PASSWORD});
        config::with(json!({"engine": {"type": "redis", "redis": login}}))
    };
    let [one, two] = USERS.map(|user| Server::start(config(user)));
    let lines = redis.lines();
    assert!(!lines.map(Line::connections).contains(&0));
    lines[0].refuse(true);
    lines[0].cut();
    eventually("one is cut off", || (one.http().get("/ready").status == 503).then_some(()));
    two.client("ann").enters("room");
    assert_ne!(lines[1].connections(), 0);
    lines[0].refuse(false);
    eventually("one is back", || (one.http().get("/ready").status == 200).then_some(()));
}

#[test]
fn a_login_that_comes_in_pieces_is_recognised() {
    let redis = Redis::relayed(&[]);
    let mut client = TcpStream::connect(("127.0.0.1", redis.port())).expect("it accepts");
    client.set_nodelay(true).expect("a socket takes options");
    let login = format!("*3\r\n$4\r\nAUTH\r\n$7\r\n{}\r\n$6\r\n{PASSWORD}\r\n", USERS[1]);
    for piece in login.as_bytes().chunks(5) {
        client.write_all(piece).expect("it listens");
        thread::sleep(Duration::from_millis(5));
    }
    let connections = || redis.lines().map(Line::connections);
    eventually("it is the second one", || (connections() == [0, 1]).then_some(()));
}
