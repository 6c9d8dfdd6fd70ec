//! What a server says when it starts: where it listens, and what is not safe.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};

use rollcall_tests::process::{Process, module_library, server_binary};
use rollcall_tests::{Http, config, eventually, port};
use serde_json::json;

/// A server with these arguments in a folder of its own.
fn server(dir: &tempfile::TempDir, args: &[&str]) -> Process {
    let module = format!("--engine.embedded.module={}", module_library().display());
    let args: Vec<&str> = args.iter().copied().chain([module.as_str()]).collect();
    Process::start("rollcall", server_binary(), args, dir.path())
}

/// The address that the server says it serves at.
fn address(server: &Process) -> SocketAddr {
    eventually("it says where it serves", || {
        let log = server.log();
        let line = log.lines().find(|line| line.contains(" serving "))?;
        let (_, rest) = line.split_once("address=")?;
        rest.split(' ').next()?.parse().ok()
    })
}

#[test]
fn port_0_is_a_free_one_that_is_logged_and_names_the_node() {
    let dir = tempfile::TempDir::new().unwrap();
    let server = server(&dir, &["-p", "0", "-a", "127.0.0.1", "--http_api.key", "k"]);
    let address = address(&server);
    assert!(address.port() > 0 && address.port() != 8000, "{address}");
    let http = Http::new(format!("http://{address}"));
    let name = eventually("it says its name", || {
        let answer = http.try_send("POST", "/api/info", &[("X-API-Key", "k")], "{}").ok()?;
        Some(answer.json()["result"]["nodes"][0]["name"].as_str()?.to_owned())
    });
    assert!(name.ends_with(&format!("_{}", address.port())), "{name}");
}

#[test]
fn development_mode_listens_on_loopback_alone_the_internal_port_too() {
    let dir = tempfile::TempDir::new().unwrap();
    let internal = port::free();
    let server =
        server(&dir, &["--dev", "-p", "0", "--http_server.internal_port", &internal.to_string()]);
    let address = address(&server);
    assert_eq!(address.ip(), Ipv4Addr::LOCALHOST);
    eventually("it listens", || TcpStream::connect(("127.0.0.1", internal)).ok());
    // Another address of loopback leads to a port that all addresses share.
    for port in [address.port(), internal] {
        TcpStream::connect(("127.0.0.2", port)).expect_err("this is not 127.0.0.1");
    }
    eventually("its banner names both", || {
        let log = server.log();
        let clients = log.contains(&format!("ws://{address}/"));
        (clients && log.contains(&format!("http://127.0.0.1:{internal}/api"))).then_some(())
    });
}

#[test]
fn insecure_switches_are_a_warning_at_each_start() {
    let changes = json!({"client": {"insecure": true}, "http_api": {"insecure": true}});
    for _ in 0..2 {
        let dir = tempfile::TempDir::new().unwrap();
        let file = dir.path().join("config.json");
        std::fs::write(&file, config::with(changes.clone()).to_string()).unwrap();
        let args = ["-c", &file.display().to_string(), "-p", "0", "-a", "127.0.0.1"];
        let server = server(&dir, &args);
        address(&server);
        let log = server.log();
        for option in ["client.insecure", "http_api.insecure", "client.allowed_origins"] {
            let is_warning = |line: &str| line.contains("WARN") && line.contains(option);
            assert!(log.lines().any(is_warning), "{option}: {log}");
        }
    }
}
