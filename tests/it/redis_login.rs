//! How the server logs in to Redis, and what it says when it may not.

use rollcall_tests::cluster::Cluster;
use rollcall_tests::{Redis, Server, config, eventually, token};
use serde_json::{Value, json};

const DOCS: &str = include_str!("../../docs/module.md");
const PASSWORD: &str = "s3cr3t/with:all@?#%+é";
const ENCODED: &str = "s3cr3t%2Fwith:all%40%3F%23%25%2B%C3%A9";

fn on(redis: Value) -> Value {
    config::with(json!({"engine": {"type": "redis", "redis": redis}}))
}

/// The documented rule for the server's user, with our password.
fn allow(redis: &Redis) {
    let at = DOCS.find("ACL SETUSER rollcall ").expect("docs/module.md has the rule");
    let rule = DOCS[at..].lines().next().expect("a line");
    let rule = rule.replace(">secret", &format!(">{PASSWORD}"));
    assert_eq!(redis.cli().ask(&rule).to_string(), "OK");
}

fn serves(server: &Server) {
    let mut ann = server.client("ann");
    let room = format!("of-{}", server.port());
    ann.enters(&room);
    let mut bob = server.client("bob");
    bob.enters(&room);
    assert_eq!(ann.push()["join"]["info"]["user"], "bob");
    assert_eq!(ann.presence(&room).as_object().expect("a roster").len(), 2);
    server.api("update_user_status", json!({"users": ["ann"]}));
    assert!(!server.log().contains("s3cr3t"), "{}", server.log());
}

/// `/ready` and the log say that the login failed, and do not show the password.
fn is_refused(redis: Value, words: &str) {
    let server = Server::listening(on(redis));
    eventually("it says why", || {
        let ready = server.http().get("/ready");
        let log = server.log();
        assert!(ready.status == 503 && !(ready.body + &log).contains("s3cr3t"), "{log}");
        let ready = server.http().get("/ready").body;
        (ready.to_lowercase().contains(words) && log.to_lowercase().contains(words)).then_some(())
    });
}

#[test]
fn a_user_with_the_documented_rule_is_enough() {
    let redis = Redis::start();
    allow(&redis);
    let port = redis.port();
    let url = format!("redis://rollcall:{ENCODED}@127.0.0.1:{port}/0");
    serves(&Server::start(on(json!({"address": url, "client_name": "rollcall-here"}))));
    let options = json!({"address": format!("127.0.0.1:{port}"), "user": "rollcall",
        "password": PASSWORD});
    serves(&Server::start(on(options)));
}

/// The lease needs no key, so that all seems well.
#[test]
fn rights_that_are_missing_are_named_in_the_log() {
    let redis = Redis::start();
    allow(&redis);
    let user = format!("redis://rollcall:{ENCODED}@127.0.0.1:{}/0", redis.port());
    for (rights, command) in [("resetkeys", "USERSTATUS.ONLINE"), ("resetchannels", "SSUBSCRIBE")] {
        allow(&redis);
        assert_eq!(redis.cli().ask(&format!("ACL SETUSER rollcall {rights}")).to_string(), "OK");
        let server = Server::listening(on(json!({"address": user})));
        eventually("the log names the rights", || {
            let mut ann = server.websocket();
            let reply = ann.call(json!({"connect": {"token": token::of("ann")}}));
            if reply.get("connect").is_some() {
                ann.call(json!({"subscribe": {"channel": "room"}}));
            }
            let log = server.log();
            let line = log.lines().find(|line| line.contains("redis refuses commands"))?;
            (line.contains("NOPERM") && line.contains(command)).then_some(())
        });
    }
}

#[test]
fn in_a_cluster_the_documented_additions_are_enough() {
    let cluster = Cluster::start();
    let at = DOCS.find("`+cluster|").expect("docs/module.md has the additions") + 1;
    let more = DOCS[at..].split('`').next().expect("the additions");
    for node in cluster.nodes() {
        allow(node);
        let reply = node.cli().ask(&format!("ACL SETUSER rollcall {more}"));
        assert_eq!(reply.to_string(), "OK");
    }
    let address = format!("127.0.0.1:{}", cluster.nodes()[0].port());
    let login = json!({"address": address, "user": "rollcall", "password": PASSWORD});
    serves(&Server::start(on(login)));
}

#[test]
fn a_wrong_password_is_told_and_not_shown() {
    let redis = Redis::start();
    allow(&redis);
    let address = format!("127.0.0.1:{}", redis.port());
    is_refused(json!({"address": address, "user": "rollcall", "password": "s3cr3t"}), "wrongpass");
    is_refused(json!({"address": format!("redis://nobody:s3cr3t@{address}")}), "wrongpass");
}

#[test]
fn what_redis_answers_is_told_in_its_own_words_with_the_option() {
    let redis = Redis::start();
    let told = |redis: Value, words: &str| {
        let server = Server::listening(on(redis));
        eventually("it says why", || {
            let ready = server.http().get("/ready");
            assert_eq!(ready.status, 503, "{words}");
            (ready.body.contains(words) && server.log().contains(words)).then_some(())
        });
    };
    let address = format!("127.0.0.1:{}", redis.port());
    let no_such_database = "ERR DB index is out of range (see db, or the number in the address)";
    told(json!({"address": format!("redis://{address}/99")}), no_such_database);
    told(json!({"address": address, "db": 99}), no_such_database);
    let wrong = "user is disabled (see user and password, or those in the address)";
    told(json!({"address": format!("redis://nobody:s3cr3t@{address}")}), wrong);
    let other = Server::start(config::base());
    let address = format!("127.0.0.1:{}", other.port());
    told(json!({"address": address}), "redis is away: what answers at this port is not redis");
}

#[test]
fn a_missing_password_is_told() {
    let redis = Redis::start();
    assert_eq!(redis.cli().ask("CONFIG SET requirepass s3cr3t").to_string(), "OK");
    is_refused(json!({"address": redis.address()}), "it wants a password (noauth)");
}

#[test]
fn a_unix_socket_takes_a_password() {
    let redis = Redis::start();
    allow(&redis);
    let socket = redis.socket();
    let address = format!("unix://rollcall:{ENCODED}@{}", socket.display());
    serves(&Server::start(on(json!({"address": address}))));
    let wrong = format!("unix://rollcall:s3cr3t@{}", socket.display());
    is_refused(json!({"address": wrong}), "wrongpass");
}

#[test]
fn user_status_can_have_a_redis_of_its_own() {
    let (rosters, books) = (Redis::start(), Redis::start());
    let own = json!({"redis": {"address": books.address()}});
    let engine = json!({"type": "redis", "redis": {"address": rosters.address()}});
    let server = Server::start(config::with(json!({"engine": engine, "user_status": own})));
    serves(&server);
    let status = server.api("get_user_status", json!({"users": ["ann"]}));
    assert!(status["statuses"][0]["active"].is_number(), "{status}");
    assert_eq!(rosters.cli().ask("KEYS rollcall:s:*").to_string(), "[]");
    assert_ne!(books.cli().ask("KEYS rollcall:s:*").to_string(), "[]");
    assert_eq!(books.cli().ask("KEYS rollcall:p:*").to_string(), "[]");
}
