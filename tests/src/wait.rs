//! Waiting for conditions.

use std::thread;
use std::time::Duration;

use crate::stopwatch::Stopwatch;

/// How long a condition may take that has no deadline of its own: `ROLLCALL_TEST_PATIENCE` in
/// seconds, for slow machines.
pub fn patience() -> Duration {
    let seconds = std::env::var("ROLLCALL_TEST_PATIENCE").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(15))
}

/// Asks `probe` until it has an answer, and gives up loudly when patience ends.
pub fn eventually<T>(what: &str, probe: impl FnMut() -> Option<T>) -> T {
    within(patience(), what, probe)
}

/// Asks `probe` until it has an answer; for conditions that have to hold by a deadline.
pub fn within<T>(limit: Duration, what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let start = Stopwatch::start();
    loop {
        if let Some(answer) = probe() {
            return answer;
        }
        assert!(start.elapsed() < limit, "not within {limit:?}: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}
