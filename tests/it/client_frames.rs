//! Frames, their order, their limits, and what ends a connection.

use std::time::Duration;

use rollcall_tests::process::Signal;
use rollcall_tests::{Heard, Stack, Talk, eventually, token};
use serde_json::json;

/// Alice connects, sends one frame, and the connection ends like this.
fn ends(stack: &Stack, frame: &str, close: &str) {
    let text = format!("A--> {frame}\nA<-- close {close}");
    Talk::with(stack).connected("A", "alice").session(&text);
}

#[test]
fn the_first_command_has_to_be_connect() {
    let stack = Stack::start();
    for frame in [
        r#"{"id":1,"subscribe":{"channel":"room"}}"#,
        r#"{"send":{"data":1}}"#,
        "{}",
        r#"{"connect":{}}"#,
        r#"{"id":1,"connect":null}"#,
    ] {
        let text = format!("--> {frame}\n<-- close 3501 \"bad request\"");
        Talk::with(&stack).session(&text);
    }
}

#[test]
fn what_is_no_command_ends_the_connection() {
    let stack = Stack::start();
    for frame in [
        r#"{"id":2,"connect":{}}"#,
        r#"{"id":2,"foo":{}}"#,
        r#"{"id":2}"#,
        r#"{"id":2,"ping":{}}"#,
        r#"{"id":2,"#,
        r#"{"id":"2","presence":{}}"#,
        r#"{"id":-2}"#,
        r#"{"id":2.0}"#,
        "[]",
        r#"{"id":4294967296}"#,
        "nonsense",
    ] {
        ends(&stack, frame, r#"3501 "bad request""#);
    }
    ends(&stack, r#"{"send":{"data":{"x":1}}}"#, r#"3508 "not available""#);
    for command in ["subscribe", "unsubscribe", "publish", "presence", "presence_stats", "history"]
    {
        ends(&stack, &format!(r#"{{"id":2,"{command}":{{}}}}"#), r#"3501 "bad request""#);
        ends(
            &stack,
            &format!(r#"{{"id":2,"{command}":{{"channel":""}}}}"#),
            r#"3501 "bad request""#,
        );
    }
}

#[test]
fn frames_without_a_command_end_the_connection() {
    let stack = Stack::start();
    for frame in ["", "\n"] {
        let mut alice = stack.client("alice");
        alice.sends(frame);
        assert_eq!(alice.closed(), (3501, "bad request".to_owned()), "{frame:?}");
    }
    let mut alice = stack.client("alice");
    alice.sends("{\"id\":2,\"subscribe\":{\"channel\":\"room\"}}\n\n{\"id\":3,\"subscribe\":{\"channel\":\"b\"}}");
    assert_eq!(alice.line(), json!({"id": 2, "subscribe": {}}), "what came before is done first");
    assert_eq!(alice.closed(), (3501, "bad request".to_owned()));
}

#[test]
fn commands_of_a_frame_are_answered_in_order() {
    let stack = Stack::start();
    Talk::with(&stack).name("T", &token::of("alice")).session(
        r#"
        --> {"id":1,"connect":{"token":"<T>"}}
            {"id":2,"subscribe":{"channel":"room"}}
            {"id":3,"presence_stats":{"channel":"room"}}
            {"id":4,"rpc":{"method":"update_user_status","data":{}}}
            {"id":4,"presence_stats":{"channel":"room"}}
        <-- {"id":1,"connect":{"client":"<A>","version":"<version>","ping":25,"pong":true}}
            {"id":2,"subscribe":{}}
            {"id":3,"presence_stats":{"num_clients":1,"num_users":1}}
            {"id":4,"rpc":{}}
            {"id":4,"presence_stats":{"num_clients":1,"num_users":1}}
        "#,
    );
}

#[test]
fn go_programs_may_spell_commands_as_they_are_used_to() {
    let stack = Stack::start();
    let mut alice = stack.client("alice");
    alice.sends("{\"ID\":2,\"Presence_Stats\":{\"CHANNEL\":\"lobby:x\"},\"subscribe\":null,\"more\":1} trailing\n");
    let stats = json!({"num_clients": 0, "num_users": 0});
    assert_eq!(alice.line(), json!({"id": 2, "presence_stats": stats}));
    alice.sends_bytes(br#"{"id":3,"presence_stats":{"channel":"nosuch:x","channel":"lobby:x"}}"#);
    assert_eq!(alice.line(), json!({"id": 3, "presence_stats": stats}));
}

#[test]
fn a_frame_may_have_64_kib_and_no_byte_more() {
    let stack = Stack::start();
    let mut alice = stack.client("alice");
    let frame = |length: usize| {
        let head = r#"{"id":2,"rpc":{"method":"nope","data":""#;
        let tail = r#""}}"#;
        format!("{head}{}{tail}", "x".repeat(length - head.len() - tail.len()))
    };
    alice.sends(&frame(65_536));
    assert_eq!(alice.line()["error"]["code"], 104);
    alice.sends(&frame(65_537));
    assert_eq!(alice.closed(), (1009, String::new()));
}

#[test]
fn pings_come_and_are_answered_once() {
    let stack = Stack::with(json!({"client": {"ping_interval": "1s", "pong_timeout": "500ms"}}));
    let mut alice = stack.websocket();
    assert_eq!(alice.connect(&token::of("alice"))["ping"], 1);
    alice.leave_pings_alone();
    for _ in 0..2 {
        assert_eq!(alice.line(), json!({}));
        alice.sends("{}");
    }
    alice.sends("{}");
    assert_eq!(alice.closed(), (3501, "bad request".to_owned()), "nobody asked for this pong");
}

#[test]
fn who_does_not_answer_a_ping_is_closed() {
    let stack = Stack::with(json!({"client": {"ping_interval": "1s", "pong_timeout": "500ms"}}));
    let mut alice = stack.client("alice");
    alice.leave_pings_alone();
    assert_eq!(alice.line(), json!({}));
    alice.sends(r#"{"id":2,"presence_stats":{"channel":"lobby:x"}}"#);
    assert_eq!(alice.line()["id"], 2, "other commands do not count as an answer");
    assert_eq!(alice.closed(), (3012, "no pong".to_owned()));
}

#[test]
fn who_answers_its_pings_stays() {
    let stack = Stack::with(json!({"client": {"ping_interval": "1s", "pong_timeout": "500ms"}}));
    let mut alice = stack.client("alice");
    let heard = alice.hears_within(Duration::from_secs(3));
    assert!(heard.is_none(), "{heard:?}");
    assert!(alice.call(json!({"rpc": {"method": "update_user_status"}})).get("rpc").is_some());
}

#[test]
fn a_server_that_stops_says_so() {
    let mut stack = Stack::start();
    let mut alice = stack.client("alice");
    stack.server.process().signal(Signal::TERM);
    assert_eq!(alice.hears(), Heard::Close(3001, "shutdown".to_owned()));
    assert!(stack.server.process().ended().success());
}

#[test]
fn a_hangup_does_not_end_the_server() {
    let mut stack = Stack::start();
    let mut alice = stack.client("alice");
    stack.server.process().signal(Signal::HUP);
    eventually("the server says that it goes on", || {
        assert_eq!(stack.server.process().has_ended(), None, "{}", stack.log());
        stack.log().contains("SIGHUP does not read the configuration").then_some(())
    });
    alice.enters("room");
    stack.client("bob").enters("room");
}
