//! Who comes while something is wrong, calls presence and applies what is pushed, shows exactly who
//! is there: soon after the fault, and each push changes the picture.

use std::thread;
use std::time::Duration;

use rollcall_tests::newcomers::RIGHT;
use rollcall_tests::process::Signal;
use rollcall_tests::{Audience, Redis, Scene, Server, Stopwatch, crowd, stack};
use serde_json::json;

/// For as long servers may have to wait until what Redis lost is settled.
const UNSETTLED: Duration = Duration::from_secs(10);

/// How soon somebody who left while Redis lost data is shown leaving: 5 s, and what a busy machine
/// takes.
const SHOWN: Duration = Duration::from_secs(8);

#[test]
fn whoever_comes_while_others_come_and_go_has_the_right_picture() {
    let redis = Redis::start();
    let mut scene = Scene::of_two(&stack::on(&redis, json!({})), || vec![redis.cli()]);
    for _ in 0..3 {
        scene.during(|_| thread::sleep(Duration::from_secs(3)));
        scene.converges(|| vec![redis.cli()]);
    }
}

/// The file is of before the server died: its clients are held for the grace of their lease.
#[test]
fn whoever_comes_when_an_old_file_names_the_clients_of_a_dead_server_sees_them_leave() {
    let mut redis = Redis::start();
    let mut audience = Audience::of_two(&stack::on(&redis, json!({})));
    assert_eq!(redis.cli().ask("SAVE").to_string(), "OK");
    audience.kills(1);
    audience.agrees_for_good();
    redis.kill();
    redis.run();
    let lost = Stopwatch::start();
    audience.newcomers_come(0, Duration::from_millis(200), UNSETTLED);
    audience.pictures_agree_within(RIGHT.saturating_sub(lost.elapsed()));
    audience.agrees_for_good();
}

/// Newcomers come every few moments around a loss, to both servers.
fn nobody_is_missing(rounds: usize, lose: impl Fn(&mut Redis, &mut Server)) {
    let mut redis = Redis::start();
    let config = stack::on(&redis, json!({}));
    let mut audience = Audience::start(vec![config; 2], crowd::channels(20), 40);
    for _ in 0..rounds {
        let Audience { newcomers, servers, .. } = &mut audience;
        let ports: Vec<u16> = servers.iter().map(Server::port).collect();
        thread::scope(|scope| {
            scope.spawn(|| {
                for n in 0..80 {
                    newcomers.comes(n % 2, ports[n % 2]);
                    thread::sleep(Duration::from_millis(20));
                }
            });
            thread::sleep(Duration::from_millis(200));
            lose(&mut redis, &mut servers[1]);
        });
        audience.pictures_agree_within(RIGHT);
        audience.agrees_for_good();
        audience.newcomers.go();
    }
}

#[test]
fn whoever_comes_around_a_flush_misses_nobody() {
    nobody_is_missing(4, |redis, _| {
        redis.cli().ask("FLUSHALL");
    });
}

#[test]
fn whoever_comes_around_an_empty_restart_misses_nobody() {
    nobody_is_missing(4, |redis, _| {
        redis.kill();
        redis.run();
    });
}

/// The other server puts its clients back a second later than this one.
#[test]
fn whoever_comes_before_another_server_has_put_back_its_clients_misses_nobody() {
    nobody_is_missing(2, |redis, other| {
        other.process().signal(Signal::STOP);
        redis.kill();
        redis.run();
        thread::sleep(Duration::from_secs(1));
        other.process().signal(Signal::CONT);
    });
}

/// Who has left is told by the servers alone: Redis has forgotten that they were there.
#[test]
fn who_leaves_around_a_flush_is_shown_leaving_soon() {
    let redis = Redis::start();
    let mut audience = Audience::of_two(&stack::on(&redis, json!({})));
    let mut cli = redis.cli();
    for round in 0..5 {
        for member in 0..4 {
            if member == 2 {
                cli.ask("FLUSHALL");
            }
            for server in 0..2 {
                audience.leaves(server, 4 * (round % 2) + member);
            }
        }
        audience.agrees_within(SHOWN);
        audience.agrees_for_good();
    }
}

/// For less than the lease of 2.5 s.
#[test]
fn nobody_leaves_a_server_that_stands_still_for_less_than_its_lease() {
    let redis = Redis::start();
    let mut audience = Audience::of_two(&stack::on(&redis, json!({})));
    for _ in 0..4 {
        for still in [1200, 2000, 2400] {
            audience.servers[1].process().signal(Signal::STOP);
            thread::sleep(Duration::from_millis(still));
            audience.servers[1].process().signal(Signal::CONT);
            audience.newcomers_come(0, Duration::from_millis(50), Duration::from_millis(500));
            audience.agrees_for_good();
            assert_eq!(redis.info("rollcall_leaves_lease"), "0", "after {still} ms");
            audience.newcomers.go();
            // Renewed at another moment of its second.
            thread::sleep(Duration::from_millis(230));
        }
    }
}
