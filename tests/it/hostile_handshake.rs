//! Handshakes: limits that hold when many come at once, headers of any size and form, and what a
//! client can make the server log.

use std::time::Duration;

use rollcall_tests::raw_socket::{PATH, RawSocket, TEXT, UPGRADE, connect_command, frame};
use rollcall_tests::{Stack, eventually, token};
use serde_json::json;

const MIB: u64 = 1024 * 1024;

/// So many handshakes at once, none answered before all are sent; the sockets that were let in.
fn rush(stack: &Stack, count: usize) -> Vec<RawSocket> {
    let mut sockets: Vec<RawSocket> = (0..count).map(|_| RawSocket::tcp(stack.port())).collect();
    for socket in &mut sockets {
        socket.asks("GET", PATH, UPGRADE);
    }
    sockets.retain_mut(|socket| match socket.status() {
        Some(101) => true,
        Some(503) => false,
        other => panic!("{other:?}"),
    });
    sockets
}

#[test]
fn no_more_than_the_limit_are_let_in_however_many_come_at_once() {
    let stack = Stack::with(json!({"client": {"connection_limit": 10}}));
    for _ in 0..5 {
        let admitted = rush(&stack, 200);
        assert_eq!(admitted.len(), 10);
        assert!(rush(&stack, 5).is_empty());
        drop(admitted);
        eventually("the places are free again", || {
            let mut socket = RawSocket::tcp(stack.port());
            socket.asks("GET", PATH, UPGRADE);
            (socket.status() == Some(101)).then_some(())
        });
        // All of them: whoever asked above is gone as well.
        eventually("all places are free again", || (rush(&stack, 10).len() == 10).then_some(()));
        eventually("and again", || (rush(&stack, 10).len() == 10).then_some(()));
    }
}

#[test]
fn a_place_is_free_again_when_a_handshake_is_never_finished() {
    let stack = Stack::with(json!({"client": {"connection_limit": 3}}));
    for _ in 0..50 {
        let mut socket = RawSocket::tcp(stack.port());
        socket.asks("GET", PATH, UPGRADE);
        drop(socket);
    }
    eventually("all places are free", || (rush(&stack, 3).len() == 3).then_some(()));
}

#[test]
fn a_place_is_free_again_when_the_answer_to_a_handshake_is_never_read() {
    let client = json!({"connection_limit": 3, "stale_close_delay": "1s"});
    let stack = Stack::with(json!({"client": client}));
    let handshake =
        format!("GET {PATH} HTTP/1.1\r\nHost: test\r\n{}\r\n\r\n", UPGRADE.join("\r\n"));
    // What is in front of it fills the window, and the answer waits behind that.
    let unread = "GET /health HTTP/1.1\r\nHost: test\r\n\r\n".repeat(50_000);
    let sockets: Vec<RawSocket> = (0..3)
        .map(|_| {
            let mut socket = RawSocket::narrow(stack.port());
            socket.floods(unread.as_bytes(), Duration::from_millis(500));
            socket.tries_to_send(handshake.as_bytes());
            socket
        })
        .collect();
    eventually("all places are free", || (rush(&stack, 3).len() == 3).then_some(()));
    drop(sockets);
}

#[test]
fn what_follows_a_handshake_at_once_is_read() {
    let stack = Stack::start();
    let mut socket = RawSocket::tcp(stack.port());
    let handshake =
        format!("GET {PATH} HTTP/1.1\r\nHost: test\r\n{}\r\n\r\n", UPGRADE.join("\r\n"));
    let connect = frame(TEXT, connect_command(&token::of("alice")).as_bytes());
    socket.sends(&[handshake.as_bytes(), &connect].concat());
    assert_eq!(socket.status(), Some(101));
    assert!(socket.frame().is_some_and(|(first, _)| first == TEXT));
}

#[test]
fn a_handshake_with_a_body_is_refused() {
    let stack = Stack::with(json!({"client": {"connection_limit": 1}}));
    for body in ["Content-Length: 4", "Transfer-Encoding: chunked"] {
        let mut socket = RawSocket::tcp(stack.port());
        socket.asks("GET", PATH, &[UPGRADE, &[body]].concat());
        assert_eq!(socket.status(), Some(400), "{body}");
    }
    assert_eq!(rush(&stack, 2).len(), 1);
}

#[test]
fn a_rush_is_let_in_at_its_rate() {
    let stack = Stack::with(json!({"client": {"connection_rate_limit": 5}}));
    let admitted = rush(&stack, 100).len();
    assert!((1..=30).contains(&admitted), "{admitted} at five a second");
}

#[test]
fn a_user_has_no_more_connections_than_the_limit_however_many_come_at_once() {
    let stack = Stack::with(json!({"client": {"user_connection_limit": 3}}));
    let connect = frame(TEXT, connect_command(&token::of("alice")).as_bytes());
    let mut sockets: Vec<RawSocket> = (0..40).map(|_| RawSocket::open(stack.port())).collect();
    for socket in &mut sockets {
        socket.sends(&connect);
    }
    let admitted = sockets.iter_mut().filter_map(RawSocket::frame);
    let admitted = admitted.filter(|(first, _)| *first == TEXT).count();
    assert_eq!(admitted, 3);
    drop(sockets);
    eventually("the places are free again", || {
        let mut socket = RawSocket::open(stack.port());
        socket.sends(&connect);
        socket.frame().filter(|(first, _)| *first == TEXT)
    });
}

