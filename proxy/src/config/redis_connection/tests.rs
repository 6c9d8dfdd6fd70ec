//! Options and addresses together: the shards they stand for, and what cannot stand together.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{
    super::section::{Place, Setting},
    *,
};

/// What is wrong or warned of, and then every shard.
fn check(options: Value) -> String {
    let mut connection = RedisConnection::default();
    let mut findings = Findings::default();
    connection.read(&options, &Place::file("f"), &mut findings);
    if findings.errors.is_empty() {
        connection.check("engine.redis", &mut findings);
    }
    let mut out = String::new();
    for error in &findings.errors {
        writeln!(out, "error: {error}").unwrap();
    }
    for warning in &findings.warnings {
        writeln!(out, "warning: {warning}").unwrap();
    }
    if findings.errors.is_empty() {
        for shard in connection.shards() {
            writeln!(out, "{}", shown(&shard)).unwrap();
        }
    }
    assert!(!format!("{connection:?}{out}").contains("hunter2"));
    out
}

fn hosts(addresses: &[RedisAddress]) -> String {
    addresses.iter().map(RedisAddress::to_string).collect::<Vec<_>>().join(",")
}

fn shown(shard: &RedisShard) -> String {
    let tls = |tls: &Option<_>| if tls.is_some() { " tls" } else { "" };
    let login = |login: &Login| {
        let password = login.password.expose().replace("hunter2", "***");
        format!("{}:{password}", login.user)
    };
    let place = match &shard.place {
        RedisPlace::Server(one) => format!("server {one}"),
        RedisPlace::Cluster(nodes) => format!("cluster {}", hosts(nodes)),
        RedisPlace::Sentinel(sentinels) => format!(
            "sentinel {} {} {} {:?}{}:",
            hosts(&sentinels.addresses),
            sentinels.master,
            login(&sentinels.login),
            sentinels.client_name,
            tls(&sentinels.tls),
        ),
    };
    format!(
        "{place} {} db={} {:?} {:?} {:?}{}",
        login(&shard.login),
        shard.db,
        shard.client_name,
        shard.connect_timeout,
        shard.io_timeout,
        tls(&shard.tls),
    )
}

