//! A master under Sentinel is killed or replaced while clients come and go.

use std::time::{Duration, Instant};

use rollcall_tests::churn::Sight;
use rollcall_tests::process::Signal;
use rollcall_tests::sentinel::Sentinels;
use rollcall_tests::truth::Truth;
use rollcall_tests::{Resp, Scene, Server, config, crowd, eventually, within};
use serde_json::json;

/// Two servers on a master with this many replicas.
fn scene(replicas: usize) -> (Sentinels, Scene) {
    let group = Sentinels::start(replicas);
    let scene = Scene::of_two(&group.config(), || master(&group));
    (group, scene)
}

/// A connection to the master.
fn master(group: &Sentinels) -> Vec<Resp> {
    let master = eventually("the Sentinels agree", || group.master());
    vec![group.redis[master].cli()]
}

#[test]
fn a_killed_master_is_in_no_ledger_and_neither_is_its_return() {
    let (mut group, mut scene) = scene(2);
    let killed = Instant::now();
    let old = scene.during(|_| {
        let old = group.kill_master();
        group.fails_over_from(old);
        old
    });
    scene.has_died(&group.redis[old]);
    scene.converges(|| master(&group));
    print_time("kill -9 of a master under Sentinel", killed);
    // The old master comes back as a master, until the Sentinels see it.
    scene.during(|_| {
        group.redis[old].run();
        group.follow();
    });
    scene.converges(|| master(&group));
}

#[test]
fn a_master_that_is_replaced_is_in_no_ledger() {
    let (group, mut scene) = scene(1);
    for _ in 0..2 {
        // What the old master is told until it is one no more is lost with all its traces.
        scene.during_as(Sight::Dim, |_| {
            group.fail_over();
            group.follow();
        });
        scene.converges(|| master(&group));
    }
}

/// It is a master until the Sentinels see it, and one of them says nothing at all.
#[test]
fn a_master_that_comes_back_once_it_is_replaced_is_used_no_more() {
    let mut group = Sentinels::start(1);
    let server = Server::start(group.config());
    let mut ann = server.client("ann");
    ann.enters("room");
    group.signal(2, Signal::STOP);
    let ready = |port: u16| {
        let line = format!("redis is ready address=127.0.0.1:{port}");
        server.log().matches(&line).count()
    };
    let [old, new] = [0, 1].map(|n| group.redis[n].port());
    group.redis[0].kill();
    eventually("it is known to be away", || server.log().contains("redis is away").then_some(()));
    eventually("two Sentinels name the other", || (group.master_by(0..2) == Some(1)).then_some(()));
    group.redis[0].run();
    eventually("the other is used", || (ready(new) == 1).then_some(()));
    assert_eq!(ready(old), 1, "{}", server.log());
    group.signal(2, Signal::CONT);
    eventually("ann is put back", || {
        let answer = server.api_answer("presence", json!({"channel": "room"}));
        (answer["result"]["presence"].as_object()?.len() == 1).then_some(())
    });
}

#[test]
fn sentinels_that_are_all_dead_are_said_while_the_master_serves() {
    let mut group = Sentinels::start(0);
    let server = Server::start(group.config());
    let said = |what: &str| server.log().matches(what).count();
    let blind = "a failover would not be noticed: no sentinel names the master";
    (0..group.count()).for_each(|sentinel| group.kill_sentinel(sentinel));
    eventually("it is in the log", || (said(blind) > 0).then_some(()));
    let ready = server.http().get("/ready");
    assert_eq!(ready.status, 200, "the master serves");
    assert!(ready.body.contains("no sentinel names the master: 127.0.0.1"), "{ready}");
    assert!(!ready.body.contains("tls"), "they worked: {ready}");
    server.client("ann").enters("room");
    (0..group.count()).for_each(|sentinel| group.run_sentinel(sentinel));
    eventually("the end is in the log", || (said("failovers are noticed again") > 0).then_some(()));
    let ready = server.http().get("/ready");
    assert_eq!((ready.status, ready.body.as_str()), (200, "{}"));
    assert_eq!(said("failovers are noticed again"), 1, "{}", server.log());
}

/// The replica has lost everybody.
#[test]
fn nobody_who_stayed_is_missing_from_an_answer_after_a_failover() {
    let mut group = Sentinels::start(1);
    // They answer no pings.
    let rare = json!({"client": {"ping_interval": "1h"}});
    let server = Server::start(config::over(group.config(), rare));
    let rooms = crowd::channels(100);
    let clients = crowd::crowd(&server, 30, &rooms, &mut Truth::default());
    let mut replica = group.redis[1].cli();
    for command in ["CONFIG SET replica-read-only no", "FLUSHALL"] {
        assert_eq!(replica.ask(command).to_string(), "OK", "{command}");
    }
    group.kill_master();
    for room in &rooms {
        let count = within(Duration::from_secs(60), "calls are answered again", || {
            let answer = server.api_answer("presence_stats", json!({"channel": room}));
            answer["result"]["num_clients"].as_u64()
        });
        assert_eq!(count, clients.len() as u64, "{room}");
    }
}

/// Epochs count from 0 again, and are older than any that servers have seen.
#[test]
fn sentinels_that_begin_anew_are_followed() {
    let (mut group, mut scene) = scene(2);
    for _ in 0..2 {
        group.fail_over();
        group.follow();
    }
    group.begin_anew();
    let old = scene.during(|_| {
        let old = group.kill_master();
        group.fails_over_from(old);
        old
    });
    scene.has_died(&group.redis[old]);
    scene.converges(|| master(&group));
}

#[test]
fn a_master_that_is_called_by_a_host_name_is_followed() {
    let mut group = Sentinels::by_name(1);
    assert_eq!(group.host(), "localhost");
    let server = Server::start(group.config());
    let mut ann = server.client("ann");
    ann.enters("room");
    let old = group.kill_master();
    group.fails_over_from(old);
    assert_eq!(group.host(), "localhost");
    let present = || {
        let answer = server.api_answer("presence", json!({"channel": "room"}));
        Some(answer["result"]["presence"].as_object()?.len())
    };
    eventually("ann is put back", || (present()? == 1).then_some(()));
    server.client("bob").enters("room");
}

#[expect(clippy::print_stdout, reason = "measured, not judged")]
fn print_time(what: &str, since: Instant) {
    println!("{what}: everything was right again after {:.2?}", since.elapsed());
}
