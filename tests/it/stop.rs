//! A server that is told to stop does so soon, whatever Redis does.

use std::time::Duration;

use rollcall_tests::process::{self, Signal};
use rollcall_tests::{Stack, Stopwatch, eventually};
use serde_json::json;

/// Removals that are not answered take `io_timeout` each, which is four seconds.
#[test]
fn a_redis_that_stands_still_does_not_hold_up_a_stop() {
    let mut stack = Stack::start();
    let mut clients: Vec<_> = (0..20).map(|n| stack.client(&format!("u{n}"))).collect();
    for client in &mut clients {
        for channel in ["quiet:a", "quiet:b", "quiet:c"] {
            client.subscribe(channel);
        }
    }
    process::signal(stack.redis.id(), Signal::STOP);
    // Some are in the midst of a command.
    for client in &mut clients[..5] {
        client.sends(&json!({"id": 99, "subscribe": {"channel": "quiet:d"}}).to_string());
    }
    let start = Stopwatch::start();
    stack.server.process().signal(Signal::TERM);
    for mut client in clients {
        assert_eq!(client.closed(), (3001, "shutdown".to_owned()));
    }
    assert!(stack.server.process().ended().success());
    let took = start.elapsed();
    assert!(took < Duration::from_secs(4), "{took:?}");
    process::signal(stack.redis.id(), Signal::CONT);
    eventually("the lease runs out, and nobody is left", || {
        (stack.redis.cli().ask("PRESENCE.LEASE LIST").array().is_empty()).then_some(())
    });
}
