//! HTTP clients that send half of something, read nothing, or never go.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use rollcall_tests::process::Signal;
use rollcall_tests::{Resp, Server, Stack, Stopwatch, config, eventually, within};
use serde_json::json;

/// Enough for every timeout of the server on a busy machine.
const LONG: Duration = Duration::from_secs(60);
/// A stop that waited for somebody takes 30 s, one that gave up on half a request 10 s.
const SOON: Duration = Duration::from_secs(8);

fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", server.port())).expect("the server listens");
    stream.set_read_timeout(Some(LONG)).expect("the timeout is not zero");
    stream
}

fn send(server: &Server, text: &str) -> TcpStream {
    let mut stream = connect(server);
    stream.write_all(text.as_bytes()).expect("the server takes the beginning");
    stream
}

/// A call of the server API, as it is sent.
fn call(method: &str, body: &str) -> String {
    let (key, length) = (config::API_KEY, body.len());
    format!(
        "POST /api/{method} HTTP/1.1\r\nHost: a\r\nX-API-Key: {key}\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

/// Sends requests and reads no answer, until the server takes no more.
fn pipelines(stream: &mut TcpStream) {
    let requests = "GET /health HTTP/1.1\r\nHost: a\r\n\r\n".repeat(1_000);
    stream.set_write_timeout(Some(Duration::from_secs(1))).expect("the timeout is not zero");
    while stream.write_all(requests.as_bytes()).is_ok() {}
}

/// Whether the server has ended a connection that nobody reads: it takes no byte.
fn is_cut(stream: &mut TcpStream) -> bool {
    stream.set_nonblocking(true).expect("a socket can be asked");
    stream.write_all(b"x").is_err_and(|error| error.kind() != ErrorKind::WouldBlock)
}

/// Everything up to the end of the connection.
fn rest(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    match stream.read_to_string(&mut text) {
        Ok(_) => text,
        Err(error) if error.kind() == ErrorKind::ConnectionReset => text,
        Err(error) => panic!("the connection goes on ({error}) after {text:?}"),
    }
}

/// Reads one answer, head and body.
fn answer(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    loop {
        let mut bytes = [0; 4096];
        let count = stream.read(&mut bytes).expect("an answer comes");
        assert!(count > 0, "the connection ended after {:?}", String::from_utf8_lossy(&text));
        text.extend_from_slice(&bytes[..count]);
        let so_far = String::from_utf8_lossy(&text).into_owned();
        let Some((head, body)) = so_far.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        if body.len() >= length.expect("a length").parse().expect("a length is a number") {
            return so_far;
        }
    }
}

/// A call that is there and waits for a Redis that takes no writes.
fn waiting(stack: &Stack, cli: &mut Resp) -> TcpStream {
    cli.ask("CLIENT PAUSE 60000 WRITE");
    let stream = send(stack, &call("update_user_status", r#"{"users":["ann"]}"#));
    eventually("Redis has the call", || {
        let info = cli.ask("INFO clients").text();
        info.lines().any(|line| line == "blocked_clients:1").then_some(())
    });
    stream
}

/// Ends the server as an operator would; how long that takes.
fn stops(server: &mut Server) -> Duration {
    let start = Stopwatch::start();
    server.process().signal(Signal::TERM);
    within(LONG, "the server ends", || server.process().has_ended());
    start.elapsed()
}

#[test]
fn a_client_that_reads_no_answers_is_cut_off() {
    let stack = Stack::start();
    let mut stream = connect(&stack);
    pipelines(&mut stream);
    within(LONG, "the connection is ended", || is_cut(&mut stream).then_some(()));
    assert_eq!(stack.http().get("/health").status, 200);
}

#[test]
fn a_client_that_reads_slowly_gets_all_of_its_answer() {
    let stack = Stack::start();
    let users: Vec<String> = (0..60_000).map(|n| format!("user-{n:040}")).collect();
    let call = call("get_user_status", &json!({"users": users}).to_string());
    let mut stream = connect(&stack);
    rustix::net::sockopt::set_socket_recv_buffer_size(&stream, 64 * 1024).expect("it is a socket");
    stream.write_all(call.as_bytes()).expect("the server takes a call");
    // For twice as long as a client may read nothing.
    let (start, mut bytes, mut total) = (Stopwatch::start(), vec![0; 32 * 1024], 0);
    let mut read = |pause: u64| {
        thread::sleep(Duration::from_millis(pause));
        let count = stream.read(&mut bytes).expect("it goes on");
        assert!(count > 0, "the connection ended");
        String::from_utf8_lossy(&bytes[..count]).into_owned()
    };
    let head = read(0);
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length.expect("a length").parse().expect("a length is a number");
    total += head.split_once("\r\n\r\n").expect("a whole head").1.len();
    while start.elapsed() < Duration::from_secs(20) {
        total += read(250).len();
        assert!(total < length, "{length} bytes were not read slowly");
    }
    while total < length {
        total += read(0).len();
    }
}

#[test]
fn half_a_head_ends_after_some_time() {
    let stack = Stack::start();
    let mut halves =
        ["", "GET", "GET /health HTTP/1.1\r\nHost: a\r\nX-Half:"].map(|half| send(&stack, half));
    let mut kept = send(&stack, "GET /health HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(answer(&mut kept).starts_with("HTTP/1.1 200"));
    for half in &mut halves {
        assert_eq!(rest(half), "");
    }
    // What was idle meanwhile is still of use.
    kept.write_all(b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n").expect("it is open");
    assert!(answer(&mut kept).starts_with("HTTP/1.1 200"));
}

#[test]
fn half_a_body_is_told_so_in_the_end() {
    let stack = Stack::start();
    let whole = call("publish", r#"{"channel":"room","data":1}"#);
    let mut half = send(&stack, &whole[..whole.len() - 5]);
    let text = answer(&mut half);
    assert!(text.starts_with("HTTP/1.1 408"), "{text}");
    assert!(text.ends_with("expected a body within 30s\n"), "{text}");
}

#[test]
fn bodies_that_are_none_are_told_what_was_expected() {
    let stack = Stack::start();
    let (key, large) = (config::API_KEY, 33 << 20);
    let head = format!("POST /api/info HTTP/1.1\r\nHost: a\r\nX-API-Key: {key}\r\n");
    let mut too_large = send(&stack, &format!("{head}Content-Length: {large}\r\n\r\n"));
    // The rest may find the connection closed.
    let _ = too_large.write_all(&vec![b' '; large]);
    let text = answer(&mut too_large);
    assert!(text.starts_with("HTTP/1.1 413"), "{text}");
    assert!(text.ends_with("expected a body of at most 32 MiB\n"), "{text}");
    let mut no_text = connect(&stack);
    let head = format!("{head}Content-Length: 5\r\n\r\n");
    no_text.write_all(&[head.as_bytes(), b"{\"\xff\"}"].concat()).expect("it is taken");
    let text = answer(&mut no_text);
    assert!(text.starts_with("HTTP/1.1 400") && text.ends_with("Bad Request\n"), "{text}");
    eventually("the log says why", || stack.server.log().contains("UTF-8").then_some(()));
    let get = stack.http().get("/api/info");
    assert_eq!((get.status, get.headers["allow"].as_str(), get.body.as_str()), (405, "POST", ""));
}

#[test]
fn half_a_request_does_not_hold_up_a_stop() {
    let mut stack = Stack::start();
    let whole = call("publish", r#"{"channel":"room","data":1}"#);
    let head = &whole[..whole.len() - 40];
    let (head, body) = (&head[..60], &whole[..whole.len() - 5]);
    let kept: Vec<TcpStream> =
        ["", head, body].into_iter().map(|half| send(&stack, half)).collect();
    let mut unread = connect(&stack);
    pipelines(&mut unread);
    let took = stops(&mut stack.server);
    assert!(took < SOON, "{took:?}");
    drop(kept);
}

#[test]
fn a_request_that_has_arrived_is_answered_before_a_stop() {
    let mut stack = Stack::with(json!({"engine": {"redis": {"io_timeout": "30s"}}}));
    let mut cli = stack.redis.cli();
    let mut stream = waiting(&stack, &mut cli);
    stack.server.process().signal(Signal::TERM);
    let port = stack.port();
    eventually("the server takes nobody any more", || {
        TcpStream::connect(("127.0.0.1", port)).is_err().then_some(())
    });
    // Longer than half a request is waited for.
    thread::sleep(Duration::from_secs(4));
    cli.ask("CLIENT UNPAUSE");
    let text = rest(&mut stream);
    assert!(text.ends_with(r#"{"result":{}}"#), "{text}");
    within(LONG, "the server ends", || stack.server.process().has_ended());
}

#[test]
fn a_stop_without_time_waits_for_no_call() {
    let mut stack = Stack::with(json!({
        "shutdown": {"timeout": "0s"},
        "engine": {"redis": {"io_timeout": "30s"}},
    }));
    let mut cli = stack.redis.cli();
    let _stream = waiting(&stack, &mut cli);
    let took = stops(&mut stack.server);
    assert!(took < SOON, "{took:?}");
}

#[test]
fn a_stop_without_time_still_lets_go_of_the_lease() {
    let mut stack = Stack::with(json!({"shutdown": {"timeout": "0s"}}));
    let mut ann = stack.client("ann");
    ann.enters("room");
    stops(&mut stack.server);
    let mut cli = stack.redis.cli();
    assert_eq!(cli.ask("PRESENCE.LEASE LIST").to_string(), "[]");
    eventually("nobody is there any more", || {
        let stats = cli.ask("PRESENCE.STATS rollcall:p:room").array().remove(0).array();
        (stats[0].number() == 0).then_some(())
    });
}

#[test]
fn connections_without_a_session_are_limited_in_number() {
    let stack = Stack::with(json!({"http_server": {"connection_limit": 20}}));
    let mut clients: Vec<_> = (0..30).map(|_| stack.client("ann")).collect();
    let mut oldest = send(&stack, "GET");
    let mut idle: Vec<_> = (0..60).map(|_| send(&stack, "GET /health HTTP/1.1\r\n")).collect();
    let start = Stopwatch::start();
    assert_eq!(rest(&mut oldest), "", "the oldest makes room");
    assert!(start.elapsed() < SOON, "and not because its time is over");
    // Whoever comes is served, over HTTP and as a session.
    assert_eq!(stack.http().get("/health").status, 200);
    clients.push(stack.client("ann"));
    for client in &mut clients {
        client.enters("room");
        client.forgets_pushes();
        client.call(json!({"unsubscribe": {"channel": "room"}}));
    }
    let newest = idle.last_mut().expect("there are 60");
    newest.write_all(b"Host: a\r\n\r\n").expect("it is open");
    assert!(answer(newest).starts_with("HTTP/1.1 200"), "the newest is served");
    let log = stack.server.log();
    assert!(log.contains("http_server.connection_limit"), "an operator is told: {log}");
}

#[test]
fn a_session_may_read_as_slowly_as_its_own_limits_let_it() {
    let stack = Stack::with(json!({
        "websocket": {"write_timeout": "60s"},
        "client": {"queue_max_size": 100_000_000},
    }));
    let mut ann = stack.client("ann");
    ann.enters("room");
    let data = "x".repeat(10_000_000);
    stack.api("publish", json!({"channel": "room", "data": data}));
    // Longer than a client of HTTP may read nothing.
    thread::sleep(Duration::from_secs(12));
    assert_eq!(ann.push()["pub"]["data"].as_str().map(str::len), Some(data.len()));
    assert_eq!(ann.presence("room").as_object().expect("an object").len(), 1);
}
