//! What a roster announces, and when it says nothing.

use rollcall_tests::Redis;
use rollcall_tests::copies::are_equal;

#[test]
fn every_field_of_joins_updates_and_leaves() {
    let redis = Redis::start();
    let mut cli = redis.cli();
    let mut listener = redis.listener("room");
    cli.session(
        r#"
        > PRESENCE.ADD room c1 ann CONNINFO '{"n":1}' CHANINFO '"x"' EX 60 NOTIFY
        1
        > PRESENCE.ADD room c2 ann EX 60 NOTIFY
        1
        > PRESENCE.ADD room c3 "" EX 60 NOTIFY
        1
        > PRESENCE.ADD room c1 ann CONNINFO 2 EX 60
        0
        > PRESENCE.ADD room c1 ann CONNINFO 2 EX 60
        0
        > PRESENCE.REM room c2 c1 c3
        3
        "#,
    );
    listener.hears(
        r#"
        {"t":"join","seq":"<1>","prev":0,"clients":1,"users":1,"first":true,"info":{"user":"ann","client":"c1","conn_info":{"n":1},"chan_info":"x"}}
        {"t":"join","seq":"<2>","prev":"<1>","clients":2,"users":1,"first":false,"info":{"user":"ann","client":"c2"}}
        {"t":"join","seq":"<3>","prev":"<2>","clients":3,"users":2,"first":true,"info":{"user":"","client":"c3"}}
        {"t":"update","seq":"<4>","prev":"<3>","clients":3,"users":2,"info":{"user":"ann","client":"c1","conn_info":2}}
        {"t":"leave","seq":"<5>","prev":"<4>","clients":2,"users":2,"last":false,"why":"removed","info":{"user":"ann","client":"c2"}}
        {"t":"leave","seq":"<6>","prev":"<5>","clients":1,"users":1,"last":true,"why":"removed","info":{"user":"ann","client":"c1","conn_info":2}}
        {"t":"leave","seq":"<7>","prev":"<6>","clients":0,"users":0,"last":true,"why":"removed","info":{"user":"","client":"c3"}}
        "#,
    );
    listener.hears_nothing();
    let seqs: Vec<i64> = (1..=7).map(|n| listener.number(&n.to_string())).collect();
    assert!(seqs.is_sorted() && seqs[0] > 0, "{seqs:?}");
}

#[test]
fn unannounced_entries_say_nothing_until_they_are_announced() {
    let redis = Redis::start();
    let mut cli = redis.cli();
    let mut listener = redis.listener("room");
    cli.session(
        r"
        > PRESENCE.ADD room c1 ann EX 60
        1
        > PRESENCE.ADD room c1 ann CONNINFO 1 EX 60
        0
        > PRESENCE.ADD room c2 bob EX 60
        1
        > PRESENCE.REM room c2
        1
        > PRESENCE.ADD room c1 ann CONNINFO 1 EX 60 NOTIFY
        0
        > PRESENCE.ADD room c1 ann CONNINFO 1 EX 60 NOTIFY
        0
        ",
    );
    listener.hears(
        r#"
        {"t":"join","seq":"<1>","prev":0,"clients":1,"users":1,"first":true,"info":{"user":"ann","client":"c1","conn_info":1}}
        "#,
    );
    listener.hears_nothing();
}

#[test]
fn a_join_can_say_that_it_puts_an_entry_back() {
    let redis = Redis::start();
    let mut listener = redis.listener("room");
    redis.cli().ask("PRESENCE.ADD room c1 ann EX 60 NOTIFY BACK");
    listener.hears(
        r#"
        {"t":"join","seq":"<1>","prev":0,"clients":1,"users":1,"first":true,"back":true,"info":{"user":"ann","client":"c1"}}
        "#,
    );
}

#[test]
fn another_user_for_an_announced_client_is_announced_as_leave_and_join() {
    let redis = Redis::start();
    let mut cli = redis.cli();
    let mut listener = redis.listener("room");
    cli.ask("PRESENCE.ADD room c1 ann EX 60 NOTIFY");
    cli.ask("PRESENCE.ADD room c1 bob EX 60");
    listener.hears(
        r#"
        {"t":"join","seq":"<1>","prev":0,"clients":1,"users":1,"first":true,"info":{"user":"ann","client":"c1"}}
        {"t":"leave","seq":"<2>","prev":"<1>","clients":0,"users":0,"last":true,"why":"removed","info":{"user":"ann","client":"c1"}}
        {"t":"join","seq":"<3>","prev":"<*>","clients":1,"users":1,"first":true,"info":{"user":"bob","client":"c1"}}
        "#,
    );
}

