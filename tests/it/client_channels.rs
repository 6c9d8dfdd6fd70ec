//! Subscribing, who is in a channel, who comes and goes, and who may know.

use rollcall_tests::{Server, Stack, Talk, token};
use serde_json::json;

/// A user's token with an info, and a subscription token that adds one for the channel.
fn tokens<'a>(server: &'a Server, user: &str) -> Talk<'a> {
    let connection = token::token(json!({"sub": user, "info": {"name": user}}));
    Talk::with(server).name("T", &connection)
}

#[test]
fn a_publication_larger_than_any_buffer_arrives_whole() {
    let stack = Stack::start();
    let mut reader = stack.client("reader");
    reader.enters("room");
    let large = "x".repeat(700_000);
    stack.api("publish", json!({"channel": "room", "data": large}));
    stack.api("publish", json!({"channel": "room", "data": "after"}));
    let pushes = reader.pushes_until("after");
    assert_eq!(pushes.len(), 1);
    assert_eq!(pushes[0]["pub"]["data"].as_str().map(str::len), Some(700_000));
}

#[test]
fn joins_are_shown_to_those_who_asked_and_presence_names_every_connection() {
    let stack = Stack::start();
    let alice = token::token(json!({"sub": "alice", "info": {"name": "alice"}}));
    let bob = token::token(json!({"sub": "bob", "info": {"name": "bob"}}));
    let mut talk = Talk::with(&stack).name("T-alice", &alice).name("T-bob", &bob);
    talk.session(
        r#"
        A--> {"id":1,"connect":{"token":"<T-alice>"}}
        A<-- {"id":1,"connect":{"client":"<A>","version":"<version>","ping":25,"pong":true}}
        A--> {"id":2,"subscribe":{"channel":"room","join_leave":true}}
        A<-- {"id":2,"subscribe":{}}
             {"push":{"channel":"room","join":{"info":{"user":"alice","client":"<A>","conn_info":{"name":"alice"}}}}}
        B--> {"id":1,"connect":{"token":"<T-bob>"}}
        B<-- {"id":1,"connect":{"client":"<B>","version":"<version>","ping":25,"pong":true}}
        B--> {"id":2,"subscribe":{"channel":"room"}}
        B<-- {"id":2,"subscribe":{}}
        A<-- {"push":{"channel":"room","join":{"info":{"user":"bob","client":"<B>","conn_info":{"name":"bob"}}}}}
        B2--> {"id":1,"connect":{"token":"<T-bob>"}}
              {"id":2,"subscribe":{"channel":"room"}}
        B2<-- {"id":1,"connect":{"client":"<B2>","version":"<version>","ping":25,"pong":true}}
              {"id":2,"subscribe":{}}
        A<-- {"push":{"channel":"room","join":{"info":{"user":"bob","client":"<B2>","conn_info":{"name":"bob"}}}}}
        A--> {"id":3,"presence":{"channel":"room"}}
        A<-- {"id":3,"presence":{"presence":{"<A>":{"user":"alice","client":"<A>","conn_info":{"name":"alice"}},"<B>":{"user":"bob","client":"<B>","conn_info":{"name":"bob"}},"<B2>":{"user":"bob","client":"<B2>","conn_info":{"name":"bob"}}}}}
        A--> {"id":4,"presence_stats":{"channel":"room"}}
        A<-- {"id":4,"presence_stats":{"num_clients":3,"num_users":2}}
        B2--> {"id":3,"unsubscribe":{"channel":"room"}}
        B2<-- {"id":3,"unsubscribe":{}}
        A<-- {"push":{"channel":"room","leave":{"info":{"user":"bob","client":"<B2>","conn_info":{"name":"bob"}}}}}
        "#,
    );
    talk.cuts("B").session(
        r#"
        A<-- {"push":{"channel":"room","leave":{"info":{"user":"bob","client":"<B>","conn_info":{"name":"bob"}}}}}
        A--> {"id":5,"presence":{"channel":"room"}}
        A<-- {"id":5,"presence":{"presence":{"<A>":{"user":"alice","client":"<A>","conn_info":{"name":"alice"}}}}}
        "#,
    );
}

