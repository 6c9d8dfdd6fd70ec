//! What a read says of its moment, whatever was done to the key: each event of the name before it
//! has at most its sequence, each later one a higher one.

use rollcall_tests::copies::{linked, same_offset};
use rollcall_tests::{Listener, Redis, Resp, StepClock, eventually};

/// An announced client joins a roster; the sequence of its join.
fn join(cli: &mut Resp, key: &str, client: &str) -> u64 {
    with_seq(&cli.ask(&format!("PRESENCE.ADD {key} {client} ann EX 600 NOTIFY WITHSEQ")))
}

/// One who is not announced joins; the sequence that the reply says.
fn quiet(cli: &mut Resp, key: &str) -> u64 {
    with_seq(&cli.ask(&format!("PRESENCE.ADD {key} q bob EX 600 WITHSEQ")))
}

fn with_seq(reply: &rollcall_tests::Reply) -> u64 {
    number(&reply.clone().array()[0])
}

fn number(reply: &rollcall_tests::Reply) -> u64 {
    u64::try_from(reply.number()).expect("a sequence")
}

/// The sequence of every kind of read, which is one.
fn read(cli: &mut Resp, key: &str) -> u64 {
    let stats = number(&cli.ask(&format!("PRESENCE.STATS {key}")).array().remove(0).array()[2]);
    for command in ["GET {} WITHSEQ", "GET {} JSON WITHSEQ", "SCAN {} 0 WITHSEQ"] {
        let command = format!("PRESENCE.{}", command.replace("{}", key));
        assert_eq!(with_seq(&cli.ask(&command)), stats, "{command}");
    }
    stats
}

fn recent(cli: &mut Resp, key: &str, seq: u64) -> Vec<serde_json::Value> {
    let events = cli.ask(&format!("PRESENCE.RECENT {key} {seq}")).array();
    events.iter().map(|event| serde_json::from_str(&event.text()).expect("JSON")).collect()
}

/// The clients that events from the beginning leave there; none when they end in a reset.
fn named(events: &[serde_json::Value]) -> Vec<String> {
    let mut named = Vec::new();
    for event in events {
        let client = event["info"]["client"].as_str().unwrap_or_default().to_owned();
        match event["t"].as_str().expect("a type") {
            "join" => named.push(client),
            "leave" => named.retain(|one| *one != client),
            "reset" => named.clear(),
            _ => {}
        }
    }
    named
}

/// What makes a roster `room` of database 0 go, or another one come in its place.
const GOES: [&str; 14] = [
    "FLUSHALL",
    "FLUSHDB",
    "SWAPDB 0 1",
    "SWAPDB 1 0",
    "DEL room",
    "UNLINK room",
    "SET room 1;DEL room",
    "RENAME room other",
    "MOVE room 1",
    "PEXPIRE room 1",
    "EVAL \"return redis.call('DEL','room')\" 0",
    "COPY hall room REPLACE",
    "RENAME hall room",
    "RENAME room other;RENAME hall room",
];

#[test]
fn a_name_that_had_events_never_reads_older_than_them() {
    for commands in GOES {
        let master = Redis::start();
        let replica = master.replica();
        let (mut cli, mut copy) = (master.cli(), replica.cli());
        quiet(&mut cli, "hall");
        let old = join(&mut cli, "room", "c1");
        for command in commands.split(';') {
            let reply = cli.ask(command).to_string();
            assert!(["OK", "1"].contains(&&*reply), "{command}: {reply}");
        }
        if commands.starts_with("PEXPIRE") {
            eventually("it expires", || (cli.ask("EXISTS room").number() == 0).then_some(()));
        }
        let at_once = read(&mut cli, "room");
        assert!(at_once >= old, "{commands}: {at_once} is before {old}");
        let told = quiet(&mut cli, "room");
        assert!(told >= old, "{commands}: {told} is before {old}");
        let now = read(&mut cli, "room");
        assert!(now >= told, "{commands}: {now} is before {told}");
        assert_eq!(named(&recent(&mut cli, "room", 0)), [""; 0], "{commands}");
        cli.ask("CLIENT PAUSE 60000 WRITE");
        same_offset(&master, &replica);
        assert_eq!(read(&mut copy, "room"), read(&mut cli, "room"), "{commands}, on the replica");
        assert_eq!(named(&recent(&mut copy, "room", 0)), [""; 0], "{commands}, on the replica");
        copy.ask("REPLICAOF NO ONE");
        let now = read(&mut copy, "room");
        assert!(now >= old, "{commands}, promoted: {now} is before {old}");
        assert_eq!(named(&recent(&mut copy, "room", 0)), [""; 0], "{commands}, promoted");
        let next = join(&mut copy, "room", "c2");
        assert!(next > now, "{commands}, promoted: {next} is not after {now}");
    }
}

