//! Being told the events of channels: for as long as somebody subscribes, and wherever they go.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, stream};

use super::Hub;
use super::check::AT_ONCE;
use crate::store::StoreError;

/// How long an empty channel is still listened to: a reload of a page costs no resubscription.
const LINGER: Duration = Duration::from_secs(1);

/// Stops listening to channels that nobody subscribes any more.
pub(super) async fn sweep(hub: Hub) {
    loop {
        tokio::time::sleep(LINGER / 2).await;
        let idle = hub.names(|state| state.empty_since.is_some_and(|at| at.elapsed() >= LINGER));
        for channel in idle {
            hub.close(&channel).await;
        }
    }
}

/// After each reconnect or move of slots: subscribes to every channel that is concerned again, then
/// checks it. What was missed may be a loss that the keepalive has not noticed yet, so reads are
/// distrusted until that says otherwise.
pub(super) async fn resubscribe(hub: Hub) {
    loop {
        hub.inner.renewed.notified().await;
        let mut names = hub.names(|state| state.listening != 0);
        names.retain(|channel| !hub.is_listening(channel));
        stream::iter(names)
            .for_each_concurrent(AT_ONCE, |channel| {
                let hub = &hub;
                async move {
                    // After a failure the connection is a new one, and then this starts again.
                    if hub.listen_again(&channel).await.is_ok() {
                        let trusted = hub.inner.store.is_trusted(&channel);
                        hub.with_mirror(&channel, |mirror| {
                            mirror.patience().distrust_connection();
                            if trusted {
                                mirror.patience().trust();
                            }
                        });
                        hub.check_soon(&channel);
                    }
                }
            })
            .await;
    }
}

// === impl Hub ===

impl Hub {
    /// Subscribes again in a new life of the events connection, or on another one.
    async fn listen_again(&self, channel: &str) -> Result<(), StoreError> {
        let Some(gate) = self.channels(channel).get(channel).map(|state| state.gate.clone()) else {
            return Ok(());
        };
        let _gate = gate.lock().await;
        if self.is_listening(channel) { Ok(()) } else { self.listen_anew(channel).await }
    }

    /// Subscribes, whether that was done before or not. The channel's gate is held.
    pub(super) async fn listen_anew(&self, channel: &str) -> Result<(), StoreError> {
        let life = self.inner.store.listen_again(channel).await?;
        if let Some(state) = self.channels(channel).get_mut(channel) {
            state.listening = life;
        }
        Ok(())
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
