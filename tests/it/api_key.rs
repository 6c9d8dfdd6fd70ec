//! Who may use the server API.

use rollcall_tests::{Stack, config};
use serde_json::json;

const PATH: &str = "/api/presence_stats";
const BODY: &str = r#"{"channel":"public:x"}"#;

/// The status for a request with these headers and this query.
fn status(stack: &Stack, headers: &[(&str, &str)], query: &str) -> u16 {
    let answer = stack.http().post(&format!("{PATH}{query}"), headers, BODY);
    if answer.status == 401 {
        assert!(answer.body.is_empty() && answer.headers.is_empty(), "{answer}");
    }
    answer.status
}

#[test]
fn each_way_of_giving_the_key_works() {
    let stack = Stack::start();
    let key = config::API_KEY;
    assert_eq!(status(&stack, &[("X-API-Key", key)], ""), 200);
    assert_eq!(status(&stack, &[("Authorization", &format!("apikey {key}"))], ""), 200);
    assert_eq!(status(&stack, &[("Authorization", &format!("  APIKey\t  {key} "))], ""), 200);
    assert_eq!(status(&stack, &[], &format!("?api_key={key}")), 200);
    assert_eq!(status(&stack, &[], &format!("?x=1&api_key={key}&y")), 200);
}

#[test]
fn without_the_key_nothing_works() {
    let stack = Stack::start();
    let key = config::API_KEY;
    assert_eq!(status(&stack, &[], ""), 401);
    assert_eq!(status(&stack, &[("X-API-Key", "wrong")], ""), 401);
    assert_eq!(status(&stack, &[("Authorization", key)], ""), 401);
    assert_eq!(status(&stack, &[("Authorization", &format!("Bearer {key}"))], ""), 401);
    assert_eq!(status(&stack, &[("Authorization", &format!("apikey {key} more"))], ""), 401);
    assert_eq!(status(&stack, &[], "?api_key=wrong"), 401);
    assert_eq!(status(&stack, &[], "?api_key="), 401);
    let answer = stack.http().post("/api", &[], r#"{"method":"info"}"#);
    assert_eq!((answer.status, answer.body.as_str()), (401, ""));
}

#[test]
fn a_wrong_header_hides_authorization_and_not_the_query() {
    let stack = Stack::start();
    let key = config::API_KEY;
    let authorization = format!("apikey {key}");
    let both = [("X-API-Key", "wrong"), ("Authorization", authorization.as_str())];
    assert_eq!(status(&stack, &both, ""), 401);
    assert_eq!(status(&stack, &[("X-API-Key", "wrong")], &format!("?api_key={key}")), 200);
    assert_eq!(
        status(&stack, &[("Authorization", "apikey wrong")], &format!("?api_key={key}")),
        200
    );
    assert_eq!(status(&stack, &[("X-API-Key", ""), ("Authorization", &authorization)], ""), 200);
}

#[test]
fn an_empty_key_lets_nobody_in_and_insecure_lets_everybody() {
    let closed = Stack::with(json!({"http_api": {"key": ""}}));
    assert_eq!(status(&closed, &[], ""), 401);
    assert_eq!(status(&closed, &[("X-API-Key", "")], "?api_key="), 401);
    let open = Stack::with(json!({"http_api": {"key": "", "insecure": true}}));
    assert_eq!(status(&open, &[], ""), 200);
    assert_eq!(status(&open, &[("X-API-Key", "anything")], ""), 200);
}
