//! What the module remembers of what it published lately.

use rollcall_tests::copies::{linked, same_offset};
use rollcall_tests::traffic::KEYS;
use rollcall_tests::{Redis, Resp, Traffic, eventually};

const DATABASES: usize = 3;
/// Nothing is too old while a test runs.
const LONG: &str = "CONFIG SET rollcall.recent-events-ms 600000";

/// What a server tells of a name above a sequence.
fn recent(cli: &mut Resp, key: &str, seq: u64) -> Vec<String> {
    let reply = cli.ask(&format!("PRESENCE.RECENT {key} {seq}"));
    reply.array().iter().map(rollcall_tests::Reply::text).collect()
}

fn seq(event: &str) -> u64 {
    let event: serde_json::Value = serde_json::from_str(event).expect("an event is JSON");
    event["seq"].as_u64().expect("a sequence")
}

/// Without what a replica is not told.
fn as_followed(events: &[String]) -> Vec<String> {
    let whys = ["removed", "expired", "lease"].map(|why| format!(",\"why\":\"{why}\""));
    let known = |event: &String| {
        let event = event.replace(",\"back\":true", "");
        whys.iter().fold(event, |event, why| event.replace(why, ""))
    };
    events.iter().map(known).collect()
}

#[test]
fn what_was_heard_is_told_byte_for_byte_also_when_the_roster_is_gone() {
    let redis = Redis::start();
    let mut cli = redis.cli();
    let mut listener = redis.listener("room");
    cli.session(
        r#"
        > PRESENCE.LEASE KEEP n1 PX 60000
        [<n>, 1, 0, 0]
        > PRESENCE.ADD room c1 ann CONNINFO '{"n":1}' CHANINFO '"x"' EX 60 NOTIFY
        1
        > PRESENCE.ADD room c2 ann LEASE n1 NOTIFY BACK
        1
        > PRESENCE.ADD room c3 "" PX 300 NOTIFY
        1
        > PRESENCE.ADD room c4 dora EX 60
        1
        > PRESENCE.ADD room c1 ann CONNINFO "no \xff json" EX 60
        0
        > PRESENCE.ADD room c1 bob EX 60
        1
        > PRESENCE.REM room c1 c4 nobody
        2
        > PRESENCE.LEASE DROP n1
        1
        "#,
    );
    eventually("the deadline passes", || (cli.ask("EXISTS room").number() == 0).then_some(()));
    let heard = listener.texts_so_far();
    // Three joins, an update, a leave and a join of another user, and leaves by all three reasons.
    assert_eq!(heard.len(), 9, "{heard:#?}");
    assert_eq!(recent(&mut cli, "room", 0), heard);
    for (n, event) in heard.iter().enumerate() {
        assert_eq!(recent(&mut cli, "room", seq(event)), heard[n + 1..], "above {event}");
        assert_eq!(recent(&mut cli, "room", seq(event) - 1), heard[n..], "from {event}");
    }
    assert_eq!(recent(&mut cli, "hall", 0), [""; 0]);
    // The name's next life.
    cli.ask("PRESENCE.ADD room c1 ann EX 60 NOTIFY");
    let next = listener.texts_so_far();
    assert_eq!(recent(&mut cli, "room", seq(&heard[8])), next);
    assert_eq!(recent(&mut cli, "room", 0), [heard, next].concat());
}

#[test]
fn each_database_has_its_own_and_keys_that_change_otherwise_only_add_resets() {
    let redis = Redis::start();
    let mut cli = redis.cli();
    let mut listener = redis.listener("room");
    let mut heard = [vec![], vec![]];
    for (db, heard) in [0, 7].into_iter().zip(&mut heard) {
        cli.ask(&format!("SELECT {db}"));
        cli.ask("PRESENCE.ADD room c1 ann EX 60 NOTIFY");
        cli.ask("PRESENCE.ADD room c2 bob EX 60 NOTIFY");
        *heard = listener.texts_so_far();
        assert_eq!(recent(&mut cli, "room", 0), *heard, "database {db}");
    }
    assert!(heard[1][0].contains("\"db\":7"), "{heard:?}");
    for command in ["RENAME room hall", "DEL hall", "SWAPDB 0 7", "FLUSHDB", "FLUSHALL"] {
        cli.ask(command);
        for (db, heard) in [0, 7].into_iter().zip(&heard) {
            cli.ask(&format!("SELECT {db}"));
            for (name, heard) in [("room", &heard[..]), ("hall", &[])] {
                let mut told = recent(&mut cli, name, 0);
                told.retain(|event| !event.contains("reset"));
                assert_eq!(told, heard, "database {db} after {command}");
            }
        }
    }
}

