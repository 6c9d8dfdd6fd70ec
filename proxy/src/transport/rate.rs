//! How many connections are let in per second.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A bucket that fills with `per_second` and holds as much as that: a burst of one second.
#[derive(Debug)]
pub(super) struct Rate {
    per_second: f64,
    bucket: Mutex<(f64, Instant)>,
}

// === impl Rate ===

impl Rate {
    /// Lets in `per_second`; 0 for everybody.
    pub(super) fn new(per_second: usize) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "nobody limits to more than 2^52 a second")]
        let per_second = per_second as f64;
        Self { per_second, bucket: Mutex::new((per_second, Instant::now())) }
    }

    /// Whether one more is let in now.
    pub(super) fn allows(&self) -> bool {
        self.allows_at(Instant::now())
    }

    fn allows_at(&self, now: Instant) -> bool {
        if self.per_second == 0.0 {
            return true;
        }
        let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = now.saturating_duration_since(bucket.1).min(Duration::from_secs(1));
        let filled = (bucket.0 + passed.as_secs_f64() * self.per_second).min(self.per_second);
        let allowed = filled >= 1.0;
        *bucket = (if allowed { filled - 1.0 } else { filled }, now);
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_lets_in_its_number_and_no_more() {
        let rate = Rate::new(3);
        let start = Instant::now();
        let allowed = |after: u64| rate.allows_at(start + Duration::from_millis(after));
        let first: Vec<bool> = (0..5).map(|_| allowed(0)).collect();
        assert_eq!(first, [true, true, true, false, false]);
        assert!(!allowed(300));
        assert!(allowed(600));
        assert!(!allowed(600));
        let later: Vec<bool> = (0..5).map(|_| allowed(10_000)).collect();
        assert_eq!(later, [true, true, true, false, false]);
        assert!((0..100).all(|_| Rate::new(0).allows_at(start)));
    }
}
