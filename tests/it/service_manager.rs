//! What a service manager is told: systemd's protocol, with a socket of our own.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use rollcall_tests::process::{Process, Signal, server_binary};
use rollcall_tests::{Redis, port, stack};
use serde_json::json;

/// Everything that is told until `last` is.
fn told_until(socket: &UnixDatagram, last: &str) -> Vec<String> {
    let mut told = Vec::new();
    loop {
        let mut buffer = [0; 4096];
        let length = socket.recv(&mut buffer).unwrap_or_else(|error| panic!("{error}: {told:?}"));
        let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
        told.push(text);
        if told[told.len() - 1].starts_with(last) {
            return told;
        }
    }
}

#[test]
fn a_service_manager_hears_when_the_server_can_serve_lives_and_stops() {
    let mut redis = Redis::start();
    redis.stop();
    let dir = tempfile::TempDir::new().unwrap();
    let path = dir.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let own = json!({"http_server": {"address": "127.0.0.1", "port": port::free()}});
    let config = dir.path().join("config.json");
    std::fs::write(&config, stack::on(&redis, own).to_string()).unwrap();
    let args = [
        format!("NOTIFY_SOCKET={}", path.display()),
        "WATCHDOG_USEC=400000".to_owned(),
        server_binary().display().to_string(),
        "-c".to_owned(),
        config.display().to_string(),
    ];
    let mut server = Process::start("rollcall", "env", args, dir.path());
    let told = told_until(&socket, "EXTEND_TIMEOUT_USEC");
    assert!(told.iter().all(|one| !one.contains("READY")), "{told:?}");
    let waits = told_until(
        &socket,
        "EXTEND_TIMEOUT_USEC=30000000\nSTATUS=waiting for redis: redis is away",
    );
    assert!(waits.iter().all(|one| !one.contains("READY")), "{waits:?}");
    redis.run();
    told_until(&socket, "READY=1\nSTATUS=serving");
    told_until(&socket, "WATCHDOG=1");
    server.signal(Signal::TERM);
    told_until(&socket, "STOPPING=1");
    assert!(server.ended().success());
}