#[test]
fn events_name_their_database_unless_it_is_the_first() {
    let redis = Redis::start();
    let mut cli = redis.cli();
    let mut listener = redis.listener("room");
    cli.ask("SELECT 3");
    cli.ask("PRESENCE.ADD room c1 ann EX 60 NOTIFY");
    cli.ask("DEL room");
    listener.hears(
        r#"
        {"t":"join","seq":"<1>","prev":0,"clients":1,"users":1,"db":3,"first":true,"info":{"user":"ann","client":"c1"}}
        {"t":"reset","seq":"<2>","db":3}
        "#,
    );
}

#[test]
fn a_roster_that_changes_as_a_key_says_that_it_has_to_be_read_again() {
    let redis = Redis::start();
    let mut cli = redis.cli();
    for command in ["DEL room", "UNLINK room", "RENAME room hall", "SET room 1", "PEXPIRE room 1"] {
        cli.ask("DEL room");
        let mut listener = redis.listener("room");
        cli.ask("PRESENCE.ADD room c1 ann EX 60 NOTIFY");
        cli.ask(command);
        assert_eq!(listener.event()["t"], "join");
        let reset = listener.event();
        assert_eq!(reset["t"], "reset", "{command}");
        assert!(reset["seq"].is_number(), "{command}: {reset}");
    }
}

#[test]
fn both_ends_of_a_move_say_that_they_have_to_be_read_again() {
    let redis = Redis::start();
    let mut cli = redis.cli();
    cli.ask("PRESENCE.ADD room c1 ann EX 60 NOTIFY");
    let mut hall = redis.listener("hall");
    let mut copy = redis.listener("copy");
    let mut back = redis.listener("back");
    cli.ask("RENAME room hall");
    cli.ask("COPY hall copy");
    let dump = cli.call(&["DUMP", "hall"]);
    let rollcall_tests::Reply::Bulk(dump) = dump else { panic!("DUMP: {dump}") };
    let restore: [&[u8]; 4] = [b"RESTORE", b"back", b"0", &dump];
    assert_eq!(cli.call(&restore).to_string(), "OK");
    for listener in [&mut hall, &mut copy, &mut back] {
        assert_eq!(listener.event()["t"], "reset");
    }
    for key in ["hall", "copy", "back"] {
        let room = cli.ask(&format!("PRESENCE.GET {key}")).to_string();
        assert_eq!(room, r#"[["c1", "ann", nil, nil]]"#, "{key}");
    }
}

#[test]
fn an_unannounced_client_does_not_take_a_name_back_before_its_events() {
    let redis = Redis::with(&["enable-debug-command yes"]);
    let replica = redis.replica();
    let mut cli = redis.cli();
    let mut listener = redis.listener("room");
    let mut seq = || -> i64 { listener.event()["seq"].as_i64().expect("a sequence") };
    let unannounced = |cli: &mut rollcall_tests::Resp, key: &str| {
        cli.ask(&format!("PRESENCE.ADD {key} c1 ann EX 600 WITHSEQ")).array()[0].number()
    };
    assert_eq!(unannounced(&mut cli, "hall"), 0, "nobody was announced here");
    cli.ask("PRESENCE.ADD room c9 ann EX 600 NOTIFY");
    cli.ask("PRESENCE.REM room c9");
    let left = [seq(), seq()][1];
    assert_eq!(unannounced(&mut cli, "room"), left);
    for command in ["GET room WITHSEQ", "SCAN room 0 WITHSEQ"] {
        assert_eq!(cli.ask(&format!("PRESENCE.{command}")).array()[0].number(), left, "{command}");
    }
    let stats = cli.ask("PRESENCE.STATS room hall").to_string();
    assert_eq!(stats, format!("[[1, 1, {left}], [1, 1, 0]]"));
    // Whoever saw nobody there has missed nothing.
    cli.ask("PRESENCE.ADD room c2 bob EX 600 NOTIFY");
    let event = listener.event();
    assert_eq!(event["prev"].as_i64(), Some(0), "{event}");
    // The same after a reset.
    cli.ask("DEL room");
    let reset = listener.event();
    assert_eq!(reset["t"], "reset");
    assert_eq!(Some(unannounced(&mut cli, "room")), reset["seq"].as_i64());
    are_equal(&redis, &[&replica], 1, &["room", "hall"]);
}

#[test]
fn events_say_of_which_history_of_the_data_they_are() {
    let redis = Redis::start();
    let mut cli = redis.cli();
    let mut listener = redis.listener("room");
    let mut epochs = Vec::new();
    for command in ["PING", "FLUSHALL", "FLUSHDB", "SWAPDB 1 2"] {
        cli.ask(command);
        for change in ["PRESENCE.ADD room c1 ann EX 60 NOTIFY", "DEL room"] {
            cli.ask(change);
            listener.event();
            let kept = cli.ask("PRESENCE.LEASE KEEP node PX 60000").array();
            let epoch = u64::try_from(kept[0].number()).expect("an epoch");
            assert_eq!(listener.epoch(), epoch, "{change} after {command}");
            epochs.push(epoch);
        }
    }
    epochs.dedup();
    assert_eq!(epochs.len(), 4, "each loss of data begins another history");
}