#[test]
fn the_one_who_leaves_never_sees_its_own_leave() {
    let stack = Stack::start();
    let mut talk = Talk::with(&stack).connected("A", "alice").connected("B", "bob");
    let round = |id: u32| {
        format!(
            r#"
            A--> {{"id":{id}1,"subscribe":{{"channel":"room","join_leave":true}}}}
            A<-- {{"id":{id}1,"subscribe":{{}}}}
                 {{"push":{{"channel":"room","join":{{"info":{{"user":"alice","client":"<A>"}}}}}}}}
            B<-- {{"push":{{"channel":"room","join":{{"info":{{"user":"alice","client":"<A>"}}}}}}}}
            A--> {{"id":{id}2,"unsubscribe":{{"channel":"room"}}}}
            A<-- {{"id":{id}2,"unsubscribe":{{}}}}
            B<-- {{"push":{{"channel":"room","leave":{{"info":{{"user":"alice","client":"<A>"}}}}}}}}
            "#
        )
    };
    talk.client("B").enters("room");
    for id in 1..=5 {
        talk.session(&round(id));
    }
}

#[test]
fn leaving_and_coming_back_in_one_frame_shows_only_what_comes_after_the_reply() {
    let stack = Stack::start();
    let mut talk = Talk::with(&stack).connected("A", "alice");
    talk.client("A").enters("room");
    talk.session(
        r#"
        A--> {"id":11,"unsubscribe":{"channel":"room"}}
             {"id":12,"subscribe":{"channel":"room","join_leave":true}}
             {"id":13,"unsubscribe":{"channel":"nowhere"}}
        A<-- {"id":11,"unsubscribe":{}}
             {"id":12,"subscribe":{}}
        "#,
    );
    let alice = talk.client("A");
    let mut rest = [alice.line(), alice.line()];
    rest.sort_by_key(|line| line.get("push").is_some());
    assert_eq!(rest[0], json!({"id": 13, "unsubscribe": {}}));
    assert_eq!(rest[1]["push"]["join"]["info"]["client"], alice.id());
    stack.api("publish", json!({"channel": "room", "data": "marker"}));
    assert_eq!(talk.client("A").pushes_until("marker"), Vec::<serde_json::Value>::new());
}

#[test]
fn joins_are_pushed_only_to_those_who_asked_or_where_it_is_forced() {
    let stack = Stack::start();
    let mut talk = Talk::with(&stack).connected("A", "alice").connected("B", "bob");
    talk.session(
        r#"
        A--> {"id":11,"subscribe":{"channel":"room"}}
             {"id":12,"subscribe":{"channel":"public:room"}}
             {"id":13,"subscribe":{"channel":"quiet:room","join_leave":true}}
        A<-- {"id":11,"subscribe":{}}
             {"id":12,"subscribe":{}}
        "#,
    );
    let alice = talk.client("A");
    let mut rest = [alice.line(), alice.line()];
    rest.sort_by_key(|line| line.get("push").is_some());
    assert_eq!(rest[0], json!({"id": 13, "subscribe": {}}));
    assert_eq!(rest[1]["push"]["channel"], "public:room");
    for channel in ["room", "public:room", "quiet:room"] {
        talk.client("B").call(json!({"subscribe": {"channel": channel}}));
        stack.api("publish", json!({"channel": channel, "data": "marker"}));
        let pushes = talk.client("A").pushes_until("marker");
        let joins = usize::from(channel == "public:room");
        assert_eq!(pushes.len(), joins, "{channel}: {pushes:?}");
    }
}

