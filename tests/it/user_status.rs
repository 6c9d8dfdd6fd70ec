//! When a user was last active and last online.

use rollcall_tests::{Server, Stack, eventually, token};
use serde_json::{Value, json};

fn status(server: &Server, user: &str) -> Value {
    server.api("get_user_status", json!({"users": [user]}))["statuses"][0].clone()
}

fn is_now(time: &Value) -> bool {
    time.as_u64().is_some_and(|time| time.abs_diff(token::now()) <= 2)
}

#[test]
fn the_call_of_a_client_moves_active_and_leaves_online() {
    let stack = Stack::start();
    let mut ann = stack.client("ann");
    let before = eventually("ann is online", || {
        let status = status(&stack, "ann");
        status["online"].is_number().then_some(status)
    });
    assert!(before.get("active").is_none(), "{before}");
    assert!(is_now(&before["online"]), "{before}");
    let reply = ann.call(json!({"rpc": {"method": "update_user_status", "data": {}}}));
    assert_eq!(reply, json!({"id": reply["id"], "rpc": {}}));
    let after = status(&stack, "ann");
    assert!(is_now(&after["active"]) && is_now(&after["online"]), "{after}");
}

#[test]
fn online_is_now_while_any_connection_lives_and_then_the_last_moment() {
    let stack = Stack::start();
    let other = stack.another_server();
    let first = stack.client("ann");
    let second = other.client("ann");
    eventually("ann is online", || status(&stack, "ann")["online"].is_number().then_some(()));
    first.cut();
    let start = token::now();
    eventually("online moves on", || {
        (status(&stack, "ann")["online"].as_u64()? > start + 1).then_some(())
    });
    second.cut();
    let end = eventually("online stands still", || {
        let online = status(&stack, "ann")["online"].as_u64()?;
        (token::now() > online + 2).then_some(online)
    });
    assert!(end > start, "{end} is when the second connection went, after {start}");
}

#[test]
fn statuses_come_in_the_order_asked_for() {
    let stack = Stack::start();
    assert_eq!(stack.api("update_user_status", json!({"users": ["a", "b"]})), json!({}));
    let statuses = stack.api("get_user_status", json!({"users": ["b", "nobody", "a", "b"]}));
    let users: Vec<_> =
        statuses["statuses"].as_array().unwrap().iter().map(|s| &s["user"]).collect();
    assert_eq!(users, ["b", "nobody", "a", "b"]);
    for (n, known) in [(0, true), (1, false), (2, true), (3, true)] {
        let status = &statuses["statuses"][n];
        assert_eq!(is_now(&status["active"]), known, "{status}");
        assert!(status.get("online").is_none(), "{status}");
    }
    stack.api("delete_user_status", json!({"users": ["a", "nobody"]}));
    assert_eq!(status(&stack, "a"), json!({"user": "a"}));
    assert!(is_now(&status(&stack, "b")["active"]));
}

#[test]
fn an_anonymous_user_has_no_status() {
    let stack = Stack::with(json!({"client": {"allow_anonymous_connect_without_token": true}}));
    let mut nobody = stack.websocket();
    nobody.call(json!({"connect": {}}));
    let reply = nobody.call(json!({"rpc": {"method": "update_user_status", "data": {}}}));
    assert_eq!(reply["error"], json!({"code": 103, "message": "permission denied"}));
}

#[test]
fn the_call_is_not_available_when_switched_off() {
    let stack = Stack::with(json!({"user_status": {"enabled": false}}));
    let reply =
        stack.client("ann").call(json!({"rpc": {"method": "update_user_status", "data": {}}}));
    assert_eq!(reply["error"], json!({"code": 108, "message": "not available"}));
}

#[test]
fn statuses_are_in_redis_for_anybody_to_see() {
    let stack = Stack::start();
    let _ann = stack.client("ann");
    stack.api("update_user_status", json!({"users": ["ann"]}));
    let book = eventually("a book", || {
        let keys = stack.redis.cli().ask("KEYS rollcall:s:*").array();
        Some(keys.first()?.text())
    });
    let shown = eventually("ann is online in it", || {
        let shown = stack.redis.cli().ask(&format!("USERSTATUS.GET {book} ann")).to_string();
        (!shown.contains("nil")).then_some(shown)
    });
    assert!(rollcall_tests::pattern::matches("[[<n>, <n>]]", &shown), "{shown}");
}