#[test]
fn headers_over_the_limit_are_refused_and_half_sent_ones_are_not_kept() {
    let stack = Stack::start();
    let line = format!("Origin: https://{}.example", "x".repeat(300_000));
    let mut socket = RawSocket::tcp(stack.port());
    let head = format!("GET {PATH} HTTP/1.1\r\nHost: test\r\n{line}\r\n\r\n");
    socket.tries_to_send(head.as_bytes());
    assert_eq!(socket.status(), Some(431));
    let many: Vec<String> = (0..200).map(|at| format!("X-{at}: 1")).collect();
    let mut socket = RawSocket::tcp(stack.port());
    socket.asks("GET", PATH, &many.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(socket.status(), Some(431));

    let before = stack.resident();
    let mut sockets: Vec<RawSocket> = (0..200).map(|_| RawSocket::tcp(stack.port())).collect();
    let half = &head.as_bytes()[..250_000];
    for socket in &mut sockets {
        socket.tries_to_send(half);
    }
    let refused =
        sockets.iter_mut().map(|socket| socket.tries_to_send(half)).filter(|taken| !taken).count();
    let now = stack.resident();
    assert!(now < before + 200 * 64 * 1024 + 8 * MIB, "{} MiB, {}", now / MIB, before / MIB);
    assert!(refused > 0, "half a request of this size is refused before it is whole");
}

#[test]
fn what_a_client_can_make_the_server_log_is_short_and_little() {
    let stack = Stack::with(json!({"client": {"allowed_origins": ["https://ours.example"]}}));
    let origin = format!("Origin: https://{}.example", "x".repeat(20_000));
    for _ in 0..300 {
        let mut socket = RawSocket::tcp(stack.port());
        socket.asks("GET", PATH, &[&origin]);
        assert_eq!(socket.status(), Some(403));
        let mut socket = RawSocket::tcp(stack.port());
        socket.asks("GET", PATH, UPGRADE.get(2..).expect("four lines"));
        assert_eq!(socket.status(), Some(400));
        let mut socket = RawSocket::open(stack.port());
        socket.sends(&frame(TEXT, connect_command("no.such.token").as_bytes()));
        assert_eq!(socket.close_code(), Some(3500));
    }
    let log = stack.log();
    for kind in ["a page is refused", "a WebSocket was refused", "a connection token was refused"] {
        let lines: Vec<&str> = log.lines().filter(|line| line.contains(kind)).collect();
        assert!((1..=30).contains(&lines.len()), "{} lines: {kind}", lines.len());
        assert!(lines.iter().all(|line| line.len() < 600), "{lines:?}");
    }
    assert!(log.contains("(20016 bytes)"), "{log}");
}

#[test]
fn handshakes_are_read_as_proxies_write_them() {
    let stack = Stack::start();
    let (version, key) = (UPGRADE[2], UPGRADE[3]);
    for lines in [
        &["Connection: keep-alive, Upgrade", "Upgrade: websocket"][..],
        &["Connection: keep-alive", "Connection: Upgrade", "Upgrade: websocket"],
        &["connection: UPGRADE", "upgrade: WebSocket"],
        &["Connection: Upgrade", "Upgrade: websocket, h2c"],
        &["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c, websocket"],
        &["Connection: upgrade", "Upgrade: h2c", "Upgrade: websocket"],
    ] {
        let mut socket = RawSocket::tcp(stack.port());
        socket.asks("GET", PATH, &[lines, &[version, key]].concat());
        let head = socket.head().expect("an answer").to_ascii_lowercase();
        assert!(head.starts_with("http/1.1 101 "), "{lines:?}: {head}");
        assert!(head.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo="), "{head}");
        socket.sends(&frame(TEXT, connect_command(&token::of("alice")).as_bytes()));
        assert!(socket.frame().is_some_and(|(first, _)| first == TEXT), "{lines:?}");
    }
}

#[test]
fn a_proxy_that_drops_the_upgrade_is_told_of_in_the_log() {
    let stack = Stack::start();
    let (version, key) = (UPGRADE[2], UPGRADE[3]);
    let refused = |lines: &[&str], says: &str| {
        let mut socket = RawSocket::tcp(stack.port());
        socket.asks("GET", PATH, lines);
        assert_eq!(socket.status(), Some(400), "{lines:?}");
        eventually(says, || stack.log().contains(says).then_some(()));
    };
    refused(&["Connection: close", version, key], "no \"Upgrade: websocket\"");
    refused(&["Upgrade: websocket", version, key], "no \"Connection: Upgrade\"");
    refused(&[], "the request asks for no WebSocket");
    let log = stack.log();
    assert!(log.contains("proxy_set_header Upgrade $http_upgrade;"), "{log}");
    let mut socket = RawSocket::tcp(stack.port());
    socket.asks(
        "GET",
        PATH,
        &["Connection: Upgrade", "Upgrade: websocket", key, "Sec-WebSocket-Version: 8"],
    );
    let head = socket.head().expect("an answer");
    assert!(
        head.starts_with("HTTP/1.1 400") && head.contains("sec-websocket-version: 13"),
        "{head}"
    );
}