#[test]
fn resets_are_told_as_they_were_heard() {
    let master = Redis::start();
    master.cli().ask("PRESENCE.ADD room c0 ann EX 600 NOTIFY");
    let replica = master.replica();
    let mut cli = master.cli();
    let mut listener = master.listener("room");
    cli.ask("PRESENCE.ADD hall c1 ann EX 600 NOTIFY");
    // What is overwritten is there still, what is deleted is not.
    for command in ["COPY hall room REPLACE", "PRESENCE.ADD room c2 bob EX 600 NOTIFY"] {
        cli.ask(command);
    }
    same_offset(&master, &replica);
    let heard = listener.texts_so_far();
    assert!(heard[0].contains("reset") && heard[1].contains("join"), "{heard:?}");
    let since = seq(&recent(&mut cli, "room", 0)[0]);
    assert_eq!(recent(&mut cli, "room", since), heard);
    let told = recent(&mut replica.cli(), "room", since);
    assert_eq!(as_followed(&told), as_followed(&heard));
    cli.ask("DEL room");
    cli.ask("PRESENCE.ADD room c3 carl EX 600 NOTIFY");
    let heard = listener.texts_so_far();
    assert!(heard[0].contains("reset") && heard[1].contains("\"prev\":0"), "{heard:?}");
    let since = seq(&told[1]);
    assert_eq!(recent(&mut cli, "room", since), heard);
}

#[test]
fn a_replica_tells_the_same_of_many_that_leave_at_once() {
    let master = Redis::start();
    let replica = master.replica();
    let (mut cli, mut copy) = (master.cli(), replica.cli());
    cli.ask("PRESENCE.LEASE KEEP n1 PX 60000");
    for n in 0..50 {
        let notify = if n % 7 == 0 { "" } else { "NOTIFY" };
        let held = if n < 10 { "EX 600" } else { "LEASE n1" };
        cli.ask(&format!("PRESENCE.ADD room c{n} u{} {held} {notify}", n % 9));
    }
    let clients: Vec<String> = (0..10).rev().map(|n| format!("c{n}")).collect();
    assert_eq!(cli.ask(&format!("PRESENCE.REM room c3 nobody {}", clients.join(" "))).number(), 10);
    cli.ask("PRESENCE.LEASE DROP n1");
    eventually("all leave", || (cli.ask("EXISTS room").number() == 0).then_some(()));
    same_offset(&master, &replica);
    let told = recent(&mut cli, "room", 0);
    // Eight of the fifty were never announced.
    assert_eq!(told.len(), 84);
    assert_eq!(as_followed(&recent(&mut copy, "room", 0)), as_followed(&told));
    assert_eq!(replica.info("rollcall_events_published"), "0", "it published nothing itself");
    assert_eq!(replica.info("rollcall_recent_events"), "84");
}

#[test]
fn a_replica_says_back_of_every_join_and_no_reason_of_a_leave() {
    let master = Redis::start();
    let replica = master.replica();
    let mut cli = master.cli();
    let mut listener = replica.listener("room");
    cli.ask("PRESENCE.ADD room c1 ann EX 60 NOTIFY");
    cli.ask("PRESENCE.ADD room c1 ann CONNINFO 1 EX 60");
    cli.ask("PRESENCE.REM room c1");
    same_offset(&master, &replica);
    let told = recent(&mut replica.cli(), "room", 0);
    let [join, update, leave] = [seq(&told[0]), seq(&told[1]), seq(&told[2])];
    assert_eq!(
        told,
        [
            format!(
                r#"{{"t":"join","seq":{join},"prev":0,"clients":1,"users":1,"first":true,"back":true,"info":{{"user":"ann","client":"c1"}}}}"#
            ),
            format!(
                r#"{{"t":"update","seq":{update},"prev":{join},"clients":1,"users":1,"info":{{"user":"ann","client":"c1","conn_info":1}}}}"#
            ),
            format!(
                r#"{{"t":"leave","seq":{leave},"prev":{update},"clients":0,"users":0,"last":true,"info":{{"user":"ann","client":"c1","conn_info":1}}}}"#
            ),
        ]
    );
    listener.hears_nothing();
}

