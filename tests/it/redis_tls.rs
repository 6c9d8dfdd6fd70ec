//! TLS between the server and Redis: whom the server trusts, and who trusts the server.

use rollcall_tests::{Certificates, Redis, Server, config, eventually, port};
use serde_json::{Value, json};

/// A Redis that speaks TLS with a certificate for `names`, and with `more` options.
fn redis(certificates: &Certificates, names: &[&str], more: &[&str]) -> (Redis, u16) {
    certificates.signed("redis", names);
    let port = port::free();
    let options = certificates.options(port, "redis");
    let options: Vec<&str> =
        options.iter().map(String::as_str).chain(more.iter().copied()).collect();
    (Redis::with(&options), port)
}

/// The configuration for a Redis at `address`.
fn on(address: String, tls: Value) -> Value {
    config::with(json!({"engine": {"type": "redis", "redis": {"address": address, "tls": tls}}}))
}

fn serves(server: &Server) {
    let mut ann = server.client("ann");
    let room = format!("of-{}", server.port());
    ann.enters(&room);
    assert_eq!(ann.presence(&room).as_object().expect("a roster").len(), 1);
    server.api("update_user_status", json!({"users": ["ann"]}));
}

/// The server never becomes ready, and says so with all of `words`, in the log and in `/ready`.
fn does_not_serve(server: &Server, words: &[&str]) {
    eventually("it says why", || {
        let ready = server.http().get("/ready");
        assert_eq!(ready.status, 503);
        let (log, ready) = (server.log(), ready.body);
        words.iter().all(|word| ready.contains(word) && log.contains(word)).then_some(())
    });
}

#[test]
fn a_server_trusts_the_authority_it_is_given() {
    let certificates = Certificates::new();
    let (_redis, port) = redis(&certificates, &["127.0.0.1", "localhost"], &[]);
    let file = certificates.file("ca.pem");
    for (address, authority) in [
        (format!("rediss://127.0.0.1:{port}"), json!(file)),
        (format!("rediss://localhost:{port}"), json!(certificates.authority())),
        (format!("redis://127.0.0.1:{port}?tls_enabled=true"), json!(file)),
    ] {
        serves(&Server::start(on(address, json!({"server_ca_pem": authority}))));
    }
    let tls = json!({"enabled": true, "server_ca_pem": file});
    serves(&Server::start(on(format!("localhost:{port}"), tls)));
}

#[test]
fn another_authority_is_not_trusted() {
    let (certificates, others) = (Certificates::new(), Certificates::new());
    let (_redis, port) = redis(&certificates, &["127.0.0.1"], &[]);
    let address = || format!("rediss://127.0.0.1:{port}");
    let tls = json!({"server_ca_pem": others.file("ca.pem")});
    does_not_serve(&Server::listening(on(address(), tls)), &["nobody we trust", "server_ca_pem"]);
    let of_system = Server::listening(on(address(), json!({})));
    does_not_serve(&of_system, &["server_ca_pem"]);
}

#[test]
fn a_certificate_must_have_the_name_that_is_asked_for() {
    let certificates = Certificates::new();
    let (_redis, port) = redis(&certificates, &["redis.internal"], &[]);
    let address = || format!("rediss://127.0.0.1:{port}");
    let authority = certificates.file("ca.pem");
    let tls = json!({"server_ca_pem": authority});
    does_not_serve(&Server::listening(on(address(), tls)), &["for another host", "server_name"]);
    let tls = json!({"server_ca_pem": authority, "server_name": "redis.internal"});
    serves(&Server::start(on(address(), tls)));
}

#[test]
fn a_client_certificate_lets_the_server_in() {
    let certificates = Certificates::new();
    let (_redis, port) = redis(&certificates, &["127.0.0.1"], &["tls-auth-clients yes"]);
    let (certificate, key) = certificates.signed("rollcall", &["rollcall"]);
    let address = || format!("rediss://127.0.0.1:{port}");
    let authority = certificates.file("ca.pem");
    serves(&Server::start(on(
        address(),
        json!({"server_ca_pem": authority, "cert_pem": certificate, "key_pem": key}),
    )));
    serves(&Server::start(on(
        address(),
        json!({"server_ca_pem": authority, "cert_pem": certificates.file("rollcall.pem"),
            "key_pem": certificates.file("rollcall.key")}),
    )));
    let none = Server::listening(on(address(), json!({"server_ca_pem": authority})));
    does_not_serve(&none, &["wants a certificate of ours", "cert_pem"]);
    // From somebody else.
    let (certificate, key) = Certificates::new().signed("rollcall", &["rollcall"]);
    let tls = json!({"server_ca_pem": authority, "cert_pem": certificate, "key_pem": key});
    does_not_serve(&Server::listening(on(address(), tls)), &["does not accept our certificate"]);
}

