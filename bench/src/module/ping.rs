//! Somebody who asks the server something small every millisecond, and notes how long it takes.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

use crate::resp::Connection;
use crate::server::run_first;

const PERIOD: Duration = Duration::from_millis(1);

/// A thread that pings until it is told to stop.
pub(super) struct Pinger {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<io::Result<Vec<f64>>>,
}

/// Round trips in microseconds, the shortest first.
#[derive(Debug)]
pub(super) struct Waits(Vec<f64>);

// === impl Pinger ===

impl Pinger {
    pub(super) fn start(mut redis: Connection) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            run_first();
            let mut waits = Vec::new();
            let mut next = Instant::now();
            while !stopped.load(Ordering::Relaxed) {
                let sent = Instant::now();
                redis.call(&["PING"])?;
                waits.push(sent.elapsed().as_secs_f64() * 1e6);
                // Who waited long asks again at once: one stall is one wait.
                next = (next + PERIOD).max(Instant::now());
                sleep(next.saturating_duration_since(Instant::now()));
            }
            Ok(waits)
        });
        Self { stop, thread }
    }

    pub(super) fn stop(self) -> io::Result<Waits> {
        self.stop.store(true, Ordering::Relaxed);
        let waits = self.thread.join().map_err(|_| io::Error::other("the pinging thread broke"))?;
        Ok(Waits::new(waits?))
    }
}

// === impl Waits ===

impl Waits {
    fn new(mut waits: Vec<f64>) -> Self {
        waits.sort_by(f64::total_cmp);
        Self(waits)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn longest_us(&self) -> f64 {
        self.0.last().copied().unwrap_or(f64::NAN)
    }

    /// The wait that this part of all does not exceed.
    pub(super) fn at(&self, part: f64) -> f64 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a position among some thousands"
        )]
        let at = (self.0.len() as f64 * part).ceil() as usize;
        self.0.get(at.saturating_sub(1)).copied().unwrap_or(f64::NAN)
    }

    pub(super) fn above(&self, us: f64) -> usize {
        self.0.len() - self.0.partition_point(|wait| *wait <= us)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_the_waits_are_counted_from_the_shortest() {
        let waits = Waits::new((1..=1000).rev().map(f64::from).collect());
        let some = [waits.at(0.5), waits.at(0.999), waits.longest_us()];
        assert_eq!(some.map(|wait| wait.to_string()), ["500", "999", "1000"]);
        assert_eq!((waits.above(990.0), waits.len()), (10, 1000));
    }
}
