//! Redis loses everything while clients come and go: each membership is still shown one join and
//! one leave.

use std::thread;
use std::time::Duration;

use rollcall_tests::newcomers::Observer;
use rollcall_tests::{Redis, Scene, eventually, stack};
use serde_json::json;

/// The node and the client of [`delete_under_a_join`].
const PASSER_BY: &str = "passer-by";

/// What `lose` does to Redis is seen by nobody, and everything else as far as it can be.
fn is_unseen(options: &[&str], lose: impl FnOnce(&mut Redis)) {
    is_unseen_by(options, |redis, _| lose(redis));
}

/// The same where it matters who keeps the ledgers.
fn is_unseen_by(options: &[&str], lose: impl FnOnce(&mut Redis, &[Observer])) {
    let mut redis = Redis::with(options);
    let mut scene = Scene::of_two(&stack::on(&redis, json!({})), || vec![redis.cli()]);
    let observers = scene.observers();
    scene.during(|_| lose(&mut redis, &observers));
    scene.has_died(&redis);
    scene.converges(|| vec![redis.cli()]);
    // And those who are there can come and go as before.
    scene.during(|_| ());
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

/// Nobody can put anything back for longer than is waited for that.
#[test]
fn a_flush_of_a_redis_that_takes_nothing_afterwards_is_in_no_ledger() {
    is_unseen(&[], |redis| {
        let mut cli = redis.cli();
        for command in ["CONFIG SET maxmemory-policy noeviction", "CONFIG SET maxmemory 1"] {
            assert_eq!(cli.ask(command).to_string(), "OK");
        }
        cli.ask("FLUSHALL");
        thread::sleep(Duration::from_secs(8));
        assert_eq!(cli.ask("CONFIG SET maxmemory 0").to_string(), "OK");
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

/// In the snapshot the dead server's clients are there, and their lease has its grace.
#[test]
fn a_snapshot_from_before_a_server_died_is_in_no_ledger() {
    let mut redis = Redis::start();
    let mut scene = Scene::of_two(&stack::on(&redis, json!({})), || vec![redis.cli()]);
    assert_eq!(redis.cli().ask("SAVE").to_string(), "OK");
    scene.during(|servers| {
        servers[1].kill();
        servers[1].run_again();
    });
    scene.begins_anew(1);
    scene.converges(|| vec![redis.cli()]);
    scene.during(|_| {
        redis.kill();
        redis.run();
    });
    scene.has_died(&redis);
    scene.converges(|| vec![redis.cli()]);
}

#[test]
fn rosters_and_books_that_are_deleted_are_in_no_ledger() {
    is_unseen(&[], |redis| {
        redis.delete("rollcall:p:room[0-4]");
        redis.delete("rollcall:s:*");
    });
}

#[test]
fn rosters_that_are_deleted_again_and_again_are_in_no_ledger() {
    is_unseen(&[], |redis| {
        for _ in 0..8 {
            redis.delete("rollcall:p:room[0-4]");
            thread::sleep(Duration::from_millis(1500));
        }
    });
}

/// Deletes a roster while a client joins it, before anybody can read it empty. The client is
/// somebody else's; what it does is in no ledger.
fn delete_under_a_join(redis: &Redis, room: &str) {
    let mut cli = redis.cli();
    cli.ask(&format!("PRESENCE.LEASE KEEP {PASSER_BY} PX 60000"));
    cli.ask("MULTI");
    cli.ask(&format!("DEL rollcall:p:{room}"));
    cli.ask(&format!(
        "PRESENCE.ADD rollcall:p:{room} {PASSER_BY} observer LEASE {PASSER_BY} NOTIFY"
    ));
    assert_eq!(cli.ask("EXEC").array().len(), 2);
}

fn passes_by(redis: &Redis) {
    assert_eq!(redis.cli().ask(&format!("PRESENCE.LEASE DROP {PASSER_BY}")).number(), 1);
}

#[test]
fn rosters_that_are_deleted_while_others_join_are_in_no_ledger() {
    is_unseen_by(&[], |redis, observers| {
        delete_under_a_join(redis, "room0");
        let mut cli = redis.cli();
        eventually("the observers of both servers are put back", || {
            let all = cli.ask("PRESENCE.GET rollcall:p:room0").to_string();
            observers.iter().all(|(client, _)| all.contains(client)).then_some(())
        });
        passes_by(redis);
    });
}

#[test]
fn a_flush_just_before_a_wait_ends_is_in_no_ledger() {
    is_unseen(&[], |redis| {
        // Servers wait 5 seconds for what vanished to be put back; waits of some end after the
        // flush, and before servers have heard of it.
        for n in 0..8 {
            delete_under_a_join(redis, &format!("room{n}"));
            thread::sleep(Duration::from_millis(100));
        }
        thread::sleep(Duration::from_millis(4200));
        redis.cli().ask("FLUSHALL");
        passes_by(redis);
    });
}