#[test]
fn join_and_leave_do_not_need_presence() {
    let stack = Stack::start();
    Talk::with(&stack).connected("A", "alice").connected("B", "bob").session(
        r#"
        A--> {"id":11,"subscribe":{"channel":"nopresence:room","join_leave":true}}
        A<-- {"id":11,"subscribe":{}}
             {"push":{"channel":"nopresence:room","join":{"info":{"user":"alice","client":"<A>"}}}}
        A--> {"id":12,"presence":{"channel":"nopresence:room"}}
        A<-- {"id":12,"error":{"code":108,"message":"not available"}}
        A--> {"id":13,"presence_stats":{"channel":"nopresence:room"}}
        A<-- {"id":13,"error":{"code":108,"message":"not available"}}
        "#,
    );
    let forced = json!({"name": "loud", "join_leave": true, "force_push_join_leave": true,
        "allow_subscribe_for_client": true});
    let stack = Stack::with(json!({"channel": {"namespaces": [forced]}}));
    Talk::with(&stack).connected("A", "alice").connected("B", "bob").session(
        r#"
        A--> {"id":11,"subscribe":{"channel":"loud:room"}}
        A<-- {"id":11,"subscribe":{}}
             {"push":{"channel":"loud:room","join":{"info":{"user":"alice","client":"<A>"}}}}
        B--> {"id":11,"subscribe":{"channel":"loud:room"}}
        A<-- {"push":{"channel":"loud:room","join":{"info":{"user":"bob","client":"<B>"}}}}
        "#,
    );
}

#[test]
fn presence_is_for_those_who_may_ask() {
    let stack = Stack::start();
    Talk::with(&stack).connected("A", "alice").session(
        r#"
        A--> {"id":11,"presence":{"channel":"room"}}
             {"id":12,"presence_stats":{"channel":"room"}}
             {"id":13,"presence":{"channel":"lobby:empty"}}
             {"id":14,"presence_stats":{"channel":"lobby:empty"}}
             {"id":15,"presence":{"channel":"nopresence:room"}}
             {"id":16,"presence":{"channel":"deny:room"}}
             {"id":17,"presence_stats":{"channel":"nosuch:1"}}
             {"id":18,"presence":{"channel":"digits:abc"}}
             {"id":19,"presence":{"channel":"комната"}}
        A<-- {"id":11,"error":{"code":103,"message":"permission denied"}}
             {"id":12,"error":{"code":103,"message":"permission denied"}}
             {"id":13,"presence":{"presence":{}}}
             {"id":14,"presence_stats":{"num_clients":0,"num_users":0}}
             {"id":15,"error":{"code":108,"message":"not available"}}
             {"id":16,"error":{"code":103,"message":"permission denied"}}
             {"id":17,"error":{"code":102,"message":"unknown channel"}}
             {"id":18,"error":{"code":107,"message":"bad request"}}
             {"id":19,"error":{"code":107,"message":"bad request"}}
        "#,
    );
}

#[test]
fn subscriptions_that_cannot_be_have_their_codes() {
    let stack = Stack::with(json!({"client": {"channel_limit": 2}}));
    Talk::with(&stack).connected("A", "alice").name("long", &"x".repeat(256)).session(
        r#"
        A--> {"id":12,"subscribe":{"channel":"nosuch:1"}}
             {"id":13,"subscribe":{"channel":"deny:room"}}
             {"id":14,"subscribe":{"channel":"$private"}}
             {"id":15,"subscribe":{"channel":"room"}}
             {"id":16,"subscribe":{"channel":"room"}}
             {"id":17,"subscribe":{"channel":"<long>"}}
             {"id":18,"subscribe":{"channel":"комната"}}
             {"id":19,"subscribe":{"channel":"digits:abc"}}
             {"id":20,"subscribe":{"channel":"digits:123"}}
             {"id":21,"subscribe":{"channel":"one-too-many"}}
        A<-- {"id":12,"error":{"code":102,"message":"unknown channel"}}
             {"id":13,"error":{"code":103,"message":"permission denied"}}
             {"id":14,"error":{"code":103,"message":"permission denied"}}
             {"id":15,"subscribe":{}}
             {"id":16,"error":{"code":105,"message":"already subscribed"}}
             {"id":17,"error":{"code":107,"message":"bad request"}}
             {"id":18,"error":{"code":107,"message":"bad request"}}
             {"id":19,"error":{"code":107,"message":"bad request"}}
             {"id":20,"subscribe":{}}
             {"id":21,"error":{"code":106,"message":"limit exceeded"}}
        A--> {"id":22,"subscribe":{"channel":"other","delta":"xdelta"}}
        A<-- close 3501 "bad request"
        "#,
    );
}

