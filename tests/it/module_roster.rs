//! Rosters through a plain Redis client: who is in, what is said of them, how many.

use rollcall_tests::Redis;
use serde_json::{Value, json};

#[test]
fn a_client_joins_once_and_leaves_once() {
    Redis::start().cli().session(
        r#"
        > PRESENCE.ADD room c1 ann EX 60
        1
        > PRESENCE.ADD room c1 ann EX 60
        0
        > PRESENCE.ADD room c2 ann PX 60000
        1
        > PRESENCE.ADD room c3 "" EX 60
        1
        > PRESENCE.STATS room
        [[3, 2, <n>]]
        > PRESENCE.REM room c1 nobody c3
        2
        > PRESENCE.REM room c1
        0
        > PRESENCE.GET room
        [["c2", "ann", nil, nil]]
        "#,
    );
}

#[test]
fn an_empty_roster_is_no_key() {
    Redis::start().cli().session(
        r#"
        > PRESENCE.GET room
        []
        > PRESENCE.GET room JSON
        "{}"
        > PRESENCE.SCAN room 0
        ["0", []]
        > PRESENCE.REM room c1
        0
        > EXISTS room
        0
        > PRESENCE.ADD room c1 ann EX 60
        1
        > EXISTS room
        1
        > TTL room
        -1
        > PRESENCE.REM room c1
        1
        > EXISTS room
        0
        > PRESENCE.STATS room other
        [[0, 0, <n>], [0, 0, <n>]]
        "#,
    );
}

#[test]
fn infos_are_kept_replaced_and_cleared() {
    Redis::start().cli().session(
        r#"
        > PRESENCE.ADD room c1 ann CONNINFO '{"name":"Ann"}' CHANINFO '"guest"' EX 60
        1
        > PRESENCE.GET room
        [["c1", "ann", "{"name":"Ann"}", ""guest""]]
        > PRESENCE.GET room JSON
        "{"c1":{"user":"ann","client":"c1","conn_info":{"name":"Ann"},"chan_info":"guest"}}"
        > PRESENCE.ADD room c1 ann EX 60 CHANINFO 1 CONNINFO ''
        0
        > PRESENCE.GET room
        [["c1", "ann", nil, "1"]]
        > PRESENCE.ADD room c1 ann EX 60
        0
        > PRESENCE.GET room JSON
        "{"c1":{"user":"ann","client":"c1"}}"
        "#,
    );
}

#[test]
fn infos_that_are_not_json_are_shown_as_base64() {
    let redis = Redis::start();
    let mut cli = redis.cli();
    let add: [&[u8]; 10] = [
        b"PRESENCE.ADD",
        b"room",
        b"c1",
        b"ann",
        b"CONNINFO",
        b"\xff\x00",
        b"CHANINFO",
        b"{\n\"a\":\r1}",
        b"EX",
        b"60",
    ];
    assert_eq!(cli.call(&add).number(), 1);
    cli.session(
        r#"
        > PRESENCE.GET room JSON
        "{"c1":{"user":"ann","client":"c1","conn_info_b64":"/wA=","chan_info":{ "a": 1}}}"
        "#,
    );
    // However deep it is.
    let deep = format!("{}1{}", "[".repeat(20_000), "]".repeat(20_000));
    for (info, field) in [(&deep[..], "conn_info"), (&deep[..40_000], "conn_info_b64")] {
        cli.call(&["PRESENCE.ADD", "deep", "c1", "ann", "CONNINFO", info, "EX", "60"]);
        let shown = cli.ask("PRESENCE.GET deep JSON").text();
        assert!(shown.contains(&format!("\"{field}\":")), "{field}");
        assert_eq!(shown.contains(&deep), field == "conn_info");
    }
}

#[test]
fn the_json_form_holds_everyone() {
    let redis = Redis::start();
    let mut cli = redis.cli();
    for n in 0..500 {
        cli.ask(&format!("PRESENCE.ADD room c{n} u{} CONNINFO {n} EX 60", n % 7));
    }
    let shown: Value = serde_json::from_str(&cli.ask("PRESENCE.GET room JSON").text()).unwrap();
    let everyone = (0..500).map(|n| {
        let (client, user) = (format!("c{n}"), format!("u{}", n % 7));
        (client.clone(), json!({"user": user, "client": client, "conn_info": n}))
    });
    assert_eq!(shown, Value::Object(everyone.collect()));
    assert_eq!(cli.ask("PRESENCE.STATS room").to_string().split_once(", 7, ").unwrap().0, "[[500");
}

#[test]
fn another_user_for_a_client_is_a_leave_and_a_join() {
    Redis::start().cli().session(
        r#"
        > PRESENCE.ADD room c1 ann EX 60
        1
        > PRESENCE.ADD room c1 bob EX 60
        1
        > PRESENCE.GET room
        [["c1", "bob", nil, nil]]
        > PRESENCE.STATS room
        [[1, 1, <n>]]
        "#,
    );
}

