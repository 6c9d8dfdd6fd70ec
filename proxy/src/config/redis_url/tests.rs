//! Addresses that are read, and those that are refused without being shown.

use std::fmt::Write as _;

use super::*;

fn check(addresses: &[&str]) -> String {
    let mut out = String::new();
    for text in addresses {
        let shown = RedisUrl::parse(text).map_or_else(|error| error, |url| shown(&url));
        writeln!(out, "{text}\n  {shown}").unwrap();
    }
    out
}

/// What an address says, without what it does not.
fn shown(url: &RedisUrl) -> String {
    let mut out = format!("{:?}", url.kind);
    for address in &url.addresses {
        write!(out, " {address}").unwrap();
    }
    let time = |time: Option<Duration>| time.map(|time| format!("{time:?}")).unwrap_or_default();
    let switch = |on: Option<bool>| on.map(|on| on.to_string()).unwrap_or_default();
    for (name, value) in [
        ("user", url.user.clone()),
        ("password", url.password.expose().to_owned()),
        ("db", url.db.map(|db| db.to_string()).unwrap_or_default()),
        ("tls", switch(url.tls)),
        ("connect_timeout", time(url.connect_timeout)),
        ("io_timeout", time(url.io_timeout)),
        ("master", url.sentinel_master_name.clone()),
        ("sentinel_user", url.sentinel_user.clone()),
        ("sentinel_password", url.sentinel_password.expose().to_owned()),
        ("sentinel_tls", switch(url.sentinel_tls)),
        ("ignored", url.ignored.join("; ")),
    ] {
        if !value.is_empty() {
            write!(out, " {name}={value}").unwrap();
        }
    }
    out
}

