//! Connecting: tokens, anonymous users, and what ends a connection before it began.

use rollcall_tests::{Client, Heard, Stack, Talk, token};
use serde_json::json;

#[test]
fn a_token_connects_its_user() {
    let stack = Stack::start();
    let mut talk = Talk::with(&stack)
        .name("T", &token::of("alice"))
        .name("T-60s", &token::token(json!({"sub": "alice", "exp": token::now() + 60})));
    talk.session(
        r#"
        A--> {"id":1,"connect":{"token":"<T>","name":"js"}}
        A<-- {"id":1,"connect":{"client":"<A>","version":"<version>","ping":25,"pong":true}}
        B--> {"id":4294967295,"connect":{"token":"<T-60s>"}}
        B<-- {"id":4294967295,"connect":{"client":"<B>","version":"<version>","expires":true,"ttl":"<ttl>","ping":25,"pong":true}}
        "#,
    );
    let ttl = talk.meaning("ttl").as_u64().unwrap();
    assert!((57..=60).contains(&ttl), "{ttl}");
    let (a, b) = (talk.meaning("A").clone(), talk.meaning("B").clone());
    assert_ne!(a, b);
    assert_eq!(a.as_str().map(str::len), Some(36), "a client id is a UUID: {a}");
}

#[test]
fn a_token_for_longer_than_anybody_lives_is_one_for_a_year() {
    let stack = Stack::start();
    let for_ever = json!({"sub": "alice", "exp": i64::MAX, "expire_at": i64::MAX});
    Talk::with(&stack).name("T", &token::token(for_ever)).session(
        r#"
        A--> {"id":1,"connect":{"token":"<T>"}}
        A<-- {"id":1,"connect":{"client":"<A>","version":"<version>","expires":true,"ttl":31536000,"ping":25,"pong":true}}
        A--> {"id":2,"presence":{"channel":"nosuch:1"}}
        A<-- {"id":2,"error":{"code":102,"message":"unknown channel"}}
        "#,
    );
}

#[test]
fn without_a_token_only_the_configured_get_in() {
    let closed = Stack::start();
    Talk::with(&closed).session(
        r#"
        --> {"id":1,"connect":{}}
        <-- close 3501 "bad request"
        "#,
    );
    let open = Stack::with(json!({"client": {"allow_anonymous_connect_without_token": true}}));
    Talk::with(&open).session(
        r#"
        --> {"id":1,"connect":{}}
        <-- {"id":1,"connect":{"client":"<A>","version":"<version>","ping":25,"pong":true}}
        --> {"id":2,"subscribe":{"channel":"room"}}
        <-- {"id":2,"error":{"code":103,"message":"permission denied"}}
        --> {"id":3,"subscribe":{"channel":"anyone:room"}}
        <-- {"id":3,"subscribe":{}}
        --> {"id":4,"presence":{"channel":"anyone:room"}}
        <-- {"id":4,"presence":{"presence":{"<A>":{"user":"","client":"<A>"}}}}
        "#,
    );
}

#[test]
fn anonymous_tokens_can_be_refused() {
    let stack = Stack::with(json!({"client": {"disallow_anonymous_connection_tokens": true}}));
    Talk::with(&stack).name("T", &token::of("")).session(
        r#"
        --> {"id":1,"connect":{"token":"<T>"}}
        <-- close 3507 "permission denied"
        "#,
    );
}

#[test]
fn an_insecure_server_needs_no_permission() {
    let stack = Stack::with(json!({"client": {"insecure": true}}));
    Talk::with(&stack).session(
        r#"
        --> {"id":1,"connect":{}}
            {"id":2,"subscribe":{"channel":"deny:room"}}
            {"id":3,"presence_stats":{"channel":"deny:elsewhere"}}
            {"id":4,"subscribe":{"channel":"$deny:private"}}
        <-- {"id":1,"connect":{"client":"<A>","version":"<version>","ping":25,"pong":true}}
            {"id":2,"subscribe":{}}
            {"id":3,"presence_stats":{"num_clients":0,"num_users":0}}
            {"id":4,"error":{"code":103,"message":"permission denied"}}
        "#,
    );
}