#[test]
fn one_redis() {
    insta::assert_snapshot!(check(json!({})), @r#"server 127.0.0.1:6379 : db=0 "" 1s 4s"#);
    insta::assert_snapshot!(check(json!({"address": "rediss://h"})), @r#"server h:6379 : db=0 "" 1s 4s tls"#);
    insta::assert_snapshot!(check(json!({
        "address": "h:1", "user": "ann", "password": "hunter2", "db": 3, "client_name": "me",
        "connect_timeout": "2s", "io_timeout": "3s", "tls": {"enabled": true},
    })), @r#"server h:1 ann:*** db=3 "me" 2s 3s tls"#);
    // What the address says goes first, word by word.
    insta::assert_snapshot!(check(json!({
        "address": "redis://:p@h:1/2?connect_timeout=5s", "user": "ann", "password": "hunter2",
        "db": 3, "io_timeout": "3s",
    })), @r#"server h:1 ann:p db=2 "" 5s 3s"#);
    insta::assert_snapshot!(check(json!({"address": "redis://ann@h", "password": "hunter2"})), @r#"server h:6379 ann:*** db=0 "" 1s 4s"#);
}

#[test]
fn several_shards_keep_their_order() {
    insta::assert_snapshot!(check(json!({
        "address": ["b:1", "redis://a:1", "unix:///s", "redis+cluster://c?addr=d", "a:1/1",
            "redis+sentinel://e?sentinel_master_name=one", "redis+sentinel://e?sentinel_master_name=two"],
        "sentinel_password": "hunter2",
    })), @r#"
server b:1 : db=0 "" 1s 4s
server a:1 : db=0 "" 1s 4s
server /s : db=0 "" 1s 4s
cluster c:6379,d:6379 : db=0 "" 1s 4s
server a:1 : db=1 "" 1s 4s
sentinel e:26379 one :*** "": : db=0 "" 1s 4s
sentinel e:26379 two :*** "": : db=0 "" 1s 4s
"#);
    insta::assert_snapshot!(check(json!({"cluster_address": ["a:1, b", "[::1]:2"]})), @r#"
cluster a:1,b:6379 : db=0 "" 1s 4s
cluster [::1]:2 : db=0 "" 1s 4s
"#);
    insta::assert_snapshot!(check(json!({
        "sentinel_address": ["a:1,b", "c"], "sentinel_master_name": "m", "sentinel_user": "s",
        "sentinel_password": "p", "sentinel_client_name": "watch", "password": "hunter2", "db": 2,
        "sentinel_tls": {"enabled": true}, "tls": {"enabled": false},
    })), @r#"
sentinel a:1,b:26379 m s:p "watch" tls: :*** db=2 "" 1s 4s
sentinel c:26379 m s:p "watch" tls: :*** db=2 "" 1s 4s
"#);
}

#[test]
fn clusters_go_before_sentinels_and_these_before_addresses() {
    insta::assert_snapshot!(check(json!({
        "address": "a", "sentinel_address": "b", "cluster_address": "c", "tls": {"enabled": true},
    })), @r#"
warning: engine.redis.sentinel_address: ignored, engine.redis.cluster_address is set
warning: engine.redis.address: ignored, engine.redis.cluster_address is set
cluster c:6379 : db=0 "" 1s 4s tls
"#);
    insta::assert_snapshot!(check(json!({
        "address": "redis://x?force_resp2=true", "sentinel_address": "b", "sentinel_master_name": "m",
    })), @r#"
warning: engine.redis.address: ignored, engine.redis.sentinel_address is set
sentinel b:26379 m : "": : db=0 "" 1s 4s
"#);
}

#[test]
fn what_cannot_stand_together() {
    insta::assert_snapshot!([
        json!({"cluster_address": "a", "db": 1}),
        json!({"address": ["b", "redis+cluster://a/1"]}),
        json!({"address": "redis://a/1?addr=b"}),
        json!({"address": "redis+sentinel://a"}),
        json!({"sentinel_address": "a"}),
        json!({"sentinel_address": "a", "sentinel_master_name": "m", "sentinel_user": "s"}),
        json!({"address": "redis://ann@h"}),
        json!({"user": "ann"}),
        json!({"address": "redis://h?tls_enabled=false", "tls": {"enabled": true}}),
        json!({"address": "unix:///s", "tls": {"enabled": true}}),
        json!({"address": "rediss://h_ä", "client_name": "a b", "sentinel_client_name": "é"}),
        json!({"address": "redis://h?replica_client_enabled=true&force_resp2=1"}),
        json!({"tls": {"insecure_skip_verify": true}}),
    ].map(check).join("\n"), @r#"
error: engine.redis.cluster_address: a cluster has database 0 only: remove engine.redis.db, or the one in the address

error: engine.redis.address[1]: a cluster has database 0 only: remove engine.redis.db, or the one in the address

error: engine.redis.address: a cluster has database 0 only: remove engine.redis.db, or the one in the address

error: engine.redis.address: needs engine.redis.sentinel_master_name

error: engine.redis.sentinel_address: needs engine.redis.sentinel_master_name

error: engine.redis.sentinel_address: engine.redis.sentinel_user needs a password

error: engine.redis.address: a user needs a password; a password alone is written :password@

error: engine.redis.address: a user needs a password; a password alone is written :password@

error: engine.redis.address: parameter tls_enabled=false contradicts engine.redis.tls.enabled

error: engine.redis.tls.enabled: has no use with unix://, whose connections are never encrypted

error: engine.redis.client_name: expected ASCII without spaces, as CLIENT SETNAME takes it
error: engine.redis.sentinel_client_name: expected ASCII without spaces, as CLIENT SETNAME takes it
error: engine.redis.address: no certificate can name this host: set engine.redis.tls.server_name

warning: engine.redis.address: parameter replica_client_enabled: has no effect
warning: engine.redis.address: parameter force_resp2: has no effect, RESP3 is always used
server h:6379 : db=0 "" 1s 4s

warning: engine.redis.tls.insecure_skip_verify: any certificate is taken, so whoever is in between can read and change everything; use server_ca_pem
server 127.0.0.1:6379 : db=0 "" 1s 4s
"#);
}

#[test]
fn every_shard_stands_once() {
    insta::assert_snapshot!([
        json!({"address": ["a:1", "b:1", "redis://:hunter2@A:1"]}),
        json!({"address": ["localhost", "127.0.0.1:6379"]}),
        json!({"address": ["unix:///a", "unix:///b", "unix:///a"]}),
        json!({"address": ["a:1", "redis+cluster://b:1?addr=a:1"]}),
        json!({"cluster_address": ["a:1,b:1", "c:1,b:1"]}),
        json!({"sentinel_address": ["a,b", "b,c"], "sentinel_master_name": "m"}),
    ].map(check).join("\n"), @r"
error: engine.redis.address[2]: leads where engine.redis.address[0] does: name every shard once

error: engine.redis.address[1]: leads where engine.redis.address[0] does: name every shard once

error: engine.redis.address[2]: leads where engine.redis.address[0] does: name every shard once

error: engine.redis.address[1]: leads where engine.redis.address[0] does: name every shard once

error: engine.redis.cluster_address[1]: leads where engine.redis.cluster_address[0] does: name every shard once

error: engine.redis.sentinel_address[1]: leads where engine.redis.sentinel_address[0] does: name every shard once
");
    let apart = [
        json!({"address": ["a:1/1", "a:1/2"]}),
        json!({"sentinel_address": ["a", "b"], "sentinel_master_name": "m"}),
    ];
    assert!(!apart.map(check).join("").contains("error"));
}

#[test]
fn entries_that_are_none_are_named() {
    insta::assert_snapshot!([
        json!({"address": ["a", {"b": 1}, "http://hunter2"]}),
        json!({"address": true, "cluster_address": "redis://:hunter2@a", "sentinel_address": ["a,", "b:x"]}),
        json!({"cluster_address": [["a"]]}),
        json!({"tls": true, "sentinel_tls": {"enabled": "maybe", "nope": 1}}),
    ].map(check).join("\n"), @r#"
error: f: address[1]: expected an address, got an object
error: f: address[2]: expected host:port, or a URL that starts with redis://, rediss://, tcp://, unix://, redis+sentinel://, rediss+sentinel:// or redis+cluster://

error: f: address: expected an address, got a boolean
error: f: cluster_address: expected host:port,host:port without a scheme; user, password and TLS have options of their own
error: f: sentinel_address[0]: expected host:port,host:port
error: f: sentinel_address[1]: expected host:port,host:port

error: f: cluster_address: expected nodes of a cluster as host:port,host:port, got a list

error: f: sentinel_tls.enabled: expected true or false, got "maybe"
error: f: tls: expected an object, got a boolean
warning: f: sentinel_tls.nope: unknown option, ignored
"#);
}

proptest::proptest! {
    #[test]
    fn no_text_panics(text in "\\PC*", list: Vec<String>) {
        for key in ["address", "cluster_address", "sentinel_address"] {
            check(json!({key: text}));
            check(json!({key: list}));
        }
    }
}
