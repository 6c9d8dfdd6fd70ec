//! Clients that send more than they read: the server's memory stays flat, they are closed, and others
//! are served.

use std::thread;
use std::time::Duration;

use rollcall_tests::raw_socket::{self, BEGIN, CLOSE, MORE, PING, PONG, RawSocket, TEXT, frame};
use rollcall_tests::wait::patience;
use rollcall_tests::{Client, Heard, Redis, Relay, Server, Stack, config, eventually, token};
use serde_json::json;

const MIB: u64 = 1024 * 1024;
/// What a test may add to the server's memory: its allocator keeps some of what it once had.
const ROOM: u64 = 24 * MIB;
/// Clients that attack at once.
const ATTACKERS: usize = 4;

/// A server that waits long for a connect command, so that this is not what ends a connection.
fn patient() -> Stack {
    Stack::with(json!({"client": {"stale_close_delay": "120s"}}))
}

/// Another client has its answer. Not one of Redis: a machine that is busy with an attack by a fast
/// client on a server without optimisations may keep that waiting.
fn is_served(client: &mut Client) {
    let reply = client.call(json!({"rpc": {"method": "nope"}}));
    assert_eq!(reply["error"]["code"], 104, "{reply}");
}

/// Attacks with all of these while another client is served, and hands back what the attacks did.
fn attack<T: Send>(
    stack: &Stack,
    sockets: Vec<RawSocket>,
    attack: impl Fn(RawSocket) -> T + Sync,
) -> Vec<T> {
    let mut other = stack.client("other");
    is_served(&mut other);
    let before = stack.resident();
    let mut most = before;
    let done = thread::scope(|scope| {
        let attack = &attack;
        let attacks: Vec<_> =
            sockets.into_iter().map(|socket| scope.spawn(move || attack(socket))).collect();
        while attacks.iter().any(|one| !one.is_finished()) {
            is_served(&mut other);
            most = most.max(stack.resident());
            assert!(most < before + 10 * ROOM, "{} MiB, from {}", most / MIB, before / MIB);
        }
        attacks.into_iter().map(|one| one.join().expect("an attack goes on to its end")).collect()
    });
    is_served(&mut other);
    assert!(most < before + ROOM, "{} MiB at most, from {}", most / MIB, before / MIB);
    done
}

/// Flood with these bytes, read nothing, and are all closed for it.
fn are_closed_for(stack: &Stack, sockets: Vec<RawSocket>, bytes: &[u8]) {
    let closed = attack(stack, sockets, |mut socket| socket.floods(bytes, 4 * patience()));
    assert!(closed.iter().all(|closed| *closed), "{closed:?}");
}

fn attackers(open: impl Fn() -> RawSocket) -> Vec<RawSocket> {
    (0..ATTACKERS).map(|_| open()).collect()
}

#[test]
fn pings_of_a_client_that_reads_nothing_are_not_kept() {
    let stack = patient();
    let pings = frame(PING, &[b'x'; 125]).repeat(500);
    let open = || RawSocket::open_narrow(stack.port());
    are_closed_for(&stack, attackers(open), &pings);
    are_closed_for(&stack, attackers(|| open().connected(&token::of("alice"))), &pings);
}

#[test]
fn pings_between_fragments_are_not_kept() {
    let stack = patient();
    let mut bytes = Vec::new();
    for _ in 0..500 {
        bytes.extend(frame(MORE, b""));
        bytes.extend(frame(PING, &[b'x'; 125]));
    }
    let open = || {
        let mut socket = RawSocket::open_narrow(stack.port());
        socket.sends(&frame(BEGIN, b"{"));
        socket
    };
    are_closed_for(&stack, attackers(open), &bytes);
}

#[test]
fn pings_are_answered_in_order_while_they_are_read() {
    let stack = patient();
    let mut socket = RawSocket::open(stack.port());
    for round in 0..20u32 {
        let payloads = (0..50u32).map(|at| (round * 50 + at).to_string());
        let pings: Vec<u8> = payloads.flat_map(|text| frame(PING, text.as_bytes())).collect();
        socket.sends(&pings);
        for at in 0..50 {
            let pong = (PONG, (round * 50 + at).to_string().into_bytes());
            assert_eq!(socket.frame(), Some(pong));
        }
    }
}

#[test]
fn pings_that_are_all_read_keep_nobody_else_waiting() {
    let stack = patient();
    let pings = frame(PING, b"?").repeat(1_000);
    attack(&stack, attackers(|| RawSocket::open(stack.port())), |mut socket| {
        let mut reader = socket.shared();
        thread::scope(|scope| {
            scope.spawn(move || reader.swallows());
            socket.floods(&pings, Duration::from_secs(3));
            socket.cut();
        });
    });
}

#[test]
fn fragments_without_end_cost_nothing_and_end_with_the_time_to_connect() {
    let stack = Stack::with(json!({"client": {"stale_close_delay": "2s"}}));
    let empty = frame(MORE, b"").repeat(2_000);
    let open = || {
        let mut socket = RawSocket::open(stack.port());
        socket.sends(&frame(BEGIN, b"{"));
        socket
    };
    let codes = attack(&stack, attackers(open), |mut socket| {
        socket.floods(&empty, Duration::from_secs(5));
        socket.close_code()
    });
    // Bytes that were under way when the server closed may have cost the sender the close frame.
    assert!(codes.iter().all(|code| [Some(3502), None].contains(code)), "{codes:?}");
}

