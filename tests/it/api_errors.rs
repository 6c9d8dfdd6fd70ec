//! The server API's answers to requests it cannot serve, status, headers and body whole.

use rollcall_tests::{Answer, Server, Stack, config};
use serde_json::{Value, json};

/// An answer of the API itself: JSON, and nothing said beside it.
pub(crate) fn assert_json(answer: &Answer, status: u16, body: Value) {
    let headers: Vec<_> = answer.headers.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(
        (answer.status, headers),
        (status, vec![("content-type", "application/json")]),
        "{answer}"
    );
    assert_eq!(answer.json(), body, "{answer}");
}

/// An answer of the server below the API.
fn assert_text(answer: &Answer, status: u16, body: &str) {
    assert_eq!((answer.status, answer.body.as_str()), (status, body), "{answer}");
    let text = "text/plain; charset=utf-8".to_owned();
    let expected = if body.is_empty() { None } else { Some(&text) };
    assert_eq!(answer.headers.get("content-type"), expected, "{answer}");
}

fn post(server: &Server, path: &str, body: &str) -> Answer {
    server.http().post(path, &[("X-API-Key", config::API_KEY)], body)
}

#[test]
fn bodies_that_cannot_be_read_are_bad_requests() {
    let stack = Stack::start();
    for body in [
        "",
        "{",
        "[]",
        "5",
        "\"x\"",
        r#"{"channel":5}"#,
        r#"{"channel":["a"]}"#,
        r#"{"channel":"a"} x"#,
        r#"{"channel":"a"}{"channel":"a"}"#,
        r#"{"channel":"a",}"#,
    ] {
        assert_text(&post(&stack, "/api/presence", body), 400, "Bad Request\n");
    }
    assert_text(&post(&stack, "/api/get_user_status", r#"{"users":"42"}"#), 400, "Bad Request\n");
}

#[test]
fn go_programs_may_spell_members_as_they_are_used_to() {
    let stack = Stack::start();
    let empty = json!({"result": {"presence": {}}});
    for body in [
        r#"{"CHANNEL":"public:x"}"#,
        r#"{"channel":"nosuch:x","channel":"public:x"}"#,
        r#"{"channel":"public:x","more":{"of":"it"}}"#,
        " \n{\"channel\" : \"public:x\"}\n",
    ] {
        assert_json(&post(&stack, "/api/presence", body), 200, empty.clone());
    }
}

#[test]
fn channels_that_cannot_be_asked_about_have_their_codes() {
    let stack = Stack::start();
    let error = |code: u32, message: &str| json!({"error": {"code": code, "message": message}});
    for method in ["presence", "presence_stats"] {
        let path = format!("/api/{method}");
        for (body, expected) in [
            ("{}", error(107, "bad request")),
            ("null", error(107, "bad request")),
            (r#"{"channel":""}"#, error(107, "bad request")),
            (r#"{"channel":null}"#, error(107, "bad request")),
            (r#"{"channel":"nosuch:x"}"#, error(102, "unknown channel")),
            (r#"{"channel":"nopresence:x"}"#, error(108, "not available")),
        ] {
            assert_json(&post(&stack, &path, body), 200, expected);
        }
    }
}

#[test]
fn errors_can_be_statuses_when_asked() {
    let stack = Stack::start();
    for (body, status, code, message) in [
        ("{}", 400, 107, "bad request"),
        (r#"{"channel":"nosuch:x"}"#, 404, 102, "unknown channel"),
        (r#"{"channel":"nopresence:x"}"#, 400, 108, "not available"),
    ] {
        let headers = [("X-API-Key", config::API_KEY), ("X-Centrifugo-Error-Mode", "transport")];
        let answer = stack.http().post("/api/presence", &headers, body);
        assert_json(&answer, status, json!({"code": code, "message": message}));
    }
}

#[test]
fn unknown_paths_and_methods_are_told_before_the_key_is_asked_for() {
    let stack = Stack::start();
    let http = stack.http();
    for path in ["/api/nothing", "/nothing", "/api/presence/more"] {
        let answer = http.post(path, &[], "{}");
        assert_text(&answer, 404, "404 page not found\n");
    }
    for method in ["GET", "PUT", "DELETE"] {
        let answer = http.send(method, "/api/presence", &[], "");
        assert_eq!((answer.status, answer.body.as_str()), (405, ""), "{method}: {answer}");
    }
    let answer = http.send("GET", "/api", &[], "");
    assert_eq!((answer.status, answer.body.as_str()), (405, ""), "{answer}");
}

#[test]
fn status_methods_need_users() {
    let stack = Stack::start();
    let bad = json!({"error": {"code": 107, "message": "bad request"}});
    for method in ["update_user_status", "get_user_status", "delete_user_status"] {
        for body in ["{}", r#"{"users":[]}"#, r#"{"users":["42",""]}"#] {
            assert_json(&post(&stack, &format!("/api/{method}"), body), 200, bad.clone());
        }
    }
}

#[test]
fn status_methods_are_not_available_when_switched_off() {
    let stack = Stack::with(json!({"user_status": {"enabled": false}}));
    let off = json!({"error": {"code": 108, "message": "not available"}});
    for method in ["update_user_status", "get_user_status", "delete_user_status"] {
        let answer = post(&stack, &format!("/api/{method}"), r#"{"users":["42"]}"#);
        assert_json(&answer, 200, off.clone());
    }
}
