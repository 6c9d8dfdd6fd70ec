//! What a client's payload says changes its own key, and nothing of the whole server.

use rollcall_tests::copies::same_offset;
use rollcall_tests::dump::{forged, forged_records};
use rollcall_tests::{Redis, Reply, Resp, eventually};

const HIGHEST: u64 = i64::MAX.cast_unsigned();
const HOUR_US: u64 = 3_600_000_000;
const DAY_S: i64 = 86_400;

fn dump(cli: &mut Resp, key: &str) -> Vec<u8> {
    match cli.ask(&format!("DUMP {key}")) {
        Reply::Bulk(dump) => dump,
        other => panic!("DUMP {key}: {other}"),
    }
}

fn restore(cli: &mut Resp, key: &str, dump: &[u8]) -> String {
    let restore: [&[u8]; 5] = [b"RESTORE", key.as_bytes(), b"0", dump, b"REPLACE"];
    cli.call(&restore).to_string()
}

fn wall_us(cli: &mut Resp) -> u64 {
    let time = cli.ask("TIME").array();
    let part = |n: usize| time[n].text().parse::<u64>().expect("a number");
    part(0) * 1_000_000 + part(1)
}

/// Somebody joins and leaves, and is heard with sequences that are about the time.
fn is_heard(redis: &Redis, room: &str) {
    let mut cli = redis.cli();
    let mut listener = redis.listener(room);
    assert_eq!(cli.ask(&format!("PRESENCE.ADD {room} c1 ann EX 60 NOTIFY")).number(), 1);
    let joined = listener.event();
    assert_eq!(cli.ask(&format!("PRESENCE.REM {room} c1")).number(), 1);
    let left = listener.event();
    let [joined, left] = [joined, left].map(|event| event["seq"].as_u64().expect("a sequence"));
    assert!(joined < left, "{joined} and then {left}");
    let now = wall_us(&mut cli);
    assert!(left < now + HOUR_US, "{left} is far ahead of {now}");
}

#[test]
fn a_restored_sequence_that_is_far_ahead_of_the_clock_moves_nothing_else() {
    let redis = Redis::with(&["appendonly yes", "aof-use-rdb-preamble no"]);
    let replica = redis.replica();
    let mut cli = redis.cli();
    cli.ask("ACL SETUSER guest on nopass ~own:* +restore +auth");
    cli.ask("PRESENCE.ADD own:1 c0 eve EX 600 NOTIFY");
    let own = dump(&mut cli, "own:1");
    let mut guest = redis.cli();
    guest.ask("AUTH guest x");
    let ahead = wall_us(&mut cli) + HOUR_US;
    for seq in [HIGHEST, HIGHEST - 1, ahead] {
        let mut listener = redis.listener("own:1");
        assert_eq!(restore(&mut guest, "own:1", &forged(&own, seq)), "OK");
        let reset = listener.event();
        assert_eq!(reset["t"], "reset", "{reset}");
        assert_eq!(cli.ask("PRESENCE.STATS own:1").array().remove(0).array()[0].number(), 1);
        is_heard(&redis, "room");
        is_heard(&redis, "own:2");
    }
    // What was restored is a roster like any other, for those who read it then.
    is_heard(&redis, "own:1");
    same_offset(&redis, &replica);
    let mut copy = replica.cli();
    copy.ask("REPLICAOF NO ONE");
    is_heard(&replica, "room");
    is_heard(&replica, "own:1");
    let mut redis = redis;
    redis.restart();
    is_heard(&redis, "room");
    is_heard(&redis, "own:1");
}

#[test]
fn a_restored_sequence_that_is_a_little_ahead_is_kept_up_with() {
    let redis = Redis::start();
    let mut cli = redis.cli();
    cli.ask("PRESENCE.ADD room c0 ann EX 600 NOTIFY");
    let room = dump(&mut cli, "room");
    // The clock of the server it comes from is fast.
    let ahead = wall_us(&mut cli) + 20_000_000;
    let mut listener = redis.listener("room");
    assert_eq!(restore(&mut cli, "room", &forged(&room, ahead)), "OK");
    cli.ask("PRESENCE.ADD room c2 bob EX 60 NOTIFY");
    for kind in ["reset", "join"] {
        let event = listener.event();
        assert_eq!(event["t"], kind, "{event}");
        assert!(event["seq"].as_u64() > Some(ahead), "{event} after {ahead}");
    }
}

