//! Checking that what listeners were shown is what is in Redis, and mending it where it is not.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{Stream, StreamExt, stream};
use tokio::sync::mpsc;

use super::Hub;
use super::mirror::{Known, Mirror, Read};
use super::patience::{Differences, Patience};
use crate::store::{PUT_BACK, Stats, Store, StoreError};

/// How often every mirrored roster's sequence is compared.
const PERIOD: Duration = Duration::from_secs(10);
/// How much longer joins wait that no event tells: after a load or a failover Redis keeps what a
/// server held that died for the grace of its lease, 10 s unless configured otherwise.
const LATE: Duration = Duration::from_secs(7);
/// Signs of a loss that come this soon after a wait has begun are of the loss that is waited for:
/// every server notices a loss and begins to put back what it holds well before.
const SAME_LOSS: Duration = Duration::from_secs(2);
/// How long events already on their way may take.
const ON_THEIR_WAY: Duration = Duration::from_millis(500);
/// How long a failed check waits for its next try.
const RETRY: Duration = Duration::from_millis(300);
/// Channels checked or subscribed at once.
pub(super) const AT_ONCE: usize = 64;
/// Rosters compared in one call.
const BATCH: usize = 500;

/// Serves the queue of checks.
pub(super) async fn run(hub: Hub, waiting: mpsc::Receiver<Arc<str>>) {
    each(waiting)
        .for_each_concurrent(AT_ONCE, |channel| {
            let hub = &hub;
            async move {
                if let Some(state) = hub.channels(&channel).get_mut(&channel) {
                    state.check_waiting = false;
                }
                if let Err(error) = hub.check(&channel).await {
                    tracing::debug!(%channel, %error, "a check failed and is tried again");
                    // Not in the place of others, whose Redis answers.
                    let hub = hub.clone();
                    tokio::spawn(async move {
                        tokio::time::sleep(RETRY).await;
                        hub.check_soon(&channel);
                    });
                }
            }
        })
        .await;
}

fn each(waiting: mpsc::Receiver<Arc<str>>) -> impl Stream<Item = Arc<str>> {
    stream::unfold(waiting, async |mut waiting| {
        waiting.recv().await.map(|channel| (channel, waiting))
    })
}

/// Compares the sequences of all mirrored rosters, every [`PERIOD`].
pub(super) async fn periodically(hub: Hub) {
    loop {
        tokio::time::sleep(PERIOD).await;
        let names = hub.names(|state| state.mirror.is_some());
        let mut read = Vec::new();
        for batch in names.chunks(BATCH) {
            let before: Vec<u64> = batch.iter().map(|channel| hub.shown_seq(channel)).collect();
            for channel in batch {
                hub.with_mirror(channel, Mirror::forget_leaves);
            }
            let all = hub.inner.store.stats_of(batch).await;
            read.extend(batch.iter().zip(before).zip(all));
        }
        // Events on their way are no gap.
        tokio::time::sleep(ON_THEIR_WAY).await;
        wanted(&hub);
        for ((channel, before), stats) in read {
            if stats.is_ok_and(|stats| hub.is_behind(channel, &stats, before)) {
                hub.check_soon(channel);
            }
        }
    }
}

/// Asks again for the checks that found no room, as often as it takes.
pub(super) async fn soon_again(hub: Hub) {
    loop {
        hub.inner.crowded.notified().await;
        tokio::time::sleep(ON_THEIR_WAY).await;
        wanted(&hub);
    }
}

/// Asks for a check of every channel that waits for one.
fn wanted(hub: &Hub) {
    let wants_read = |mirror: &Mirror| mirror.wants_read();
    for channel in hub.names(|state| state.mirror.as_ref().is_some_and(wants_read)) {
        hub.check_soon(&channel);
    }
}

