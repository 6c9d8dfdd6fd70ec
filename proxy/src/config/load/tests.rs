//! Configurations as people write them, and what comes of them.

use std::time::Duration;

use super::{
    super::{EngineType, Kind, RedisAddress, RedisPlace, options},
    *,
};

/// Loads `file` as config.json under variables `A=b` and flags, a word each.
fn attempt(file: &str, env: &[(&str, &str)], args: &str) -> Result<Invocation, ConfigError> {
    let args: Vec<String> = args.split_whitespace().map(str::to_owned).collect();
    let env = env.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    load(&args, &env, &|path| match (file, path.to_str()) {
        ("", _) => Err(io::ErrorKind::NotFound.into()),
        (file, Some("config.json")) => Ok(file.to_owned()),
        _ => Err(io::ErrorKind::PermissionDenied.into()),
    })
}

fn loaded(file: &str, env: &[(&str, &str)], args: &str) -> Loaded {
    match attempt(file, env, args) {
        Ok(Invocation::Run(loaded)) => *loaded,
        other => panic!("{other:?}"),
    }
}

/// The configuration of a file that gives no warning.
fn quiet(file: &str) -> Config {
    let Loaded { config, mut warnings, .. } = loaded(file, &[], "");
    warnings.retain(|warning| !warning.contains(": insecure, "));
    assert_eq!(warnings, Vec::<String>::new());
    config
}

/// What is wrong, or what is warned of, line by line.
fn check(file: &str, env: &[(&str, &str)], args: &str) -> String {
    match attempt(file, env, args) {
        Ok(Invocation::Run(loaded)) => loaded.warnings.join("\n"),
        Ok(Invocation::Print(text)) => text,
        Err(error) => {
            let cause = std::error::Error::source(&error);
            format!("{error}{}", cause.map(|it| format!(": {it}")).unwrap_or_default())
        }
    }
}

#[test]
fn nothing_at_all_is_the_defaults_and_a_warning_without_a_file() {
    assert_eq!(quiet("{}"), Config::default());
    assert_eq!(loaded("", &[], "").config, Config::default());
    insta::assert_snapshot!(check("", &[], ""), @"config.json: not found, going on without");
    insta::assert_snapshot!(check("", &[], "--dev"), @"");
    insta::assert_snapshot!(check("", &[], "--dev -c other.json"), @"other.json: not found, going on without");
}

#[test]
fn later_sources_go_over_earlier_ones() {
    let file = r#"{"http_server":{"port":1,"address":"file"},"node":{"name":"file"}}"#;
    let env = [("ROLLCALL_HTTP_SERVER_PORT", "2"), ("ROLLCALL_HTTP_SERVER_ADDRESS", "env")];
    let Loaded { config, warnings, file, .. } = loaded(file, &env, "-p 3 --health.enabled");
    assert_eq!((config.http_server.port, &*config.http_server.address), (3, "env"));
    assert_eq!((&*config.node.name, config.health.enabled), ("file", true));
    assert_eq!((warnings.len(), file), (0, Some(PathBuf::from("config.json"))));
}

#[test]
fn names_ignore_case_and_values_are_weakly_typed() {
    let config = quiet(
        r#"{"HTTP_Server":{"Port":"8001","internal_port":"9000"},"client":{"allowed_origins":"*",
        "insecure":"true","channel_limit":64.0},"channel":{"namespaces":{"NAME":"one","Presence":1}},
        "engine":{"type":"redis","redis":{"address":["tcp://:pw@h:1/2"],"password":12345}},
        "log":null,"shutdown":{"timeout":"1m30s"}}"#,
    );
    assert_eq!(config.http_server.internal(), Some(("", 9000)));
    assert_eq!((config.http_server.port, config.client.insecure), (8001, true));
    assert_eq!(
        (config.client.allowed_origins, config.client.channel_limit),
        (vec!["*".into()], 64)
    );
    assert!(config.channel.namespace("one").unwrap().presence);
    let shards = config.engine.redis.shards();
    let address = RedisAddress::Tcp { host: "h".to_owned(), port: 1 };
    assert_eq!((config.engine.kind, shards.len()), (EngineType::Redis, 1));
    assert_eq!(shards[0].place, RedisPlace::Server(address));
    assert_eq!((shards[0].login.password.expose(), shards[0].db), ("pw", 2));
    assert_eq!(config.engine.redis.connection.password.expose(), "12345");
    assert_eq!(config.shutdown.timeout, Duration::from_secs(90));
}

#[test]
fn empty_stands_for_the_default() {
    let file = r#"{"http_server":{"port":""},"client":{"ping_interval":"","pong_timeout":null},
        "channel":{"max_length":"","private_prefix":""},"log":{"level":""},
        "engine":{"type":"","redis":{"address":[],"prefix":"","lease":""}}}"#;
    assert_eq!(quiet(file), Config::default());
    let unset = [("ROLLCALL_HTTP_SERVER_PORT", ""), ("ROLLCALL_NONSENSE", "")];
    assert_eq!(check("{}", &unset, ""), "");
}

