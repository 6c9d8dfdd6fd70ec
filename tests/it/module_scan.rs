//! `PRESENCE.SCAN`: everyone, page by page, while others come and go.

use std::collections::BTreeMap;

use rollcall_tests::{Redis, Reply, Resp};

/// Scans `room` to the end; `between` runs after each page. Clients with how often each came.
fn scan(
    cli: &mut Resp,
    options: &str,
    mut between: impl FnMut(&mut Resp),
) -> BTreeMap<String, u32> {
    let mut cursor = "0".to_owned();
    let mut seen = BTreeMap::new();
    loop {
        let mut reply = cli.ask(&format!("PRESENCE.SCAN room {cursor} {options}")).array();
        let page = reply.pop().expect("a page").array();
        for member in page.into_iter().map(Reply::array) {
            *seen.entry(member[0].text()).or_insert(0) += 1;
        }
        cursor = reply.pop().expect("a cursor").text();
        if cursor == "0" {
            return seen;
        }
        between(cli);
    }
}

fn fill(cli: &mut Resp, range: std::ops::Range<u32>) {
    for n in range {
        cli.ask(&format!("PRESENCE.ADD room c{n} u{} EX 600", n % 10));
    }
}

#[test]
fn everyone_who_stays_is_returned_exactly_once() {
    let redis = Redis::start();
    let mut cli = redis.cli();
    fill(&mut cli, 0..1000);
    let mut next = 1000;
    let seen = scan(&mut cli, "COUNT 20", |cli| {
        // The roster grows and shrinks under the scan: newcomers, and some of them go again. They
        // stop coming some day, or the scan would follow them for ever.
        if next > 2500 {
            return;
        }
        fill(cli, next..next + 60);
        for n in next..next + 30 {
            cli.ask(&format!("PRESENCE.REM room c{n}"));
        }
        next += 60;
    });
    for n in 0..1000 {
        assert_eq!(seen.get(&format!("c{n}")), Some(&1), "c{n}");
    }
    let twice = seen.iter().find(|(_, times)| **times > 1);
    assert!(
        twice.is_none_or(|(client, _)| client[1..].parse::<u32>().unwrap() >= 1000),
        "{twice:?}"
    );
}

#[test]
fn those_who_stay_are_returned_while_most_others_leave() {
    let redis = Redis::start();
    let mut cli = redis.cli();
    fill(&mut cli, 0..2000);
    let mut gone = 0;
    let seen = scan(&mut cli, "COUNT 50", |cli| {
        for n in (gone..2000.min(gone + 200)).filter(|n| n % 10 != 0) {
            cli.ask(&format!("PRESENCE.REM room c{n}"));
        }
        gone += 200;
    });
    for n in (0..2000).filter(|n| n % 10 == 0) {
        assert_eq!(seen.get(&format!("c{n}")), Some(&1), "c{n}");
    }
}

#[test]
fn the_clients_of_one_user_are_found_without_the_others() {
    let redis = Redis::start();
    let mut cli = redis.cli();
    fill(&mut cli, 0..100);
    let seen = scan(&mut cli, "COUNT 3 USER u4", |_| {});
    let expected = (0..100).filter(|n| n % 10 == 4).map(|n| (format!("c{n}"), 1));
    assert_eq!(seen, expected.collect());
    assert_eq!(cli.ask("PRESENCE.SCAN room 0 USER nobody").to_string(), r#"["0", []]"#);
}

#[test]
fn a_page_can_be_json() {
    Redis::start().cli().session(
        r#"
        > PRESENCE.ADD room c1 ann CONNINFO 1 EX 60
        1
        > PRESENCE.SCAN room 0 JSON
        ["0", "{"c1":{"user":"ann","client":"c1","conn_info":1}}"]
        > PRESENCE.SCAN room 0 COUNT 10 USER ann WITHSEQ
        [<n>, ["0", [["c1", "ann", "1", nil]]]]
        > PRESENCE.SCAN nowhere 0 JSON
        ["0", "{}"]
        "#,
    );
}

#[test]
fn a_cursor_of_another_life_is_refused() {
    let mut redis = Redis::start();
    let mut cli = redis.cli();
    fill(&mut cli, 0..100);
    let cursor = |cli: &mut Resp| cli.ask("PRESENCE.SCAN room 0 COUNT 5").array()[0].text();
    let old = cursor(&mut cli);
    cli.session(&format!(
        "
        > PRESENCE.SCAN room nonsense
        !ERR <*>cursor<*>
        > PRESENCE.SCAN room {old} COUNT 0
        !ERR <*>
        > PRESENCE.SCAN room {old} COUNT x
        !ERR <*>
        "
    ));
    cli.ask("DEL room");
    fill(&mut cli, 0..100);
    let reply = cli.ask(&format!("PRESENCE.SCAN room {old}")).to_string();
    assert!(reply.starts_with("!BADCURSOR "), "{reply}");
    let old = cursor(&mut cli);
    redis.restart();
    let mut cli = redis.cli();
    fill(&mut cli, 0..100);
    let reply = cli.ask(&format!("PRESENCE.SCAN room {old}")).to_string();
    assert!(reply.starts_with("!BADCURSOR "), "{reply}");
}
