//! What time it is: the only place that asks the system.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// A source of wall-clock time, cheap to clone and handed to whoever needs it.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    /// Set by tests, in Unix milliseconds; `None` is the system's time.
    manual: Option<Arc<AtomicI64>>,
}

// === impl Clock ===

impl Clock {
    /// The time of the system.
    pub fn system() -> Self {
        Self::default()
    }

    /// A clock that stands still at `now_ms` until it is moved.
    pub fn manual(now_ms: i64) -> Self {
        Self { manual: Some(Arc::new(AtomicI64::new(now_ms))) }
    }

    /// Moves a manual clock, and all of its clones; the system's time cannot be moved.
    pub fn advance(&self, by: Duration) {
        if let Some(now) = &self.manual {
            now.fetch_add(millis(by), Ordering::Relaxed);
        }
    }

    /// Unix time in milliseconds.
    pub fn now_ms(&self) -> i64 {
        match &self.manual {
            Some(now) => now.load(Ordering::Relaxed),
            None => system_ms(),
        }
    }

    /// Unix time in whole seconds, rounded down.
    pub fn now_unix(&self) -> i64 {
        self.now_ms().div_euclid(1000)
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the place that the rule points to")]
fn system_ms() -> i64 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => millis(since),
        Err(before) => -millis(before.duration()),
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_with_all_its_clones() {
        let clock = Clock::manual(1_999);
        let other = clock.clone();
        assert_eq!((other.now_ms(), other.now_unix()), (1_999, 1));
        clock.advance(Duration::from_millis(1));
        assert_eq!((other.now_ms(), other.now_unix()), (2_000, 2));
        assert_eq!(Clock::manual(-1).now_unix(), -1);
    }

    #[test]
    fn the_system_clock_is_past_2020_and_cannot_be_moved() {
        let clock = Clock::system();
        let before = clock.now_unix();
        clock.advance(Duration::from_secs(1_000_000));
        assert!(before > 1_577_836_800 && clock.now_unix() - before < 1_000);
    }
}
