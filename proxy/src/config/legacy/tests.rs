//! Files written for older versions, and the published samples.

use std::{collections::BTreeMap, time::Duration};

use super::super::{Config, EngineType, Invocation, RedisAddress, RedisPlace, load};

fn loaded(file: &str) -> (Config, Vec<String>) {
    match load(&[], &BTreeMap::new(), &|_| Ok(file.to_owned())) {
        Ok(Invocation::Run(loaded)) => (loaded.config, loaded.warnings),
        other => panic!("{file}: {other:?}"),
    }
}

fn quiet(file: &str) -> Config {
    let (config, mut warnings) = loaded(file);
    warnings.retain(|warning| !warning.contains(": insecure, "));
    assert_eq!(warnings, Vec::<String>::new(), "{file}");
    config
}

const DAY: Duration = Duration::from_secs(24 * 3600);

#[test]
fn the_samples_of_the_feature_descriptions_load() {
    let presence = quiet(
        r#"{
  "channel": {
    "namespaces": [
      {
        "name": "public",
        "presence": true,
        "join_leave": true,
        "force_push_join_leave": true
      }
    ]
  }
}"#,
    );
    let public = presence.channel.namespace("public").unwrap();
    assert!(public.presence && public.join_leave && public.force_push_join_leave);

    // The dots of the samples stand for other options; the last comma is theirs.
    let status = quiet(
        r#"{    "redis_active_status": {        "enabled": true,        "redis_address": ""    }}"#,
    );
    assert!(status.user_status.enabled);
    assert_eq!(status.user_status.expire_interval, 31 * DAY);

    let status = quiet(
        r#"{    "engine": "redis",    "redis_address": "localhost:6379",    "redis_active_status": {        "enabled": true,        "use_redis_from_engine": true,    }}"#,
    );
    assert_eq!(status.engine.kind, EngineType::Redis);
    let address = RedisAddress::Tcp { host: "localhost".to_owned(), port: 6379 };
    assert_eq!(status.engine.redis.shards()[0].place, RedisPlace::Server(address));
    assert!(status.user_status.enabled && status.user_status.redis.reuse_from_engine);

    let status = quiet(r#"{    "redis_active_status": {        "expire_interval": "24h"    }}"#);
    assert_eq!((status.user_status.enabled, status.user_status.expire_interval), (false, DAY));
}

