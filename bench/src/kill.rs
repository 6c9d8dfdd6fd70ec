//! How soon listeners are told that the clients of a killed server have left.

use std::io;
use std::time::Duration;

use rollcall_tests::killed::{BUDGET, Killed};
use rollcall_tests::ledger::Times;

use crate::table::{table, thousands};
use crate::{host, note, say};

const HEAD: [&str; 7] = ["Round", "Leaves", "p50", "p99", "Worst", "Budget", "Met"];

/// Kills a server with ten thousand members a few times, or once, and prints what the slower of two
/// listeners saw.
pub(crate) fn run(quick: bool) -> io::Result<()> {
    say(&format!("Host: {}.\n", host::describe()))?;
    let mut lines = vec![HEAD.map(str::to_owned)];
    for round in 1..=if quick { 1 } else { 5 } {
        note(&format!("kill -9, round {round} …"));
        let killed = Killed::with_ten_thousand_members();
        let slower = killed.times.iter().max_by_key(|times| times.p99);
        lines.extend(slower.map(|times| line(round, times)));
    }
    say(&table(&lines))
}

fn line(round: u32, times: &Times) -> [String; 7] {
    let seconds = |time: Duration| format!("{:.2} s", time.as_secs_f64());
    [
        round.to_string(),
        thousands(&times.count.to_string()),
        seconds(times.p50),
        seconds(times.p99),
        seconds(times.worst),
        format!("p99 ≤ {} s", BUDGET.as_secs()),
        if times.p99 <= BUDGET { "yes" } else { "no" }.to_owned(),
    ]
}