#[test]
fn channels_of_named_users_are_for_them() {
    let stack = Stack::start();
    Talk::with(&stack).connected("A", "17").connected("B", "5").session(
        r#"
        A--> {"id":11,"subscribe":{"channel":"dm:x#17,42"}}
        A<-- {"id":11,"subscribe":{}}
        B--> {"id":11,"subscribe":{"channel":"dm:x#17,42"}}
        B<-- {"id":11,"error":{"code":103,"message":"permission denied"}}
        "#,
    );
}

#[test]
fn publications_go_to_subscribers_with_their_publisher() {
    let stack = Stack::start();
    let mut talk = tokens(&stack, "bob").connected("A", "alice");
    talk.client("A").enters("room");
    talk.session(
        r#"
        B--> {"id":1,"connect":{"token":"<T>"}}
             {"id":2,"subscribe":{"channel":"room"}}
        B<-- {"id":1,"connect":{"client":"<B>","version":"<version>","ping":25,"pong":true}}
             {"id":2,"subscribe":{}}
        A<-- {"push":{"channel":"room","join":{"info":{"user":"bob","client":"<B>","conn_info":{"name":"bob"}}}}}
        B--> {"id":3,"publish":{"channel":"room","data":{"text":"hi"}}}
        A<-- {"push":{"channel":"room","pub":{"data":{"text":"hi"},"info":{"user":"bob","client":"<B>","conn_info":{"name":"bob"}}}}}
        "#,
    );
    let bob = talk.client("B");
    let mut heard = [bob.line(), bob.line()];
    heard.sort_by_key(|line| line.get("push").is_some());
    assert_eq!(heard[0], json!({"id": 3, "publish": {}}));
    assert_eq!(
        heard[1]["push"]["pub"]["data"],
        json!({"text": "hi"}),
        "the publisher gets its own"
    );
}

#[test]
fn publications_that_cannot_be_have_their_codes() {
    let stack = Stack::start();
    let mut talk = Talk::with(&stack).connected("A", "alice");
    talk.client("A").call(json!({"subscribe": {"channel": "room"}}));
    talk.session(
        r#"
        A--> {"id":11,"publish":{"channel":"deny:room","data":{}}}
             {"id":12,"publish":{"channel":"room"}}
             {"id":13,"publish":{"channel":"elsewhere","data":1}}
             {"id":14,"publish":{"channel":"nosuch:x","data":1}}
             {"id":15,"history":{"channel":"room"}}
        A<-- {"id":11,"error":{"code":103,"message":"permission denied"}}
             {"id":12,"error":{"code":107,"message":"bad request"}}
             {"id":13,"error":{"code":103,"message":"permission denied"}}
             {"id":14,"error":{"code":102,"message":"unknown channel"}}
             {"id":15,"error":{"code":108,"message":"not available"}}
        "#,
    );
}

#[test]
fn unknown_calls_are_told_apart() {
    let stack = Stack::start();
    Talk::with(&stack).connected("A", "alice").session(
        r#"
        A--> {"id":16,"rpc":{"method":"nope","data":{}}}
             {"id":17,"rpc":{"method":"update_user_status","data":{}}}
             {"id":18,"rpc":{}}
        A<-- {"id":16,"error":{"code":104,"message":"method not found"}}
             {"id":17,"rpc":{}}
             {"id":18,"error":{"code":104,"message":"method not found"}}
        "#,
    );
}