#[test]
fn tokens_that_are_not_ours_end_the_connection() {
    let stack = Stack::start();
    let good = token::of("alice");
    for bad in [
        "garbage".to_owned(),
        token::sign(json!({"sub": "alice"}), "another secret"),
        good[..good.len() - 2].to_owned(),
        good.replacen("eyJ", "eyK", 1),
        token::token(json!({"sub": 42})),
        token::token(json!({"sub": "alice", "channel": "room"})),
    ] {
        Talk::with(&stack).name("T", &bad).session(
            r#"
            --> {"id":1,"connect":{"token":"<T>"}}
            <-- close 3500 "invalid token"
            "#,
        );
    }
}

#[test]
fn a_token_with_a_claim_too_long_for_redis_ends_the_connection() {
    let long_frames = json!({"websocket": {"message_size_limit": 1_048_576}});
    let stack = Stack::with(long_frames);
    let info = |length: usize| "x".repeat(length - "\"\"".len());
    let subs = |length| json!({"public:lobby": {"info": info(length)}});
    for (claims, fits) in [
        (json!({"sub": "u".repeat(255)}), true),
        (json!({"sub": "u".repeat(256)}), false),
        (json!({"sub": "é".repeat(128)}), false),
        (json!({"sub": "alice", "info": info(65_536)}), true),
        (json!({"sub": "alice", "info": info(65_537)}), false),
        (json!({"sub": "alice", "subs": subs(65_536)}), true),
        (json!({"sub": "alice", "subs": subs(65_537)}), false),
    ] {
        let token = token::token(claims);
        let mut client = stack.websocket();
        if fits {
            client.connect(&token);
        } else {
            client.sends(&json!({"id": 1, "connect": {"token": token}}).to_string());
            assert_eq!(client.closed(), (3500, "invalid token".to_owned()));
        }
    }
}