#[test]
fn a_replica_that_came_later_knows_of_names_that_had_gone_before() {
    let master = Redis::start();
    let mut cli = master.cli();
    for key in ["room", "hall"] {
        join(&mut cli, key, "c1");
    }
    cli.ask("PRESENCE.REM room c1");
    cli.ask("DEL hall");
    quiet(&mut cli, "hall");
    let told = [read(&mut cli, "room"), read(&mut cli, "hall")];
    let replica = master.replica();
    eventually("the replica is told", || {
        let seen: u64 = replica.info("rollcall_seq").parse().expect("a sequence");
        (seen >= told[0]).then_some(())
    });
    let mut copy = replica.cli();
    assert!(read(&mut copy, "room") >= told[0]);
    assert!(read(&mut copy, "hall") >= told[1]);
}

#[test]
fn a_promoted_server_and_one_that_starts_again_read_no_earlier_than_before() {
    let mut master = Redis::with(&["appendonly yes"]);
    let replica = master.replica();
    let mut cli = master.cli();
    join(&mut cli, "room", "c1");
    cli.ask("PRESENCE.REM room c1");
    let told = read(&mut cli, "room");
    same_offset(&master, &replica);
    replica.cli().ask("REPLICAOF NO ONE");
    assert!(read(&mut replica.cli(), "room") >= told, "promoted");
    // Nothing in the file names the room.
    cli.ask("BGREWRITEAOF");
    eventually("the file is rewritten", || {
        let done = ["in_progress:0", "scheduled:0"].map(|is| format!("aof_rewrite_{is}"));
        let info = cli.ask("INFO persistence").text();
        done.iter().all(|line| info.contains(line)).then_some(())
    });
    master.restart();
    assert!(read(&mut master.cli(), "room") >= told, "restarted");
}

/// A reset is published by a timer, which a pause stops.
#[test]
fn a_reset_that_waits_is_in_what_is_read() {
    for commands in ["COPY hall room REPLACE", "RENAME hall room", "RESTORE"] {
        let redis = Redis::start();
        let mut cli = redis.cli();
        join(&mut cli, "hall", "c1");
        let dump = match cli.ask("DUMP hall") {
            rollcall_tests::Reply::Bulk(dump) => dump,
            other => panic!("{other}"),
        };
        let old = join(&mut cli, "room", "c2");
        let mut listener = redis.listener("room");
        // In one go, so that the timer comes between them neither.
        cli.ask("MULTI");
        let restore: [&[u8]; 5] = [b"RESTORE", b"room", b"0", &dump, b"REPLACE"];
        if commands == "RESTORE" {
            cli.call(&restore);
        } else {
            cli.ask(commands);
        }
        cli.ask("CLIENT PAUSE 2000 WRITE");
        cli.ask("EXEC");
        let now = read(&mut cli, "room");
        assert!(now > old, "{commands}: {now} is not after {old}");
        let told = recent(&mut cli, "room", old);
        listener.hears_nothing();
        assert_eq!(told.len(), 1, "{commands}: {told:?}");
        assert_eq!((&told[0]["t"], told[0]["seq"].as_u64()), (&"reset".into(), Some(now)));
        assert_eq!(listener.event(), told[0], "{commands}: as it is published when it may be");
        let next = join(&mut cli, "room", "c3");
        assert!(next > now, "{commands}: {next} is not after {now}");
        assert_eq!(listener.event()["prev"].as_u64(), Some(now), "{commands}");
    }
}