#[test]
fn user_status_is_read_in_every_form() {
    for (file, interval) in [
        (r#"{"user_status":{"enabled":true}}"#, 30 * DAY),
        (r#"{"user_status":{"enabled":true,"redis":{"reuse_from_engine":true}}}"#, 30 * DAY),
        (r#"{"user_status":{"enabled":true,"use_redis_from_engine":true}}"#, 31 * DAY),
        (r#"{"redis_active_status":{"enabled":true}}"#, 31 * DAY),
        (r#"{"redis_active_status":{"enabled":true,"expire_interval":"24h"}}"#, DAY),
        (r#"{"USER_STATUS":{"Enabled":true,"Redis_Address":""}}"#, 31 * DAY),
    ] {
        let status = quiet(file).user_status;
        assert!(status.enabled, "{file}");
        assert_eq!(status.expire_interval, interval, "{file}");
    }
}

#[test]
fn flat_names_mean_what_they_became() {
    let flat = quiet(
        r#"{"engine":"redis","redis_address":"redis://:pw@h:1","redis_prefix":"p","redis_io_timeout":"2s",
        "api_key":"k","api_insecure":true,"token_hmac_secret_key":"s","token_audience":"a",
        "allowed_origins":["*"],"client_insecure":true,"allow_anonymous_connect_without_token":true,
        "client_channel_limit":7,"port":"8001","address":"::","internal_port":"9000","health":true,
        "namespaces":[{"name":"public","presence":true,"presence_disable_for_client":false}],
        "presence":true,"join_leave":true,"allow_subscribe_for_client":true,"log_level":"debug",
        "presence_disable_for_client":true,"websocket_message_size_limit":100,"ping_interval":"30s",
        "separate_subscription_token_config":true,"subscription_token_hmac_secret_key":"t"}"#,
    );
    let today = quiet(
        r#"{"engine":{"type":"redis","redis":{"address":"redis://:pw@h:1","prefix":"p","io_timeout":"2s"}},
        "http_api":{"key":"k","insecure":true},"client":{"token":{"hmac_secret_key":"s","audience":"a"},
        "allowed_origins":["*"],"insecure":true,"allow_anonymous_connect_without_token":true,
        "channel_limit":7,"ping_interval":"30s",
        "subscription_token":{"enabled":true,"hmac_secret_key":"t"}},
        "http_server":{"port":8001,"address":"::","internal_port":9000},"health":{"enabled":true},
        "channel":{"namespaces":[{"name":"public","presence":true,"allow_presence_for_client":true}],
        "without_namespace":{"presence":true,"join_leave":true,"allow_subscribe_for_client":true}},
        "log":{"level":"debug"},"websocket":{"message_size_limit":100}}"#,
    );
    assert_eq!(flat, today);
}

#[test]
fn redis_in_its_old_names() {
    let flat = quiet(
        r#"{"engine":"redis","redis_sentinel_address":["a:1,b:1","c:1"],"redis_sentinel_master_name":"m",
        "redis_sentinel_user":"s","redis_sentinel_password":"p","redis_sentinel_client_name":"w",
        "redis_user":"u","redis_password":"q","redis_db":2,"redis_client_name":"n","redis_tls":true,
        "redis_tls_server_name":"r","redis_tls_insecure_skip_verify":false,"redis_sentinel_tls":"true",
        "redis_connect_timeout":"2s",
        "user_status":{"enabled":true,"redis_cluster_address":["x:1,y:1"],"redis_tls":true,
            "redis_tls_server_name":"z","expire_interval":"24h"}}"#,
    );
    let today = quiet(
        r#"{"engine":{"type":"redis","redis":{"sentinel_address":["a:1,b:1","c:1"],
        "sentinel_master_name":"m","sentinel_user":"s","sentinel_password":"p",
        "sentinel_client_name":"w","user":"u","password":"q","db":2,"client_name":"n",
        "tls":{"enabled":true,"server_name":"r"},"sentinel_tls":{"enabled":true},
        "connect_timeout":"2s"}},
        "user_status":{"enabled":true,"expire_interval":"24h","redis":{"cluster_address":"x:1,y:1",
            "tls":{"enabled":true,"server_name":"z"}}}}"#,
    );
    assert_eq!(flat, today);
    assert_eq!(
        (today.engine.redis.shards().len(), today.user_status.shards(&today.engine).unwrap().len()),
        (2, 1)
    );
    let active = quiet(r#"{"redis_active_status":{"enabled":true,"redis_address":"h:1"}}"#);
    assert_eq!(active.user_status.shards(&active.engine).unwrap().len(), 1);
}

#[test]
fn tls_files_in_their_old_names_are_read() {
    let old = r#"{"engine":"redis","redis_tls":true,"redis_tls_cert":"no/a","redis_tls_key":"no/b",
        "redis_tls_root_ca":"no/c","redis_tls_client_ca":"no/d","redis_tls_skip_verify":"maybe",
        "redis_sentinel_tls_root_ca_pem":"no/e"}"#;
    let error = load(&[], &BTreeMap::new(), &|_| Ok(old.to_owned())).unwrap_err().to_string();
    let named: Vec<_> = error.lines().filter_map(|line| line.split(": ").nth(1)).collect();
    assert_eq!(
        named,
        [
            "engine.redis.sentinel_tls.server_ca_pem",
            "engine.redis.tls.server_ca_pem",
            "engine.redis.tls.cert_pem",
            "engine.redis.tls.key_pem",
            "engine.redis.tls.insecure_skip_verify",
        ]
    );
}

#[test]
fn the_name_of_today_counts_where_both_are_given() {
    let config = quiet(
        r#"{"port":1,"http_server":{"port":2},"engine":{"type":"embedded"},"redis_prefix":"old"}"#,
    );
    assert_eq!((config.http_server.port, &*config.engine.redis.prefix), (2, "old"));
}

#[test]
fn old_names_without_a_use_are_warned_of_as_the_new_ones() {
    let (_, warnings) =
        loaded(r#"{"admin":true,"admin_password":"hunter2","global_presence_ttl":"60s"}"#);
    insta::assert_snapshot!(warnings.join("\n"), @r"
config.json: engine.redis.presence_ttl: an option of Centrifugo that has no effect here, ignored
config.json: admin: an option of Centrifugo that has no effect here, ignored
");
}

#[test]
fn the_smallest_configuration_of_the_features_loads() {
    let (config, warnings) = loaded(
        r#"{
  "http_api": {"key": "secret"},
  "client": {"token": {"hmac_secret_key": "s"}, "allowed_origins": ["*"]},
  "engine": {"type": "redis", "redis": {"address": "redis://127.0.0.1:6379", "presence_user_mapping": true}},
  "channel": {"namespaces": [{"name": "public", "presence": true, "join_leave": true,
    "force_push_join_leave": true, "allow_subscribe_for_client": true, "allow_presence_for_subscriber": true}]},
  "user_status": {"enabled": true, "redis": {"reuse_from_engine": true}, "expire_interval": "24h"}
}"#,
    );
    assert!(config.user_status.enabled);
    insta::assert_snapshot!(warnings.join("\n"), @r"
    config.json: engine.redis.presence_user_mapping: an option of Centrifugo that has no effect here, ignored
    client.allowed_origins: insecure, every web page may connect: name those that may
    ");
}
