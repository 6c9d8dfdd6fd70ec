//! Redis loses everything while clients come and go: each membership is still shown one join and
//! one leave.

use std::thread;
use std::time::Duration;

use rollcall_tests::churn::Sight;
use rollcall_tests::{Redis, Scene, stack};
use serde_json::json;

/// What `lose` does to Redis is seen by nobody.
fn is_unseen(options: &[&str], lose: impl FnOnce(&mut Redis)) {
    let mut redis = Redis::with(options);
    let mut scene = Scene::of_two(&stack::on(&redis, json!({})), || vec![redis.cli()]);
    scene.during(Sight::Dim, |_| lose(&mut redis));
    scene.converges(|| vec![redis.cli()]);
    // And those who are there can come and go as before.
    scene.during(Sight::Clear, |_| ());
    scene.converges(|| vec![redis.cli()]);
}

#[test]
fn a_flush_is_in_no_ledger() {
    is_unseen(&[], |redis| {
        redis.cli().ask("FLUSHALL");
    });
}

#[test]
fn many_flushes_are_in_no_ledger() {
    is_unseen(&[], |redis| {
        for command in ["FLUSHALL ASYNC", "FLUSHDB", "SWAPDB 0 1", "FLUSHALL"].repeat(3) {
            redis.cli().ask(command);
            thread::sleep(Duration::from_millis(400));
        }
    });
}

#[test]
fn a_restart_of_an_empty_redis_is_in_no_ledger() {
    is_unseen(&[], |redis| {
        redis.kill();
        thread::sleep(Duration::from_secs(3));
        redis.run();
    });
}

#[test]
fn a_restart_that_lost_the_last_moment_is_in_no_ledger() {
    is_unseen(&["appendonly yes", "appendfsync no"], |redis| {
        redis.kill();
        redis.run();
    });
}

#[test]
fn a_restart_from_an_old_snapshot_is_in_no_ledger() {
    is_unseen(&[], |redis| {
        assert_eq!(redis.cli().ask("SAVE").to_string(), "OK");
        // Whoever comes and goes from here on is forgotten.
        thread::sleep(Duration::from_secs(1));
        redis.kill();
        redis.run();
    });
}

#[test]
fn rosters_and_books_that_are_deleted_are_in_no_ledger() {
    is_unseen(&[], |redis| {
        for pattern in ["rollcall:p:room[0-4]", "rollcall:s:*"] {
            let mut cli = redis.cli();
            for key in cli.ask(&format!("KEYS {pattern}")).array() {
                cli.ask(&format!("DEL {}", key.text()));
            }
        }
    });
}

#[test]
fn rosters_that_are_deleted_while_others_join_are_in_no_ledger() {
    is_unseen(&[], |redis| {
        let mut cli = redis.cli();
        // What the join does that comes at once: the roster is not empty when it is read.
        let (lease, key) = ("passer-by", "rollcall:p:room0");
        cli.ask(&format!("PRESENCE.LEASE KEEP {lease} PX 60000"));
        cli.ask("MULTI");
        cli.ask(&format!("DEL {key}"));
        cli.ask(&format!("PRESENCE.ADD {key} observer-of-nothing observer LEASE {lease}"));
        assert_eq!(cli.ask("EXEC").array().len(), 2);
        thread::sleep(Duration::from_secs(1));
        assert_eq!(cli.ask(&format!("PRESENCE.LEASE DROP {lease}")).number(), 1);
    });
}

#[test]
fn a_flush_just_before_a_wait_ends_is_in_no_ledger() {
    is_unseen(&[], |redis| {
        let mut cli = redis.cli();
        cli.ask("DEL rollcall:p:room0 rollcall:p:room1 rollcall:p:room2");
        // Servers wait 5 seconds for what vanished to be put back.
        thread::sleep(Duration::from_millis(4900));
        cli.ask("FLUSHALL");
    });
}