#[test]
fn replicas_and_their_replicas_tell_what_the_master_tells_after_random_traffic() {
    let master = Redis::start();
    let replica = master.replica();
    let second = replica.replica();
    let mut cli = master.cli();
    let mut traffic = Traffic::across(DATABASES, 17);
    for server in [&master, &replica, &second] {
        server.cli().ask(LONG);
    }
    let mut compared = 0;
    for _ in 0..8 {
        (0..60).for_each(|_| drop(traffic.step(&mut cli)));
        // Nothing happens by itself while they are compared.
        cli.ask("CLIENT PAUSE 60000 WRITE");
        for copy in [&replica, &second] {
            same_offset(&master, copy);
            for (db, key) in (0..DATABASES).flat_map(|db| KEYS.map(|key| (db, key))) {
                let [told, here] = [&master, copy].map(|server| {
                    let mut cli = server.cli();
                    cli.ask(&format!("SELECT {db}"));
                    let mut told = as_followed(&recent(&mut cli, key, 0));
                    // Of a roster that is gone a replica is told no reset.
                    told.retain(|event| !event.contains("\"t\":\"reset\""));
                    told
                });
                assert_eq!(here, told, "{key} in database {db}");
                compared += told.len();
            }
        }
        cli.ask("CLIENT UNPAUSE");
    }
    assert!(compared > 2000, "{compared} events, some of them again");
}

#[test]
fn a_promoted_replica_tells_what_its_master_published_and_goes_on() {
    let mut master = Redis::start();
    master.cli().ask("PRESENCE.ADD room c0 ann EX 600 NOTIFY");
    let replica = master.replica();
    let (mut cli, mut copy) = (master.cli(), replica.cli());
    let before = recent(&mut cli, "room", 0);
    assert_eq!(recent(&mut copy, "room", 0), [""; 0], "what a synchronisation brings is no event");
    cli.ask("PRESENCE.ADD room c1 bob EX 600 NOTIFY");
    cli.ask("PRESENCE.REM room c1");
    same_offset(&master, &replica);
    let missed = recent(&mut cli, "room", seq(&before[0]));
    master.kill();
    copy.ask("REPLICAOF NO ONE");
    let mut listener = replica.listener("room");
    copy.ask("PRESENCE.ADD room c2 carl EX 600 NOTIFY");
    let heard = listener.texts_so_far();
    let told = recent(&mut copy, "room", seq(&before[0]));
    assert_eq!(as_followed(&told[..2]), as_followed(&missed));
    assert_eq!(told[2..], heard);
    assert!(heard[0].contains(&format!("\"prev\":{}", seq(&missed[1]))), "{heard:?}");
}

/// What a master goes on to announce after it was replaced, nobody else knows of.
#[test]
fn a_full_synchronisation_forgets_what_was_announced_before_it() {
    let (old, new) = (Redis::start(), Redis::start());
    let mut cli = old.cli();
    cli.ask("PRESENCE.ADD room c1 ann EX 600 NOTIFY");
    assert_eq!(recent(&mut cli, "room", 0).len(), 1);
    cli.ask(&format!("REPLICAOF 127.0.0.1 {}", new.port()));
    linked(&old);
    new.cli().ask("PRESENCE.ADD room c2 bob EX 600 NOTIFY");
    same_offset(&new, &old);
    let told = recent(&mut old.cli(), "room", 0);
    assert_eq!(as_followed(&told), as_followed(&recent(&mut new.cli(), "room", 0)));
}

#[test]
fn nothing_is_left_after_a_restart_nor_told_of_what_was_loaded() {
    for options in [["appendonly yes", "aof-use-rdb-preamble no"], ["save 3600 1", "appendonly no"]]
    {
        let mut redis = Redis::with(&options);
        redis.cli().ask("PRESENCE.ADD room c1 ann EX 600 NOTIFY");
        redis.cli().ask("PRESENCE.ADD room c2 bob EX 600 NOTIFY");
        assert_eq!(redis.info("rollcall_recent_events"), "2");
        redis.restart();
        assert_eq!(redis.info("rollcall_members"), "2");
        assert_eq!(redis.info("rollcall_recent_events"), "0", "{options:?}");
        assert_eq!(recent(&mut redis.cli(), "room", 0), [""; 0], "{options:?}");
    }
}

