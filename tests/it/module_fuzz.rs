//! Whatever `RESTORE` is given, the server lives, and nothing is left behind.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use rollcall_tests::{Random, Redis, Reply, Resp, dump};

/// A bounded run for every change.
const PAYLOADS: usize = 5_000;
/// `./dev fuzz` goes on for `TEST_FUZZ_SECONDS`, and until there were so many.
const MANY_PAYLOADS: usize = 100_000;
const BATCH: usize = 50;

/// What is asked of every value that could be restored.
const AFTER: [&str; 13] = [
    "PRESENCE.STATS fuzz",
    "PRESENCE.GET fuzz JSON WITHSEQ",
    "PRESENCE.SCAN fuzz 0 COUNT 7 USER ann",
    "PRESENCE.ADD fuzz c1 ann CONNINFO 7 EX 60 NOTIFY",
    "PRESENCE.REM fuzz c0 c2 c4",
    "USERSTATUS.GET fuzz u0 u1 u2",
    "USERSTATUS.TOUCH fuzz EX 60 u0",
    "USERSTATUS.DEL fuzz u0 u1",
    "MEMORY USAGE fuzz",
    "DEBUG DIGEST-VALUE fuzz",
    "COPY fuzz fuzz2",
    "DEL fuzz fuzz2",
    "PRESENCE.RECENT fuzz 0",
];

/// Dumps of rosters and books with everything that they can hold.
fn corpus(cli: &mut Resp) -> Vec<Vec<u8>> {
    cli.ask("PRESENCE.ADD one c1 ann EX 600");
    cli.ask("USERSTATUS.TOUCH book1 EX 600 ann");
    for node in ["n1", "n2", "n3"] {
        cli.ask(&format!("PRESENCE.LEASE KEEP {node} PX 600000"));
        for n in 0..12 {
            let rest = ["NOTIFY", "CONNINFO {\"a\":1}", "CHANINFO text NOTIFY"][n % 3];
            cli.ask(&format!("PRESENCE.ADD many {node}-{n} u{} LEASE {node} {rest}", n % 5));
            cli.ask(&format!("PRESENCE.ADD many {node}-ex{n} '' EX {} {rest}", n + 100));
            cli.ask(&format!("USERSTATUS.ONLINE books LEASE {node} EX 600 u{n} {node}-{n}"));
            cli.ask(&format!("USERSTATUS.TOUCH books EX 6000 u{n} t{n}"));
        }
    }
    let uuid = "0192f1a2-7b1c-7000-8000-0123456789ab";
    cli.ask(&format!("PRESENCE.ADD many {uuid} ann LEASE n1"));
    let mut dumps: Vec<Vec<u8>> =
        ["one", "book1", "many", "books"].map(|key| bulk(cli.ask(&format!("DUMP {key}")))).into();
    // As saved while the lease has ended.
    cli.ask("MULTI");
    for command in ["PRESENCE.LEASE DROP n1", "DUMP many", "DUMP books", "FLUSHALL"] {
        cli.ask(command);
    }
    dumps.extend(cli.ask("EXEC").array().drain(1..3).map(bulk));
    dumps
}

fn bulk(reply: Reply) -> Vec<u8> {
    match reply {
        Reply::Bulk(bytes) => bytes,
        other => panic!("DUMP: {other}"),
    }
}

#[test]
fn broken_dumps_are_refused_and_nothing_is_left_behind() {
    let seconds = std::env::var("TEST_FUZZ_SECONDS").ok();
    let seconds = seconds.map_or(0, |text| text.parse().expect("a number of seconds"));
    let until = Instant::now() + Duration::from_secs(seconds);
    let redis = Redis::with(&["enable-debug-command yes", "rdbcompression no"]);
    let mut cli = redis.cli();
    let corpus = corpus(&mut cli);
    assert!(corpus.iter().all(|dump| dump::is_known(dump)), "dumps of a new form: teach `dump`");
    let least = if seconds == 0 { PAYLOADS } else { MANY_PAYLOADS };
    let mut random = Random::new(4);
    let (mut accepted, mut refused) = (0, 0);
    while accepted + refused < least || Instant::now() < until {
        let batch: Vec<Vec<u8>> = (0..BATCH)
            .map(|_| {
                let [one, other] = [0; 2].map(|_| &corpus[random.below(corpus.len())]);
                dump::broken(one, other, &mut random)
            })
            .collect();
        let restored = restore(&mut cli, &batch)
            .unwrap_or_else(|error| panic!("{error} after one of these:\n{}", hex(&batch)));
        accepted += restored;
        refused += batch.len() - restored;
    }
    let payloads = accepted + refused;
    assert!(
        accepted > payloads / 50 && refused > payloads / 5,
        "{accepted} accepted, {refused} not"
    );
    for node in cli.ask("PRESENCE.LEASE LIST").array() {
        let node = node.array();
        assert_eq!(node[3..], [Reply::Number(0), Reply::Number(0)], "{node:?}");
    }
    for field in ["rosters", "members", "users", "books", "statuses", "entries_due"] {
        assert_eq!(redis.info(&format!("rollcall_{field}")), "0", "{field}");
    }
}

/// Restores each, asks everything of it and removes it; how many were accepted.
fn restore(cli: &mut Resp, batch: &[Vec<u8>]) -> std::io::Result<usize> {
    let after = AFTER.map(rollcall_tests::resp::words);
    for payload in batch {
        let restore: [&[u8]; 4] = [b"RESTORE", b"fuzz", b"0", payload];
        cli.send(&restore)?;
        after.iter().try_for_each(|command| cli.send(command))?;
    }
    let mut accepted = 0;
    for _ in batch {
        match cli.read()? {
            Reply::Error(text) => assert!(text.starts_with("ERR Bad data format"), "{text}"),
            reply => {
                assert_eq!(reply.to_string(), "OK");
                accepted += 1;
            }
        }
        for _ in AFTER {
            cli.read()?;
        }
    }
    Ok(accepted)
}

fn hex(batch: &[Vec<u8>]) -> String {
    let mut text = String::new();
    for payload in batch {
        for byte in payload {
            write!(text, "{byte:02x}").expect("text grows");
        }
        text.push('\n');
    }
    text
}
