//! The older form, `POST /api`: a stream of commands in one body.

use rollcall_tests::{Answer, Stack, config};
use serde_json::{Value, json};

fn post(stack: &Stack, body: &str) -> Answer {
    let key = format!("apikey {}", config::API_KEY);
    stack.http().post("/api", &[("Authorization", &key)], body)
}

/// The replies, one a line.
fn replies(answer: &Answer) -> Vec<Value> {
    assert_eq!(answer.status, 200, "{answer}");
    assert_eq!(answer.headers["content-type"], "application/json", "{answer}");
    assert!(!answer.body.ends_with('\n'), "no newline at the end: {answer}");
    answer
        .body
        .split('\n')
        .map(|line| serde_json::from_str(line).expect("a reply is JSON"))
        .collect()
}

#[test]
fn commands_of_a_stream_are_answered_in_order() {
    let stack = Stack::start();
    let answer = post(
        &stack,
        r#"{"id":1,"method":"presence_stats","params":{"channel":"public:a"}}
           {"id":2,"method":"update_user_status","params":{"users":["42"]}}{"method":"PRESENCE","params":{"channel":"public:a"}}
           {"id":4,"method":"presence","params":{"channel":"nosuch:a"}}
           {"id":5,"method":4,"params":{"channel":"public:a"}}
           {"id":6,"method":"presence"}
           {"id":7,"method":"presence","params":{"channel":5}}
           {"id":8,"method":77,"params":{}}"#,
    );
    assert_eq!(
        replies(&answer),
        [
            json!({"id": 1, "result": {"num_clients": 0, "num_users": 0}}),
            json!({"id": 2, "result": {}}),
            json!({"result": {"presence": {}}}),
            json!({"id": 4, "error": {"code": 102, "message": "unknown channel"}}),
            json!({"id": 5, "result": {"presence": {}}}),
            json!({"id": 6, "error": {"code": 107, "message": "bad request"}}),
            json!({"id": 7, "error": {"code": 107, "message": "bad request"}}),
            json!({"id": 8, "error": {"code": 104, "message": "not found"}}),
        ]
    );
}

#[test]
fn every_method_is_there_in_the_older_form() {
    let stack = Stack::start();
    let mut ann = stack.client("ann");
    ann.enters("public:a");
    let answer = post(
        &stack,
        r#"{"method":"publish","params":{"channel":"public:a","data":1}}
           {"method":"broadcast","params":{"channels":["public:a","nosuch:a"],"data":2}}
           {"params":{"channel":"public:a","data":3}}
           {"method":"get_user_status","params":{"users":["nobody"]}}
           {"method":"delete_user_status","params":{"users":["nobody"]}}
           {"method":"info"}"#,
    );
    let replies = replies(&answer);
    let unknown = json!({"error": {"code": 102, "message": "unknown channel"}});
    assert_eq!(
        replies[..5],
        [
            json!({"result": {}}),
            json!({"result": {"responses": [{"result": {}}, unknown]}}),
            json!({"result": {}}),
            json!({"result": {"statuses": [{"user": "nobody"}]}}),
            json!({"result": {}}),
        ]
    );
    assert_eq!(replies[5]["result"]["nodes"][0]["num_clients"], 1);
    for data in 1..=3 {
        assert_eq!(ann.push(), json!({"channel": "public:a", "pub": {"data": data}}));
    }
}

#[test]
fn a_stream_that_cannot_be_read_is_a_bad_request() {
    let stack = Stack::start();
    for body in
        ["", "[]", "{", r#"{"method":"info"} nonsense"#, r#"{"method":"nosuch","params":{}}"#]
    {
        let answer = post(&stack, body);
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (400, "Bad Request\n"),
            "{body:?}: {answer}"
        );
    }
}
