//! The configuration as a whole; each option has its tests beside the code.

use rollcall_tests::{Redis, Server, config, eventually, process::module_library, token};
use serde_json::json;

#[test]
fn the_documented_configuration_of_today_works() {
    let redis = Redis::start();
    let server = Server::start(json!({
        "http_api": {"key": "secret"},
        "client": {"token": {"hmac_secret_key": token::SECRET}, "allowed_origins": ["*"]},
        "engine": {"type": "redis", "redis": {"address": redis.address(), "presence_user_mapping": true}},
        "channel": {"namespaces": [{"name": "public", "presence": true, "join_leave": true,
            "force_push_join_leave": true, "allow_subscribe_for_client": true,
            "allow_presence_for_subscriber": true}]},
        "user_status": {"enabled": true, "redis": {"reuse_from_engine": true}, "expire_interval": "24h"}
    }));
    let mut ann = server.client("ann");
    ann.enters("public:test");
    assert_eq!(ann.presence("public:test").as_object().unwrap().len(), 1);
    ann.call(json!({"rpc": {"method": "update_user_status", "data": {}}}));
    let key = [("X-API-Key", "secret")];
    let status = server.http().post("/api/get_user_status", &key, r#"{"users":["ann"]}"#);
    assert!(status.json()["result"]["statuses"][0]["active"].is_number(), "{status}");
}

#[test]
fn the_documented_configuration_of_older_versions_works() {
    let redis = Redis::start();
    let server = Server::start(json!({
        "api_key": "secret",
        "token_hmac_secret_key": token::SECRET,
        "engine": "redis",
        "redis_address": format!("127.0.0.1:{}", redis.port()),
        "namespaces": [{"name": "public", "presence": true, "join_leave": true,
            "force_push_join_leave": true, "allow_subscribe_for_client": true,
            "allow_presence_for_subscriber": true}],
        "redis_active_status": {"enabled": true, "use_redis_from_engine": true, "expire_interval": "24h"}
    }));
    let mut ann = server.client("ann");
    ann.enters("public:test");
    let key = [("Authorization", "apikey secret")];
    let body = r#"{"method":"get_user_status","params":{"users":["ann"]}}"#;
    eventually("ann is online", || {
        let status = server.http().post("/api", &key, body).json();
        status["result"]["statuses"][0]["online"].is_number().then_some(())
    });
}

#[test]
fn a_redis_can_be_reached_by_its_unix_socket() {
    let redis = Redis::start();
    let address = format!("unix://{}", redis.socket().display());
    let engine =
        json!({"engine": {"type": "redis", "redis": {"address": address, "prefix": "other"}}});
    let server = Server::start(config::with(engine));
    let mut ann = server.client("ann");
    ann.enters("room");
    let keys = redis.cli().ask("KEYS other:p:room").to_string();
    assert_eq!(keys, r#"["other:p:room"]"#);
}

#[test]
fn an_unknown_option_is_a_warning_with_its_path() {
    let namespace = json!({"name": "public", "presense": true});
    let server =
        Server::start(config::with(json!({"channel": {"namespaces": [namespace]}, "wonder": 1})));
    let log = server.log();
    assert!(log.contains("presense") && log.contains("channel.namespaces"), "{log}");
    assert!(log.contains("wonder"), "{log}");
}

#[test]
fn a_wrong_value_is_refused_with_what_was_expected() {
    for (change, path) in [
        (json!({"client": {"ping_interval": "soon"}}), "client.ping_interval"),
        (json!({"engine": {"type": "nats"}}), "engine.type"),
        (json!({"channel": {"namespaces": [{"name": "x"}]}}), "channel.namespaces"),
        (json!({"http_server": {"port": "many"}}), "http_server.port"),
    ] {
        let mut server = Server::spawn(config::with(change));
        let status = server.process().ended();
        assert_eq!(status.code(), Some(1), "{path}: {}", server.log());
        assert!(server.log().contains(path), "{path}: {}", server.log());
    }
}

#[test]
fn paths_that_clash_are_refused_with_both_options() {
    let (websocket, api, health) =
        ("websocket.handler_prefix", "http_api.handler_prefix", "health.handler_prefix");
    for (change, options) in [
        (json!({"websocket": {"handler_prefix": "/api/"}}), [websocket, api]),
        (json!({"websocket": {"handler_prefix": "/health"}}), [websocket, health]),
        (json!({"health": {"handler_prefix": "/api/info"}}), [health, api]),
        (json!({"health": {"handler_prefix": "/ready"}}), [health, "readiness"]),
    ] {
        let mut server = Server::spawn(config::with(change));
        let status = server.process().ended();
        let log = server.log();
        assert_eq!(status.code(), Some(1), "{options:?}: {log}");
        let names_both = |line: &str| options.iter().all(|option| line.contains(option));
        assert!(log.lines().any(names_both), "{options:?}: {log}");
    }
}

#[test]
fn a_module_that_is_not_there_is_told_with_its_path() {
    let missing = module_library().with_extension("missing");
    let mut server =
        Server::spawn(config::with(json!({"engine": {"embedded": {"module": missing}}})));
    let status = server.process().ended();
    assert!(!status.success());
    assert!(server.log().contains("librollcall_module.missing"), "{}", server.log());
}