#[test]
fn the_memory_is_bounded_and_can_be_switched_off() {
    let redis = Redis::start();
    let mut cli = redis.cli();
    let fill = |cli: &mut Resp| {
        for n in 0..20 {
            cli.ask(&format!("PRESENCE.ADD room c{n} ann CONNINFO {n} EX 600 NOTIFY"));
            cli.ask(&format!("PRESENCE.REM room c{n}"));
        }
    };
    fill(&mut cli);
    let all = recent(&mut cli, "room", 0);
    assert_eq!(all.len(), 40);
    let page = cli.ask(&format!("PRESENCE.RECENT room {} COUNT 3", seq(&all[4]))).array();
    assert_eq!(page.iter().map(rollcall_tests::Reply::text).collect::<Vec<_>>(), all[5..8]);
    assert_eq!(redis.info("rollcall_recent_events"), "40");
    for setting in ["recent-events-ms", "recent-events-bytes"] {
        let value = cli.ask(&format!("CONFIG GET rollcall.{setting}")).array().remove(1).text();
        cli.ask(&format!("CONFIG SET rollcall.{setting} 0"));
        assert_eq!(recent(&mut cli, "room", 0), [""; 0], "{setting} 0");
        fill(&mut cli);
        assert_eq!(recent(&mut cli, "room", 0), [""; 0], "{setting} 0");
        for field in ["events", "bytes"] {
            assert_eq!(redis.info(&format!("rollcall_recent_{field}")), "0", "{setting} 0");
        }
        cli.ask(&format!("CONFIG SET rollcall.{setting} {value}"));
        assert_eq!(recent(&mut cli, "room", 0), [""; 0], "what was forgotten is");
        fill(&mut cli);
        assert_eq!(recent(&mut cli, "room", 0).len(), 40, "{setting} {value}");
    }
    // So few bytes are a few events.
    cli.ask("CONFIG SET rollcall.recent-events-bytes 2kb");
    fill(&mut cli);
    let told = recent(&mut cli, "room", 0);
    assert!((4..12).contains(&told.len()), "{told:#?}");
    assert_eq!(seq(told.last().expect("the last one")).to_string(), redis.info("rollcall_seq"));
    cli.ask("CONFIG SET rollcall.recent-events-ms 100");
    eventually("they are too old", || (redis.info("rollcall_recent_events") == "0").then_some(()));
    assert_eq!(recent(&mut cli, "room", 0), [""; 0]);
}

#[test]
fn errors_name_the_argument() {
    let redis = Redis::with(&["rollcall.recent-events-ms 0"]);
    redis.cli().session(
        r"
        > PRESENCE.ADD room c1 ann EX 60 NOTIFY
        1
        > PRESENCE.RECENT room 0
        []
        > PRESENCE.RECENT nowhere 9223372036854775807
        []
        > PRESENCE.RECENT room -1
        !ERR seq must be an integer, 0 or more
        > PRESENCE.RECENT room 9223372036854775808
        !ERR seq must be an integer, 0 or more
        > PRESENCE.RECENT room ''
        !ERR seq must be an integer, 0 or more
        > PRESENCE.RECENT room 1.0
        !ERR seq must be an integer, 0 or more
        > PRESENCE.RECENT room
        !ERR wrong number of arguments <*>
        > PRESENCE.RECENT room 0 0
        !ERR unknown option '0'
        > PRESENCE.RECENT room 0 COUNT
        !ERR COUNT needs a value
        > PRESENCE.RECENT room 0 COUNT 0
        !ERR COUNT must be a positive integer
        > PRESENCE.RECENT room 0 COUNT 1 count 1
        !ERR option 'count' is given more than once
        > SET text 1
        OK
        > PRESENCE.RECENT text 0
        !WRONGTYPE <*>
        ",
    );
    let long = "k".repeat(1025);
    let reply = redis.cli().ask(&format!("PRESENCE.RECENT {long} 0")).to_string();
    assert_eq!(reply, "!ERR key must be at most 1024 bytes");
}
