//! Payloads from outside: whatever bytes they are, they break no frame and arrive as they are.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rollcall_tests::{Client, Stack, Talk, config, eventually, token};
use serde_json::{Value, json};

/// Deeper than any recursive parser goes.
const DEEP: usize = 60_000;

/// Publishes through the channel, and hands back the pushes that came before.
fn pushes_before_marker(stack: &Stack, client: &mut Client, channel: &str) -> Vec<Value> {
    stack.api("publish", json!({"channel": channel, "data": "the marker"}));
    client.pushes_until("the marker")
}

fn nested(levels: usize) -> String {
    format!("{}{}", "[".repeat(levels), "]".repeat(levels))
}

#[test]
fn data_of_a_subscription_token_stays_in_its_line() {
    let stack = Stack::start();
    for (claims, result) in [
        (r#""data":{"a":NL 1NL}"#, json!({"data": {"a": 1}})),
        (r#""b64data":"eyJhIjoKMX0=""#, json!({"data": {"a": 1}})),
        // `}}` and a line break, and a byte that is no UTF-8.
        (r#""b64data":"fX0KeyJwdXNoIjp7fX0=""#, json!({"b64data": "fX0KeyJwdXNoIjp7fX0="})),
        (r#""b64data":"/wA=""#, json!({"b64data": "/wA="})),
        (r#""data":null"#, json!({"data": null})),
        (r#""data":"aNLb""#.replace("NL", "\\n").as_str(), json!({"data": "a\nb"})),
    ] {
        let claims = format!(r#"{{"sub":"ann","channel":"deny:a",{claims}}}"#);
        let token = token::of_text(&claims.replace("NL", "\r\n"));
        let mut ann = stack.client("ann");
        let reply = ann.call(json!({"subscribe": {"channel": "deny:a", "token": token}}));
        assert_eq!(reply["subscribe"], result, "{claims}");
    }
}

#[test]
fn data_of_server_side_subscriptions_stays_in_its_line() {
    let stack = Stack::start();
    let claims = "{\"sub\":\"ann\",\"info\":{\n\"n\":1},\"subs\":{\"quiet:a\":{\"data\":{\"a\":\r\n1}},\
                  \"quiet:b\":{\"b64data\":\"fX0KeyJwdXNoIjp7fX0=\",\"b64info\":\"CjEK\"},\
                  \"quiet:\\nc\":{\"data\":[1,\n2]}}}";
    Talk::with(&stack).name("T", &token::of_text(claims)).session(
        r#"
        A--> {"id":1,"connect":{"token":"<T>"}}
        A<-- {"id":1,"connect":{"client":"<A>","version":"<version>","subs":{"quiet:a":{"data":{"a":1}},"quiet:b":{"b64data":"fX0KeyJwdXNoIjp7fX0="},"quiet:\nc":{"data":[1,2]}},"ping":25,"pong":true}}
        A--> {"id":2,"presence":{"channel":"quiet:b"}}
        A<-- {"id":2,"presence":{"presence":{"<A>":{"user":"ann","client":"<A>","conn_info":{"n":1},"chan_info":1}}}}
        "#,
    );
}

#[test]
fn garbage_on_a_sharded_channel_breaks_no_frame() {
    let stack = Stack::start();
    let mut ann = stack.client("ann");
    ann.enters("room");
    let mut cli = stack.redis.cli();
    let join = |info: &str| {
        format!(r#"{{"t":"join","seq":SEQ,"prev":PREV,"clients":2,"users":2,"info":{info}}}"#)
    };
    let garbage = [
        String::new(),
        "\n{}\n".to_owned(),
        "\u{0}".to_owned(),
        r#"{"t":"pub","data":1,"b64data":5}"#.to_owned(),
        r#"{"t":"pub","b64data":"no base64!"}"#.to_owned(),
        r#"{"t":"pub","data":1,"info":"ann"}"#.to_owned(),
        r#"{"t":"pub","data":1,"info":{"user":1,"client":"c"}}"#.to_owned(),
        r#"{"t":"pub","data":1,"tags":["a"]}"#.to_owned(),
        r#"{"t":"pub","data":1,"tags":{"a":1}}"#.to_owned(),
        join("\"c\""),
        join(r#"{"user":1,"client":"c"}"#),
        join(r#"{"client":"c"}"#),
        format!(r#"{{"t":"pub","data":1}}{}"#, "}".repeat(10)),
        format!(r#"{{"t":{}}}"#, nested(DEEP)),
        format!(r#"{{"t":"pub","data":{}"#, "[".repeat(DEEP)),
    ];
    for text in garbage {
        cli.call(&["SPUBLISH", "rollcall:p:room", &text]);
    }
    cli.call(&[&b"SPUBLISH"[..], b"rollcall:p:room", b"{\"t\":\"pub\",\"data\":\"\xff\"}"]);
    // What is well-formed is shown, on one line.
    let well = "{\"t\":\n\"pub\",\"data\":{\n\"a\":1},\"info\":{\n\"user\":\"u\",\"client\":\"c\"},\
                \"tags\":{\n\"a\":\"b\"}}";
    cli.call(&["SPUBLISH", "rollcall:p:room", well]);
    let pushes = pushes_before_marker(&stack, &mut ann, "room");
    let publication =
        json!({"data": {"a": 1}, "info": {"user": "u", "client": "c"}, "tags": {"a": "b"}});
    assert_eq!(pushes, [json!({"channel": "room", "pub": publication})]);
}

#[test]
fn a_forged_join_with_line_breaks_is_one_line() {
    let stack = Stack::start();
    let mut ann = stack.client("ann");
    ann.enters("room");
    let seq = stack.redis.cli().ask("PRESENCE.STATS rollcall:p:room").array()[0].clone();
    let seq = seq.array()[2].number();
    let join = format!(
        "{{\"t\":\"join\",\"seq\":{},\"prev\":{seq},\"clients\":2,\"users\":2,\"info\":{{\n\"user\":\"u\",\r\n\"client\":\"c\"}}}}",
        seq + 1
    );
    stack.redis.cli().call(&["SPUBLISH", "rollcall:p:room", &join]);
    let push = ann.push();
    assert_eq!(push["join"]["info"], json!({"user": "u", "client": "c"}));
}

#[test]
fn garbage_on_the_control_channel_harms_nobody() {
    let stack = Stack::start();
    let mut cli = stack.redis.cli();
    let node = |name: &str| {
        format!(
            r#"{{"t":"node","uid":"forged","name":{name},"version":"1","num_clients":1,"num_users":1,"num_channels":1,"num_subs":1,"uptime":1}}"#
        )
    };
    let garbage = [
        nested(DEEP),
        format!(r#"{{"t":"node","x":{}}}"#, nested(DEEP)),
        node("5"),
        node(r#""a\nb""#),
    ];
    let nodes = eventually("the forged server is named", || {
        for text in &garbage {
            cli.call(&["SPUBLISH", "rollcall:control", text]);
        }
        let nodes = stack.api("info", json!({}))["nodes"].clone();
        (nodes.as_array()?.len() == 2).then_some(nodes)
    });
    assert_eq!(nodes[1]["name"], "a\nb", "as text, whatever is in it");
}

#[test]
fn json_of_any_depth_is_passed_through_as_it_is() {
    let stack = Stack::start();
    let mut ann = stack.client("ann");
    ann.enters("room");
    let deep = nested(DEEP);
    let body = format!(r#"{{"channel":"room","data":{deep}}}"#);
    let answer = stack.http().post("/api/publish", &[("X-API-Key", config::API_KEY)], &body);
    assert_eq!(answer.body, r#"{"result":{}}"#);
    let (push, expected) =
        (ann.frame(), format!(r#"{{"channel":"room","pub":{{"data":{deep}}}}}"#));
    assert!(push == format!(r#"{{"push":{expected}}}"#), "another push, of {} bytes", push.len());
    // Unfinished, it is a bad request however deep it is.
    let body = format!(r#"{{"channel":"room","data":{}"#, "[{\"a\":".repeat(DEEP));
    let answer = stack.http().post("/api/publish", &[("X-API-Key", config::API_KEY)], &body);
    assert_eq!(answer.status, 400);
    // A client's frame is 64 KiB at most.
    let deep = nested(30_000);
    ann.sends(&format!(r#"{{"id":50,"publish":{{"channel":"room","data":{deep}}}}}"#));
    let (one, other) = (ann.frame(), ann.frame());
    let push = if one.contains("push") { one } else { other };
    assert!(push.contains(&format!(r#""data":{deep},"info""#)), "{} bytes", push.len());
}

#[test]
fn infos_of_any_depth_are_passed_through_as_they_are() {
    let stack = Stack::start();
    let deep = nested(20_000);
    let token = token::of_text(&format!(r#"{{"sub":"bob","info":{deep}}}"#));
    let mut bob = stack.client_with(&token);
    bob.sends(r#"{"id":2,"subscribe":{"channel":"quiet:a"}}"#);
    assert_eq!(bob.frame(), r#"{"id":2,"subscribe":{}}"#);
    bob.sends(r#"{"id":3,"presence":{"channel":"quiet:a"}}"#);
    let presence = bob.frame();
    assert!(presence.contains(&format!(r#""conn_info":{deep}"#)), "{} bytes", presence.len());
}

#[test]
fn a_channel_for_json_takes_nothing_else() {
    let stack = Stack::with(json!({"channel": {"namespaces": [
        {"name": "json", "publication_data_format": "json"},
        {"name": "object", "publication_data_format": "json_object"},
    ]}}));
    for (bytes, json, object) in [
        (&b"{\"a\":\"\xff\"}"[..], 107, 107),
        (b"{\"a\":1}x", 107, 107),
        (b"{\"a\":\n1}", 0, 0),
        (b"1", 0, 107),
    ] {
        for (channel, code) in [("json:a", json), ("object:a", object)] {
            let params = json!({"channel": channel, "b64data": STANDARD.encode(bytes)});
            let answer = stack.api_answer("publish", params);
            let got = answer["error"]["code"].as_u64().unwrap_or_default();
            assert_eq!(got, code, "{channel} {bytes:?}: {answer}");
        }
    }
}
