//! Keyspace notifications: each change of a roster or book is told to whoever asks for it.

use rollcall_tests::{Redis, Resp, eventually};

/// A connection that hears of changes of keys.
struct Watch(Resp);

impl Watch {
    /// Of all that the setting lets through.
    fn of(redis: &Redis) -> Self {
        let mut cli = redis.cli();
        let reply = cli.ask("PSUBSCRIBE __key*__:*").to_string();
        assert!(reply.starts_with(r#"["psubscribe""#), "{reply}");
        Self(cli)
    }

    /// What was told before this call and was not read yet, as `channel message`.
    fn so_far(&mut self) -> Vec<String> {
        self.0.send(&["PING"]).expect("the server takes commands");
        let mut told = Vec::new();
        loop {
            let message = self.0.read().expect("the server answers").array();
            if message[0].text() == "pong" {
                return told;
            }
            told.push(format!("{} {}", message[2].text(), message[3].text()));
        }
    }

    /// The same for one that hears events of the first database only, as `event key`.
    fn events(&mut self) -> Vec<String> {
        let cut = |line: String| {
            let event = line.strip_prefix("__keyevent@0__:");
            event.unwrap_or_else(|| panic!("an event of database 0: {line}")).to_owned()
        };
        self.so_far().into_iter().map(cut).collect()
    }
}

fn asked(redis: &Redis, classes: &str) -> Watch {
    redis.cli().ask(&format!("CONFIG SET notify-keyspace-events {classes}"));
    Watch::of(redis)
}

/// After each command exactly these events are heard.
fn hears(redis: &Redis, watch: &mut Watch, session: &[(&str, &[&str])]) {
    let mut cli = redis.cli();
    for (command, expected) in session {
        let reply = cli.ask(command).to_string();
        assert!(!reply.starts_with('!'), "{command}: {reply}");
        assert_eq!(watch.events(), *expected, "{command}");
    }
}

#[test]
fn each_change_of_a_roster_is_told() {
    let redis = Redis::start();
    let mut watch = asked(&redis, "Egd");
    hears(
        &redis,
        &mut watch,
        &[
            ("PRESENCE.LEASE KEEP n1 PX 600000", &[]),
            ("PRESENCE.ADD room c1 ann LEASE n1 NOTIFY", &["presence.add room"]),
            ("PRESENCE.ADD room c1 ann LEASE n1 NOTIFY", &[]),
            ("PRESENCE.ADD room c1 ann CONNINFO 1 LEASE n1 NOTIFY", &["presence.add room"]),
            ("PRESENCE.ADD room c1 ann CONNINFO 1 EX 600 NOTIFY", &["presence.add room"]),
            ("PRESENCE.ADD room c1 bob EX 600 NOTIFY", &["presence.add room"]),
            ("PRESENCE.ADD room c1 bob EX 600 NOTIFY ANEW", &["presence.add room"]),
            ("PRESENCE.ADD room c2 ann EX 600", &["presence.add room"]),
            ("PRESENCE.GET room", &[]),
            ("PRESENCE.REM room nobody", &[]),
            ("PRESENCE.REM nowhere c1", &[]),
            ("PRESENCE.REM room c1 nobody", &["presence.rem room"]),
            ("PRESENCE.REM room c2", &["presence.rem room", "del room"]),
        ],
    );
}

#[test]
fn each_change_of_a_book_is_told() {
    let redis = Redis::start();
    let mut watch = asked(&redis, "Egd");
    hears(
        &redis,
        &mut watch,
        &[
            ("PRESENCE.LEASE KEEP n1 PX 600000", &[]),
            ("USERSTATUS.TOUCH book EX 600 ann bob", &["userstatus.touch book"]),
            ("USERSTATUS.ONLINE book LEASE n1 EX 600 ann", &["userstatus.online book"]),
            ("USERSTATUS.ONLINE book LEASE n1 EX 600 ann", &[]),
            ("USERSTATUS.GET book ann", &[]),
            ("USERSTATUS.OFFLINE book LEASE n1 EX 600 bob", &[]),
            ("USERSTATUS.OFFLINE book LEASE n1 EX 600 ann", &["userstatus.offline book"]),
            ("USERSTATUS.DEL book carl", &[]),
            ("USERSTATUS.DEL book ann", &["userstatus.del book"]),
            ("USERSTATUS.DEL book ann bob", &["userstatus.del book", "del book"]),
        ],
    );
}

#[test]
fn ends_of_leases_and_deadlines_are_told() {
    let redis = Redis::start();
    let mut cli = redis.cli();
    cli.ask("PRESENCE.LEASE KEEP n1 PX 600000");
    cli.ask("PRESENCE.ADD held c1 ann LEASE n1 NOTIFY");
    cli.ask("PRESENCE.ADD half c1 ann LEASE n1");
    cli.ask("PRESENCE.ADD half c2 ann EX 600");
    cli.ask("USERSTATUS.ONLINE book LEASE n1 EX 600 ann bob");
    let mut watch = asked(&redis, "Egd");
    cli.ask("PRESENCE.LEASE DROP n1");
    let mut told = Vec::new();
    let mut all = |expected: &[&str]| {
        eventually("they are told", || {
            told.extend(watch.events());
            (told.len() >= expected.len()).then_some(())
        });
        told.sort_unstable();
        assert_eq!(std::mem::take(&mut told), expected);
    };
    all(&["del held", "presence.lease half", "presence.lease held", "userstatus.lease book"]);
    cli.ask("PRESENCE.ADD short c1 ann PX 100 NOTIFY");
    cli.ask("USERSTATUS.TOUCH brief EX 1 ann");
    all(&[
        "del brief",
        "del short",
        "presence.add short",
        "presence.expired short",
        "userstatus.expired brief",
        "userstatus.touch brief",
    ]);
}

#[test]
fn nothing_is_told_that_nobody_asks_for() {
    let redis = Redis::start();
    let mut cli = redis.cli();
    let mut change = || {
        cli.ask("PRESENCE.ADD room c1 ann EX 600");
        cli.ask("PRESENCE.REM room c1");
    };
    let mut watch = Watch::of(&redis);
    change();
    assert_eq!(watch.so_far(), [""; 0], "as the server starts");
    for (classes, expected) in [
        ("Kg", &["__keyspace@0__:room del"][..]),
        ("Kd", &["__keyspace@0__:room presence.add", "__keyspace@0__:room presence.rem"]),
        ("Elshzxe$", &[]),
        ("gd", &[]),
        (
            "EA",
            &[
                "__keyevent@0__:presence.add room",
                "__keyevent@0__:presence.rem room",
                "__keyevent@0__:del room",
            ],
        ),
    ] {
        let mut watch = asked(&redis, classes);
        change();
        assert_eq!(watch.so_far(), expected, "{classes}");
    }
}

#[test]
fn the_database_is_that_of_the_key() {
    let redis = Redis::start();
    let mut cli = redis.cli();
    let mut watch = asked(&redis, "Ed");
    for command in
        ["SELECT 3", "PRESENCE.LEASE KEEP n1 PX 600000", "PRESENCE.ADD room c1 ann LEASE n1"]
    {
        cli.ask(command);
    }
    assert_eq!(watch.so_far(), ["__keyevent@3__:presence.add room"]);
    cli.ask("PRESENCE.LEASE DROP n1");
    eventually("the end is told", || {
        let told = watch.so_far();
        assert!(told.is_empty() || told == ["__keyevent@3__:presence.lease room"], "{told:?}");
        (!told.is_empty()).then_some(())
    });
}

#[test]
fn a_replica_tells_what_it_is_told() {
    let master = Redis::start();
    let replica = master.replica();
    let mut watch = asked(&replica, "Egd");
    let mut cli = master.cli();
    cli.ask("PRESENCE.LEASE KEEP n1 PX 600000");
    cli.ask("PRESENCE.ADD room c1 ann LEASE n1 NOTIFY");
    cli.ask("PRESENCE.ADD room c2 bob EX 600");
    cli.ask("PRESENCE.REM room c2");
    cli.ask("USERSTATUS.ONLINE book LEASE n1 EX 600 ann");
    cli.ask("USERSTATUS.TOUCH book EX 600 bob");
    cli.ask("USERSTATUS.DEL book bob");
    cli.ask("PRESENCE.LEASE DROP n1");
    eventually("all is over", || (replica.info("rollcall_members") == "0").then_some(()));
    let mut told = watch.events();
    eventually("all is told", || {
        told.extend(watch.events());
        (told.len() >= 9).then_some(())
    });
    // Which key is swept first is not said.
    told[6..].sort_unstable();
    let expected = [
        "presence.add room",
        "presence.add room",
        "presence.rem room",
        "userstatus.online book",
        "userstatus.touch book",
        "userstatus.del book",
        "del room",
        "presence.rem room",
        "userstatus.lease book",
    ];
    assert_eq!(told, expected);
}

#[test]
fn what_a_file_brings_is_no_news() {
    let redis = Redis::with(&["enable-debug-command yes", "appendonly yes"]);
    let mut cli = redis.cli();
    for command in [
        "PRESENCE.ADD room c1 ann EX 600 NOTIFY",
        "PRESENCE.ADD room c2 ann EX 600 NOTIFY",
        "PRESENCE.ADD gone c1 ann EX 600 NOTIFY",
        "PRESENCE.REM gone c1",
        "USERSTATUS.TOUCH book EX 600 ann",
        "SET text 1",
    ] {
        cli.ask(command);
    }
    let mut watch = asked(&redis, "KEA");
    assert_eq!(cli.ask("DEBUG LOADAOF").to_string(), "OK");
    let told = watch.so_far();
    assert!(told.iter().any(|line| line.ends_with(" set")), "as the server does: {told:?}");
    let ours = ["room", "gone", "book"];
    assert!(!told.iter().any(|line| ours.iter().any(|key| line.contains(key))), "{told:?}");
    cli.ask("PRESENCE.REM room c1 c2");
    assert_eq!(watch.so_far().len(), 4, "presence.rem and del, by key and by event");
}

#[test]
fn an_emptied_roster_is_no_foreign_change() {
    let redis = Redis::start();
    let mut watch = asked(&redis, "KEA");
    let mut listener = redis.listener("room");
    let mut cli = redis.cli();
    for _ in 0..2 {
        cli.ask("MULTI");
        cli.ask("PRESENCE.ADD room c1 ann EX 600 NOTIFY");
        cli.ask("PRESENCE.REM room c1");
        cli.ask("EXEC");
    }
    let kinds = |events: Vec<serde_json::Value>| {
        events.iter().map(|event| event["t"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(kinds(listener.so_far()), ["join", "leave", "join", "leave"]);
    listener.hears_nothing();
    assert_eq!(redis.info("rollcall_resets"), "0");
    assert_eq!(watch.so_far().iter().filter(|line| line.ends_with(":del room")).count(), 2);
}
