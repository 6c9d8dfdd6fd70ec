//! What clients themselves know about who was where: the truth a ledger is compared with.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::{Duration, Instant};

/// How long before its death a Redis on a busy machine may have said what nobody hears; and how long
/// after it a client may read what it was told last.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// A channel and the id of a client.
pub type Membership = (String, String);

/// What happened to each membership.
#[derive(Debug, Default, Clone)]
pub struct Truth {
    lives: BTreeMap<Membership, Life>,
}

/// How often a client came to a channel, and whether it is there.
#[derive(Debug, Default, Clone)]
pub struct Life {
    /// Times it came and everybody must have been shown.
    pub joins: usize,
    /// Times more that nobody need have been shown, or only some: a join that failed may have been
    /// seen for a moment, and what a master is told that has been replaced may be lost.
    pub maybe: usize,
    /// Whether it is there now.
    pub present: bool,
    /// When it came and went, each time.
    pub stays: Vec<Stay>,
}

/// From when to when a client was in a channel.
#[derive(Debug, Clone, Copy)]
pub struct Stay {
    came: Instant,
    left: Option<Instant>,
    /// Nobody need have been told: it is counted in `maybe`.
    untold: bool,
}

// === impl Stay ===

impl fmt::Display for Stay {
    /// How long ago it was.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2?}", self.came.elapsed())?;
        match self.left {
            Some(left) => write!(f, " to {:.2?} ago", left.elapsed()),
            None => f.write_str(" ago until now"),
        }
    }
}

// === impl Truth ===

impl Truth {
    /// A client came.
    pub fn joined(&mut self, channel: &str, client: &str) {
        let life = self.life(channel, client);
        assert!(!life.present, "{client} joined {channel} twice");
        life.joins += 1;
        life.present = true;
        life.stays.push(Stay { came: Instant::now(), left: None, untold: false });
    }

    /// It went.
    pub fn left(&mut self, channel: &str, client: &str) {
        let life = self.life(channel, client);
        assert!(life.present, "{client} left {channel} twice");
        life.present = false;
        let stay = life.stays.last_mut().expect("a client that is there came");
        stay.left = Some(Instant::now());
    }

    /// It went, and nobody need have seen that it had come.
    pub fn left_unseen(&mut self, channel: &str, client: &str) {
        self.left(channel, client);
        let life = self.life(channel, client);
        let stay = life.stays.last_mut().expect("a client that went came");
        stay.untold = true;
        life.joins -= 1;
        life.maybe += 1;
    }

    /// It may have been there for a moment.
    pub fn maybe(&mut self, channel: &str, client: &str) {
        self.life(channel, client).maybe += 1;
    }

    /// Everybody who was there after `start` may have been shown leaving and coming back once.
    pub fn interrupted(&mut self, start: Instant) {
        let ended_later = |stay: &Stay| stay.left.is_some_and(|left| left > start);
        let there = |life: &&mut Life| life.present || life.stays.iter().any(ended_later);
        for life in self.lives.values_mut().filter(there) {
            life.maybe += 1;
        }
    }

    /// A Redis that was dead by then may have answered the last who came, and told nobody of them or
    /// only some. Who has left since need not have been seen. What was before `start`, all have seen.
    pub fn untold(&mut self, dead: Instant, start: Instant) {
        let last = dead.checked_sub(LAST_WORDS).unwrap_or(start).max(start)..dead + LAST_WORDS;
        for life in self.lives.values_mut() {
            for stay in &mut life.stays {
                if !stay.untold && last.contains(&stay.came) && stay.left.is_some() {
                    stay.untold = true;
                    life.joins -= 1;
                    life.maybe += 1;
                }
            }
        }
    }

    /// Takes in what others know; no two know of the same membership.
    pub fn merge(&mut self, other: &Self) {
        for (membership, life) in &other.lives {
            let before = self.lives.insert(membership.clone(), life.clone());
            assert!(before.is_none(), "{membership:?} is known twice");
        }
    }

    /// Everything.
    pub fn lives(&self) -> &BTreeMap<Membership, Life> {
        &self.lives
    }

    /// Who is in a channel.
    pub fn present(&self, channel: &str) -> BTreeSet<String> {
        let inside = self.lives.iter().filter(|((at, _), life)| at == channel && life.present);
        inside.map(|((_, client), _)| client.clone()).collect()
    }

    fn life(&mut self, channel: &str, client: &str) -> &mut Life {
        self.lives.entry((channel.to_owned(), client.to_owned())).or_default()
    }
}
