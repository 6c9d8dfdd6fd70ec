//! The wall clock is stepped by an hour: leases do not notice, deadlines are wall time.

use std::thread;
use std::time::{Duration, Instant};

use rollcall_tests::{Redis, Resp, StepClock, Stopwatch, eventually};

const HOUR: i64 = 3600;
const PX: u64 = 5000;

fn keep(cli: &mut Resp) -> String {
    cli.ask(&format!("PRESENCE.LEASE KEEP n1 PX {PX}")).to_string()
}

fn seconds_of(redis: &Redis) -> i64 {
    redis.cli().ask("TIME").array()[0].text().parse().expect("seconds")
}

#[test]
fn the_clock_of_the_server_is_stepped() {
    let clock = StepClock::new();
    let redis = clock.redis(&[]);
    let before = seconds_of(&redis);
    for step in [-HOUR, HOUR] {
        clock.step(step);
        // Valkey 9 reads its clock once in a millisecond.
        eventually("the server sees the step", || {
            (before + step..before + step + 60).contains(&seconds_of(&redis)).then_some(())
        });
    }
}

#[test]
fn a_lease_ends_neither_early_nor_late_nor_never() {
    thread::scope(|scope| {
        for steps in [[-HOUR, -HOUR], [HOUR, HOUR], [-HOUR, HOUR], [HOUR, 0]] {
            scope.spawn(move || ends_on_time(steps));
        }
    });
}

/// A lease that is renewed for longer than it lives, while the clock is first at one of these, then
/// at the other.
fn ends_on_time(steps: [i64; 2]) {
    let clock = StepClock::new();
    let redis = clock.redis(&[]);
    let mut cli = redis.cli();
    keep(&mut cli);
    cli.ask("PRESENCE.ADD room c1 ann LEASE n1 NOTIFY");
    cli.ask("USERSTATUS.ONLINE book LEASE n1 EX 600 ann");
    let mut listener = redis.listener("room");
    let mut last = Instant::now();
    for step in steps {
        for _ in 0..8 {
            clock.step(step);
            thread::sleep(Duration::from_millis(PX / 12));
            last = Instant::now();
            let kept = keep(&mut cli);
            assert!(kept.ends_with(", 0, 1, 1]"), "{steps:?}: [epoch, fresh, …]: {kept}");
        }
    }
    listener.hears_nothing();
    let event = listener.event();
    assert_eq!(event["why"], "lease", "{steps:?}");
    let after = last.elapsed();
    assert!(after >= Duration::from_millis(PX), "{steps:?}: after {after:?}");
    assert!(event["seq"].as_u64() > event["prev"].as_u64(), "{event}");
}

#[test]
fn what_an_ended_lease_held_leaves_as_fast_after_a_step_back() {
    let clock = StepClock::new();
    let redis = clock.redis(&[]);
    let mut cli = redis.cli();
    cli.ask("PRESENCE.LEASE KEEP n1 PX 60000");
    for n in 0..20_000 {
        let add = ["PRESENCE.ADD", "crowd", &format!("c{n}"), "ann", "LEASE", "n1"];
        cli.send(&add).expect("the server takes commands");
    }
    (0..20_000).for_each(|_| assert_eq!(cli.read().expect("a reply").number(), 1));
    clock.step(-HOUR);
    let start = Stopwatch::start();
    cli.ask("PRESENCE.LEASE DROP n1");
    eventually("they leave", || (redis.info("rollcall_members") == "0").then_some(()));
    let took = start.elapsed();
    assert!(took < Duration::from_secs(6), "{took:?}");
}

#[test]
fn deadlines_are_wall_time() {
    let clock = StepClock::new();
    let redis = clock.redis(&[]);
    let mut cli = redis.cli();
    let mut listener = redis.listener("room");
    let mut leaves = |expected: &[&str]| {
        let mut gone: Vec<String> = Vec::new();
        while gone.len() < expected.len() {
            let event = listener.event();
            if event["t"] == "leave" {
                assert_eq!(event["why"], "expired");
                gone.push(event["info"]["client"].as_str().expect("a client").to_owned());
            }
        }
        listener.hears_nothing();
        gone.sort();
        assert_eq!(gone, expected);
    };
    // Forward: ten minutes are over at once, two hours are not.
    cli.ask("PRESENCE.ADD room stays ann PX 7200000 NOTIFY");
    cli.ask("PRESENCE.ADD room minutes ann PX 600000 NOTIFY");
    clock.step(HOUR);
    leaves(&["minutes"]);
    // Back: what was to leave soon waits for its time, what comes now leaves in its own.
    cli.ask("PRESENCE.ADD room soon ann PX 3000 NOTIFY");
    clock.step(0);
    cli.ask("PRESENCE.ADD room brief ann PX 300 NOTIFY");
    leaves(&["brief"]);
    cli.ask("PRESENCE.ADD room brief2 ann PX 300 NOTIFY");
    leaves(&["brief2"]);
    assert_eq!(redis.info("rollcall_members"), "2");
    clock.step(HOUR + 60);
    leaves(&["soon"]);
    clock.step(3 * HOUR);
    leaves(&["stays"]);
}

#[test]
fn times_of_a_status_never_go_backwards() {
    let clock = StepClock::new();
    let redis = clock.redis(&[]);
    let mut cli = redis.cli();
    cli.ask("PRESENCE.LEASE KEEP n1 PX 60000");
    cli.ask("USERSTATUS.TOUCH book EX 86400 ann");
    cli.ask("USERSTATUS.ONLINE book LEASE n1 EX 86400 ann");
    cli.ask("USERSTATUS.OFFLINE book LEASE n1 EX 86400 ann");
    let before = cli.ask("USERSTATUS.GET book ann");
    clock.step(-HOUR);
    cli.ask("USERSTATUS.TOUCH book EX 86400 ann");
    cli.ask("USERSTATUS.ONLINE book LEASE n1 EX 86400 ann");
    assert_eq!(cli.ask("USERSTATUS.GET book ann"), before, "online now, by an older clock");
    cli.ask("PRESENCE.LEASE DROP n1");
    eventually("nobody is held", || (redis.info("rollcall_entries_due") == "0").then_some(()));
    assert_eq!(cli.ask("USERSTATUS.GET book ann"), before);
}