/// Puts back who is here into rosters that were deleted or overwritten: soon enough for everybody
/// who waits for that.
pub(super) async fn put_back(store: Store, reset: mpsc::Receiver<Arc<str>>) {
    let store = &store;
    each(reset).for_each_concurrent(AT_ONCE, async |channel| store.put_back(&channel).await).await;
}

/// Events of one connection were dropped: every channel of it that has listeners of joins and leaves
/// is checked.
pub(super) fn missed(hub: &Hub, life: u64) {
    for channel in mirrored(hub, life) {
        hub.with_mirror(&channel, Mirror::was_deaf);
        hub.check_soon(&channel);
    }
}

/// Redis may have lost data: whoever is gone from it is given time to come back.
pub(super) fn new_epoch(hub: &Hub, life: u64) {
    for channel in mirrored(hub, life) {
        let loss = hub.inner.store.loss(&channel);
        hub.with_mirror(&channel, |mirror| mirror.patience().lost(loss));
        hub.check_soon(&channel);
    }
}

/// The channels with mirrors whose events arrive on this events connection.
fn mirrored(hub: &Hub, life: u64) -> Vec<Arc<str>> {
    let mut names = hub.names(|state| state.mirror.is_some());
    names.retain(|channel| hub.inner.store.is_on(channel, life));
    names
}

/// Redis has lost nothing while events were missed: what waits for it need not wait.
pub(super) fn trust(hub: &Hub, life: u64) {
    for channel in mirrored(hub, life) {
        if hub.with_mirror(&channel, |mirror| mirror.patience().trust()) == Some(true) {
            hub.check_soon(&channel);
        }
    }
}

// === impl Hub ===

impl Hub {
    /// Makes the first read of a mirror, if there is none yet. The channel's gate is held.
    pub(super) async fn mirror(&self, channel: &Arc<str>) -> Result<(), StoreError> {
        {
            let mut channels = self.channels(channel);
            let Some(state) = channels.get_mut(channel) else { return Ok(()) };
            if state.mirror.is_some() {
                return Ok(());
            }
            state.mirror = Some(Mirror::new(self.inner.mirror_limit));
        }
        let loss = self.inner.store.loss(channel);
        let read = self.read(channel).await;
        let mut channels = self.channels(channel);
        let Some(state) = channels.get_mut(channel) else { return Ok(()) };
        match (read, &mut state.mirror) {
            (Ok((seq, read)), Some(mirror)) => {
                mirror.patience().begin_after(loss);
                // Everybody who is there already is shown to nobody: listeners ask for presence.
                let before = mirror.first_read(seq, read);
                let blind = (loss > 0 && mirror.is_too_many()).then(|| mirror.id());
                let gap = state.show(channel, before);
                drop(channels);
                if let Some(mirror) = blind {
                    self.begin_anew_later(channel.clone(), mirror);
                }
                if gap {
                    self.check_soon(channel);
                }
                Ok(())
            }
            (Err(error), mirror) => {
                *mirror = None;
                Err(error)
            }
            (Ok(_), None) => Ok(()),
        }
    }

    /// Brings the listeners of a channel up to date.
    async fn check(&self, channel: &Arc<str>) -> Result<(), StoreError> {
        let gate = {
            let mut channels = self.channels(channel);
            let Some(state) = channels.get_mut(channel) else { return Ok(()) };
            if state.mirror.is_none() {
                return Ok(());
            }
            state.gate.clone()
        };
        let held = gate.lock().await;
        let Some(known) = self.with_mirror(channel, Mirror::begin_check) else { return Ok(()) };
        match known {
            Known::Members => {
                // After an error events wait on, for the next try.
                let (seq, read) = self.read_for_sure(channel).await?;
                self.finish(channel, seq, read);
                Ok(())
            }
            // Nobody knows what was missed: whoever listens begins anew.
            Known::Gap => {
                self.unsubscribe_members(channel);
                Ok(())
            }
            Known::Sequence(before) => {
                let stats = self.inner.store.stats_as_is(channel).await?;
                // Whoever subscribes meanwhile need not wait for that.
                drop(held);
                tokio::time::sleep(ON_THEIR_WAY).await;
                if self.is_behind(channel, &stats, before) {
                    self.unsubscribe_members(channel);
                }
                Ok(())
            }
        }
    }

