//! A lease ends because its node is silent, and never because the server was.

use std::fs;
use std::thread;
use std::time::Duration;

use rollcall_tests::process::{Signal, signal};
use rollcall_tests::{Redis, Resp, eventually};

fn begin(redis: &Redis, px: u64) -> Resp {
    let mut cli = redis.cli();
    cli.ask(&format!("PRESENCE.LEASE KEEP n1 PX {px}"));
    cli.ask("PRESENCE.ADD room c1 ann LEASE n1 NOTIFY");
    cli.ask("USERSTATUS.ONLINE book LEASE n1 EX 600 ann");
    cli
}

/// The lease lives and holds what it held.
fn lives(cli: &mut Resp, px: u64) {
    let kept = cli.ask(&format!("PRESENCE.LEASE KEEP n1 PX {px}")).to_string();
    assert!(kept.ends_with(", 0, 1, 1]"), "[epoch, fresh, entries, users]: {kept}");
}

fn left_ms(cli: &mut Resp) -> i64 {
    cli.ask("PRESENCE.LEASE LIST").array().remove(0).array()[2].number()
}

#[test]
fn a_stopped_server_ends_no_lease() {
    let redis = Redis::start();
    let mut cli = begin(&redis, 1000);
    let mut listener = redis.listener("room");
    for _ in 0..2 {
        signal(redis.id(), Signal::STOP);
        thread::sleep(Duration::from_secs(2));
        signal(redis.id(), Signal::CONT);
        lives(&mut cli, 1000);
    }
    listener.hears_nothing();
    // It still ends when the server runs and the node does not.
    assert_eq!(listener.event()["why"], "lease");
}

#[test]
fn a_keepalive_that_waited_in_the_socket_is_heard_first() {
    let redis = Redis::start();
    let mut cli = begin(&redis, 1000);
    signal(redis.id(), Signal::STOP);
    cli.send(&["PRESENCE.LEASE", "KEEP", "n1", "PX", "1000"]).unwrap();
    thread::sleep(Duration::from_millis(2500));
    signal(redis.id(), Signal::CONT);
    let kept = cli.read().unwrap().to_string();
    assert!(kept.ends_with(", 0, 1, 1]"), "{kept}");
}

#[test]
fn a_slow_command_ends_no_lease() {
    let redis = Redis::with(&["enable-debug-command yes"]);
    let mut cli = begin(&redis, 500);
    cli.ask("DEBUG SLEEP 1.5");
    lives(&mut cli, 500);
}

#[test]
fn a_deadline_passes_while_the_server_is_stopped() {
    let redis = Redis::start();
    let mut listener = redis.listener("room");
    redis.cli().ask("PRESENCE.ADD room c1 ann PX 500 NOTIFY");
    signal(redis.id(), Signal::STOP);
    thread::sleep(Duration::from_millis(700));
    signal(redis.id(), Signal::CONT);
    assert_eq!(listener.event()["t"], "join");
    assert_eq!(listener.event()["why"], "expired");
}

#[test]
fn a_paused_master_ends_no_lease_and_gives_a_grace_afterwards() {
    for mode in ["WRITE", "ALL"] {
        let redis = Redis::start();
        let mut cli = begin(&redis, 500);
        let mut listener = redis.listener("room");
        redis.cli().ask("PRESENCE.ADD room c2 bob PX 300 NOTIFY");
        let mut other = redis.cli();
        cli.ask(&format!("CLIENT PAUSE 1500 {mode}"));
        // A write waits for the end of the pause.
        assert_eq!(other.ask("SET x 1").to_string(), "OK");
        assert_eq!(listener.event()["t"], "join");
        // The deadline passed meanwhile; it is told after the pause.
        let event = listener.event();
        assert_eq!((&event["t"], &event["why"]), (&"leave".into(), &"expired".into()), "{event}");
        let left = left_ms(&mut cli);
        assert!((5_000..=10_000).contains(&left), "{mode}: the grace is 10 s: {left}");
        lives(&mut cli, 500);
        listener.hears_nothing();
    }
}

