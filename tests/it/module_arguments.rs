//! Commands made of anything: an error of a known kind changes nothing, and nothing ends the server.

use rollcall_tests::{Random, Redis, Reply};

const COMMANDS: [&str; 14] = [
    "PRESENCE.ADD room c1 ann",
    "PRESENCE.ADD room",
    "PRESENCE.ADD",
    "PRESENCE.REM",
    "PRESENCE.GET",
    "PRESENCE.SCAN room",
    "PRESENCE.STATS",
    "PRESENCE.RECENT room",
    "PRESENCE.LEASE KEEP",
    "USERSTATUS.TOUCH book",
    "USERSTATUS.ONLINE book",
    "USERSTATUS.OFFLINE book",
    "USERSTATUS.GET",
    "USERSTATUS.DEL",
];

/// Every word that means something, and some that should not. Times are long: nothing comes due.
const WORDS: [&str; 40] = [
    "room",
    "hall",
    "book",
    "text",
    "c1",
    "c2",
    "ann",
    "",
    "EX",
    "px",
    "LEASE",
    "lease",
    "n1",
    "n2",
    "600000",
    "700000",
    "0",
    "-1",
    "1e3",
    "0600000",
    " 600000",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551616",
    "NOTIFY",
    "back",
    "WITHSEQ",
    "JSON",
    "COUNT",
    "USER",
    "CONNINFO",
    "chaninfo",
    "KEEP",
    "{\"a\":1}",
    "%s%n%p",
    "a\0b",
    "\r\n",
    "ü\u{fffd}",
    "[[[[",
    "nan",
];

const KINDS: [&str; 5] = ["ERR ", "WRONGTYPE ", "NOLEASE ", "BADCURSOR ", "OOM "];

fn word(random: &mut Random) -> Vec<u8> {
    match random.below(40) {
        0 => vec![0xff, 0xfe],
        1 => vec![b'x'; [255, 256, 1024, 1025, 65_536, 65_537][random.below(6)]],
        _ => random.pick(&WORDS).as_bytes().to_vec(),
    }
}

fn command(random: &mut Random) -> Vec<Vec<u8>> {
    let start = random.pick(&COMMANDS).split(' ').map(|word| word.as_bytes().to_vec());
    let mut command: Vec<Vec<u8>> = start.collect();
    // Often something that is right, so that what follows is looked at.
    match random.below(6) {
        0 => command.extend(["EX", "600000"].map(Into::into)),
        1 => command.extend(["LEASE", "n1"].map(Into::into)),
        2 => command.extend(["LEASE", "n1", "EX", "600000"].map(Into::into)),
        3 => command.extend(["n1", "PX", "700000"].map(Into::into)),
        _ => {}
    }
    command.extend((0..random.below(6)).map(|_| word(random)));
    command
}

#[test]
fn an_error_of_a_known_kind_changes_nothing() {
    let redis = Redis::with(&["enable-debug-command yes"]);
    let mut cli = redis.cli();
    cli.ask("SET text 1");
    cli.ask("PRESENCE.LEASE KEEP n1 PX 700000");
    cli.ask("PRESENCE.ADD room c1 ann LEASE n1 NOTIFY");
    let mut random = Random::new(5);
    let (mut errors, mut changes) = (0, 0);
    for _ in 0..6000 {
        let command = command(&mut random);
        let show =
            || String::from_utf8_lossy(&command.join(&b' ')).chars().take(300).collect::<String>();
        let leases = |cli: &mut rollcall_tests::Resp| cli.ask("PRESENCE.LEASE LIST").array().len();
        let before = (cli.ask("DEBUG DIGEST"), leases(&mut cli));
        let reply = cli.call(&command);
        let after = (cli.ask("DEBUG DIGEST"), leases(&mut cli));
        if let Reply::Error(text) = reply {
            assert!(KINDS.iter().any(|kind| text.starts_with(kind)), "{}: {text}", show());
            assert!(text.len() < 400, "{}: {text}", show());
            assert_eq!(before, after, "{}: {text}", show());
            errors += 1;
        } else if before != after {
            changes += 1;
        }
    }
    assert!(errors > 1000 && changes > 100, "{errors} errors, {changes} changes");
}