    /// Tells listeners to subscribe again once every server has put back its clients: they asked who is
    /// here while that went on, and of a room too big to mirror the hub does not know what they were told.
    fn begin_anew_later(&self, channel: Arc<str>, mirror: u64) {
        let hub = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(PUT_BACK).await;
            let blind = |now: &mut Mirror| now.id() == mirror && now.is_too_many();
            if hub.with_mirror(&channel, blind) == Some(true) {
                hub.unsubscribe_members(&channel);
            }
        });
    }

    /// The sequence up to which listeners have been shown a channel.
    fn shown_seq(&self, channel: &str) -> u64 {
        self.with_mirror(channel, |mirror| mirror.seq()).unwrap_or_default()
    }

    /// Whether counts show more than the listeners, who had been shown `before` then, were shown
    /// since; or less, after Redis has lost its sequences.
    fn is_behind(&self, channel: &str, stats: &Stats, before: u64) -> bool {
        let behind = |mirror: &mut Mirror| {
            let both_empty = stats.clients == 0 && mirror.is_empty();
            !both_empty && (mirror.seq() < stats.seq || stats.seq < before)
        };
        self.with_mirror(channel, behind).unwrap_or_default()
    }

    /// Ends a check with what was read.
    fn finish(&self, channel: &Arc<str>, seq: u64, read: Read) {
        // Seldom anybody is missing, and a large room is not listed for nothing.
        let lacks = self.with_mirror(channel, |mirror| mirror.misses(&read)).unwrap_or_default();
        let held = if lacks { self.inner.store.held(channel) } else { Vec::new() };
        let mut channels = self.channels(channel);
        let Some(state) = channels.get_mut(channel) else { return };
        let Some(mirror) = &mut state.mirror else { return };
        if mirror.misses_any(&read, &held) {
            // Who is here has not left. As long as Redis lacks them, others may not have been able
            // to put back theirs either.
            mirror.patience().distrust();
            self.inner.put_back(channel);
        }
        let vanished = matches!(&read, Read::All(all) if all.is_empty());
        let (differences, wait) = mirror.judge_read(vanished);
        let time = if differences == Differences::ShowLeaves { LATE } else { PUT_BACK };
        let wait = wait.map(|wait| (mirror.id(), wait, time));
        let effect = mirror.end_read(seq, read, differences);
        let gap = state.show(channel, effect);
        drop(channels);
        if let Some(wait) = wait {
            self.check_later(channel.clone(), wait);
        }
        if gap {
            self.check_soon(channel);
        }
    }

    /// Ends a wait of this mirror after so much time: what is still different is shown then.
    fn check_later(&self, channel: Arc<str>, (mirror, wait, time): (u64, u32, Duration)) {
        let hub = self.clone();
        tokio::spawn(async move {
            let tell = |what: fn(&mut Patience, u32)| {
                hub.with_mirror(&channel, |now| {
                    // Another one, perhaps, of listeners who came later.
                    if now.id() == mirror {
                        what(now.patience(), wait);
                    }
                });
            };
            tokio::time::sleep(SAME_LOSS).await;
            tell(Patience::close);
            tokio::time::sleep(time.saturating_sub(SAME_LOSS)).await;
            tell(Patience::end);
            hub.check_soon(&channel);
        });
    }

    /// What `ask` says of the channel's mirror, if it has one.
    pub(super) fn with_mirror<T>(
        &self,
        channel: &str,
        ask: impl FnOnce(&mut Mirror) -> T,
    ) -> Option<T> {
        self.channels(channel).get_mut(channel)?.mirror.as_mut().map(ask)
    }
}
