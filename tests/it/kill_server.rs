//! One of two servers is killed with ten thousand members on it. How soon its clients are shown
//! leaving is measured here and judged by `./dev bench kill`: a busy machine fails nothing.

use rollcall_tests::killed::{BUDGET, Killed};
use serde_json::{Value, json};

#[test]
fn ten_thousand_members_of_a_killed_server_leave_once_each() {
    let mut killed = Killed::with_ten_thousand_members();
    print_times(&killed);
    for ledger in &mut killed.ledgers {
        ledger.agrees_for_good(&killed.server, &killed.channels, &killed.truth);
    }
    for channel in &killed.channels {
        let ask = |method: &str| killed.server.api(method, json!({"channel": channel}));
        // Five connections of three users, and the observers, who are one.
        assert_eq!(ask("presence_stats"), json!({"num_clients": 7, "num_users": 4}), "{channel}");
        let present = ask("presence")["presence"].clone();
        for member in &killed.stay {
            assert_ne!(present[member.client.id()], Value::Null, "{channel}");
        }
    }
}

#[expect(clippy::print_stdout, reason = "measured, not judged: `--nocapture` shows it")]
fn print_times(killed: &Killed) {
    for times in &killed.times {
        assert_eq!(times.count, 10_000);
        println!("kill -9 of a server: {times}; promised is a p99 of {BUDGET:?}");
    }
}