#[test]
fn servers_and_sockets() {
    insta::assert_snapshot!(check(&[
        "localhost:6379",
        "redis",
        ":6380",
        "redis://127.0.0.1:6379",
        "REDIS://127.0.0.1",
        "tcp://:p%40ss@10.0.0.1:6380/3",
        "redis://ann:pass@redis/",
        "redis://ann@redis",
        "redis://ann:a:b@redis",
        "redis://%C3%A9:%2F%3F%23%25@redis",
        "[::1]:6381",
        "redis://[fe80::0:1]",
        "rediss://h",
        "redis://h?tls_enabled=true&connect_timeout=500ms&io_timeout=2s&db=4",
        "redis://h?tls_enabled=false&force_resp2=false&replica_client_enabled=0",
        "redis://h?io_timeout=0",
        "redis://h?force_resp2=true&replica_client_enabled=true",
        "unix:///run/redis.sock",
        "unix://ann:pass@/run/redis.sock?db=2&io_timeout=1s",
        "unix://:pw@/run/a%20b@c",
    ]), @r"
localhost:6379
  Server localhost:6379
redis
  Server redis:6379
:6380
  Server 127.0.0.1:6380
redis://127.0.0.1:6379
  Server 127.0.0.1:6379
REDIS://127.0.0.1
  Server 127.0.0.1:6379
tcp://:p%40ss@10.0.0.1:6380/3
  Server 10.0.0.1:6380 password=p@ss db=3
redis://ann:pass@redis/
  Server redis:6379 user=ann password=pass
redis://ann@redis
  Server redis:6379 user=ann
redis://ann:a:b@redis
  Server redis:6379 user=ann password=a:b
redis://%C3%A9:%2F%3F%23%25@redis
  Server redis:6379 user=é password=/?#%
[::1]:6381
  Server [::1]:6381
redis://[fe80::0:1]
  Server [fe80::1]:6379
rediss://h
  Server h:6379 tls=true sentinel_tls=true
redis://h?tls_enabled=true&connect_timeout=500ms&io_timeout=2s&db=4
  Server h:6379 db=4 tls=true connect_timeout=500ms io_timeout=2s
redis://h?tls_enabled=false&force_resp2=false&replica_client_enabled=0
  Server h:6379 tls=false
redis://h?io_timeout=0
  parameter io_timeout: expected more than 0
redis://h?force_resp2=true&replica_client_enabled=true
  Server h:6379 ignored=parameter force_resp2: has no effect, RESP3 is always used; parameter replica_client_enabled: has no effect
unix:///run/redis.sock
  Socket /run/redis.sock
unix://ann:pass@/run/redis.sock?db=2&io_timeout=1s
  Socket /run/redis.sock user=ann password=pass db=2 io_timeout=1s
unix://:pw@/run/a%20b@c
  Socket /run/a b@c password=pw
");
}

#[test]
fn clusters_and_sentinels() {
    insta::assert_snapshot!(check(&[
        "redis+cluster://a:1",
        "redis+cluster://:pw@a?addr=b:2&addr=[::1]:3&tls_enabled=1",
        "rediss+cluster://a",
        "redis://a:1?addr=b",
        "redis+sentinel://a?sentinel_master_name=m",
        "redis+sentinel://a",
        "redis://a:1/2?sentinel_master_name=m&addr=b",
        "rediss+sentinel://u:p@a:1/2?sentinel_master_name=m&addr=b:2&sentinel_user=s&sentinel_password=p%40+q%2B",
        "redis+sentinel://a?sentinel_master_name=m&sentinel_tls_enabled=true",
        "redis+sentinel://a?sentinel_master_name=m&tls_enabled=true&sentinel_tls_enabled=false",
    ]), @r"
redis+cluster://a:1
  Cluster a:1
redis+cluster://:pw@a?addr=b:2&addr=[::1]:3&tls_enabled=1
  Cluster a:6379 b:2 [::1]:3 password=pw tls=true
rediss+cluster://a
  Cluster a:6379 tls=true sentinel_tls=true
redis://a:1?addr=b
  Cluster a:1 b:6379
redis+sentinel://a?sentinel_master_name=m
  Sentinel a:26379 master=m
redis+sentinel://a
  Sentinel a:26379
redis://a:1/2?sentinel_master_name=m&addr=b
  Sentinel a:1 b:26379 db=2 master=m
rediss+sentinel://u:p@a:1/2?sentinel_master_name=m&addr=b:2&sentinel_user=s&sentinel_password=p%40+q%2B
  Sentinel a:1 b:2 user=u password=p db=2 tls=true master=m sentinel_user=s sentinel_password=p@ q+ sentinel_tls=true
redis+sentinel://a?sentinel_master_name=m&sentinel_tls_enabled=true
  Sentinel a:26379 master=m sentinel_tls=true
redis+sentinel://a?sentinel_master_name=m&tls_enabled=true&sentinel_tls_enabled=false
  Sentinel a:26379 tls=true master=m sentinel_tls=false
");
}

#[test]
fn wrong_hosts_and_logins_are_refused_without_being_shown() {
    insta::assert_snapshot!(check(&[
        "",
        "http://a:1",
        "a:1,b:2",
        "redis://a:1,b:2",
        "redis://",
        "redis:///2",
        "a:b",
        "a:0",
        "a:65536",
        "::1",
        "[::1",
        "[a]:1",
        "a b:1",
        "redis://:%zz@a:1",
        "redis://:%+1@a:1",
        "redis://:%ff@a:1",
        "redis://:a/b@h:1",
        "redis://:a#b@h:1",
        "redis://:a?hunter2=b@h:1",
        "unix://relative",
        "unix:///",
        "unix://:a/b@/c",
    ]), @r##"
  expected host:port, or a URL that starts with redis://, rediss://, tcp://, unix://, redis+sentinel://, rediss+sentinel:// or redis+cluster://
http://a:1
  expected host:port, or a URL that starts with redis://, rediss://, tcp://, unix://, redis+sentinel://, rediss+sentinel:// or redis+cluster://
a:1,b:2
  expected one host: several shards are entries of a list, several nodes of one cluster stand in cluster_address or in parameters addr=host:port
redis://a:1,b:2
  expected one host: several shards are entries of a list, several nodes of one cluster stand in cluster_address or in parameters addr=host:port
redis://
  expected [[user]:password@]host:port[/db] after the scheme
redis:///2
  expected [[user]:password@]host:port[/db] after the scheme
a:b
  expected host:port, or a URL that starts with redis://, rediss://, tcp://, unix://, redis+sentinel://, rediss+sentinel:// or redis+cluster://
a:0
  expected host:port, or a URL that starts with redis://, rediss://, tcp://, unix://, redis+sentinel://, rediss+sentinel:// or redis+cluster://
a:65536
  expected host:port, or a URL that starts with redis://, rediss://, tcp://, unix://, redis+sentinel://, rediss+sentinel:// or redis+cluster://
::1
  expected host:port, or a URL that starts with redis://, rediss://, tcp://, unix://, redis+sentinel://, rediss+sentinel:// or redis+cluster://
[::1
  expected host:port, or a URL that starts with redis://, rediss://, tcp://, unix://, redis+sentinel://, rediss+sentinel:// or redis+cluster://
[a]:1
  expected host:port, or a URL that starts with redis://, rediss://, tcp://, unix://, redis+sentinel://, rediss+sentinel:// or redis+cluster://
a b:1
  expected host:port, or a URL that starts with redis://, rediss://, tcp://, unix://, redis+sentinel://, rediss+sentinel:// or redis+cluster://
redis://:%zz@a:1
  a "/", "?", "#", "@" or "%" in a user, a password or a parameter is written %2F, %3F, %23, %40 or %25
redis://:%+1@a:1
  a "/", "?", "#", "@" or "%" in a user, a password or a parameter is written %2F, %3F, %23, %40 or %25
redis://:%ff@a:1
  a "/", "?", "#", "@" or "%" in a user, a password or a parameter is written %2F, %3F, %23, %40 or %25
redis://:a/b@h:1
  a "/", "?", "#", "@" or "%" in a user, a password or a parameter is written %2F, %3F, %23, %40 or %25
redis://:a#b@h:1
  a "/", "?", "#", "@" or "%" in a user, a password or a parameter is written %2F, %3F, %23, %40 or %25
redis://:a?hunter2=b@h:1
  a parameter after "?" is unknown or wrong; a "/", "?", "#", "@" or "%" in a user, a password or a parameter is written %2F, %3F, %23, %40 or %25
unix://relative
  expected unix://[user:password@]/path[?db=n]
unix:///
  expected unix://[user:password@]/path[?db=n]
unix://:a/b@/c
  expected unix://[user:password@]/path[?db=n]
"##);
}

#[test]
fn wrong_databases_and_parameters_are_refused() {
    insta::assert_snapshot!(check(&[
        "redis://a:1/x",
        "redis://a:1/256",
        "redis://a:1/2?db=3",
        "redis://a:1?db=x",
        "redis://a:1?nope=1",
        "redis://a:1?Db=1",
        "redis://a:1?io_timeout=60",
        "redis://a:1?tls_enabled",
        "redis://a:1?tls_enabled=maybe",
        "redis://a:1?io_timeout=1s&io_timeout=2s",
        "redis://a:1?addr=b:x",
        "redis://a:1?addr",
        "rediss://a:1?tls_enabled=false",
        "rediss+sentinel://a?sentinel_master_name=m&sentinel_tls_enabled=0",
        "redis://a:1?sentinel_user=s",
        "redis+cluster://a:1?sentinel_master_name=m",
        "unix:///a?addr=b",
        "unix:///a?tls_enabled=true",
    ]), @r##"
redis://a:1/x
  expected the number of a database after /
redis://a:1/256
  expected the number of a database after /
redis://a:1/2?db=3
  the database is given twice
redis://a:1?db=x
  parameter db: expected a number from 0 to 255
redis://a:1?nope=1
  parameter nope: is unknown
redis://a:1?Db=1
  a parameter after "?" is unknown or wrong; a "/", "?", "#", "@" or "%" in a user, a password or a parameter is written %2F, %3F, %23, %40 or %25
redis://a:1?io_timeout=60
  parameter io_timeout: expected a duration such as 500ms or 2s
redis://a:1?tls_enabled
  parameter tls_enabled: expected true or false
redis://a:1?tls_enabled=maybe
  parameter tls_enabled: expected true or false
redis://a:1?io_timeout=1s&io_timeout=2s
  parameter io_timeout: is given twice
redis://a:1?addr=b:x
  parameter addr: expected host:port
redis://a:1?addr
  parameter addr: expected host:port
rediss://a:1?tls_enabled=false
  parameter tls_enabled: contradicts the scheme rediss, which means TLS
rediss+sentinel://a?sentinel_master_name=m&sentinel_tls_enabled=0
  parameter sentinel_tls_enabled: contradicts the scheme rediss, which means TLS
redis://a:1?sentinel_user=s
  parameter sentinel_user: has no use without redis+sentinel://
redis+cluster://a:1?sentinel_master_name=m
  parameter sentinel_master_name: has no use without redis+sentinel://
unix:///a?addr=b
  parameter addr: has no use with unix://
unix:///a?tls_enabled=true
  parameter tls_enabled: has no use with unix://
"##);
}

proptest::proptest! {
    #[test]
    fn no_address_panics_or_is_shown_in_an_error(
        text in "\\PC*",
        scheme in "(redis|rediss|unix|tcp|redis\\+sentinel|redis\\+cluster|x)?(://)?",
        glue in "[:/?#@%&=]{0,3}",
    ) {
        for address in [format!("{scheme}{text}"), format!("{scheme}:{glue}hunter2{text}@x y")] {
            if let Err(error) = RedisUrl::parse(&address) {
                proptest::prop_assert!(!error.contains("hunter2"), "{}", error);
            }
        }
    }

    #[test]
    fn what_is_percent_encoded_arrives(user in "[^:]\\PC*", password: String) {
        let encoded = |text: &str| {
            text.bytes().fold(String::new(), |out, byte| format!("{out}%{byte:02x}"))
        };
        let url = format!("redis://{}:{}@h:1", encoded(&user), encoded(&password));
        let url = RedisUrl::parse(&url).unwrap();
        proptest::prop_assert_eq!((url.user.as_str(), url.password.expose()), (user.as_str(), password.as_str()));
    }
}
