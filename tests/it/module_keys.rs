//! Whatever happens to a key, entries, what leases hold, and deadlines stay right.

use rollcall_tests::{Redis, Reply, Resp, eventually};

/// `room`: ann by lease n1, bob for a moment, carl for long. `book`: dora online by n1.
fn fill(cli: &mut Resp) {
    cli.session(
        "
        > PRESENCE.LEASE KEEP n1 PX 60000
        [<n>, 1, 0, 0]
        > PRESENCE.ADD room c1 ann LEASE n1 NOTIFY
        1
        > PRESENCE.ADD room c2 bob PX 400 NOTIFY
        1
        > PRESENCE.ADD room c3 carl EX 600 NOTIFY
        1
        > USERSTATUS.ONLINE book LEASE n1 EX 600 dora
        1
        ",
    );
}

/// What n1 holds.
fn held(cli: &mut Resp) -> [i64; 2] {
    let lease = cli.ask("PRESENCE.LEASE LIST").array().remove(0).array();
    [lease[3].number(), lease[4].number()]
}

fn clients(cli: &mut Resp, key: &str) -> i64 {
    cli.ask(&format!("PRESENCE.STATS {key}")).array().remove(0).array()[0].number()
}

#[test]
fn entries_end_under_the_name_and_in_the_database_that_the_key_has() {
    // Commands, and then the key and its database.
    for (commands, key, db) in [
        ("RENAME room hall", "hall", 0),
        ("RENAMENX room hall", "hall", 0),
        ("MOVE room 2", "room", 2),
        ("SWAPDB 0 2", "room", 2),
        ("COPY room hall;UNLINK room", "hall", 0),
        ("COPY room hall DB 2;DEL room", "hall", 2),
        ("RENAME room hall;RENAME hall room", "room", 0),
        ("SWAPDB 0 2;SWAPDB 2 0", "room", 0),
        ("MOVE room 2;SWAPDB 2 3;SELECT 3;RENAME room hall;MOVE hall 0", "hall", 0),
    ] {
        let redis = Redis::start();
        let mut cli = redis.cli();
        fill(&mut cli);
        let mut listener = redis.listener(key);
        for command in commands.split(';') {
            let reply = cli.ask(command).to_string();
            assert!(["OK", "1"].contains(&&*reply), "{commands}: {reply}");
        }
        cli.ask(&format!("SELECT {db}"));
        assert_eq!(held(&mut cli), [1, 1], "{commands}");
        let end = |listener: &mut rollcall_tests::Listener, client: &str, why: &str| {
            let event =
                eventually("a leave", || Some(listener.event()).filter(|e| e["t"] == "leave"));
            assert_eq!(event["info"]["client"], client, "{commands}: {event}");
            assert_eq!(event["why"], why, "{commands}: {event}");
            assert_eq!(event["db"].as_i64().unwrap_or(0), db, "{commands}: {event}");
        };
        end(&mut listener, "c2", "expired");
        assert_eq!(held(&mut cli), [1, 1], "{commands}");
        cli.ask("PRESENCE.LEASE DROP n1");
        end(&mut listener, "c1", "lease");
        let room = cli.ask(&format!("PRESENCE.GET {key}")).to_string();
        assert_eq!(room, r#"[["c3", "carl", nil, nil]]"#, "{commands}");
        listener.hears_nothing();
    }
}

#[test]
fn a_copy_is_held_as_well() {
    let redis = Redis::start();
    let mut cli = redis.cli();
    fill(&mut cli);
    cli.ask("COPY room hall");
    cli.ask("COPY book book2");
    assert_eq!(held(&mut cli), [2, 2]);
    cli.ask("COPY room hall DB 1");
    cli.ask("COPY room hall REPLACE");
    assert_eq!(held(&mut cli), [3, 2]);
    cli.ask("PRESENCE.REM hall c1");
    assert_eq!(held(&mut cli), [2, 2]);
    cli.ask("FLUSHDB");
    assert_eq!(held(&mut cli), [1, 0], "the other database stays");
    cli.ask("SWAPDB 0 1");
    assert_eq!(cli.ask("PRESENCE.REM hall c1").number(), 1);
    assert_eq!(held(&mut cli), [0, 0]);
}

#[test]
fn a_key_that_goes_is_held_no_more() {
    for (command, resets) in [
        ("DEL room book", 1),
        ("UNLINK room book", 1),
        ("EVAL \"return redis.call('DEL','room','book')\" 0", 1),
        ("MSET room 1 book 1", 1),
        ("FLUSHDB", 0),
        ("FLUSHDB ASYNC", 0),
        ("FLUSHALL", 0),
        ("FLUSHALL ASYNC", 0),
        ("SINTERSTORE room a", 1),
    ] {
        let redis = Redis::start();
        let mut cli = redis.cli();
        fill(&mut cli);
        cli.ask("PRESENCE.REM room c2");
        let mut listener = redis.listener("room");
        let reply = cli.ask(command);
        assert!(!matches!(reply, Reply::Error(_)), "{command}: {reply}");
        let users = i64::from(command.starts_with("SINTER"));
        assert_eq!(held(&mut cli), [0, users], "{command}");
        for _ in 0..resets {
            assert_eq!(listener.event()["t"], "reset", "{command}");
        }
        listener.hears_nothing();
        assert_eq!(redis.info("rollcall_members"), "0", "{command}");
        assert_eq!(redis.info("rollcall_statuses"), users.to_string(), "{command}");
    }
}

#[test]
fn the_ttl_of_a_key_is_its_users_affair() {
    let redis = Redis::start();
    let mut cli = redis.cli();
    fill(&mut cli);
    cli.session(
        "
        > TTL room
        -1
        > EXPIRE room 100
        1
        > PRESENCE.ADD room c4 dora EX 600
        1
        > TTL room
        100
        > PERSIST room
        1
        > TTL room
        -1
        > PEXPIRE book 100
        1
        ",
    );
    eventually("the book expires", || (cli.ask("EXISTS book").number() == 0).then_some(()));
    assert_eq!(held(&mut cli), [1, 0]);
    // Nobody looks: the server finds it by itself.
    let mut listener = redis.listener("room");
    cli.ask("PRESENCE.REM room c2");
    assert_eq!(listener.event()["t"], "leave");
    cli.ask("PEXPIRE room 100");
    assert_eq!(listener.event()["t"], "reset");
    assert_eq!(held(&mut cli), [0, 0]);
}

#[test]
fn evicted_rosters_are_held_no_more_and_say_so() {
    let redis = Redis::with(&["maxmemory-policy allkeys-random"]);
    let mut cli = redis.cli();
    cli.ask("PRESENCE.LEASE KEEP n1 PX 60000");
    let info = "x".repeat(2000);
    let count = 3000;
    for n in 0..count {
        let (key, client) = (format!("room:{n}"), format!("c{n}"));
        let add =
            ["PRESENCE.ADD", &key, &client, "ann", "CONNINFO", &info, "LEASE", "n1", "NOTIFY"];
        assert_eq!(cli.call(&add).number(), 1);
    }
    let used: u64 = redis.info("used_memory").parse().expect("bytes");
    cli.ask(&format!("CONFIG SET maxmemory {}", used - 2_000_000));
    eventually("some are evicted", || {
        cli.ask("SET x 1");
        redis.info("evicted_keys").parse::<i64>().ok().filter(|&evicted| evicted > 500)
    });
    cli.ask("CONFIG SET maxmemory 0");
    let evicted: i64 = redis.info("evicted_keys").parse().expect("a count");
    let rest: i64 = (0..count).map(|n| clients(&mut cli, &format!("room:{n}"))).sum();
    assert!(count - rest <= evicted && rest < count, "{count} - {evicted} = {rest}");
    assert_eq!(held(&mut cli), [rest, 0]);
    assert_eq!(redis.info("rollcall_rosters"), rest.to_string());
    eventually("every evicted one is reset", || {
        (redis.info("rollcall_resets") == (count - rest).to_string()).then_some(())
    });
}

#[test]
fn a_large_key_is_gone_at_once() {
    let redis = Redis::start();
    let mut cli = redis.cli();
    cli.ask("PRESENCE.LEASE KEEP n1 PX 60000");
    for n in 0..30_000 {
        let client = format!("c{n}");
        let add = ["PRESENCE.ADD", "room", &client, "ann", "LEASE", "n1"];
        cli.send(&add).expect("the server takes commands");
    }
    (0..30_000).for_each(|_| assert_eq!(cli.read().expect("a reply").number(), 1));
    cli.session(
        r"
        > COPY room hall
        1
        > UNLINK room
        1
        > PRESENCE.STATS room hall
        [[0, 0, <n>], [30000, 1, <n>]]
        > PRESENCE.LEASE KEEP n1 PX 60000
        [<n>, 0, 30000, 0]
        > PRESENCE.ADD room c1 ann LEASE n1
        1
        > FLUSHALL
        OK
        > PRESENCE.LEASE KEEP n1 PX 60000
        [<n>, 0, 0, 0]
        ",
    );
}

#[test]
fn functions_and_scripts_change_rosters_like_anybody() {
    let redis = Redis::start();
    let replica = redis.replica();
    let mut cli = redis.cli();
    let mut listener = redis.listener("room");
    let library = "#!lua name=rolls\nredis.register_function('join', function(keys, args)\n\
        return redis.call('PRESENCE.ADD', keys[1], args[1], args[2], 'EX', 600, 'NOTIFY') end)";
    assert_eq!(cli.call(&["FUNCTION", "LOAD", library]).to_string(), r#""rolls""#);
    let script = "redis.call('PRESENCE.LEASE','KEEP','n1','PX',60000) \
        redis.call('PRESENCE.ADD',KEYS[1],'c2','bob','LEASE','n1','NOTIFY') \
        return redis.call('PRESENCE.REM',KEYS[1],'c1')";
    assert_eq!(cli.ask("FCALL join 1 room c1 ann").number(), 1);
    assert_eq!(cli.call(&["EVAL", script, "1", "room"]).number(), 1);
    listener.hears(
        r#"
        {"t":"join","seq":"<1>","prev":0,"clients":1,"users":1,"first":true,"info":{"user":"ann","client":"c1"}}
        {"t":"join","seq":"<2>","prev":"<1>","clients":2,"users":2,"first":true,"info":{"user":"bob","client":"c2"}}
        {"t":"leave","seq":"<3>","prev":"<2>","clients":1,"users":1,"last":true,"why":"removed","info":{"user":"ann","client":"c1"}}
        "#,
    );
    let expected = cli.ask("PRESENCE.GET room WITHSEQ");
    eventually("the replica follows", || {
        (replica.cli().ask("PRESENCE.GET room WITHSEQ") == expected).then_some(())
    });
}

#[test]
fn a_reload_keeps_deadlines_and_what_is_held() {
    let redis = Redis::with(&["enable-debug-command yes"]);
    let mut cli = redis.cli();
    fill(&mut cli);
    let mut listener = redis.listener("room");
    let seq = cli.ask("PRESENCE.STATS room").array().remove(0).array()[2].number();
    assert_eq!(cli.ask("DEBUG RELOAD").to_string(), "OK");
    assert_eq!(held(&mut cli), [1, 1]);
    let event = listener.event();
    assert_eq!((&event["why"], event["prev"].as_i64()), (&"expired".into(), Some(seq)), "{event}");
    cli.ask("PRESENCE.LEASE DROP n1");
    assert_eq!(listener.event()["why"], "lease");
    assert_eq!(clients(&mut cli, "room"), 1);
}
