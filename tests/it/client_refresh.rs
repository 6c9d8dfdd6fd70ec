//! Refreshing a connection: what a new token changes, and what it may not.

use rollcall_tests::{Stack, Talk, eventually, token};
use serde_json::{Value, json};

fn ann(subs: Value) -> String {
    token::token(json!({"sub": "ann", "subs": subs}))
}

#[test]
fn a_token_with_other_channels_ends_the_connection_so_that_it_is_made_anew() {
    let stack = Stack::start();
    let both = token::token(json!({"sub": "ann", "channels": ["quiet:a", "quiet:b"]}));
    let (one, none) =
        (token::token(json!({"sub": "ann", "channels": ["quiet:a"]})), token::of("ann"));
    let changes = [(&both, &one), (&one, &both), (&one, &none), (&none, &one)];
    for (before, after) in changes {
        let mut client = stack.websocket();
        client.connect(before);
        client.sends(&json!({"id": 2, "refresh": {"token": after}}).to_string());
        assert_eq!(client.closed(), (3010, "insufficient state".to_owned()), "{before} {after}");
    }
    for channel in ["quiet:a", "quiet:b"] {
        eventually("all have left", || {
            let answer = stack.api("presence", json!({"channel": channel}));
            (answer["presence"] == json!({})).then_some(())
        });
    }
}

#[test]
fn a_token_that_overrides_otherwise_ends_the_connection_too() {
    let stack = Stack::start();
    let shown = ann(json!({"quiet:a": {}}));
    let hidden = ann(json!({"quiet:a": {"override": {"presence": {"value": false}}}}));
    let mut client = stack.websocket();
    client.connect(&shown);
    client.sends(&json!({"id": 2, "refresh": {"token": hidden}}).to_string());
    assert_eq!(client.closed(), (3010, "insufficient state".to_owned()));
}

#[test]
fn a_token_with_equal_channels_refreshes_and_shows_its_infos() {
    let stack = Stack::start();
    let channels = token::token(json!({"sub": "ann", "channels": ["public:a", "public:b"]}));
    let role =
        |role: &str| ann(json!({"public:b": {"data": role}, "public:a": {"info": {"role": role}}}));
    Talk::with(&stack)
        .name("T", &channels)
        .name("T-guest", &role("guest"))
        .name("T-host", &role("host"))
        .session(
            r#"
            A--> {"id":1,"connect":{"token":"<T>"}}
            A<-- {"id":1,"connect":{"client":"<A>","version":"<version>","subs":{"public:a":{},"public:b":{}},"ping":25,"pong":true}}
                 {"push":{"channel":"public:a","join":{"info":{"user":"ann","client":"<A>"}}}}
                 {"push":{"channel":"public:b","join":{"info":{"user":"ann","client":"<A>"}}}}
            A--> {"id":2,"unsubscribe":{"channel":"public:b"}}
            A<-- {"id":2,"unsubscribe":{}}
            A--> {"id":3,"refresh":{"token":"<T-guest>"}}
            A<-- {"id":3,"refresh":{}}
            A--> {"id":4,"presence":{"channel":"public:a"}}
            A<-- {"id":4,"presence":{"presence":{"<A>":{"user":"ann","client":"<A>","chan_info":{"role":"guest"}}}}}
            A--> {"id":5,"refresh":{"token":"<T-host>"}}
            A<-- {"id":5,"refresh":{}}
            A--> {"id":6,"presence":{"channel":"public:a"}}
            A<-- {"id":6,"presence":{"presence":{"<A>":{"user":"ann","client":"<A>","chan_info":{"role":"host"}}}}}
            "#,
        );
}

#[test]
fn a_client_that_asks_to_recover_is_told_that_nothing_was_recovered() {
    let stack = Stack::start();
    // Flag 2 asks for error 112 instead. SDKs then load their state and ask to recover from there,
    // which cannot succeed either: they would try for ever.
    let lobby = token::token(json!({"sub": "ann", "channels": ["public:lobby"]}));
    Talk::with(&stack).name("T", &lobby).session(
        r#"
        A--> {"id":1,"connect":{"token":"<T>","subs":{"public:lobby":{"recover":true,"epoch":"x","offset":3},"other":{"recover":true}}}}
        A<-- {"id":1,"connect":{"client":"<A>","version":"<version>","subs":{"public:lobby":{"was_recovering":true}},"ping":25,"pong":true}}
             {"push":{"channel":"public:lobby","join":{"info":{"user":"ann","client":"<A>"}}}}
        A--> {"id":2,"subscribe":{"channel":"a","recover":true,"epoch":"x","offset":3}}
        A<-- {"id":2,"subscribe":{"was_recovering":true}}
        A--> {"id":3,"subscribe":{"channel":"b","recover":false}}
        A<-- {"id":3,"subscribe":{}}
        A--> {"id":4,"subscribe":{"channel":"c","recover":true,"flag":3}}
        A<-- {"id":4,"subscribe":{"was_recovering":true}}
        B--> {"id":1,"connect":{"token":"<T>","subs":{"public:lobby":{"recover":false}}}}
        B<-- {"id":1,"connect":{"client":"<B>","version":"<version>","subs":{"public:lobby":{}},"ping":25,"pong":true}}
             {"push":{"channel":"public:lobby","join":{"info":{"user":"ann","client":"<B>"}}}}
        "#,
    );
}
