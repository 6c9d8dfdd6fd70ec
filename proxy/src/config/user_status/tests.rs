//! Which Redis keeps user status.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{
    super::section::{Place, Setting},
    *,
};

/// Reads `engine` and `user_status.redis`; what is found, and where user status is kept.
fn check(engine: Value, redis: Value) -> String {
    let (mut of_engine, mut status) = (Engine::default(), UserStatus::default());
    let mut findings = Findings::default();
    of_engine.read(&engine, &Place::file("f"), &mut findings);
    status.read(&json!({"enabled": true, "redis": redis}), &Place::file("f"), &mut findings);
    of_engine.check(255, &mut findings);
    status.check(&of_engine, &mut findings);
    let mut out = String::new();
    for finding in findings.errors.iter().chain(&findings.warnings) {
        writeln!(out, "{finding}").unwrap();
    }
    match status.shards(&of_engine) {
        None => out.push_str("the engine's"),
        Some(shards) => {
            let places = shards.iter().map(|shard| format!("{:?}", shard.place));
            out.push_str(&places.collect::<Vec<_>>().join("\n"));
        }
    }
    out
}

fn redis(address: &str) -> Value {
    json!({"type": "redis", "redis": {"address": address}})
}

#[test]
fn nothing_or_the_same_is_the_engine_s() {
    let engines = |engine, own| assert_eq!(check(engine, own), "the engine's");
    engines(json!({}), json!({}));
    engines(redis("h:1"), json!({}));
    engines(redis("h:1"), json!({"address": ""}));
    engines(redis("h:1"), json!({"reuse_from_engine": true}));
    engines(redis("h:1"), json!({"address": "redis://h:1", "io_timeout": "1s"}));
    engines(redis(""), json!({"address": "redis://localhost"}));
    engines(redis("h:1"), json!({"prefix": "rollcall"}));
}

#[test]
fn another_one_is_one_of_its_own() {
    insta::assert_snapshot!(check(redis("h:1"), json!({"address": ["h:2", "h:3"]})), @r#"
Server(Tcp { host: "h", port: 2 })
Server(Tcp { host: "h", port: 3 })
"#);
    insta::assert_snapshot!(check(redis("h:1"), json!({"address": "h:1", "db": 2})), @r#"Server(Tcp { host: "h", port: 1 })"#);
    insta::assert_snapshot!(check(json!({}), json!({"cluster_address": "a:1,b:2"})), @r#"Cluster([Tcp { host: "a", port: 1 }, Tcp { host: "b", port: 2 }])"#);
    insta::assert_snapshot!(
        check(json!({}), json!({"sentinel_address": "a", "sentinel_master_name": "m"})), @r#"Sentinel(Sentinels { addresses: [Tcp { host: "a", port: 26379 }], master: "m", login: Login { user: "", password: unset }, tls: None, client_name: "" })"#
    );
}

#[test]
fn what_makes_no_sense() {
    insta::assert_snapshot!(check(redis("h:1"), json!({"user": "ann", "password": "hunter2"})), @r"
user_status.redis: says how to connect and not where: set user_status.redis.address, or leave it out for the Redis of the engine
the engine's
");
    insta::assert_snapshot!(check(redis("h:1"), json!({"prefix": "other"})), @r"
user_status.redis.prefix: can only be that of engine.redis.prefix
the engine's
");
    let reused = check(redis("h:1"), json!({"address": "h:2", "reuse_from_engine": true}));
    insta::assert_snapshot!(reused, @r"
    user_status.redis: has no effect beside user_status.redis.reuse_from_engine
    the engine's
    ");
    insta::assert_snapshot!(check(redis("h:1"), json!({"address": ["h:2", "http://hunter2"]})), @r#"
f: redis.address[1]: expected host:port, or a URL that starts with redis://, rediss://, tcp://, unix://, redis+sentinel://, rediss+sentinel:// or redis+cluster://
Server(Tcp { host: "h", port: 2 })
"#);
    insta::assert_snapshot!(check(redis("h:1"), json!({"cluster_address": "a", "db": 2})), @r#"
user_status.redis.cluster_address: a cluster has database 0 only: remove user_status.redis.db, or the one in the address
Cluster([Tcp { host: "a", port: 6379 }])
"#);
}
