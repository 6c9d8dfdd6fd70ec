//! What a renewal's answer means. Pure: no Redis, and time comes from outside.

use std::time::Duration;

use tokio::time::Instant;

use crate::store::PUT_BACK;
use crate::store::holdings::Snapshot;

/// How often every name is renewed and its counts are compared, unless the lease is so short that it
/// must be more often.
pub(super) const RENEW: Duration = Duration::from_secs(1);
/// How often a master's own name is renewed: a server that stands still for just less than the lease
/// keeps what it holds only if it was heard just before.
const OFTEN: Duration = Duration::from_millis(250);
/// How much a renewal may be late on a busy machine.
const LATENESS: Duration = Duration::from_millis(50);
/// Counts that differ for less than this may only be late, however often they are asked for.
const DIFFER: Duration = Duration::from_millis(500);
/// Counts that differ are acted on at most this often: soon enough for everybody who waits
/// [`PUT_BACK`] for what was deleted.
const SWEEP_PAUSE: Duration = Duration::from_secs(1);
/// Where it does not help, ever more rarely.
const LONGEST_SWEEP_PAUSE: Duration = Duration::from_secs(60);

/// What the keepalive loop remembers between two renewals.
#[derive(Debug, Default)]
pub(super) struct Memory {
    epoch: Option<u64>,
    /// Since when it is this one.
    since: Option<Instant>,
    /// A lease was begun. From then on a fresh renewal is a loss, also under a new name: its lease is
    /// begun before the name is taken.
    begun: bool,
    /// Renewals since the last that was answered may have arrived; what they were told, nobody knows.
    pub(super) unanswered: bool,
    /// The signs of the difference seen last, and since when they are these.
    differed: Option<((i128, i128), Instant)>,
    /// Until when different counts are not acted on.
    pause: Option<Instant>,
    /// How often they were acted on since they agreed.
    swept: u32,
    /// When every name was renewed last.
    pub(super) complete: Option<Instant>,
}

/// How often this shard's leases are renewed, and for how long each time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rhythm {
    /// Between two renewals of a master's own name.
    pub(super) own: Duration,
    /// Between two renewals of all names.
    pub(super) all: Duration,
    lease: Duration,
}

/// A renewal's answer.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) struct Kept {
    pub(super) epoch: u64,
    pub(super) fresh: bool,
    pub(super) entries: u64,
    pub(super) users: u64,
}

/// What this server holds there, around a renewal.
#[derive(Debug, Clone, Copy)]
pub(super) struct Here {
    pub(super) before: Snapshot,
    pub(super) after: Snapshot,
    /// Nothing has moved to it or from it of late.
    pub(super) settled: bool,
    /// Nothing was on its way to or from there.
    pub(super) comparable: bool,
}

/// What a renewal's answer asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Fine,
    /// Our lease ended, or Redis may have lost data.
    Lost,
    /// Redis holds other counts than this server, which holds these.
    Differs {
        entries: u64,
        users: u64,
    },
}

// === impl Rhythm ===

impl Rhythm {
    pub(super) fn of(lease: Duration) -> Self {
        Self { own: OFTEN.min(lease / 8), all: RENEW.min(lease * 2 / 5), lease }
    }

    /// For how long a name's lease is renewed that is renewed `every` so often: a server that stands
    /// still for as long as the lease keeps what it holds, wherever between two renewals it stops.
    pub(super) fn px(self, every: Duration) -> Duration {
        self.lease + every + LATENESS
    }
}

// === impl Kept ===

impl Kept {
    /// Whether Redis holds less than half of what was held, whatever was under way.
    fn lacks_most(&self, here: &Here) -> bool {
        let there = i128::from(self.entries + self.users);
        let held = i128::from(here.before.entries + here.before.users);
        there * 2 < held && held - there > here.before.noise_until(&here.after)
    }
}

// === impl Memory ===

impl Memory {
    /// Whether Redis has lost nothing for so long that everybody has put back what was lost before.
    pub(super) fn is_calm(&self) -> bool {
        self.since.is_some_and(|since| since.elapsed() >= PUT_BACK)
    }

    /// Whether the next renewal is one of all names. One without an answer may have been told of a
    /// loss: then the counts tell.
    pub(super) fn wants_all(&self, rhythm: Rhythm, now: Instant) -> bool {
        self.unanswered || self.complete.is_none_or(|at| now - at + rhythm.own / 2 >= rhythm.all)
    }

    /// Judges a renewal's answer; that of all names also by what is held `here`.
    pub(super) fn judge(&mut self, kept: &Kept, here: Option<&Here>, now: Instant) -> Verdict {
        let before = self.epoch.replace(kept.epoch);
        let new_epoch = before.is_some_and(|epoch| epoch != kept.epoch);
        if before != self.epoch {
            self.since = Some(now);
        }
        let begun = std::mem::replace(&mut self.begun, true);
        // One without an answer may have been the first after the lease had ended.
        let unanswered = std::mem::take(&mut self.unanswered);
        let unheard = here.is_some_and(|here| unanswered && here.settled && kept.lacks_most(here));
        if new_epoch || (kept.fresh && begun) || unheard {
            self.differed = None;
            return Verdict::Lost;
        }
        let Some(here) = here else { return Verdict::Fine };
        if !here.comparable {
            self.differed = None;
            return Verdict::Fine;
        }
        if self.differs(kept, here, now) {
            Verdict::Differs { entries: here.after.entries, users: here.after.users }
        } else {
            Verdict::Fine
        }
    }

    /// Whether the counts differ in earnest, and it is time to do something about it.
    fn differs(&mut self, kept: &Kept, here: &Here, now: Instant) -> bool {
        let minus = |there: u64, here: u64| i128::from(there) - i128::from(here);
        let difference =
            (minus(kept.entries, here.after.entries), minus(kept.users, here.after.users));
        // What is under way right now may be counted on one side only.
        let noise = here.before.noise_until(&here.after);
        if difference.0.abs() + difference.1.abs() <= noise {
            self.differed = None;
            self.pause = None;
            self.swept = 0;
            return false;
        }
        let signs = (difference.0.signum(), difference.1.signum());
        let seen = self.differed.filter(|(seen, _)| *seen == signs).map_or(now, |(_, at)| at);
        self.differed = Some((signs, seen));
        if now - seen < DIFFER || self.pause.is_some_and(|pause| now < pause) {
            return false;
        }
        self.differed = None;
        let pause = SWEEP_PAUSE.saturating_mul(1 << self.swept.min(16)).min(LONGEST_SWEEP_PAUSE);
        self.pause = Some(now + pause);
        self.swept += 1;
        true
    }
}

#[cfg(test)]
mod tests;
