//! Entries with a deadline go when it has passed.

use rollcall_tests::{Redis, eventually};

#[test]
fn an_announced_entry_leaves_with_an_event_when_its_time_is_up() {
    let redis = Redis::start();
    let mut listener = redis.listener("room");
    redis.cli().session(
        r"
        > PRESENCE.ADD room c1 ann PX 200 NOTIFY
        1
        > PRESENCE.ADD room c2 ann EX 600 NOTIFY
        1
        ",
    );
    listener.hears(
        r#"
        {"t":"join","seq":"<1>","prev":0,"clients":1,"users":1,"first":true,"info":{"user":"ann","client":"c1"}}
        {"t":"join","seq":"<2>","prev":"<1>","clients":2,"users":1,"first":false,"info":{"user":"ann","client":"c2"}}
        {"t":"leave","seq":"<3>","prev":"<2>","clients":1,"users":1,"last":false,"why":"expired","info":{"user":"ann","client":"c1"}}
        "#,
    );
    let room = redis.cli().ask("PRESENCE.GET room").to_string();
    assert_eq!(room, r#"[["c2", "ann", nil, nil]]"#);
    listener.hears_nothing();
}

#[test]
fn an_unannounced_entry_goes_silently() {
    let redis = Redis::start();
    let mut cli = redis.cli();
    let mut listener = redis.listener("room");
    cli.ask("PRESENCE.ADD room c1 ann PX 100");
    eventually("the entry goes", || (cli.ask("EXISTS room").number() == 0).then_some(()));
    listener.hears_nothing();
}

#[test]
fn adding_again_moves_the_deadline() {
    let redis = Redis::start();
    let mut cli = redis.cli();
    cli.ask("PRESENCE.ADD room c1 ann PX 300");
    cli.ask("PRESENCE.ADD room c2 ann PX 300");
    cli.ask("PRESENCE.ADD room c1 ann EX 600");
    eventually("the other entry goes", || {
        let room = cli.ask("PRESENCE.GET room").to_string();
        (room == r#"[["c1", "ann", nil, nil]]"#).then_some(())
    });
    cli.ask("PRESENCE.ADD room c1 ann PX 100");
    eventually("a shorter deadline counts too", || {
        (cli.ask("EXISTS room").number() == 0).then_some(())
    });
}

#[test]
fn many_entries_expire_each_with_its_event() {
    let redis = Redis::start();
    let mut cli = redis.cli();
    let mut listener = redis.listener("room");
    for n in 0..3000 {
        let add = ["PRESENCE.ADD", "room", &format!("c{n}"), "ann", "PX", "1500", "NOTIFY"];
        cli.send(&add).unwrap();
    }
    for _ in 0..3000 {
        assert_eq!(cli.read().unwrap().to_string(), "1");
    }
    let mut left: Vec<_> = (0..6000)
        .map(|_| listener.event())
        .filter(|event| event["t"] == "leave")
        .map(|event| event["info"]["client"].to_string())
        .collect();
    left.sort();
    left.dedup();
    assert_eq!(left.len(), 3000);
    assert_eq!(cli.ask("EXISTS room").number(), 0);
    listener.hears_nothing();
}

#[test]
fn a_write_that_meets_a_due_entry_ends_it_first() {
    let redis = Redis::with(&["enable-debug-command yes"]);
    let mut listener = redis.listener("room");
    // Nothing can sweep within a transaction.
    redis.cli().session(
        r"
        > MULTI
        OK
        > PRESENCE.ADD room c1 ann PX 1 NOTIFY
        QUEUED
        > DEBUG SLEEP 1
        QUEUED
        > PRESENCE.REM room c1
        QUEUED
        > EXEC
        [1, OK, 0]
        ",
    );
    listener.hears(
        r#"
        {"t":"join","seq":"<1>","prev":0,"clients":1,"users":1,"first":true,"info":{"user":"ann","client":"c1"}}
        {"t":"leave","seq":"<2>","prev":"<1>","clients":0,"users":0,"last":true,"why":"expired","info":{"user":"ann","client":"c1"}}
        "#,
    );
    listener.hears_nothing();
}

#[test]
fn deadlines_that_are_given_up_take_no_memory() {
    // Each deletion is a `reset`, which would be remembered.
    let redis = Redis::with(&["rollcall.recent-events-bytes 0"]);
    let mut cli = redis.cli();
    let mut many = |command: &dyn Fn(u64) -> String| {
        for n in 0..40_000 {
            cli.send(&command(n).split(' ').collect::<Vec<_>>()).expect("it reads");
            if n % 500 == 499 {
                (0..500).for_each(|_| drop(cli.read().expect("it answers")));
            }
        }
    };
    let used = || redis.info("used_memory").parse::<u64>().expect("bytes");
    many(&|n| format!("PRESENCE.ADD room c ann PX {}", 300_000_000_000 - n * 100));
    let before = used();
    many(&|n| format!("PRESENCE.ADD room c ann PX {}", 290_000_000_000 - n * 100));
    many(&|n| match n % 2 {
        0 => format!("PRESENCE.ADD hall c ann PX {}", 300_000_000_000 - n * 100),
        _ => "DEL hall".to_owned(),
    });
    let taken = used().saturating_sub(before);
    assert!(taken < 1 << 20, "{taken} bytes");
}
