//! What users of the server may be allowed, as the documentation says it.

use rollcall_tests::{Redis, Resp};

const DOCS: &str = include_str!("../../docs/module.md");

/// The rule in the documentation for a user.
fn documented(user: &str) -> &'static str {
    let start = format!("ACL SETUSER {user} ");
    let at = DOCS.find(&start).unwrap_or_else(|| panic!("no `{start}` in docs/module.md"));
    let rest = &DOCS[at..];
    &rest[..rest.find(['\n', '`']).expect("the line ends")]
}

fn login(redis: &Redis, rule: &str) -> Resp {
    let mut cli = redis.cli();
    assert_eq!(cli.ask(rule).to_string(), "OK", "{rule}");
    let user = rule.split(' ').nth(2).expect("a name");
    let password = rule.split(' ').find_map(|word| word.strip_prefix('>')).expect("a password");
    assert_eq!(cli.ask(&format!("AUTH {user} {password}")).to_string(), "OK");
    cli
}

fn allowed(cli: &mut Resp, command: &str) -> bool {
    let reply = cli.ask(command).to_string();
    assert!(!reply.starts_with("!ERR unknown"), "{command}: {reply}");
    !reply.starts_with("!NOPERM")
}

#[test]
fn the_documented_rule_is_enough_for_the_server_and_for_nothing_else() {
    let redis = Redis::start();
    let mut cli = login(&redis, documented("rollcall"));
    for command in [
        "PRESENCE.LEASE KEEP n1 PX 60000",
        "PRESENCE.ADD rollcall:room c1 ann LEASE n1 NOTIFY",
        "PRESENCE.GET rollcall:room JSON WITHSEQ",
        "PRESENCE.SCAN rollcall:room 0",
        "PRESENCE.STATS rollcall:room rollcall:hall",
        "PRESENCE.RECENT rollcall:room 0",
        "PRESENCE.REM rollcall:room c1",
        "PRESENCE.LEASE LIST",
        "PRESENCE.LEASE DROP n1",
        "USERSTATUS.TOUCH rollcall:book EX 60 ann",
        "USERSTATUS.ONLINE rollcall:book LEASE n1 EX 60 ann",
        "USERSTATUS.OFFLINE rollcall:book LEASE n1 EX 60 ann",
        "USERSTATUS.GET rollcall:book ann",
        "USERSTATUS.DEL rollcall:book ann",
        "SPUBLISH rollcall:room hello",
        "PING",
        "INFO server",
        "CLIENT SETNAME rollcall",
        "SELECT 0",
        "SSUBSCRIBE rollcall:room",
        "SUNSUBSCRIBE rollcall:room",
        "HELLO 3",
    ] {
        assert!(allowed(&mut cli, command), "{command}");
    }
    for command in [
        "PRESENCE.ADD other:room c1 ann EX 60",
        "PRESENCE.STATS rollcall:room other:room",
        "PRESENCE.RECENT other:room 0",
        "USERSTATUS.GET other:book ann",
        "GET rollcall:x",
        "DEL rollcall:room",
        "FLUSHALL",
        "KEYS *",
        "CONFIG GET rollcall.*",
        "SSUBSCRIBE other:room",
        "SUBSCRIBE other:room",
        "PRESENCE.APPLY rollcall:room 1 CUT 7 c1",
        "PRESENCE.LEASEAPPLY 1 END n1 7",
        "USERSTATUS.APPLY rollcall:book 1 TOUCH 7 60 ann",
    ] {
        assert!(!allowed(&mut cli, command), "{command}");
    }
}

#[test]
fn the_documented_watcher_only_looks() {
    let redis = Redis::start();
    let mut cli = login(&redis, documented("watcher"));
    for command in [
        "PRESENCE.GET rollcall:room",
        "PRESENCE.STATS rollcall:room",
        "PRESENCE.RECENT rollcall:room 0",
        "SSUBSCRIBE rollcall:room",
    ] {
        assert!(allowed(&mut cli, command), "{command}");
    }
    let mut cli = login(&redis, documented("watcher"));
    for command in [
        "PRESENCE.ADD rollcall:room c1 ann EX 60",
        "PRESENCE.REM rollcall:room c1",
        "PRESENCE.LEASE LIST",
        "USERSTATUS.DEL rollcall:book ann",
        "PRESENCE.GET other:room",
    ] {
        assert!(!allowed(&mut cli, command), "{command}");
    }
}

#[test]
fn renewing_can_be_allowed_alone() {
    let redis = Redis::start();
    let mut cli = login(&redis, "ACL SETUSER node on >secret +presence.lease|keep");
    assert!(allowed(&mut cli, "PRESENCE.LEASE KEEP n1 PX 60000"));
    assert!(!allowed(&mut cli, "PRESENCE.LEASE DROP n1"));
    assert!(!allowed(&mut cli, "PRESENCE.LEASE LIST"));
}

#[test]
fn commands_are_in_the_categories_of_newer_servers() {
    let redis = Redis::start();
    let newer = redis.version() >= [7, 2, 0];
    let reads = [
        "PRESENCE.GET k",
        "PRESENCE.SCAN k 0",
        "PRESENCE.STATS k",
        "PRESENCE.RECENT k 0",
        "PRESENCE.LEASE LIST",
        "USERSTATUS.GET k ann",
    ];
    let writes = [
        "PRESENCE.ADD k c1 ann EX 60",
        "PRESENCE.REM k c1",
        "PRESENCE.LEASE DROP n1",
        "USERSTATUS.TOUCH b EX 60 ann",
        "USERSTATUS.ONLINE b LEASE n1 EX 60 ann",
        "USERSTATUS.OFFLINE b LEASE n1 EX 60 ann",
        "USERSTATUS.DEL b ann",
    ];
    for (rule, reads_allowed, writes_allowed) in [
        ("ACL SETUSER reader on >secret ~* +@read", newer, false),
        ("ACL SETUSER writer on >secret ~* +@write -@dangerous", false, newer),
        ("ACL SETUSER anyone on >secret ~* +@all", true, true),
        ("ACL SETUSER nobody on >secret ~* +@all -@read -@write", !newer, !newer),
    ] {
        let mut cli = login(&redis, rule);
        for command in reads {
            assert_eq!(allowed(&mut cli, command), reads_allowed, "{rule}: {command}");
        }
        for command in writes {
            assert_eq!(allowed(&mut cli, command), writes_allowed, "{rule}: {command}");
        }
    }
    let mut cli = login(&redis, "ACL SETUSER safe on >secret ~* +@write -@dangerous");
    assert!(!allowed(&mut cli, "PRESENCE.APPLY k 1 CUT 7 c1"), "internal commands are dangerous");
}