#[test]
fn a_paused_master_renews_and_begins_leases() {
    let redis = Redis::start();
    let replica = redis.replica();
    let mut cli = begin(&redis, 500);
    cli.ask("CLIENT PAUSE 60000 WRITE");
    lives(&mut cli, 500);
    let fresh = cli.ask("PRESENCE.LEASE KEEP n2 PX 60000").to_string();
    assert!(fresh.ends_with(", 1, 0, 0]"), "{fresh}");
    cli.ask("CLIENT UNPAUSE");
    eventually("the replica hears of it", || {
        let list = replica.cli().ask("PRESENCE.LEASE LIST").to_string();
        list.contains(r#"["n2", 60000, "#).then_some(())
    });
}

/// Renews for twice the time of the lease while writes are refused with `error`.
fn lives_without_writes(cli: &mut Resp, error: &str) {
    let refused = cli.ask("PRESENCE.ADD room c2 bob EX 60").to_string();
    assert!(refused.starts_with(error), "{refused}");
    for _ in 0..10 {
        lives(cli, 1000);
        thread::sleep(Duration::from_millis(200));
    }
    let fresh = cli.ask("PRESENCE.LEASE KEEP n2 PX 1000").to_string();
    assert!(fresh.ends_with(", 1, 0, 0]"), "a lease can begin: {fresh}");
}

#[test]
fn a_failed_save_ends_no_lease() {
    let redis = Redis::with(&["save 3600 100000"]);
    let mut cli = begin(&redis, 1000);
    // The file cannot be put where a directory is.
    fs::create_dir(redis.dir().join("dump.rdb")).unwrap();
    cli.ask("BGSAVE");
    eventually("the save fails", || {
        lives(&mut cli, 1000);
        (redis.info("rdb_last_bgsave_status") == "err").then_some(())
    });
    lives_without_writes(&mut cli, "!MISCONF");
}

#[test]
fn too_few_replicas_end_no_lease() {
    let redis = Redis::start();
    let mut cli = begin(&redis, 1000);
    cli.ask("CONFIG SET min-replicas-to-write 1");
    lives_without_writes(&mut cli, "!NOREPLICAS");
}

#[test]
fn full_memory_ends_no_lease() {
    let redis = Redis::start();
    let mut cli = begin(&redis, 1000);
    cli.ask("CONFIG SET maxmemory 1");
    lives_without_writes(&mut cli, "!OOM");
    // Leaving frees memory.
    assert_eq!(cli.ask("PRESENCE.REM room c1").number(), 1);
}

#[test]
fn a_lease_kept_again_after_its_end_is_another() {
    let redis = Redis::start();
    let mut cli = begin(&redis, 60_000);
    let mut listener = redis.listener("room");
    cli.session(
        "
        > MULTI
        OK
        > PRESENCE.LEASE DROP n1
        QUEUED
        > PRESENCE.LEASE KEEP n1 PX 60000
        QUEUED
        > PRESENCE.ADD room c2 bob LEASE n1 NOTIFY
        QUEUED
        > USERSTATUS.ONLINE book LEASE n1 EX 600 bob
        QUEUED
        > PRESENCE.LEASE KEEP n1 PX 60000
        QUEUED
        > EXEC
        [1, [<n>, 1, 0, 0], 1, 1, [<n>, 0, 1, 1]]
        ",
    );
    listener.hears(
        r#"
        {"t":"join","seq":"<1>","prev":"<0>","clients":2,"users":2,"first":true,"info":{"user":"bob","client":"c2"}}
        {"t":"leave","seq":"<2>","prev":"<1>","clients":1,"users":1,"last":true,"why":"lease","info":{"user":"ann","client":"c1"}}
        "#,
    );
    lives(&mut cli, 60_000);
    // Who was online by the old lease is not any more: the time stands.
    let was = online(&mut cli);
    eventually("time passes", || {
        let now: i64 = cli.ask("TIME").array()[0].text().parse().expect("seconds");
        (now > was + 1).then_some(())
    });
    assert_eq!(online(&mut cli), was);
}

fn online(cli: &mut Resp) -> i64 {
    cli.ask("USERSTATUS.GET book ann").array().remove(0).array()[1].number()
}