#[test]
fn wrong_values_are_all_named_with_their_place() {
    let found = check(
        r#"{"channel":{"namespaces":[{"name":"a","presence":"maybe"}]},"http_server":[],
            "client":{"ping_interval":60,"stale_close_delay":"60","channel_limit":-1},
            "log":{"level":"loud"},"engine":{"redis":{"address":{"a":1}}},"http_api":{"key":{}}}"#,
        &[
            ("ROLLCALL_HTTP_SERVER_PORT", "eighty"),
            ("ROLLCALL_CHANNEL_NAMESPACES", "[{\"presence\":2}]"),
        ],
        "--http_server.internal_port 70000 --client.insecure=perhaps",
    );
    insta::assert_snapshot!(found, @r#"
config.json: http_server: expected an object, got a list
config.json: http_api.key: expected a string, got an object
config.json: client.ping_interval: expected a duration with a unit, got 60: write for example "60s"
config.json: client.stale_close_delay: expected a duration with a unit, got 60: write for example "60s"
config.json: client.channel_limit: expected a whole number from 0 to 18446744073709551615, got -1
config.json: channel.namespaces[0].presence: expected true or false, got "maybe"
config.json: engine.redis.address: expected an address, got an object
config.json: log.level: expected one of "trace", "debug", "info", "warn", "error", "none", got "loud"
ROLLCALL_HTTP_SERVER_PORT: expected a whole number from 0 to 65535, got "eighty"
ROLLCALL_CHANNEL_NAMESPACES[0].presence: expected true or false, got 2
--http_server.internal_port: expected a whole number from 0 to 65535, got "70000"
--client.insecure: expected true or false, got "perhaps"
"#);
}

#[test]
fn what_cannot_stand_together_is_refused() {
    let found = check(
        r#"{"channel":{"max_length":1020,"namespaces":[{"name":"a"},{"name":"bc"},{"name":"bc"},{}]},
            "client":{"pong_timeout":"25s","token":{"hmac_previous_secret_key":"hunter2"}},
            "engine":{"redis":{"lease":"100ms"}},"http_api":{"handler_prefix":"api"},
            "user_status":{"enabled":true,"partitions":100000,"expire_interval":"1ms",
            "redis":{"address":"redis://:hunter2@other"}}}"#,
        &[],
        "",
    );
    insta::assert_snapshot!(found, @r#"
http_api.handler_prefix: expected a path that starts with "/"
client.pong_timeout: must be shorter than client.ping_interval
client.token.hmac_previous_secret_key: has no use without client.token.hmac_secret_key
channel.namespaces[0].name: expected two or more of a-z, A-Z, 0-9, "-", "_" and ".", got "a"
channel.namespaces[2].name: "bc" is there already
channel.namespaces[3].name: expected two or more of a-z, A-Z, 0-9, "-", "_" and ".", got ""
engine.redis.prefix: with channel.max_length makes keys longer than 1024 bytes
engine.redis.lease: expected 1s to 60s, got 100ms
user_status.partitions: expected 1 to 65536, got 100000
user_status.expire_interval: expected 1s to 87600h
"#);
}

#[test]
fn history_and_what_cannot_be_ignored_are_refused() {
    let found = check(
        r#"{"channel":{"without_namespace":{"history_size":10,"history_ttl":"0s"},
            "namespaces":[{"name":"ok","history_size":0,"force_recovery":false},
            {"name":"bad","history_ttl":"60s","allow_positioning":true,"channel_regex":"("}]},
            "client":{"token":{"user_id_claim":"id"}},
            "engine":{"type":"memory","redis":{"cluster_address":[]}}}"#,
        &[],
        "",
    );
    insta::assert_snapshot!(found, @r#"
config.json: client.token.user_id_claim: this option is not supported yet and cannot safely be ignored: remove it
config.json: channel.without_namespace.history_size: Rollcall keeps no history and recovers none: remove this option
config.json: channel.namespaces[1].channel_regex: expected a regular expression, got "(": unclosed group
config.json: channel.namespaces[1].history_ttl: Rollcall keeps no history and recovers none: remove this option
config.json: channel.namespaces[1].allow_positioning: Rollcall keeps no history and recovers none: remove this option
"#);
}

#[test]
fn what_is_ignored_is_named() {
    let found = check(
        r#"{"typo":{"below":1},"channel":{"namespaces":[{"name":"one","presense":true}]},
            "engine":{"redis":{"presence_ttl":"60s"}},"admin":{"enabled":true},"administrator":1}"#,
        &[
            ("ROLLCALL_TYPO", "x"),
            ("ROLLCALL_CHANNEL_NAMESPACES_TWO_PRESENCE", "true"),
            ("HOME", "x"),
        ],
        "",
    );
    insta::assert_snapshot!(found, @r"
config.json: channel.namespaces[0].presense: unknown option, ignored
config.json: engine.redis.presence_ttl: an option of Centrifugo that has no effect here, ignored
config.json: admin: an option of Centrifugo that has no effect here, ignored
config.json: administrator: unknown option, ignored
config.json: typo: unknown option, ignored
ROLLCALL_CHANNEL_NAMESPACES_TWO_PRESENCE: unknown variable, ignored
ROLLCALL_TYPO: unknown variable, ignored
");
}

