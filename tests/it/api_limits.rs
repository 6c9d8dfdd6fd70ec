//! Calls that ask for more than a server can hold, and calls that fail: bounded and told.

use std::fs;

use rollcall_tests::{Answer, Stack, config, token};
use serde_json::{Value, json};

const MIB: u64 = 1024 * 1024;

fn post(stack: &Stack, path: &str, body: &str) -> Answer {
    stack.http().post(path, &[("X-API-Key", config::API_KEY)], body)
}

/// The most memory the server ever had, in bytes.
fn peak(stack: &mut Stack) -> u64 {
    let path = format!("/proc/{}/status", stack.server.process().id());
    let status = fs::read_to_string(path).expect("the server runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
    kib * 1024
}

/// What `work` adds to the most memory the server ever had.
fn grows(stack: &mut Stack, work: impl FnOnce(&mut Stack)) -> u64 {
    let before = peak(stack);
    work(stack);
    peak(stack) - before
}

/// A list of `count` short names.
fn names(count: usize) -> String {
    let list = vec![r#""a""#; count].join(",");
    format!("[{list}]")
}

#[test]
fn a_million_commands_in_one_body_are_refused() {
    let mut stack = Stack::start();
    let grown = grows(&mut stack, |stack| {
        let answer = post(stack, "/api", &"{}".repeat(1_000_000));
        assert_eq!(answer.status, 413, "{} bytes", answer.body.len());
        assert!(answer.body.contains("at most 100000 commands"), "{}", answer.body);
    });
    assert!(grown < 32 * MIB, "{grown}");
    let answer = post(&stack, "/api", &"{}".repeat(1_000));
    assert_eq!((answer.status, answer.body.lines().count()), (200, 1_000));
}

#[test]
fn replies_to_one_body_are_bounded() {
    let mut stack = Stack::start();
    let info = "x".repeat(40_000);
    let mut ann = stack.client_with(&token::token(json!({"sub": "ann", "info": info})));
    ann.enters("room");
    let grown = grows(&mut stack, |stack| {
        let command = r#"{"method":"presence","params":{"channel":"room"}}"#;
        let answer = stack.http().post_large("/api", config::API_KEY, &command.repeat(5_000));
        assert_eq!(answer.status, 200);
        let lines: Vec<&str> = answer.body.lines().collect();
        assert_eq!(lines.len(), 5_000);
        assert!(lines[0].contains(&info), "the first are answered");
        let last: Value = serde_json::from_str(lines[4_999]).expect("a reply is JSON");
        assert_eq!(last["error"]["code"], 107);
        let message = last["error"]["message"].as_str().expect("a message");
        assert!(message.contains("64 MiB"), "{message}");
    });
    assert!(grown < 250 * MIB, "{grown}");
}

#[test]
fn a_call_names_so_many_channels_or_users() {
    let mut stack = Stack::start();
    let list = names(1_000_000);
    let grown = grows(&mut stack, |stack| {
        for (method, body) in [
            ("broadcast", format!(r#"{{"channels":{list},"data":1}}"#)),
            ("get_user_status", format!(r#"{{"users":{list}}}"#)),
            ("update_user_status", format!(r#"{{"users":{list}}}"#)),
            ("delete_user_status", format!(r#"{{"users":{list}}}"#)),
        ] {
            let answer = post(stack, &format!("/api/{method}"), &body).json();
            assert_eq!(answer["error"]["code"], 107, "{method}");
            let message = answer["error"]["message"].as_str().expect("a message");
            assert!(message.contains("at most 100000"), "{method}: {message}");
        }
        let members = r#""a":1,"#.repeat(1_000_000);
        let answer = post(stack, "/api/info", &format!("{{{members}\"b\":1}}"));
        assert_eq!(answer.status, 400);
    });
    assert!(grown < 64 * MIB, "{grown}");
    let answer = post(&stack, "/api/get_user_status", &format!(r#"{{"users":{}}}"#, names(20_000)));
    assert_eq!(answer.json()["result"]["statuses"].as_array().map(Vec::len), Some(20_000));
}

#[test]
fn a_large_broadcast_is_held_once() {
    let mut stack = Stack::start();
    let channels: Vec<String> = (0..200).map(|n| format!("room-{n}")).collect();
    let data = "x".repeat(2 << 20);
    let grown = grows(&mut stack, |stack| {
        let params = json!({"channels": channels, "data": data});
        let responses = stack.api("broadcast", params)["responses"].clone();
        let all = responses.as_array().expect("a list");
        assert!(all.len() == 200 && all.iter().all(|one| *one == json!({"result": {}})));
    });
    assert!(grown < 150 * MIB, "{grown}");
}

#[test]
fn an_empty_list_is_an_empty_map_where_php_writes_one() {
    let stack = Stack::start();
    let mut ann = stack.client("ann");
    ann.enters("room");
    let replies = post(
        &stack,
        "/api",
        r#"{"method":"info","params":[]}{"method":"presence","params":[]}{"method":"presence","params":["room"]}
           {"method":"publish","params":{"channel":"room","data":1,"tags":[]}}"#,
    );
    let replies: Vec<Value> =
        replies.body.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert!(replies[0]["result"]["nodes"].is_array(), "{}", replies[0]);
    assert_eq!(replies[1]["error"]["code"], 107, "no channel");
    assert_eq!(replies[2]["error"]["code"], 107, "a list is no map");
    assert_eq!(replies[3], json!({"result": {}}));
    assert_eq!(ann.push(), json!({"channel": "room", "pub": {"data": 1}}));
}

#[test]
fn a_failed_call_is_logged_with_its_subject_and_seldom() {
    let stack = Stack::with(json!({"channel": {"max_length": 400}}));
    let far = format!("public:{}", "x".repeat(400));
    let mut cli = stack.redis.cli();
    for channel in ["room", &far] {
        cli.call(&["SET", &format!("rollcall:p:{channel}"), "no roster"]);
    }
    let error = json!({"error": {"code": 100, "message": "internal server error"}});
    assert_eq!(stack.api_answer("presence", json!({"channel": far})), error);
    for _ in 0..200 {
        assert_eq!(stack.api_answer("presence_stats", json!({"channel": "room"})), error);
    }
    let log = stack.server.log();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("an api call failed")).collect();
    assert!((2..=20).contains(&lines.len()), "{} lines", lines.len());
    assert!(
        lines[0].contains(" WARN ") && lines[0].contains("method=\"presence\""),
        "{}",
        lines[0]
    );
    assert!(lines[0].contains("public:xxx") && lines[0].len() < 500, "{}", lines[0]);
    assert!(lines[1].contains("method=\"presence_stats\""), "{}", lines[1]);
    assert!(lines[1].contains("channel=room"), "{}", lines[1]);
    assert!(lines[1].contains("WRONGTYPE"), "{}", lines[1]);
}

#[test]
fn a_call_that_cannot_be_read_is_told_in_the_log() {
    let stack = Stack::start();
    for _ in 0..100 {
        assert_eq!(post(&stack, "/api/get_user_status", r#"{"users":"42"}"#).status, 400);
    }
    let log = stack.server.log();
    let lines: Vec<&str> =
        log.lines().filter(|line| line.contains("users: expected a list")).collect();
    assert!((1..=20).contains(&lines.len()), "{log}");
    assert!(lines[0].contains("get_user_status"), "{}", lines[0]);
}
