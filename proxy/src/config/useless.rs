//! Values that can have no effect are refused, and so is what must not be ignored.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Config, ConfigError, Invocation, load};

/// What is read from a file and variables, with the warnings; or what is wrong with them.
fn read(file: &str, env: &[(&str, &str)], args: &[&str]) -> Result<(Config, Vec<String>), String> {
    let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
    let env: BTreeMap<String, String> =
        env.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    match load(&args, &env, &|_| Ok(file.to_owned())) {
        Ok(Invocation::Run(loaded)) => Ok((loaded.config, loaded.warnings)),
        Ok(Invocation::Print(text)) => Err(text),
        Err(ConfigError::Invalid(errors)) => Err(errors.join("\n")),
        Err(error) => Err(error.to_string()),
    }
}

/// That each file is refused, and the message names this option.
fn refuses(cases: &[(&str, &str)]) {
    for (file, option) in cases {
        let refused = read(file, &[], &[]).expect_err(file);
        assert!(refused.contains(option), "{file}: {refused}");
    }
}

#[test]
fn line_breaks_and_spaces_around_values_are_refused_and_never_shown() {
    refuses(&[
        (r#"{"http_api":{"key":"hunter2\n"}}"#, "http_api.key"),
        (r#"{"http_api":{"key":" hunter2"}}"#, "http_api.key"),
        (r#"{"http_api":{"key":"hunter\n2"}}"#, "http_api.key"),
        (r#"{"client":{"token":{"hmac_secret_key":"hunter2\r\n"}}}"#, "client.token.hmac_secret"),
        (r#"{"client":{"token":{"audience":"app "}}}"#, "client.token.audience"),
        (r#"{"engine":{"type":"redis","redis":{"password":"hunter2\n"}}}"#, "redis.password"),
        (r#"{"engine":{"redis":{"prefix":"app\n"}}}"#, "engine.redis.prefix"),
        (r#"{"engine":{"embedded":{"dir":"/data\n"}}}"#, "engine.embedded.dir"),
        (r#"{"node":{"name":"one\ntwo"}}"#, "node.name"),
    ]);
    let key = read("{}", &[("ROLLCALL_HTTP_API_KEY", "hunter2\n")], &[]).unwrap_err();
    assert_eq!(
        key,
        "ROLLCALL_HTTP_API_KEY: expected no line break and no whitespace around the value"
    );
}

#[test]
fn zero_is_zero_or_refused_and_never_the_default() {
    let zeros = r#"{"http_server":{"port":0},"shutdown":{"timeout":"0s"},
        "client":{"expired_close_delay":0},"channel":{"join_leave_mirror_limit":0}}"#;
    let (config, warnings) = read(zeros, &[], &[]).unwrap();
    assert_eq!(warnings, Vec::<String>::new());
    assert_eq!(config.http_server.port, 0);
    assert_eq!(config.shutdown.timeout, Duration::ZERO);
    assert_eq!(config.client.expired_close_delay, Duration::ZERO);
    assert_eq!(config.channel.join_leave_mirror_limit, 0);
    let (config, _) = read("{}", &[("ROLLCALL_SHUTDOWN_TIMEOUT", "0")], &["-p", "0"]).unwrap();
    assert_eq!((config.http_server.port, config.shutdown.timeout), (0, Duration::ZERO));
    refuses(&[
        (r#"{"client":{"ping_interval":"0s"}}"#, "client.ping_interval"),
        (r#"{"client":{"ping_interval":"900ms","pong_timeout":"1ms"}}"#, "client.ping_interval"),
        (r#"{"client":{"pong_timeout":0}}"#, "client.pong_timeout"),
        (r#"{"client":{"stale_close_delay":"0"}}"#, "client.stale_close_delay"),
        (r#"{"client":{"channel_limit":0}}"#, "client.channel_limit"),
        (r#"{"client":{"queue_max_size":0}}"#, "client.queue_max_size"),
        (r#"{"websocket":{"write_timeout":"0s"}}"#, "websocket.write_timeout"),
        (r#"{"websocket":{"message_size_limit":"0"}}"#, "websocket.message_size_limit"),
        (r#"{"channel":{"max_length":0}}"#, "channel.max_length"),
        (r#"{"engine":{"redis":{"lease":"0s"}}}"#, "engine.redis.lease"),
        (r#"{"engine":{"type":"redis","redis":{"io_timeout":"0s"}}}"#, "engine.redis.io_timeout"),
        (r#"{"engine":{"redis":{"io_timeout":"0s"}}}"#, "engine.redis.io_timeout"),
        (r#"{"engine":{"type":"redis","redis":{"connect_timeout":0}}}"#, "redis.connect_timeout"),
        (
            r#"{"engine":{"type":"redis","redis":{"address":"redis://h?io_timeout=0s"}}}"#,
            "io_timeout",
        ),
        (r#"{"user_status":{"expire_interval":"0s"}}"#, "user_status.expire_interval"),
        (r#"{"user_status":{"partitions":0}}"#, "user_status.partitions"),
    ]);
}

#[test]
fn what_can_never_match_is_refused() {
    refuses(&[
        (r#"{"client":{"allowed_origins":["https://a.example/"]}}"#, "client.allowed_origins[0]"),
        (r#"{"client":{"allowed_origins":["*",""]}}"#, "client.allowed_origins[1]"),
        (
            r#"{"engine":{"type":"redis","redis":{"address":["redis://h",""]}}}"#,
            "engine.redis.address[1]",
        ),
        (r#"{"client":{"allowed_origins":"https://a.example,https://b"}}"#, "allowed_origins"),
        (
            r#"{"channel":{"namespace_boundary":"-","namespaces":[{"name":"a-b"}]}}"#,
            "namespaces[0]",
        ),
        (r#"{"channel":{"private_prefix":"a","namespaces":[{"name":"ab"}]}}"#, "namespaces[0]"),
        (r#"{"channel":{"user_boundary":":"}}"#, "channel.user_boundary"),
        (r#"{"channel":{"user_separator":"$"}}"#, "channel.user_separator"),
    ]);
}

#[test]
fn what_keeps_somebody_out_is_not_ignored_in_any_spelling() {
    for file in [
        r#"{"client":{"proxy":{"connect":{"enabled":true,"endpoint":"http://app"}}}}"#,
        r#"{"client":{"proxy":{"refresh":{"enabled":true}}}}"#,
        r#"{"proxy_connect_endpoint":"http://app"}"#,
        r#"{"proxy_refresh_endpoint":"grpc://app"}"#,
        r#"{"granular_proxy_mode":true,"connect_proxy_name":"app"}"#,
        r#"{"client":{"subscribe_to_user_personal_channel":{"enabled":true,"single_connection":true}}}"#,
        r#"{"user_subscribe_to_personal":true,"user_personal_single_connection":true}"#,
        r#"{"user_status":{"disable_for_client":true}}"#,
        r#"{"user_status":{"state_regex":"^a$"}}"#,
        r#"{"proxy_subscribe":true}"#,
        r#"{"namespaces":[{"name":"ab","proxy_subscribe":true}]}"#,
        r#"{"namespaces":[{"name":"ab","proxy_publish":true}]}"#,
        r#"{"granular_proxy_mode":true,"namespaces":[{"name":"ab","subscribe_proxy_name":"app"}]}"#,
        r#"{"tls":true}"#,
        r#"{"tls_autocert":true}"#,
        r#"{"internal_tls":true}"#,
        r#"{"http_server":{"tls":{"enabled":true}}}"#,
    ] {
        let refused = read(file, &[], &[]).expect_err(file);
        assert!(refused.contains("cannot safely be ignored"), "{file}: {refused}");
    }
    for name in ["CLIENT_PROXY_CONNECT_ENABLED", "HTTP_SERVER_TLS_ENABLED", "HTTP_SERVER_TLS"] {
        let name = format!("ROLLCALL_{name}");
        let refused = read("{}", &[(&name, "true")], &[]).expect_err(&name);
        assert!(refused.contains("cannot safely be ignored"), "{name}: {refused}");
    }
}

#[test]
fn what_is_off_may_stand_there() {
    for file in [
        r#"{"client":{"proxy":{"connect":{"enabled":false,"endpoint":""},"refresh":{"enabled":false}}}}"#,
        r#"{"client":{"subscribe_to_user_personal_channel":{"enabled":true,"single_connection":false}}}"#,
        r#"{"proxy_connect_endpoint":"","user_personal_single_connection":false,"tls":false}"#,
        r#"{"channel":{"namespaces":[{"name":"ab","subscribe_proxy_enabled":false,"subscribe_proxy_name":"default"}]}}"#,
        r#"{"granular_proxy_mode":false,"namespaces":[{"name":"ab","subscribe_proxy_name":"app"}]}"#,
        r#"{"http_server":{"tls":{"enabled":false,"cert_pem":""}},"user_status":{"state_regex":""}}"#,
    ] {
        read(file, &[], &[]).unwrap_or_else(|refused| panic!("{file}: {refused}"));
    }
}

#[test]
fn insecure_switches_are_warnings() {
    let warnings = |file: &str| read(file, &[], &[]).unwrap().1.join("\n");
    insta::assert_snapshot!(warnings(r#"{"client":{"insecure":true,"allowed_origins":["*"]},
        "http_api":{"insecure":true},
        "engine":{"type":"redis","redis":{"tls":{"enabled":true,"insecure_skip_verify":true}}}}"#), @r"
    http_api.insecure: insecure, whoever reaches the API may use it without a key
    client.insecure: insecure, every client may do everything without a token
    client.allowed_origins: insecure, every web page may connect: name those that may
    engine.redis.tls.insecure_skip_verify: any certificate is taken, so whoever is in between can read and change everything; use server_ca_pem
    ");
    assert_eq!(warnings(r#"{"client":{"allowed_origins":["https://*.example.com"]}}"#), "");
}

#[test]
fn internal_endpoints_are_where_everything_else_is_unless_they_have_a_place() {
    let internal = |file: &str| {
        let (config, _) = read(file, &[], &[]).unwrap();
        config.http_server.internal().map(|(address, port)| format!("{address}:{port}"))
    };
    let cases = [
        (r"{}", None),
        (r#"{"internal_port":8000}"#, None),
        (r#"{"internal_port":9000}"#, Some(":9000")),
        (r#"{"address":"127.0.0.1","internal_port":9000}"#, Some("127.0.0.1:9000")),
        (r#"{"address":"10.0.0.1","internal_address":"127.0.0.1"}"#, Some("127.0.0.1:8000")),
        (r#"{"address":"10.0.0.1","internal_address":"10.0.0.1"}"#, None),
    ];
    for (section, expected) in cases {
        let file = format!(r#"{{"http_server":{section}}}"#);
        assert_eq!(internal(&file).as_deref(), expected, "{file}");
    }
}