#[test]
fn a_token_out_of_its_time_is_an_error_and_nothing_more_is_answered() {
    let stack = Stack::start();
    let now = token::now();
    for (claims, error) in [
        (json!({"sub": "alice", "exp": now - 10}), r#"{"code":109,"message":"token expired"}"#),
        (json!({"sub": "alice", "nbf": now + 100}), r#"{"code":109,"message":"token expired"}"#),
        (json!({"sub": "alice", "expire_at": now - 10}), r#"{"code":110,"message":"expired"}"#),
    ] {
        let mut talk = Talk::with(&stack).name("T", &token::token(claims)).name("error", error);
        talk.session(
            r#"
            --> {"id":1,"connect":{"token":"<T>"}}
                {"id":2,"subscribe":{"channel":"room"}}
            <-- {"id":1,"error":<error>}
            "#,
        );
        let end = talk.client("").hears();
        assert!(matches!(end, Heard::Close(..) | Heard::Gone), "{end:?}");
    }
}

#[test]
fn an_expire_at_decides_over_the_expiry_of_the_token() {
    let stack = Stack::start();
    let claims = json!({"sub": "alice", "exp": token::now() + 60, "expire_at": 0});
    Talk::with(&stack).name("T", &token::token(claims)).session(
        r#"
        --> {"id":1,"connect":{"token":"<T>"}}
        <-- {"id":1,"connect":{"client":"<A>","version":"<version>","ping":25,"pong":true}}
        "#,
    );
}

#[test]
fn channels_of_the_token_are_subscribed_at_once() {
    let stack = Stack::start();
    let claims = json!({"sub": "alice", "info": {"n": 1}, "meta": {"secret": 1}, "channels": ["public:lobby"]});
    let subs = json!({"sub": "bob", "subs": {"public:lobby": {"info": {"role": "mod"}}}});
    Talk::with(&stack).name("T", &token::token(claims)).name("T2", &token::token(subs)).session(
        r#"
        A--> {"id":1,"connect":{"token":"<T>"}}
        A<-- {"id":1,"connect":{"client":"<A>","version":"<version>","subs":{"public:lobby":{}},"ping":25,"pong":true}}
             {"push":{"channel":"public:lobby","join":{"info":{"user":"alice","client":"<A>","conn_info":{"n":1}}}}}
        A--> {"id":2,"subscribe":{"channel":"public:lobby"}}
        A<-- {"id":2,"error":{"code":105,"message":"already subscribed"}}
        B--> {"id":1,"connect":{"token":"<T2>"}}
        B<-- {"id":1,"connect":{"client":"<B>","version":"<version>","subs":{"public:lobby":{}},"ping":25,"pong":true}}
             {"push":{"channel":"public:lobby","join":{"info":{"user":"bob","client":"<B>","chan_info":{"role":"mod"}}}}}
        A<-- {"push":{"channel":"public:lobby","join":{"info":{"user":"bob","client":"<B>","chan_info":{"role":"mod"}}}}}
        A--> {"id":3,"unsubscribe":{"channel":"public:lobby"}}
        A<-- {"id":3,"unsubscribe":{}}
        B<-- {"push":{"channel":"public:lobby","leave":{"info":{"user":"alice","client":"<A>","conn_info":{"n":1}}}}}
        "#,
    );
}

#[test]
fn a_token_with_an_unknown_channel_does_not_connect() {
    let stack = Stack::start();
    let claims = json!({"sub": "alice", "channels": ["nosuch:x"]});
    Talk::with(&stack).name("T", &token::token(claims)).session(
        r#"
        --> {"id":1,"connect":{"token":"<T>"}}
        <-- {"id":1,"error":{"code":102,"message":"unknown channel"}}
        "#,
    );
}

#[test]
fn who_never_connects_is_closed() {
    let stack = Stack::with(json!({"client": {"stale_close_delay": "1s"}}));
    assert_eq!(stack.websocket().closed(), (3502, "stale".to_owned()));
}

#[test]
fn the_handshake_chooses_the_subprotocol_the_client_names() {
    let stack = Stack::start();
    let open = |offer: &str| {
        let headers = [("sec-websocket-protocol", offer)];
        Client::open(stack.port(), "/connection/websocket", &headers)
    };
    let chosen = open("centrifuge-json").response().headers()["sec-websocket-protocol"].clone();
    assert_eq!(chosen, "centrifuge-json");
    let plain = stack.websocket();
    assert!(plain.response().headers().get("sec-websocket-protocol").is_none());
}

#[test]
fn who_speaks_only_protobuf_is_told_that_we_do_not() {
    let stack = Stack::start();
    let offer = ("sec-websocket-protocol", "centrifuge-protobuf");
    let path = "/connection/websocket";
    let refused = Client::try_open(stack.port(), path, &[offer]).expect_err("protobuf");
    assert!(refused.to_string().contains("400"), "{refused}");
    let handshake = [
        offer,
        ("upgrade", "websocket"),
        ("connection", "upgrade"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    let by_query = format!("{path}?cf_protocol=protobuf");
    for (path, headers) in [(path, &handshake[..]), (by_query.as_str(), &handshake[1..])] {
        let answer = stack.http().send("GET", path, headers, "");
        assert_eq!(answer.status, 400, "{answer}");
        assert_eq!(answer.body, "protobuf is not supported: connect with JSON\n");
    }
}

#[test]
fn origins_that_are_not_allowed_are_refused() {
    let stack = Stack::with(json!({"client": {"allowed_origins": ["https://*.example.com"]}}));
    let open = |origin: &str| {
        Client::try_open(stack.port(), "/connection/websocket", &[("origin", origin)])
    };
    assert!(open("https://app.example.com").is_ok());
    assert!(open("https://APP.example.com").is_ok());
    let refused = open("https://example.org").expect_err("another origin").to_string();
    assert!(refused.contains("403"), "{refused}");
    stack.client("alice");
}

#[test]
fn what_is_no_websocket_handshake_is_refused() {
    let stack = Stack::start();
    assert_eq!(stack.http().get("/connection/websocket").status, 400);
    assert_eq!(stack.http().post("/connection/websocket", &[], "").status, 405);
}
