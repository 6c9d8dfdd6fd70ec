//! When a session must act by itself: pings, pongs that do not come, and ends of patience. Pure.

use std::time::Duration;

use tokio::time::Instant;

use crate::protocol::Disconnect;

/// How long a client may linger after its connect failed.
const LINGER: Duration = Duration::from_secs(5);

/// How a session keeps time.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Between two pings; zero for none.
    pub ping_interval: Duration,
    /// From a ping to its pong.
    pub pong_timeout: Duration,
    /// From the beginning to the connect command.
    pub stale_close_delay: Duration,
}

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    Ping,
    /// A subscription is over.
    Subscription,
    Close(Disconnect),
}

/// The moments a session waits for.
#[derive(Debug)]
pub(super) struct Deadlines {
    pace: Pace,
    stale: Option<Instant>,
    ping: Option<Instant>,
    pong: Option<Instant>,
    expiry: Option<Instant>,
    subscription: Option<Instant>,
}

// === impl Deadlines ===

impl Deadlines {
    pub(super) fn new(pace: Pace, now: Instant) -> Self {
        let stale = now.checked_add(pace.stale_close_delay);
        Self { pace, stale, ping: None, pong: None, expiry: None, subscription: None }
    }

    /// The client has connected. `spread` from 0 to 1 keeps the pings of many clients apart.
    pub(super) fn connected(&mut self, now: Instant, spread: f64) {
        self.stale = None;
        if !self.pace.ping_interval.is_zero() {
            let first = self.pace.ping_interval.mul_f64(0.5 + spread.clamp(0.0, 1.0) / 2.0);
            self.ping = now.checked_add(first);
        }
    }

    /// The connect failed: SDKs close by themselves, others are closed soon.
    pub(super) fn failed(&mut self, now: Instant) {
        self.stale = Some(self.stale.map_or(now + LINGER, |stale| stale.min(now + LINGER)));
    }

    /// When the connection ends unless it is refreshed.
    pub(super) fn expires(&mut self, at: Option<Instant>) {
        self.expiry = at;
    }

    /// When the next subscription ends.
    pub(super) fn subscription_ends(&mut self, at: Option<Instant>) {
        self.subscription = at;
    }

    /// Takes a pong; false when none was expected.
    pub(super) fn pong(&mut self) -> bool {
        self.pong.take().is_some()
    }

    /// The pong may be in a socket that is not read right now.
    pub(super) fn excuse_pong(&mut self, now: Instant) {
        if self.pong.is_some() {
            self.pong = now.checked_add(self.pace.pong_timeout);
        }
    }

    /// The earliest moment.
    pub(super) fn next(&self) -> Option<Instant> {
        let all = [self.stale, self.ping, self.pong, self.expiry, self.subscription];
        all.into_iter().flatten().min()
    }

    /// What is due by `now`; called until there is nothing.
    pub(super) fn due(&mut self, now: Instant) -> Option<Due> {
        let passed = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if passed(self.pong) {
            return Some(Due::Close(Disconnect::NO_PONG));
        }
        if passed(self.stale) {
            return Some(Due::Close(Disconnect::STALE));
        }
        if passed(self.expiry) {
            return Some(Due::Close(Disconnect::EXPIRED));
        }
        if passed(self.subscription) {
            self.subscription = None;
            return Some(Due::Subscription);
        }
        if passed(self.ping) {
            self.ping = now.checked_add(self.pace.ping_interval);
            if self.pong.is_some() {
                // One at a time: two pongs for two pings would look like one too many.
                return None;
            }
            if !self.pace.pong_timeout.is_zero() {
                self.pong = now.checked_add(self.pace.pong_timeout);
            }
            return Some(Due::Ping);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Pace = Pace {
        ping_interval: Duration::from_secs(25),
        pong_timeout: Duration::from_secs(8),
        stale_close_delay: Duration::from_secs(10),
    };

    fn after(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    #[test]
    fn who_does_not_connect_is_stale() {
        let start = Instant::now();
        let mut deadlines = Deadlines::new(PACE, start);
        assert_eq!(deadlines.due(after(start, 9)), None);
        assert_eq!(deadlines.due(after(start, 10)), Some(Due::Close(Disconnect::STALE)));
    }

    #[test]
    fn pings_go_out_and_want_exactly_one_pong_each() {
        let start = Instant::now();
        let mut deadlines = Deadlines::new(PACE, start);
        deadlines.connected(start, 0.0);
        assert!(!deadlines.pong(), "no ping, no pong");
        assert_eq!(deadlines.next(), Some(start + Duration::from_millis(12_500)));
        assert_eq!(deadlines.due(after(start, 13)), Some(Due::Ping));
        assert_eq!(deadlines.due(after(start, 13)), None);
        assert!(deadlines.pong());
        assert!(!deadlines.pong());
        assert_eq!(deadlines.due(after(start, 38)), Some(Due::Ping));
        assert_eq!(deadlines.due(after(start, 46)), Some(Due::Close(Disconnect::NO_PONG)));
    }

    #[test]
    fn no_second_ping_goes_out_before_the_pong_of_the_first() {
        let start = Instant::now();
        let mut deadlines = Deadlines::new(PACE, start);
        deadlines.connected(start, 0.0);
        assert_eq!(deadlines.due(after(start, 13)), Some(Due::Ping));
        deadlines.excuse_pong(after(start, 37));
        assert_eq!(deadlines.due(after(start, 39)), None);
        assert!(deadlines.pong());
        assert_eq!(deadlines.due(after(start, 65)), Some(Due::Ping));
    }

    #[test]
    fn a_failed_connect_lingers_at_most_as_long_as_no_connect() {
        let start = Instant::now();
        let mut deadlines = Deadlines::new(PACE, start);
        deadlines.failed(after(start, 1));
        assert_eq!(deadlines.next(), Some(after(start, 6)));
        deadlines.failed(after(start, 8));
        assert_eq!(deadlines.next(), Some(after(start, 6)));
    }

    #[test]
    fn an_expiry_can_be_moved_and_cleared() {
        let start = Instant::now();
        let mut deadlines = Deadlines::new(PACE, start);
        deadlines.connected(start, 1.0);
        deadlines.expires(Some(after(start, 5)));
        assert_eq!(deadlines.due(after(start, 5)), Some(Due::Close(Disconnect::EXPIRED)));
        deadlines.expires(None);
        assert_eq!(deadlines.due(after(start, 5)), None);
    }
}