#[test]
fn a_subscription_token_opens_its_channel_and_adds_an_info() {
    let stack = Stack::start();
    let now = token::now();
    let of = |claims: serde_json::Value| token::token(claims);
    let mut talk = Talk::with(&stack)
        .connected("A", "alice")
        .connected("B", "alice")
        .name(
            "good",
            &of(json!({"sub": "alice", "channel": "$deny:room", "info": {"role": "mod"}})),
        )
        .name("late", &of(json!({"sub": "alice", "channel": "$deny:room", "exp": now - 1})))
        .name("other", &of(json!({"sub": "alice", "channel": "$deny:hall"})));
    talk.session(
        r#"
        A--> {"id":11,"subscribe":{"channel":"$deny:room","token":"garbage"}}
        A<-- {"id":11,"error":{"code":103,"message":"permission denied"}}
        A--> {"id":12,"subscribe":{"channel":"$deny:room","token":"<late>"}}
        A<-- {"id":12,"error":{"code":109,"message":"token expired"}}
        A--> {"id":13,"subscribe":{"channel":"$deny:room","token":"<good>","join_leave":true}}
        A<-- {"id":13,"subscribe":{}}
        B--> {"id":11,"subscribe":{"channel":"$deny:room","token":"<other>"}}
        B<-- close 3500 "invalid token"
        "#,
    );
    let a = talk.client("A").id().to_owned();
    let presence = stack.api("presence", json!({"channel": "$deny:room"}));
    let entry = json!({"user": "alice", "client": a, "chan_info": {"role": "mod"}});
    assert_eq!(presence["presence"], json!({a.as_str(): entry}));
}

#[test]
fn a_subscription_ends_with_its_token_and_others_see_a_leave() {
    let stack = Stack::start();
    let mut talk = Talk::with(&stack).connected("A", "alice").connected("B", "bob");
    talk.client("B").enters("room");
    let of = |exp: u64| token::token(json!({"sub": "alice", "channel": "room", "exp": exp}));
    let end = token::now() + 3;
    talk = talk.name("soon", &of(end)).name("later", &of(end + 3600));
    talk.session(
        r#"
        A--> {"id":11,"subscribe":{"channel":"room","token":"<soon>"}}
        A<-- {"id":11,"subscribe":{}}
        B<-- {"push":{"channel":"room","join":{"info":{"user":"alice","client":"<A>"}}}}
        A<-- {"push":{"channel":"room","unsubscribe":{"code":2501,"reason":"subscription expired"}}}
        B<-- {"push":{"channel":"room","leave":{"info":{"user":"alice","client":"<A>"}}}}
        "#,
    );
    assert!(token::now() >= end, "not before its time");
    let present = talk.client("B").presence("room");
    assert_eq!(present.as_object().expect("a roster").len(), 1, "{present}");
    talk.session(
        r#"
        A--> {"id":12,"subscribe":{"channel":"room","token":"<soon>"}}
        A<-- {"id":12,"error":{"code":109,"message":"token expired"}}
        A--> {"id":13,"subscribe":{"channel":"room","token":"<later>"}}
        A<-- {"id":13,"subscribe":{}}
        B<-- {"push":{"channel":"room","join":{"info":{"user":"alice","client":"<A>"}}}}
        "#,
    );
}

#[test]
fn a_room_that_grows_past_the_mirrors_limit_still_shows_who_comes_and_goes() {
    let stack = Stack::with(json!({"channel": {"join_leave_mirror_limit": 2}}));
    let mut reader = stack.client("reader");
    reader.enters("room");
    let mut others: Vec<_> = ["ann", "bob", "cid"].map(|user| stack.client(user)).into();
    for other in &mut others {
        other.enters("room");
        assert_eq!(reader.push()["join"]["info"]["client"], other.id());
    }
    for other in others {
        let id = other.id().to_owned();
        other.cut();
        assert_eq!(reader.push()["leave"]["info"]["client"], id);
    }
}
