//! The curl lines of the two documents that Rollcall implements, run as they are written there.

use std::process::Command;

use rollcall_tests::{Answer, Server, Stack, config, token};
use serde_json::{Value, json};

/// Runs a documented line against this server, with the key filled in, and compares the answer.
fn check(server: &Server, line: &str, expected: Value) {
    let line = line
        .replace("YOUR_API_KEY", config::API_KEY)
        .replace("<API_KEY>", config::API_KEY)
        .replace("localhost:8000", &format!("localhost:{}", server.port()))
        .replace("curl ", "curl --silent --show-error --include ");
    let output = Command::new("sh").arg("-c").arg(&line).output().expect("a shell and curl");
    assert!(output.status.success(), "{line}\n{}", String::from_utf8_lossy(&output.stderr));
    let answer = Answer::of_curl(&String::from_utf8(output.stdout).expect("the answer is text"));
    super::api_errors::assert_json(&answer, 200, expected);
}

const PRESENCE: &str = r#"curl --header "Content-Type: application/json" \
  --header "X-API-Key: YOUR_API_KEY" \
  --request POST \
  --data '{"channel": "public:test"}' \
  http://localhost:8000/api/presence"#;

const PRESENCE_STATS: &str = r#"curl --header "Content-Type: application/json" \
  --header "X-API-Key: YOUR_API_KEY" \
  --request POST \
  --data '{"channel": "public:test"}' \
  http://localhost:8000/api/presence_stats"#;

const UPDATE_USER_STATUS: &str = r#"curl --header "Content-Type: application/json" \
  --header "Authorization: apikey <API_KEY>" \
  --request POST \
  --data '{"method": "update_user_status", "params": {"users": ["42"]}}' \
  http://localhost:8000/api"#;

const GET_USER_STATUS: &str = r#"curl --header "Content-Type: application/json" \
  --header "Authorization: apikey <API_KEY>" \
  --request POST \
  --data '{"method": "get_user_status", "params": {"users": ["42"]}}' \
  http://localhost:8000/api"#;

const DELETE_USER_STATUS: &str = r#"curl --header "Content-Type: application/json" \
  --header "Authorization: apikey <API_KEY>" \
  --request POST \
  --data '{"method": "delete_user_status", "params": {"users": ["42"]}}' \
  http://localhost:8000/api"#;

#[test]
fn presence_and_its_counters() {
    let stack = Stack::start();
    check(&stack, PRESENCE, json!({"result": {"presence": {}}}));
    check(&stack, PRESENCE_STATS, json!({"result": {"num_clients": 0, "num_users": 0}}));
    let mut tab = stack.websocket();
    tab.connect(&token::token(json!({"sub": "42", "info": {"name": "Ann"}})));
    tab.enters("public:test");
    let mut other_tab = stack.client("42");
    other_tab.enters("public:test");
    let (a, b) = (tab.id().to_owned(), other_tab.id().to_owned());
    let presence = json!({
        a.as_str(): {"user": "42", "client": a, "conn_info": {"name": "Ann"}},
        b.as_str(): {"user": "42", "client": b},
    });
    check(&stack, PRESENCE, json!({"result": {"presence": presence}}));
    check(&stack, PRESENCE_STATS, json!({"result": {"num_clients": 2, "num_users": 1}}));
}

#[test]
fn user_status_of_a_user_who_is_not_connected() {
    let stack = Stack::start();
    let nothing = json!({"result": {"statuses": [{"user": "42"}]}});
    check(&stack, GET_USER_STATUS, nothing.clone());
    check(&stack, UPDATE_USER_STATUS, json!({"result": {}}));
    let status = stack.api("get_user_status", json!({"users": ["42"]}));
    let active = status["statuses"][0]["active"].as_u64().expect("active is a time");
    assert!(active.abs_diff(token::now()) <= 2);
    let shown = json!({"result": {"statuses": [{"user": "42", "active": active}]}});
    check(&stack, GET_USER_STATUS, shown);
    check(&stack, DELETE_USER_STATUS, json!({"result": {}}));
    check(&stack, GET_USER_STATUS, nothing);
}