#[test]
fn namespaces_come_from_and_are_adjusted_by_the_environment() {
    let env = [
        ("ROLLCALL_CHANNEL_NAMESPACES", r#"[{"name":"a-b.c","presence":true},{"name":"other"}]"#),
        ("ROLLCALL_CHANNEL_NAMESPACES_A_B_C_JOIN_LEAVE", "true"),
        ("ROLLCALL_CLIENT_ALLOWED_ORIGINS", "https://a https://b"),
        ("ROLLCALL_ENGINE_REDIS_LEASE", "5s"),
    ];
    let file = r#"{"channel":{"namespaces":[{"name":"gone"}]}}"#;
    let Loaded { config, warnings, .. } = loaded(file, &env, "");
    assert_eq!((warnings, config.channel.namespaces.len()), (vec![], 2));
    let adjusted = config.channel.namespace("a-b.c").unwrap();
    assert!(adjusted.presence && adjusted.join_leave);
    assert_eq!(config.client.allowed_origins, ["https://a", "https://b"]);
    assert_eq!(config.engine.redis.lease, Duration::from_secs(5));
}

#[test]
fn flags_that_make_no_sense() {
    let attempts = ["--nope", "-x", "serve", "-p", "--http_api.kye=hunter2", "hunter2", "--dev=1"];
    let errors: Vec<String> = attempts.iter().map(|args| check("{}", &[], args)).collect();
    insta::assert_snapshot!(errors.join("\n"), @r"
--nope: unknown flag; see rollcall --help
-x: unknown flag; see rollcall --help
expected only flags, got an argument without one; see rollcall --help
-p: needs a value; see rollcall --help
--http_api.kye: unknown flag; see rollcall --help
expected only flags, got an argument without one; see rollcall --help
--dev: unknown flag; see rollcall --help
");
}

#[test]
fn files_that_cannot_be_read() {
    let attempts = ["-c a.yaml", "-cb.toml", "--config=secret.json"];
    let mut errors: Vec<String> = attempts.iter().map(|args| check("{}", &[], args)).collect();
    errors.push(check("{}", &[("ROLLCALL_CONFIG", "c.yml")], ""));
    errors.push(check("{\"http_api\":\n{\"key\":hunter2}}", &[], ""));
    errors.push(check("[1]", &[], ""));
    insta::assert_snapshot!(errors.join("\n"), @r"
a.yaml: only JSON is read yet, not YAML or TOML
b.toml: only JSON is read yet, not YAML or TOML
secret.json: cannot be read: permission denied
c.yml: only JSON is read yet, not YAML or TOML
config.json: not valid JSON: expected value at line 2 column 8
config.json: expected an object, got a list
");
}

#[test]
fn secrets_are_not_printed() {
    let config = quiet(
        r#"{"http_api":{"key":"hunter2"},"client":{"token":{"hmac_secret_key":"hunter2",
        "hmac_previous_secret_key":"hunter2"},"subscription_token":{"hmac_secret_key":"hunter2"}},
        "engine":{"type":"redis","redis":{"address":"redis://:hunter2@h?sentinel_master_name=m&sentinel_password=hunter2",
        "password":"hunter2","sentinel_password":"hunter2"}}}"#,
    );
    assert!(!format!("{config:#?}").contains("hunter2"));
    assert_eq!(config.client.subscription_token.token.hmac_secret_key.expose(), "hunter2");
}

#[test]
fn help_and_version_name_everything() {
    let help = check("{}", &[], "--help");
    for option in options().iter().filter(|option| !option.path.contains('[')) {
        let shown = help.contains(&format!("--{}", option.path));
        assert_eq!(shown, option.kind != Kind::Refused, "{}", option.path);
        assert!(!option.doc.is_empty(), "{}", option.path);
    }
    assert!(
        help.contains(
            "\n  --http_server.port [8000]\n        Port of everything that clients use; 0 for a free one.\n"
        )
    );
    assert_eq!(check("{}", &[], "-V"), format!("rollcall {}\n", env!("CARGO_PKG_VERSION")));
}

proptest::proptest! {
    #[test]
    fn no_file_variable_or_flag_panics(file: String, text: String, flag in "-?-?[a-z=.]*") {
        let _ = attempt(&file, &[("ROLLCALL_CHANNEL_NAMESPACES", &text)], &flag);
        let _ = attempt(&format!("{{\"channel\":{{\"max_length\":{file:?}}}}}"), &[], "");
    }
}
