//! Being told the events of channels: for as long as somebody subscribes, and wherever they go.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, stream};

use super::Hub;
use super::check::AT_ONCE;
use super::mirror::Mirror;
use crate::store::StoreError;

/// How long an empty channel is still listened to: a reload of a page costs no resubscription.
const LINGER: Duration = Duration::from_secs(1);
/// How long a subscription that failed waits for its next try; longer each time.
const RETRY: Duration = Duration::from_millis(300);
const LONGEST_RETRY: Duration = Duration::from_secs(5);

/// Stops listening to channels that nobody subscribes any more.
pub(super) async fn close_idle(hub: Hub) {
    loop {
        tokio::time::sleep(LINGER / 2).await;
        let idle = hub.names(|state| state.empty_since.is_some_and(|at| at.elapsed() >= LINGER));
        for channel in idle {
            hub.close(&channel).await;
        }
    }
}

/// After each reconnect or move of slots: subscribes to every channel that is concerned again.
pub(super) async fn resubscribe(hub: Hub) {
    let mut pause = None;
    loop {
        let renewed = hub.inner.renewed.notified();
        match pause {
            None => renewed.await,
            // A connection may fail while it is being made, without another to say so.
            Some(pause) => tokio::time::timeout(pause, renewed).await.unwrap_or_default(),
        }
        let mut names = hub.names(|state| state.listening != 0);
        names.retain(|channel| !hub.is_listening(channel));
        let failed = stream::iter(names)
            .map(async |channel| match hub.listen_if_moved(&channel).await {
                // Nobody is let in there; trying again does not help.
                Ok(()) | Err(StoreError::Refused(_)) => false,
                Err(error) => {
                    tracing::debug!(%channel, %error, "not subscribed again yet");
                    true
                }
            })
            .buffer_unordered(AT_ONCE)
            // All of them, also after a failure.
            .fold(false, async |before, failed| before || failed);
        let longer = |pause: Duration| (pause * 2).min(LONGEST_RETRY);
        pause = failed.await.then(|| pause.map_or(RETRY, longer));
    }
}

// === impl Hub ===

impl Hub {
    /// Subscribes again in a new life of the events connection, or on another one.
    async fn listen_if_moved(&self, channel: &str) -> Result<(), StoreError> {
        let Some(gate) = self.channels(channel).get(channel).map(|state| state.gate.clone()) else {
            return Ok(());
        };
        let _gate = gate.lock().await;
        if self.is_listening(channel) { Ok(()) } else { self.listen_anew(channel).await }
    }

    /// Subscribes, whether that was done before or not. The channel's gate is held.
    pub(super) async fn listen_anew(&self, channel: &str) -> Result<(), StoreError> {
        self.hold(channel);
        let life = self.inner.store.subscribe(channel).await?;
        self.listens(channel, life);
        Ok(())
    }

    /// Before a channel is subscribed again: what arrives then comes after what was missed, and waits
    /// for the check that tells it.
    pub(super) fn hold(&self, channel: &str) {
        self.with_mirror(channel, Mirror::hold);
    }

    /// Notes in which life a channel is listened to. After another one events were missed, and that
    /// may be because Redis has lost data, which the keepalive has not noticed yet: until it says
    /// otherwise, reads are distrusted.
    pub(super) fn listens(&self, channel: &str, life: u64) {
        let mut channels = self.channels(channel);
        let Some(state) = channels.get_mut(channel) else { return };
        let before = std::mem::replace(&mut state.listening, life);
        let Some(mirror) = state.mirror.as_mut().filter(|_| before != 0 && before != life) else {
            return;
        };
        let store = &self.inner.store;
        mirror.was_deaf();
        mirror.patience().distrust_connection();
        mirror.patience().lost(store.loss(channel));
        if store.is_trusted(channel) {
            mirror.patience().trust();
        }
        drop(channels);
        self.check_soon(channel);
    }

    /// Whether events arrive as they should: nobody wants them, or they are subscribed where the
    /// channel is now.
    pub(super) fn is_listening(&self, channel: &str) -> bool {
        let listening = self.channels(channel).get(channel).map(|state| state.listening);
        let listening = listening.unwrap_or_default();
        listening == 0 || listening == self.inner.store.life(channel)
    }

    /// Ends listening, unless somebody came meanwhile.
    async fn close(&self, channel: &Arc<str>) {
        let Some(gate) = self.channels(channel).get(channel).map(|state| state.gate.clone()) else {
            return;
        };
        let Ok(_gate) = gate.try_lock() else { return };
        let since;
        {
            let mut channels = self.channels(channel);
            let Some(state) = channels.get_mut(channel) else { return };
            if !state.subscribers.is_empty() {
                return;
            }
            since = std::mem::take(&mut state.listening);
        }
        if let Err(error) = self.inner.store.unlisten(channel, since).await {
            tracing::debug!(%channel, %error, "a channel nobody listens to is still sent");
        }
        let mut channels = self.channels(channel);
        if channels.get(channel).is_some_and(|state| state.subscribers.is_empty()) {
            channels.remove(channel);
        }
    }
}
