//! How far a connection without a session has come, and how long its client may leave it there.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How long the head of a request may take, and the first byte of the first one.
const HEAD: Duration = Duration::from_secs(10);
/// How long a connection may wait for its next request.
const IDLE: Duration = Duration::from_secs(75);
/// How long a client may take no byte of an answer.
const WRITE: Duration = Duration::from_secs(10);
/// How long a stop waits for a client: for the rest of a request, or to take a byte of an answer.
const GRACE: Duration = Duration::from_millis(1500);

/// Longer than a request may be waited for: a limit of the HTTP library's own, which never counts.
pub(super) const LONGEST: Duration = IDLE.saturating_add(HEAD);

/// A connection, as what serves it sees it. Shared by the stream, the bodies and the server.
#[derive(Debug)]
pub(super) struct Progress {
    state: Mutex<State>,
}

#[derive(Debug, Clone, Copy)]
struct State {
    phase: Phase,
    /// When the phase began, or the last answer was taken in it.
    since: Instant,
    /// Bytes wait for the client to take some, and since when it has taken none.
    stalled: Option<Instant>,
}

/// What a connection does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// It waits for a request.
    Idle,
    /// It waits for the first request, or for the rest of the head of one.
    Head,
    /// It waits for the rest of the body of a request, which its handler reads and limits.
    Body,
    /// A whole request is being answered.
    Work,
    /// It is a session's.
    Session,
}

// === impl Progress ===

impl Progress {
    /// A connection that is made now.
    pub(super) fn new(now: Instant) -> Self {
        Self { state: Mutex::new(State { phase: Phase::Head, since: now, stalled: None }) }
    }

    /// Bytes have arrived.
    pub(super) fn read(&self, now: Instant) {
        let mut state = self.state();
        if state.phase == Phase::Idle {
            (state.phase, state.since) = (Phase::Head, now);
        }
    }

    /// Bytes were taken; more may wait.
    pub(super) fn wrote(&self, now: Instant) {
        let mut state = self.state();
        state.stalled = None;
        if state.phase == Phase::Idle {
            state.since = now;
        }
    }

    /// Bytes wait for the client.
    pub(super) fn stalls(&self, now: Instant) {
        self.state().stalled.get_or_insert(now);
    }

    /// A request begins to be answered; whether all of it has arrived.
    pub(super) fn begins(&self, whole: bool) {
        self.state().phase = if whole { Phase::Work } else { Phase::Body };
    }

    /// All of a request has arrived.
    pub(super) fn arrived(&self) {
        let mut state = self.state();
        if state.phase == Phase::Body {
            state.phase = Phase::Work;
        }
    }

    /// A request is answered: what is left is to send it.
    pub(super) fn answered(&self, now: Instant) {
        let mut state = self.state();
        (state.phase, state.since) = (Phase::Idle, now);
    }

    /// The connection is a session's from now on, which has limits of its own.
    pub(super) fn upgraded(&self) {
        self.state().phase = Phase::Session;
    }

    pub(super) fn is_session(&self) -> bool {
        self.state().phase == Phase::Session
    }

    /// Since when the connection waits for its client, if it does.
    pub(super) fn waits_since(&self) -> Option<Instant> {
        let state = self.state();
        match state.phase {
            _ if state.stalled.is_some() => state.stalled,
            Phase::Idle | Phase::Head => Some(state.since),
            Phase::Body | Phase::Work | Phase::Session => None,
        }
    }

    /// When the connection has waited for its client for too long, as it looks now.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let state = self.state();
        match (state.stalled, state.phase) {
            (Some(since), _) => Some(since + WRITE),
            (None, Phase::Head) => Some(state.since + HEAD),
            (None, Phase::Idle) => Some(state.since + IDLE),
            (None, Phase::Body | Phase::Work | Phase::Session) => None,
        }
    }

    /// The same since a stop began: what has arrived is answered, whatever else is given up soon.
    pub(super) fn deadline_of_stop(&self, began: Instant) -> Option<Instant> {
        let state = self.state();
        match (state.stalled, state.phase) {
            (Some(since), _) => Some(since.max(began) + GRACE),
            (None, Phase::Work | Phase::Session) => None,
            (None, _) => Some(began + GRACE),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_for_its_client_waits_for_so_long() {
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let progress = Progress::new(start);
        let deadline = |expected: Option<u64>, what: &str| {
            assert_eq!(progress.deadline(), expected.map(at), "{what}");
        };
        deadline(Some(10), "nothing has come");
        progress.read(at(9));
        deadline(Some(10), "half a head has come");
        progress.begins(false);
        deadline(None, "the handler limits how long a body takes");
        progress.arrived();
        progress.answered(at(20));
        deadline(Some(95), "it is idle");
        progress.stalls(at(21));
        progress.stalls(at(25));
        deadline(Some(31), "no byte is taken");
        progress.wrote(at(30));
        progress.stalls(at(30));
        deadline(Some(40), "some were taken");
        progress.wrote(at(31));
        deadline(Some(106), "all were taken");
        progress.read(at(50));
        deadline(Some(60), "the next request begins");
        progress.upgraded();
        deadline(None, "a session has its own limits");
    }

    #[test]
    fn a_stop_waits_for_what_has_arrived() {
        let start = Instant::now();
        let progress = Progress::new(start);
        let began = start + Duration::from_secs(5);
        assert_eq!(progress.deadline_of_stop(began), Some(began + GRACE), "half a head");
        progress.begins(false);
        assert_eq!(progress.deadline_of_stop(began), Some(began + GRACE), "half a body");
        progress.arrived();
        assert_eq!(progress.deadline_of_stop(began), None, "a whole request");
        progress.stalls(start);
        assert_eq!(progress.deadline_of_stop(began), Some(began + GRACE), "an unread answer");
        let later = began + Duration::from_secs(3);
        progress.wrote(later);
        progress.stalls(later);
        assert_eq!(progress.deadline_of_stop(began), Some(later + GRACE), "one that is read");
    }

    #[test]
    fn only_what_waits_for_its_client_may_be_sent_away() {
        let start = Instant::now();
        let later = start + Duration::from_secs(1);
        let progress = Progress::new(start);
        assert_eq!(progress.waits_since(), Some(start));
        progress.begins(true);
        assert_eq!(progress.waits_since(), None);
        progress.stalls(later);
        assert_eq!(progress.waits_since(), Some(later));
        progress.wrote(later);
        progress.answered(later);
        assert_eq!(progress.waits_since(), Some(later));
    }
}
