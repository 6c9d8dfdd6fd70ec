//! Time in which the machine lets us work.

use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How often the ticker ticks.
const TICK: Duration = Duration::from_millis(10);

/// What lies between two ticks and is longer counts as this only.
const WORK: Duration = Duration::from_millis(50);

/// How long we have been at work since the first question.
static MICROS: AtomicU64 = AtomicU64::new(0);

/// Says how long something takes, without the time in which the machine stood still or had no turn
/// for us. For limits; what has to take long enough is measured with an [`Instant`].
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch {
    start: Duration,
}

// === impl Stopwatch ===

impl Stopwatch {
    /// From now on.
    pub fn start() -> Self {
        Self { start: worked() }
    }

    /// How long it has been.
    pub fn elapsed(&self) -> Duration {
        worked().saturating_sub(self.start)
    }
}

/// How long we have been at work.
fn worked() -> Duration {
    static TICKER: Once = Once::new();
    TICKER.call_once(|| _ = thread::spawn(tick));
    Duration::from_micros(MICROS.load(Ordering::Relaxed))
}

fn tick() {
    let mut last = Instant::now();
    loop {
        thread::sleep(TICK);
        let now = Instant::now();
        let passed = (now - last).min(WORK).as_micros();
        MICROS.fetch_add(u64::try_from(passed).expect("it is short"), Ordering::Relaxed);
        last = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_like_a_clock() {
        let (clock, watch) = (Instant::now(), Stopwatch::start());
        thread::sleep(Duration::from_millis(500));
        let time = watch.elapsed();
        assert!(time > Duration::from_millis(50) && time <= clock.elapsed() + WORK, "{time:?}");
    }
}