/// As [`a_reset_that_waits_is_in_what_is_read`], when the master dies before it may tell.
#[test]
fn a_promoted_replica_publishes_the_resets_that_its_master_could_not() {
    let mut master = Redis::start();
    let replica = master.replica();
    let (mut cli, mut copy) = (master.cli(), replica.cli());
    let old = join(&mut cli, "room", "c1");
    let mut listener = replica.listener("room");
    for command in ["MULTI", "DEL room", "CLIENT PAUSE 60000 WRITE", "EXEC"] {
        cli.ask(command);
    }
    same_offset(&master, &replica);
    assert_eq!(named(&recent(&mut copy, "room", 0)), [""; 0]);
    let now = read(&mut copy, "room");
    assert!(now > old, "{now} is not after {old}");
    master.kill();
    copy.ask("REPLICAOF NO ONE");
    let reset = listener.event();
    assert_eq!((&reset["t"], reset["seq"].as_u64()), (&"reset".into(), Some(now)), "{reset}");
    let next = join(&mut copy, "room", "c2");
    assert!(next > now, "{next} is not after {now}");
    assert_eq!(listener.event()["t"], "join");
    listener.hears_nothing();
}

/// Of the event after a roster was empty, inside one command or not.
#[test]
fn what_follows_an_empty_roster_follows_nothing() {
    let master = Redis::start();
    let replica = master.replica();
    let mut cli = master.cli();
    let next = |listener: &mut Listener, kind: &str, clients: u64| {
        let event = listener.event();
        assert_eq!((&event["t"], event["clients"].as_u64()), (&kind.into(), Some(clients)));
        event
    };
    for (key, add) in [
        ("user", "PRESENCE.ADD user c1 bob EX 600"),
        ("anew", "PRESENCE.ADD anew c1 ann EX 600 NOTIFY ANEW"),
        ("due", "PRESENCE.ADD due c1 ann EX 600 NOTIFY"),
    ] {
        let mut listener = master.listener(key);
        cli.ask("PRESENCE.LEASE KEEP n1 PX 60000");
        cli.ask(&format!("PRESENCE.ADD {key} c1 ann LEASE n1 NOTIFY"));
        next(&mut listener, "join", 1);
        cli.ask("MULTI");
        if key == "due" {
            cli.ask("PRESENCE.LEASE DROP n1");
        }
        cli.ask(add);
        cli.ask("EXEC");
        let left = next(&mut listener, "leave", 0);
        let joined = next(&mut listener, "join", 1);
        assert_eq!(joined["prev"], 0, "{key}: {joined}");
        assert!(joined["seq"].as_u64() > left["seq"].as_u64(), "{key}: {joined}");
        // Who is not announced, and then is.
        cli.ask(&format!("PRESENCE.REM {key} c1"));
        next(&mut listener, "leave", 0);
        quiet(&mut cli, key);
        cli.ask(&format!("PRESENCE.ADD {key} q bob EX 600 NOTIFY"));
        assert_eq!(next(&mut listener, "join", 1)["prev"], 0, "{key}");
        cli.ask("CLIENT PAUSE 60000 WRITE");
        same_offset(&master, &replica);
        let told = |redis: &Redis| {
            let mut events = recent(&mut redis.cli(), key, 0);
            for event in &mut events {
                event.as_object_mut().expect("an object").retain(|k, _| k != "back" && k != "why");
            }
            events
        };
        assert_eq!(told(&replica), told(&master), "{key}");
        cli.ask("CLIENT UNPAUSE");
    }
}

#[test]
fn a_server_that_follows_another_goes_by_what_that_one_has_seen() {
    let clock = StepClock::new();
    let (old, new) = (clock.redis(&[]), Redis::start());
    let mut cli = old.cli();
    let now = join(&mut cli, "room", "c1");
    clock.step(3600);
    eventually("its clock is fast", || {
        (join(&mut cli, "hall", "c1") > now + 3_000_000_000
            || cli.ask("PRESENCE.REM hall c1").number() == 0)
            .then_some(())
    });
    old.cli().ask(&format!("REPLICAOF 127.0.0.1 {}", new.port()));
    linked(&old);
    let at = read(&mut old.cli(), "room");
    let next = join(&mut new.cli(), "room", "c1");
    assert!(next > at, "{next} is not after {at}, which was read before");
}