#[test]
fn a_time_of_a_forged_record_goes_back_to_the_present() {
    let redis = Redis::with(&["enable-debug-command yes"]);
    let replica = redis.replica();
    let mut cli = redis.cli();
    let now = i64::try_from(wall_us(&mut cli) / 1_000_000).expect("seconds");
    cli.ask("PRESENCE.LEASE KEEP n1 PX 60000");
    cli.ask("USERSTATUS.ONLINE book LEASE n1 EX 600 ann");
    cli.ask("USERSTATUS.TOUCH book EX 600 ann");
    cli.ask("USERSTATUS.OFFLINE book LEASE n1 EX 600 ann");
    // A user of three letters, and then the times: five bytes each.
    let future = |record: &mut Vec<u8>| {
        assert_eq!(&record[..4], b"\x03ann");
        for at in [4, 9] {
            // The highest second there is.
            record[at..at + 5].copy_from_slice(b"\xff\xff\xff\xff\x0f");
        }
    };
    let book = forged_records(&dump(&mut cli, "book"), future);
    assert_eq!(restore(&mut cli, "book", &book), "OK");
    cli.ask("USERSTATUS.TOUCH book EX 600 ann");
    cli.ask("USERSTATUS.ONLINE book LEASE n1 EX 600 ann");
    let times = |cli: &mut Resp| {
        let user = cli.ask("USERSTATUS.GET book ann").array().remove(0).array();
        [user[0].number(), user[1].number()]
    };
    let near = |times: [i64; 2]| {
        assert!(times.iter().all(|time| (now..now + DAY_S).contains(time)), "{times:?}, not {now}");
    };
    near(times(&mut cli));
    cli.ask("USERSTATUS.OFFLINE book LEASE n1 EX 600 ann");
    near(times(&mut cli));
    same_offset(&redis, &replica);
    let digest = |redis: &Redis| redis.cli().ask("DEBUG DIGEST-VALUE book").to_string();
    assert_eq!(digest(&replica), digest(&redis));
}

/// A user who may call everything may not say what only a master says.
#[test]
fn what_only_a_master_says_is_refused_from_everybody_else() {
    let redis = Redis::start();
    let mut cli = redis.cli();
    let before = redis.info("rollcall_epoch");
    let forms = [
        "PRESENCE.APPLY room 1 SEQ 9223372036854775807",
        "PRESENCE.APPLY room 1 SEEN 9223372036854775807",
        "PRESENCE.APPLY room 1 CUT 9223372036854775807 c1",
        "PRESENCE.LEASEAPPLY 1 SET n1 86400000",
        "PRESENCE.LEASEAPPLY 1 END n1 1",
        "USERSTATUS.APPLY book 1 TOUCH 4294967295 4294967295 ann",
    ];
    for form in forms {
        let words: Vec<&str> = form.split(' ').collect();
        let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
        let call = format!("return redis.call({})", quoted.join(","));
        let refused = |how: &str, reply: &Reply| {
            assert!(reply.to_string().contains("internal command"), "{how} {form}: {reply}");
        };
        refused("plain", &cli.call(&words));
        refused("EVAL", &cli.call(&["EVAL", &call, "0"]));
        cli.ask("MULTI");
        cli.call(&words);
        refused("EXEC", &cli.ask("EXEC"));
        let library =
            format!("#!lua name=forge\nredis.register_function('forge', function() {call} end)");
        cli.call(&["FUNCTION", "LOAD", "REPLACE", &library]);
        refused("FCALL", &cli.ask("FCALL forge 0"));
    }
    assert_eq!(redis.info("rollcall_leases"), "0");
    assert_eq!(redis.info("rollcall_rosters"), "0");
    assert_eq!(redis.info("rollcall_epoch"), before);
    is_heard(&redis, "room");
}

/// A deadline that is far away, or a lease's name, is the affair of the roster it is in.
#[test]
fn a_forged_deadline_is_replaced_by_the_next_add() {
    let redis = Redis::start();
    let mut cli = redis.cli();
    cli.ask("PRESENCE.ADD room c1 ann EX 600 NOTIFY");
    let never = |record: &mut Vec<u8>| {
        // Flags, client, user, two infos; then the deadline.
        record.truncate(1 + 3 + 4 + 2);
        record.extend_from_slice(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
    };
    let room = forged_records(&dump(&mut cli, "room"), never);
    assert_eq!(restore(&mut cli, "room", &room), "OK");
    cli.ask("PRESENCE.ADD hall c1 ann PX 1");
    eventually("deadlines still pass", || (cli.ask("EXISTS hall").number() == 0).then_some(()));
    assert_eq!(cli.ask("EXISTS room").number(), 1);
    assert_eq!(cli.ask("PRESENCE.ADD room c1 ann PX 1").number(), 0);
    eventually("this one as well", || (cli.ask("EXISTS room").number() == 0).then_some(()));
}
