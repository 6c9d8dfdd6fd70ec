//! What breaks the WebSocket protocol, and names that no channel may have: each has its own answer.

use rollcall_tests::raw_socket::{BEGIN, CLOSE, END, MORE, PING, PONG, RawSocket, TEXT, frame};
use rollcall_tests::{Stack, token};
use serde_json::{Value, json};

/// Reserved bits in a frame's first byte.
const RESERVED: [u8; 3] = [0x40, 0x20, 0x10];
/// A whole binary message.
const BINARY: u8 = 0x82;

#[test]
fn each_fault_has_its_close_code() {
    let stack = Stack::start();
    let unmasked = [TEXT, 2, b'{', b'}'].to_vec();
    let mut faults: Vec<(&str, Vec<u8>, u16)> = vec![
        ("a ping of 126 bytes", frame(PING, &[0; 126]), 1002),
        ("a pong of 126 bytes", frame(PONG, &[0; 126]), 1002),
        ("a close of 126 bytes", frame(CLOSE, &[3; 126]), 1002),
        ("a ping in fragments", frame(PING & 0x7f, b""), 1002),
        ("a close in fragments", frame(CLOSE & 0x7f, b""), 1002),
        ("a close of one byte", frame(CLOSE, &[3]), 1002),
        ("a close with a code that none may send", frame(CLOSE, &1005u16.to_be_bytes()), 1002),
        ("a frame without a mask", unmasked, 1002),
        ("a message in a message", [frame(BEGIN, b"{"), frame(TEXT, b"}")].concat(), 1002),
        ("a fragment of nothing", frame(MORE, b"{"), 1002),
        ("the end of nothing", frame(END, b"}"), 1002),
        ("a text that is not UTF-8", frame(TEXT, b"{\"\xff\"}"), 1007),
        ("half a character", frame(TEXT, b"{\"\xe2\x82"), 1007),
        (
            "fragments that are not UTF-8",
            [frame(BEGIN, b"{\"\xe2"), frame(END, b"\x28\"}")].concat(),
            1007,
        ),
        ("a reason that is not UTF-8", frame(CLOSE, b"\x03\xe8\xff"), 1007),
        ("a text over the limit", frame(TEXT, &[b' '; 65_537]), 1009),
        ("bytes over the limit", frame(BINARY, &[b' '; 65_537]), 1009),
        (
            "fragments over the limit",
            [frame(BEGIN, &[b' '; 65_536]), frame(MORE, b" ")].concat(),
            1009,
        ),
        // A length of 2^63 and more is no length (RFC 6455 §5.2), and too much.
        ("an endless text", [&[TEXT, 0xff][..], &[0xff; 8], &[0; 4]].concat(), 1009),
    ];
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        faults.push(("an opcode that is none", frame(0x80 | opcode, b""), 1002));
    }
    for bit in RESERVED {
        faults.push(("a reserved bit", frame(TEXT | bit, b"{}"), 1002));
        faults.push(("a reserved bit in a ping", frame(PING | bit, b""), 1002));
    }
    for (what, bytes, code) in faults {
        for token in [None, Some(token::of("alice"))] {
            let mut socket = RawSocket::open(stack.port());
            if let Some(token) = &token {
                socket = socket.connected(token);
            }
            socket.sends(&bytes);
            assert_eq!(socket.close_code(), Some(code), "{what}: {:02x}", bytes[0]);
        }
    }
}

#[test]
fn a_close_arrives_also_at_who_is_still_sending() {
    let stack = Stack::start();
    for _ in 0..20 {
        let mut socket = RawSocket::open(stack.port());
        // The server reads no more than the head of it before it closes.
        let sent = socket.tries_to_send(&frame(TEXT, &vec![b' '; 2_000_000]));
        assert!(sent, "the rest is read, and thrown away");
        assert_eq!(socket.close_code(), Some(1009));
        socket.sends_no_more();
        assert!(socket.ends(), "no reset, which could have taken the close with it");
    }
}

#[test]
fn control_frames_may_stand_between_fragments() {
    let stack = Stack::start();
    let mut socket = RawSocket::open(stack.port()).connected(&token::of("alice"));
    let (begin, end) = br#"{"id":2,"rpc":{"method":"update_user_status"}}"#.split_at(9);
    socket.sends(&frame(BEGIN, begin));
    socket.sends(&frame(PING, b"are you there"));
    assert_eq!(socket.frame(), Some((PONG, b"are you there".to_vec())));
    socket.sends(&frame(PONG, b"nobody asked"));
    socket.sends(&frame(END, end));
    assert_eq!(socket.frame(), Some((TEXT, br#"{"id":2,"rpc":{}}"#.to_vec())));
}

/// What a client is told of commands on a channel.
fn told(stack: &Stack, channel: &str) -> Vec<(&'static str, Value)> {
    let mut alice = stack.client("alice");
    let commands = [
        "subscribe",
        "unsubscribe",
        "publish",
        "presence",
        "presence_stats",
        "history",
        "sub_refresh",
    ];
    let told = commands.into_iter().map(|command| {
        let reply = alice.call(json!({command: {"channel": channel, "data": 1, "token": ""}}));
        (command, reply["error"]["code"].clone())
    });
    told.collect()
}

#[test]
fn a_channel_name_that_is_too_long_is_a_bad_request() {
    let stack = Stack::start();
    let expected = [
        ("subscribe", json!(107)),
        ("unsubscribe", Value::Null),
        ("publish", json!(107)),
        ("presence", json!(107)),
        ("presence_stats", json!(107)),
        ("history", json!(108)),
        ("sub_refresh", json!(103)),
    ];
    for length in [256, 1_024, 60_000] {
        assert_eq!(told(&stack, &"x".repeat(length)), expected, "{length} bytes");
    }
    let longest = "x".repeat(255);
    let mut alice = stack.client("alice");
    alice.subscribe(&longest);
    assert_eq!(alice.presence(&longest).as_object().map(serde_json::Map::len), Some(1));
}
