//! Telling a client who is in a channel whose joins and leaves it is shown.
//!
//! Its picture is the answer and every join and leave after it. So the answer has to fit what listeners
//! here have been shown: while Redis lacks clients after a loss, or still names some who have left, what
//! makes that good is pushed to all listeners as a difference from what they were shown.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::channel::Channel;
use super::mirror::{Basis, Mirror, PictureRead};
use super::reading::members;
use super::{Hub, Outbox};
use crate::store::{Roster, Stats, StoreError};

/// How long events may take that a read knows of already; what has not come by then is shown later.
const ON_THEIR_WAY: Duration = Duration::from_millis(100);
/// How long the client's own join may take, which the answer shall name.
const OWN_JOIN: Duration = Duration::from_secs(2);
/// How long to wait for the first event of a roster: after that its clients join without events.
const UNHEARD: Duration = Duration::from_millis(500);
/// How long to wait before looking again whether they have come; longer each time.
const PAUSE: Duration = Duration::from_millis(2);
const LONGEST_PAUSE: Duration = Duration::from_millis(32);

/// A client that asks who is in a channel.
#[derive(Debug)]
pub struct Questioner<'a> {
    pub channel: &'a Arc<str>,
    pub client: &'a Arc<str>,
    pub outbox: &'a Outbox,
}

/// What the answer is taken from: the mirror, unless it is the read itself.
type Shown<'a> = Option<(&'a Mirror, Basis)>;

// === impl Hub ===

impl Hub {
    /// Tells a client which clients are in a channel: `reply` makes the reply of a `presence` object. Pushes
    /// before the reply are in it, and those after it are not.
    pub async fn tell_presence(
        &self,
        questioner: &Questioner<'_>,
        reply: impl FnOnce(&[u8]) -> Bytes,
    ) -> Result<(), StoreError> {
        let Roster { seq, since, json } = self.inner.store.presence(questioner.channel).await?;
        let read = PictureRead { since, seq, empty: json.len() <= 2 };
        // Read apart before the lock is taken, which others wait for.
        let both = self.caught_up(questioner, read).await == Some(Basis::Both);
        let others = both.then(|| members(&json).unwrap_or_default());
        self.tell(questioner, read, |shown| match shown {
            None => reply(&json),
            Some((mirror, Basis::Both)) => {
                let others = others.unwrap_or_else(|| members(&json).unwrap_or_default());
                reply(&mirror.presence(Some((&read, &others))))
            }
            Some((mirror, _)) => reply(&mirror.presence(None)),
        });
        Ok(())
    }

    /// Tells a client how many clients and users are in a channel, as [`Self::tell_presence`] does.
    pub async fn tell_stats(
        &self,
        questioner: &Questioner<'_>,
        reply: impl FnOnce(u64, u64) -> Bytes,
    ) -> Result<(), StoreError> {
        let Stats { clients, users, seq } = self.inner.store.stats(questioner.channel).await?;
        let read = PictureRead { since: seq, seq, empty: clients == 0 };
        self.caught_up(questioner, read).await;
        self.tell(questioner, read, |shown| {
            let counts = shown.map(|(mirror, basis)| mirror.counts(basis));
            let (clients, users) = counts.unwrap_or((clients, users));
            reply(clients, users)
        });
        Ok(())
    }

    /// Waits until what was read has been shown here, or will be shown later; the basis of an answer
    /// then.
    async fn caught_up(&self, questioner: &Questioner<'_>, read: PictureRead) -> Option<Basis> {
        let begun = Instant::now();
        let mut pause = PAUSE;
        loop {
            let (basis, limit) = self.wait(questioner, read)?;
            if limit.is_none_or(|limit| begun.elapsed() >= limit) {
                return Some(basis);
            }
            tokio::time::sleep(pause).await;
            pause = (2 * pause).min(LONGEST_PAUSE);
        }
    }

    /// Answers.
    fn tell(
        &self,
        questioner: &Questioner<'_>,
        read: PictureRead,
        reply: impl FnOnce(Shown<'_>) -> Bytes,
    ) {
        let mut channels = self.channels(questioner.channel);
        let state = channels.get_mut(questioner.channel);
        let listens = |state: &&mut Channel| state.subscribers.contains_key(questioner.client);
        let Some(state) = state.filter(listens) else {
            // No listener any more: nothing will be pushed.
            return questioner.outbox.reply(reply(None));
        };
        let settled = self.is_settled(questioner.channel, state.listening, state.mirror.as_mut());
        let shown = state.mirror.as_ref().map(|mirror| (mirror, mirror.basis(read, settled)));
        let late = matches!(shown, Some((_, Basis::Later)));
        let known = shown.is_some_and(|(mirror, _)| !mirror.is_too_many());
        let by_read = |basis| matches!(basis, Basis::Read | Basis::Unheard);
        questioner.outbox.reply(reply(shown.filter(|(_, basis)| !by_read(*basis))));
        if let Some(subscriber) = state.get_mut(questioner.client).filter(|_| known) {
            subscriber.told();
        }
        drop(channels);
        if late || !settled {
            self.check_soon(questioner.channel);
        }
    }

    /// The basis of an answer now, and how long to wait, at most, for what will have been shown in a
    /// moment.
    fn wait(
        &self,
        questioner: &Questioner<'_>,
        read: PictureRead,
    ) -> Option<(Basis, Option<Duration>)> {
        let mut channels = self.channels(questioner.channel);
        let state = channels.get_mut(questioner.channel)?;
        let settled = self.is_settled(questioner.channel, state.listening, state.mirror.as_mut());
        let mirror = state.mirror.as_ref()?;
        let (seq, basis) = (mirror.seq(), mirror.basis(read, settled));
        let joined = state.get_mut(questioner.client).is_none_or(|one| one.begins_by(seq));
        let limit = match basis {
            Basis::Read => None,
            _ if !joined => Some(OWN_JOIN),
            Basis::Unheard => Some(UNHEARD),
            Basis::Later => Some(ON_THEIR_WAY),
            Basis::Both | Basis::Shown => None,
        };
        Some((basis, limit))
    }

    /// Whether the channel's events arrive as they happen, of the history that Redis has now. A loss
    /// that only the store knows of yet is told to the mirror.
    fn is_settled(&self, channel: &str, listening: u64, mirror: Option<&mut Mirror>) -> bool {
        let store = &self.inner.store;
        if let Some(mirror) = mirror {
            mirror.patience().lost(store.loss(channel));
        }
        listening == store.life(channel)
    }
}