#[test]
fn a_server_that_trusts_anyone_says_so_once() {
    let certificates = Certificates::new();
    let (_redis, port) = redis(&certificates, &["redis.internal"], &[]);
    let tls = json!({"insecure_skip_verify": true});
    let server = Server::start(on(format!("rediss://127.0.0.1:{port}"), tls));
    serves(&server);
    assert_eq!(server.log().matches("insecure_skip_verify").count(), 1, "{}", server.log());
}

#[test]
fn a_redis_without_tls_is_away() {
    let redis = Redis::start();
    let server = Server::listening(on(format!("rediss://127.0.0.1:{}", redis.port()), json!({})));
    let words = ["redis is away", "no answer to a tls handshake within 1s", "is tls spoken"];
    does_not_serve(&server, &words);
}

#[test]
fn a_redis_with_nothing_but_tls_is_told_from_one_that_is_down() {
    let certificates = Certificates::new();
    let (redis, port) = redis(&certificates, &["127.0.0.1"], &[]);
    let plain = Server::listening(on(format!("redis://127.0.0.1:{port}"), json!({})));
    does_not_serve(&plain, &["redis is away", "is tls spoken at this port (rediss://)?"]);
    let port = port::free();
    let down = Server::listening(on(format!("redis://127.0.0.1:{port}"), json!({})));
    does_not_serve(&down, &["redis is away: connection refused"]);
    // Connections that were there say nothing of TLS.
    let mut other = Redis::start();
    let server = Server::start(on(other.address(), json!({})));
    other.kill();
    eventually("it is missed", || {
        server.log().contains("redis is away: connection refused").then_some(())
    });
    assert!(!server.log().contains("rediss"), "{}", server.log());
    drop(redis);
}

#[test]
fn certificates_that_cannot_be_used_refuse_to_start() {
    let certificates = Certificates::new();
    let (certificate, _) = certificates.signed("one", &["one"]);
    let (_, key) = certificates.signed("two", &["two"]);
    for (tls, option) in [
        (json!({"server_ca_pem": certificates.file("none.pem")}), "engine.redis.tls.server_ca_pem"),
        (json!({"cert_pem": certificate}), "engine.redis.tls.cert_pem"),
        (json!({"cert_pem": certificate, "key_pem": key}), "engine.redis.tls.key_pem"),
        (json!({"cert_pem": key, "key_pem": key}), "engine.redis.tls.cert_pem"),
    ] {
        let mut server = Server::spawn(on("rediss://127.0.0.1:1".to_owned(), tls));
        assert!(!server.process().ended().success());
        let log = server.log();
        assert!(log.contains(option) && !log.contains("PRIVATE"), "{log}");
    }
}

#[test]
fn sentinels_and_servers_are_both_asked_for_certificates() {
    let certificates = Certificates::new();
    let (master, port) = redis(&certificates, &["127.0.0.1"], &[]);
    let sentinel_port = port::free();
    let file = certificates.file("sentinel.conf");
    let mut options = certificates.options(sentinel_port, "redis");
    options.extend([
        "port 0".to_owned(),
        "tls-replication yes".to_owned(),
        format!("sentinel monitor mymaster 127.0.0.1 {port} 1"),
    ]);
    std::fs::write(&file, options.join("\n")).expect("the configuration is written");
    let dir = master.dir().to_owned();
    let args = [file.as_os_str(), "--sentinel".as_ref()];
    let _sentinel = rollcall_tests::process::Process::start("sentinel", "redis-server", args, &dir);
    let authority = certificates.file("ca.pem");
    let address =
        format!("rediss+sentinel://127.0.0.1:{sentinel_port}?sentinel_master_name=mymaster");
    let redis = json!({"address": address, "tls": {"server_ca_pem": authority},
        "sentinel_tls": {"server_ca_pem": authority}});
    let with = |redis: Value| config::with(json!({"engine": {"type": "redis", "redis": redis}}));
    serves(&Server::start(with(redis)));
    let redis = json!({"address": address, "tls": {"server_ca_pem": authority}});
    let server = Server::listening(with(redis));
    eventually("it says what is away", || {
        let ready = server.http().get("/ready");
        assert_eq!(ready.status, 503);
        ready.body.contains("no sentinel names the master").then_some(())
    });
}