#[test]
fn a_message_of_many_fragments_is_over_the_limit_all_the_same() {
    let stack = patient();
    let sockets = attackers(|| RawSocket::open(stack.port()));
    let codes = attack(&stack, sockets, |mut socket| {
        socket.sends(&frame(BEGIN, b"{"));
        let fragments = frame(MORE, b"x").repeat(65_536);
        socket.sends(&fragments);
        socket.close_code()
    });
    assert_eq!(codes, [Some(1009); ATTACKERS]);
}

#[test]
fn who_does_not_read_its_publications_is_closed() {
    let stack = Stack::with(json!({"client": {"ping_interval": "60s"}}));
    let token = token::of("alice");
    let subscribe = frame(TEXT, br#"{"id":2,"subscribe":{"channel":"room"}}"#);
    let sockets = attackers(|| {
        let mut socket = RawSocket::open_narrow(stack.port()).connected(&token);
        socket.sends(&subscribe);
        assert!(socket.frame().is_some(), "the reply");
        socket
    });
    let mut bob = stack.client("bob");
    bob.enters("room");
    let before = stack.resident();
    let data = "x".repeat(100_000);
    let connections =
        || stack.api("presence_stats", json!({"channel": "room"}))["num_clients"].clone();
    eventually("the slow ones are closed", || {
        stack.api("publish", json!({"channel": "room", "data": data}));
        while bob.push().get("pub").is_none() {}
        let now = stack.resident();
        assert!(now < before + ROOM, "{} MiB, from {}", now / MIB, before / MIB);
        (connections() == 1).then_some(())
    });
    drop(sockets);
}

#[test]
fn pushes_that_wait_for_a_subscribe_count_against_the_limit() {
    let redis = Redis::start();
    let relay = Relay::to(redis.port());
    let engine = json!({"type": "redis", "redis": {"address": relay.address(), "lease": "60s"}});
    let changes = json!({"engine": engine, "client": {"queue_max_size": 65_536}});
    let server = Server::start(config::with(changes));
    let mut reader = server.client("ann");
    reader.subscribe("quiet:room");
    let mut late = server.client("bob");
    // What the server says to Redis stands still; what Redis says to it arrives.
    relay.stall_ways(true, false);
    late.sends(r#"{"id":2,"subscribe":{"channel":"quiet:room"}}"#);
    let message = json!({"t": "pub", "data": "x".repeat(10_000)}).to_string();
    let mut cli = redis.cli();
    let heard = eventually("the one whose subscribe takes long is closed", || {
        cli.call(&["SPUBLISH", "rollcall:p:quiet:room", &message]);
        assert!(reader.push().get("pub").is_some(), "another client has its publication");
        late.hears_within(Duration::from_millis(20))
    });
    assert_eq!(heard, Heard::Close(3008, "slow".to_owned()));
    relay.flow();
    is_served(&mut reader);
}

#[test]
fn large_messages_arrive_whole_and_leave_nothing_behind() {
    let stack = Stack::start();
    let mut clients: Vec<Client> = (0..40).map(|_| stack.client("alice")).collect();
    for client in &mut clients {
        client.subscribe("quiet:room");
    }
    let before = stack.resident();
    // Over the limit of what may wait, with characters that a piece may end in the midst of.
    let data = "€".repeat(700_000);
    stack.api("publish", json!({"channel": "quiet:room", "data": data}));
    for client in &mut clients {
        assert!(client.push()["pub"]["data"] == data, "the whole publication");
    }
    let now = stack.resident();
    assert!(now < before + 2 * ROOM, "{} MiB, from {}", now / MIB, before / MIB);
}

#[test]
fn frames_full_of_pongs_that_nobody_asked_for_end_the_connection() {
    let stack = patient();
    let pongs = frame(TEXT, "{}\n".repeat(21_845).as_bytes());
    let sockets = (0..40).map(|_| RawSocket::open(stack.port())).collect();
    let codes = attack(&stack, sockets, |mut socket| {
        socket.sends(&pongs);
        socket.close_code()
    });
    assert_eq!(codes, [Some(3501); 40]);
}

#[test]
fn frames_full_of_small_commands_are_answered_or_their_sender_is_closed() {
    let stack = patient();
    let commands = r#"{"id":7,"rpc":{}}"#.to_owned() + "\n";
    let commands = frame(TEXT, commands.repeat(3_640).as_bytes());
    let token = token::of("alice");
    let mut reader = Client::open(stack.port(), raw_socket::PATH, &[]);
    reader.connect(&token);
    reader.sends(&(r#"{"id":7,"rpc":{}}"#.to_owned() + "\n").repeat(3_640));
    for _ in 0..3_640 {
        match reader.hears() {
            Heard::Line(line) => assert_eq!(line["error"]["code"], 104, "{line}"),
            other => panic!("{other:?}"),
        }
    }
    // One: the replies that fit into the system's buffers are a lot of work.
    let socket = RawSocket::open_narrow(stack.port()).connected(&token);
    are_closed_for(&stack, vec![socket], &commands);
}

#[test]
fn a_close_is_answered() {
    let stack = Stack::start();
    let mut socket = RawSocket::open(stack.port());
    socket.sends(&frame(CLOSE, &[&1000u16.to_be_bytes()[..], b"bye"].concat()));
    assert_eq!(socket.close_code(), Some(1000));
    assert!(socket.ends());
}
