//! What operators and clients can ask about the module itself.

use std::process::Command;

use rollcall_tests::Redis;

const DOCS: &str = include_str!("../../docs/module.md");

const COMMANDS: [&str; 14] = [
    "presence.add",
    "presence.rem",
    "presence.get",
    "presence.scan",
    "presence.stats",
    "presence.recent",
    "presence.lease",
    "presence.help",
    "userstatus.touch",
    "userstatus.online",
    "userstatus.offline",
    "userstatus.get",
    "userstatus.del",
    "userstatus.help",
];

#[test]
fn every_command_is_documented() {
    let redis = Redis::start();
    let mut cli = redis.cli();
    for command in COMMANDS {
        let docs = cli.ask(&format!("COMMAND DOCS {command}")).to_string();
        assert!(docs.contains("\"summary\", \""), "{command}: {docs}");
        assert!(docs.contains("\"arguments\"") || command.ends_with("help"), "{command}: {docs}");
    }
}

#[test]
fn keys_arity_and_flags_are_known_to_the_server() {
    let redis = Redis::start();
    let mut cli = redis.cli();
    cli.session(
        r#"
        > COMMAND GETKEYS PRESENCE.ADD room c1 ann EX 60
        ["room"]
        > COMMAND GETKEYS PRESENCE.STATS a b c
        ["a", "b", "c"]
        > COMMAND GETKEYS PRESENCE.SCAN room 0
        ["room"]
        > COMMAND GETKEYS PRESENCE.RECENT room 0
        ["room"]
        > COMMAND GETKEYS USERSTATUS.ONLINE book LEASE n1 EX 60 ann bob
        ["book"]
        > COMMAND GETKEYS PRESENCE.LEASE KEEP n1 PX 1000
        !ERR <*>
        "#,
    );
    let info = |cli: &mut rollcall_tests::Resp, command: &str| {
        cli.ask(&format!("COMMAND INFO {command}")).array().remove(0).array()
    };
    for (command, arity, flags) in [
        ("presence.add", -6, vec!["write", "denyoom"]),
        ("presence.rem", -3, vec!["write", "fast"]),
        ("presence.get", -2, vec!["readonly"]),
        ("presence.stats", -2, vec!["readonly", "fast"]),
        ("presence.recent", -3, vec!["readonly"]),
        ("userstatus.get", -3, vec!["readonly", "fast"]),
        ("userstatus.touch", -5, vec!["write", "denyoom"]),
    ] {
        let info = info(&mut cli, command);
        assert_eq!(info[1].number(), arity, "arity of {command}");
        let has = info[2].to_string();
        assert!(flags.iter().all(|flag| has.contains(flag)), "{command}: {has}");
    }
    let lease = info(&mut cli, "presence.lease|keep")[2].to_string();
    assert!(lease.contains("fast"), "{lease}");
    assert!(
        !lease.contains("write") && !lease.contains("denyoom"),
        "renewals go on when writes cannot: {lease}"
    );
}

#[test]
fn info_counts_what_is_there_and_what_happened() {
    let redis = Redis::start();
    let mut cli = redis.cli();
    cli.ask("PRESENCE.LEASE KEEP n1 PX 60000");
    for n in 0..3 {
        cli.ask(&format!("PRESENCE.ADD room{} c{n} ann LEASE n1 NOTIFY", n % 2));
    }
    cli.ask("PRESENCE.REM room1 c1");
    cli.ask("USERSTATUS.TOUCH book EX 60 ann bob");
    let info = cli.ask("INFO rollcall").text();
    let number = |word: &str| {
        let value =
            info.lines().find_map(|line| line.split_once(':').filter(|(name, _)| *name == word));
        value.unwrap_or_else(|| panic!("no {word} in:\n{info}")).1.to_owned()
    };
    assert!(info.starts_with("# rollcall"), "{info}");
    for (word, value) in [
        ("rollcall_rosters", "1"),
        ("rollcall_members", "2"),
        ("rollcall_books", "1"),
        ("rollcall_statuses", "2"),
        ("rollcall_leases", "1"),
        ("rollcall_joins", "3"),
    ] {
        assert_eq!(number(word), value, "{word} in:\n{info}");
    }
}

#[test]
fn memory_is_counted() {
    let redis = Redis::start();
    let mut cli = redis.cli();
    cli.ask("PRESENCE.ADD room c0 ann EX 60");
    let small = cli.ask("MEMORY USAGE room").number();
    for n in 1..1000 {
        cli.ask(&format!("PRESENCE.ADD room c{n} ann EX 60"));
    }
    let large = cli.ask("MEMORY USAGE room").number();
    assert!(large > small + 1000 * 16, "{small} and then {large}");
}

#[test]
fn the_commands_of_replication_are_closed_to_clients() {
    let redis = Redis::start();
    let mut cli = redis.cli();
    for command in ["PRESENCE.APPLY room 1", "PRESENCE.LEASEAPPLY n1 1", "USERSTATUS.APPLY book 1"]
    {
        let reply = cli.ask(command).to_string();
        assert!(reply.starts_with("!ERR "), "{command}: {reply}");
    }
}

#[test]
fn redis_cli_can_use_every_command() {
    let redis = Redis::start();
    let cli = |line: &str| redis_cli(&redis, line);
    assert_eq!(cli("PRESENCE.ADD room c1 ann EX 60 NOTIFY"), "(integer) 1\n");
    assert_eq!(cli("PRESENCE.GET room"), "1) 1) \"c1\"\n   2) \"ann\"\n   3) (nil)\n   4) (nil)\n");
    assert!(cli("PRESENCE.ADD room c1").starts_with("(error) ERR "));
}

#[test]
fn help_and_errors_are_those_of_the_documentation() {
    let redis = Redis::start();
    for section in ["## Conventions", "### Help"] {
        let text = DOCS.split(&format!("{section}\n")).nth(1).expect("the section");
        let block = text.split("```").nth(1).and_then(|block| block.strip_prefix("text\n"));
        let mut sessions = block.expect("a session").split("> ").skip(1).peekable();
        assert!(sessions.peek().is_some(), "{section}");
        for session in sessions {
            let (command, printed) = session.split_once('\n').expect("a command and its reply");
            assert_eq!(redis_cli(&redis, command), printed, "{command}");
        }
    }
}

/// What redis-cli prints in a terminal.
fn redis_cli(redis: &Redis, line: &str) -> String {
    let mut command = Command::new("redis-cli");
    command.arg("-s").arg(redis.socket()).arg("--no-raw").args(rollcall_tests::resp::words(line));
    let output = command.output().expect("redis-cli is installed");
    String::from_utf8(output.stdout).expect("redis-cli prints text")
}
