//! Publications of backends, and what a server says of itself.

use rollcall_tests::{Stack, eventually};
use serde_json::json;

#[test]
fn a_publication_reaches_the_subscribers() {
    let stack = Stack::start();
    let mut ann = stack.client("ann");
    ann.enters("room");
    for params in [
        json!({"channel": "room", "data": {"text": "hi <b>&</b>"}}),
        json!({"channel": "room", "data": null}),
        json!({"channel": "room", "data": "", "tags": {"a": "b"}}),
        json!({"channel": "room", "data": 1, "skip_history": true, "idempotency_key": "k", "delta": true}),
    ] {
        assert_eq!(stack.api("publish", params.clone()), json!({}));
        let mut publication = json!({"data": params["data"]});
        if let Some(tags) = params.get("tags") {
            publication["tags"] = tags.clone();
        }
        assert_eq!(ann.push(), json!({"channel": "room", "pub": publication}));
    }
    // "eyJhIjoxfQ==" is {"a":1}.
    stack.api("publish", json!({"channel": "room", "data": 1, "b64data": "eyJhIjoxfQ=="}));
    assert_eq!(ann.push(), json!({"channel": "room", "pub": {"data": {"a": 1}}}));
}

#[test]
fn bytes_that_are_not_json_do_not_disconnect_json_listeners() {
    let stack = Stack::start();
    let mut ann = stack.client("ann");
    ann.enters("room");
    stack.api("publish", json!({"channel": "room", "b64data": "/wA="}));
    assert_eq!(ann.push(), json!({"channel": "room", "pub": {"b64data": "/wA="}}));
}

#[test]
fn publications_that_cannot_be_have_their_codes() {
    let stack = Stack::start();
    for (params, code) in [
        (json!({"data": 1}), 107),
        (json!({"channel": "room"}), 107),
        (json!({"channel": "room", "b64data": "no base64!"}), 107),
        (json!({"channel": "nosuch:x", "data": 1}), 102),
    ] {
        assert_eq!(stack.api_answer("publish", params.clone())["error"]["code"], code, "{params}");
    }
    for (params, code) in [(json!({"data": 1}), 107), (json!({"channels": [], "data": 1}), 107)] {
        assert_eq!(
            stack.api_answer("broadcast", params.clone())["error"]["code"],
            code,
            "{params}"
        );
    }
}

#[test]
fn a_broadcast_answers_for_each_channel_in_order() {
    let stack = Stack::start();
    let mut ann = stack.client("ann");
    ann.enters("a");
    ann.enters("b");
    let result = stack.api("broadcast", json!({"channels": ["a", "nosuch:x", "b"], "data": 1}));
    let unknown = json!({"error": {"code": 102, "message": "unknown channel"}});
    assert_eq!(result, json!({"responses": [{"result": {}}, unknown, {"result": {}}]}));
    let mut channels = [ann.push()["channel"].to_string(), ann.push()["channel"].to_string()];
    channels.sort();
    assert_eq!(channels, ["\"a\"", "\"b\""]);
}

#[test]
fn info_counts_what_the_nodes_serve() {
    let stack = Stack::start();
    let other = stack.another_server();
    let mut ann = stack.client("ann");
    ann.enters("a");
    ann.enters("b");
    let mut tab = stack.client("ann");
    tab.enters("a");
    let mut bob = other.client("bob");
    bob.subscribe("a");
    let nodes = eventually("both nodes know of each other", || {
        let nodes = stack.api("info", json!({}))["nodes"].as_array().expect("nodes").clone();
        let counted = |node: &serde_json::Value| node["num_clients"].as_u64() > Some(0);
        (nodes.len() == 2 && nodes.iter().all(counted)).then_some(nodes)
    });
    let mut counts: Vec<_> = nodes
        .iter()
        .map(|node| {
            assert!(
                node["uid"].is_string() && node["name"].is_string() && node["version"].is_string(),
                "{node}"
            );
            ["num_clients", "num_users", "num_channels", "num_subs"]
                .map(|name| node[name].as_u64().unwrap())
        })
        .collect();
    counts.sort_unstable();
    assert_eq!(counts, [[1, 1, 1, 1], [2, 1, 2, 3]]);
}
