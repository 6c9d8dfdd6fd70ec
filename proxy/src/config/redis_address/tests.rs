//! Addresses that are read, and those that are refused without being shown.

use std::fmt::Write as _;

use super::*;

fn check(addresses: &[&str]) -> String {
    let mut out = String::new();
    for text in addresses {
        let shown = match RedisUrl::parse(text) {
            Ok(RedisUrl { address, user, password, db, .. }) => {
                let password = password.expose();
                format!("{address:?} user={user:?} password={password:?} db={db:?}")
            }
            Err(error) => error,
        };
        writeln!(out, "{text} -> {shown}").unwrap();
    }
    out
}

#[test]
fn the_documented_forms() {
    insta::assert_snapshot!(check(&[
        "localhost:6379",
        "redis://127.0.0.1:6379",
        "tcp://:p%40ss@10.0.0.1:6380/3",
        "redis://ann:pass@redis",
        "[::1]:6381",
        "unix:///run/redis.sock",
        "unix://ann:pass@/run/redis.sock?db=2",
    ]), @r#"
localhost:6379 -> Tcp { host: "localhost", port: 6379 } user="" password="" db=None
redis://127.0.0.1:6379 -> Tcp { host: "127.0.0.1", port: 6379 } user="" password="" db=None
tcp://:p%40ss@10.0.0.1:6380/3 -> Tcp { host: "10.0.0.1", port: 6380 } user="" password="p@ss" db=Some(3)
redis://ann:pass@redis -> Tcp { host: "redis", port: 6379 } user="ann" password="pass" db=None
[::1]:6381 -> Tcp { host: "::1", port: 6381 } user="" password="" db=None
unix:///run/redis.sock -> Unix { path: "/run/redis.sock" } user="" password="" db=None
unix://ann:pass@/run/redis.sock?db=2 -> Unix { path: "/run/redis.sock" } user="ann" password="pass" db=Some(2)
"#);
}

#[test]
fn everything_else_is_refused_by_name() {
    insta::assert_snapshot!(check(&[
        "a:1,b:2",
        "redis://a:1?addr=b:2",
        "redis://a:1?tls_enabled=true",
        "rediss://a:1",
        "redis+sentinel://a:1?sentinel_master_name=m",
        "redis+cluster://a:1",
        "http://a:1",
        "redis://pass@a:1",
        "redis://:%zz@a:1",
        "redis://a:1/x",
        "redis://",
        "a:b",
        "a:0",
        "::1",
        "unix://relative",
    ]), @r#"
a:1,b:2 -> several addresses are not supported yet, give one
redis://a:1?addr=b:2 -> several addresses are not supported yet, give one
redis://a:1?tls_enabled=true -> of parameters after "?" only db is supported
rediss://a:1 -> TLS to Redis (rediss://) is not supported yet
redis+sentinel://a:1?sentinel_master_name=m -> Redis Sentinel is not supported yet
redis+cluster://a:1 -> Redis Cluster is not supported yet
http://a:1 -> expected host:port, redis://[[user]:password@]host:port[/db] or unix:///path[?db=n]
redis://pass@a:1 -> expected user:password before "@"
redis://:%zz@a:1 -> expected percent-encoded UTF-8 before "@"
redis://a:1/x -> expected a database number after the port
redis:// -> expected host:port, redis://[[user]:password@]host:port[/db] or unix:///path[?db=n]
a:b -> expected host:port, redis://[[user]:password@]host:port[/db] or unix:///path[?db=n]
a:0 -> expected host:port, redis://[[user]:password@]host:port[/db] or unix:///path[?db=n]
::1 -> expected host:port, redis://[[user]:password@]host:port[/db] or unix:///path[?db=n]
unix://relative -> expected host:port, redis://[[user]:password@]host:port[/db] or unix:///path[?db=n]
"#);
}

proptest::proptest! {
    #[test]
    fn no_address_panics_or_is_shown_in_an_error(text in "\\PC*", scheme in "(redis://|unix://|)") {
        if let Err(error) = RedisUrl::parse(&format!("{scheme}:hunter2{text}@x y")) {
            assert!(!error.contains("hunter2"));
        }
    }
}
