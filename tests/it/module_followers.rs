//! While nobody follows, the module tells nobody what it changes. Whoever begins to follow in the
//! midst of changes misses none.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{scope, sleep};
use std::time::Duration;

use rollcall_tests::{Redis, Resp, eventually};

/// How long nobody follows: longer than two looks of the module, which tells nobody what it found.
const ALONE: Duration = Duration::from_millis(2500);
const KEYS: &str = "room book";

/// Joins and leaves on a server while `follow` is done, and for a while after it.
fn changes_while<R>(redis: &Redis, follow: impl FnOnce() -> R) -> R {
    let done = AtomicBool::new(false);
    scope(|scope| {
        scope.spawn(|| {
            let mut cli = redis.cli();
            cli.ask("PRESENCE.LEASE KEEP n1 PX 600000");
            let mut n = 0;
            while !done.load(Ordering::Relaxed) {
                cli.ask(&format!(
                    "PRESENCE.ADD room c{n} u{} CONNINFO {n} LEASE n1 NOTIFY",
                    n % 50
                ));
                cli.ask(&format!("PRESENCE.ADD room d{n} u{n} EX 600"));
                cli.ask(&format!("PRESENCE.REM room c{} d{n}", n / 2));
                cli.ask(&format!("USERSTATUS.TOUCH book EX 600 u{}", n % 50));
                n += 1;
            }
        });
        sleep(ALONE);
        let result = follow();
        sleep(Duration::from_millis(300));
        done.store(true, Ordering::Relaxed);
        result
    })
}

fn digests(cli: &mut Resp) -> String {
    cli.ask(&format!("DEBUG DIGEST-VALUE {KEYS}")).to_string()
}

#[test]
fn a_replica_that_comes_later_misses_nothing() {
    let options = ["enable-debug-command yes", "repl-diskless-sync-delay 0"];
    for options in [&options[..], &["enable-debug-command yes", "repl-diskless-sync no"]] {
        let master = Redis::with(options);
        let replica = changes_while(&master, || master.replica());
        let (mut cli, mut copy) = (master.cli(), replica.cli());
        eventually("the replica has the same", || {
            (digests(&mut cli) == digests(&mut copy)).then_some(())
        });
    }
}

#[test]
fn an_append_only_file_that_is_begun_later_misses_nothing() {
    let redis = Redis::with(&["enable-debug-command yes", "appendfsync always"]);
    let mut cli = redis.cli();
    changes_while(&redis, || redis.cli().ask("CONFIG SET appendonly yes"));
    eventually("the file is whole", || {
        (redis.info("aof_rewrite_in_progress") == "0"
            && redis.info("aof_rewrite_scheduled") == "0"
            && redis.info("aof_last_bgrewrite_status") == "ok")
            .then_some(())
    });
    let before = digests(&mut cli);
    cli.ask("DEBUG LOADAOF");
    assert_eq!(digests(&mut cli), before);
}

#[test]
fn changes_count_for_the_next_snapshot_though_nobody_follows() {
    let redis = Redis::start();
    sleep(ALONE);
    let changed = || redis.info("rdb_changes_since_last_save").parse::<u64>().unwrap_or_default();
    let before = changed();
    let mut cli = redis.cli();
    cli.ask("PRESENCE.ADD room c1 ann EX 600");
    cli.ask("PRESENCE.REM room c1");
    assert!(changed() >= before + 2, "{before} then {}", changed());
}
