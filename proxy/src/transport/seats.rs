//! How many connections without a session there are: beyond the limit, those go that have waited
//! for their clients the longest.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::progress::Progress;
use crate::log_limit::LogLimit;

/// Lines a minute about connections that were sent away.
const LINES: u32 = 1;

/// The connections of one port that have no session.
#[derive(Debug)]
pub(super) struct Seats {
    limit: usize,
    taken: Mutex<Taken>,
    full: LogLimit,
}

#[derive(Debug, Default)]
struct Taken {
    next: u64,
    seats: HashMap<u64, (Arc<Progress>, CancellationToken)>,
}

/// A connection's place among them, which is free when this is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    seats: Arc<Seats>,
    id: u64,
    pub(super) progress: Arc<Progress>,
    /// Cancelled when the connection is to make room.
    pub(super) sent_away: CancellationToken,
}

// === impl Seats ===

impl Seats {
    /// At most `limit`; 0 for as many as come.
    pub(super) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, taken: Mutex::default(), full: LogLimit::a_minute(LINES) })
    }

    /// A place for one more; `None` when there is none and no connection waits for its client.
    pub(super) fn take(self: &Arc<Self>) -> Option<Seat> {
        let progress = Arc::new(Progress::new(Instant::now()));
        let sent_away = CancellationToken::new();
        let mut taken = self.taken();
        if self.limit > 0 && taken.seats.len() >= self.limit {
            let made = taken.make_room();
            self.full.say(|left_out| {
                tracing::warn!(
                    limit = self.limit,
                    left_out,
                    "connections without a session have reached http_server.connection_limit: \
                     those that wait for their clients are closed"
                );
            });
            if !made {
                return None;
            }
        }
        let id = taken.next;
        taken.next += 1;
        taken.seats.insert(id, (progress.clone(), sent_away.clone()));
        drop(taken);
        Some(Seat { seats: self.clone(), id, progress, sent_away })
    }

    /// Sends one away that waits for its client, as the system has no more sockets.
    pub(super) fn make_room(&self) {
        self.taken().make_room();
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Taken ===

impl Taken {
    /// Sends away the connection that waits for its client the longest; whether there was one.
    fn make_room(&mut self) -> bool {
        let waiting = self
            .seats
            .iter()
            .filter_map(|(id, (progress, _))| progress.waits_since().map(|since| (since, *id)));
        let Some((_, id)) = waiting.min() else { return false };
        if let Some((_, sent_away)) = self.seats.remove(&id) {
            sent_away.cancel();
        }
        true
    }
}

// === impl Seat ===

impl Seat {
    /// Gives the place back early: the connection is a session's.
    pub(super) fn free(&self) {
        self.seats.taken().seats.remove(&self.id);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.free();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_go_that_wait_the_longest_and_none_that_is_served() {
        let seats = Seats::new(3);
        let take = || seats.take();
        let (first, second, third) = (take().unwrap(), take().unwrap(), take().unwrap());
        first.progress.begins(true);
        let fourth = take().unwrap();
        assert!(second.sent_away.is_cancelled(), "the oldest that waits");
        assert!(!first.sent_away.is_cancelled() && !third.sent_away.is_cancelled());
        third.progress.begins(true);
        fourth.progress.begins(true);
        assert!(take().is_none(), "all are served");
        third.free();
        let fifth = take().unwrap();
        fifth.progress.begins(true);
        assert!(take().is_none());
        drop(first);
        assert!(take().is_some());
    }
}