#[test]
fn a_read_with_its_sequence_can_be_ordered_against_events() {
    let redis = Redis::start();
    let mut cli = redis.cli();
    cli.session(
        r#"
        > PRESENCE.ADD room c1 ann EX 60 WITHSEQ
        [<n>, 1]
        > PRESENCE.GET room WITHSEQ
        [<n>, [["c1", "ann", nil, nil]]]
        "#,
    );
    let added = cli.ask("PRESENCE.ADD room c2 bob EX 60 NOTIFY WITHSEQ").array();
    let seq = added[0].number();
    assert!(seq > 1_700_000_000_000_000, "a sequence begins as a time in µs: {seq}");
    let state = format!(
        "
        > PRESENCE.GET room JSON WITHSEQ
        [{seq}, <*>]
        > PRESENCE.SCAN room 0 WITHSEQ
        [{seq}, [<*>]]
        > PRESENCE.STATS room
        [[2, 2, {seq}]]
        > PRESENCE.STATS elsewhere
        [[0, 0, {seq}]]
        > PRESENCE.GET elsewhere WITHSEQ
        [{seq}, []]
        "
    );
    cli.session(&state);
    let again = cli.ask("PRESENCE.ADD room c2 bob EX 60 NOTIFY WITHSEQ");
    assert_eq!(again.to_string(), format!("[{seq}, 0]"), "nothing changed, nothing was announced");
}

#[test]
fn resp3_gives_the_same_replies() {
    let redis = Redis::start();
    let mut cli = redis.cli();
    cli.ask("PRESENCE.ADD room c1 ann EX 60");
    cli.ask("USERSTATUS.TOUCH book EX 60 ann");
    let mut three = redis.cli();
    three.ask("HELLO 3");
    for command in [
        "PRESENCE.GET room",
        "PRESENCE.GET room JSON WITHSEQ",
        "PRESENCE.STATS room nowhere",
        "PRESENCE.SCAN room 0",
        "PRESENCE.LEASE LIST",
        "USERSTATUS.GET book ann nobody",
    ] {
        assert_eq!(cli.ask(command), three.ask(command), "{command}");
    }
}

#[test]
fn bad_arguments_are_named_and_change_nothing() {
    let redis = Redis::start();
    let mut cli = redis.cli();
    let long = "x".repeat(256);
    let info = "x".repeat(64 * 1024 + 1);
    let key = "x".repeat(1025);
    cli.session(&format!(
        "
        > PRESENCE.ADD room
        !ERR wrong number of arguments<*>
        > PRESENCE.ADD room '' ann EX 60
        !ERR <*>client<*>
        > PRESENCE.ADD room {long} ann EX 60
        !ERR <*>client<*>
        > PRESENCE.ADD room c1 {long} EX 60
        !ERR <*>user<*>
        > PRESENCE.ADD room c1 ann CONNINFO {info} EX 60
        !ERR <*>
        > PRESENCE.ADD room c1 ann EX 0
        !ERR <*>
        > PRESENCE.ADD room c1 ann EX ten
        !ERR <*>
        > PRESENCE.ADD room c1 ann EX -1
        !ERR <*>
        > PRESENCE.ADD room c1 ann EX 9223372036854775807
        !ERR <*>
        > PRESENCE.ADD room c1 ann NOTIFY WITHSEQ
        !ERR <*>
        > PRESENCE.ADD room c1 ann EX 60 PX 60000
        !ERR <*>
        > PRESENCE.ADD room c1 ann EX 60 BACK
        !ERR <*>
        > PRESENCE.ADD room c1 ann EX 60 SOMETHING
        !ERR <*>
        > PRESENCE.REM room c1 ''
        !ERR <*>client<*>
        > PRESENCE.GET room ALL
        !ERR <*>
        > PRESENCE.GET {key}
        !ERR <*>key<*>
        > EXISTS room
        0
        "
    ));
    let bad: [&[u8]; 6] = [b"PRESENCE.ADD", b"room", b"\xff", b"ann", b"EX", b"60"];
    assert!(cli.call(&bad).to_string().starts_with("!ERR "), "ids are UTF-8");
    assert_eq!(cli.ask("EXISTS room").number(), 0);
}

#[test]
fn ten_thousand_names_are_the_limit_of_one_command() {
    let redis = Redis::start();
    let mut cli = redis.cli();
    let names = |count: usize| {
        let mut args = vec!["PRESENCE.REM".to_owned(), "room".to_owned()];
        args.extend((0..count).map(|n| format!("c{n}")));
        args
    };
    assert_eq!(cli.call(&names(10_000)).number(), 0);
    assert!(cli.call(&names(10_001)).to_string().starts_with("!ERR "));
}

#[test]
fn keys_of_other_types_are_refused() {
    Redis::start().cli().session(
        r"
        > SET text 1
        OK
        > PRESENCE.ADD text c1 ann EX 60
        !WRONGTYPE <*>
        > PRESENCE.GET text
        !WRONGTYPE <*>
        > PRESENCE.STATS text
        !WRONGTYPE <*>
        > USERSTATUS.TOUCH text EX 60 ann
        !WRONGTYPE <*>
        > PRESENCE.ADD room c1 ann EX 60
        1
        > USERSTATUS.GET room ann
        !WRONGTYPE <*>
        > GET room
        !WRONGTYPE <*>
        ",
    );
}
