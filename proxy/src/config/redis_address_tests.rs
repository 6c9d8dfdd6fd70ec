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
    ]), @"");
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
    ]), @"");
}

proptest::proptest! {
    #[test]
    fn no_address_panics_or_is_shown_in_an_error(text in "\\PC*", scheme in "(redis://|unix://|)") {
        if let Err(error) = RedisUrl::parse(&format!("{scheme}:hunter2{text}@x y")) {
            assert!(!error.contains("hunter2"));
        }
    }
}
