//! Listening: sharded subscriptions on the events connection, and what arrives there.

use std::sync::atomic::Ordering;

use fred::interfaces::{ClientLike, EventInterface, PubsubInterface};
use fred::types::Value;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;

use super::Store;
use super::reply::StoreError;

/// Events that may wait for the hub. When it is full, the pump waits, fred's own buffer fills, and
/// an overflow there is noticed as [`StoreEvent::Missed`]: nothing is lost in silence.
pub(super) const QUEUE: usize = 4_096;

/// Something the hub must know.
#[derive(Debug)]
pub enum StoreEvent {
    /// A message on a channel that is listened to.
    Message { channel: Box<str>, payload: bytes::Bytes },
    /// What a server tells the others.
    Control(bytes::Bytes),
    /// The events connection is new: every channel must be subscribed and checked again.
    Reconnected,
    /// Events were dropped on the way: every channel must be checked again.
    Missed,
    /// Redis may have lost data: every channel must be checked again, patiently.
    NewEpoch,
}

// === impl Store ===

impl Store {
    /// Starts listening to a channel; the life of the connection for which that holds.
    pub async fn listen(&self, channel: &str) -> Result<u64, StoreError> {
        self.up()?;
        self.listen_again(channel).await
    }

    /// The same after a reconnect, when the rest of Redis may not be ready yet.
    pub async fn listen_again(&self, channel: &str) -> Result<u64, StoreError> {
        self.subscribe(self.inner.names.roster(channel)).await
    }

    /// The life of the events connection: what was subscribed in another one is not subscribed.
    pub fn generation(&self) -> u64 {
        self.inner.generation.load(Ordering::Acquire)
    }

    /// Subscribes to one sharded channel.
    pub(super) async fn subscribe(&self, channel: String) -> Result<u64, StoreError> {
        let generation = self.generation();
        let result = self.inner.links.events.ssubscribe(channel).await;
        self.trust_or_reconnect(generation, result).map(|()| generation)
    }

    /// Stops listening to a channel.
    pub async fn unlisten(&self, channel: &str) -> Result<(), StoreError> {
        let generation = self.generation();
        let events = &self.inner.links.events;
        let result = events.sunsubscribe(self.inner.names.roster(channel)).await;
        self.trust_or_reconnect(generation, result)
    }

    /// After any error on the events connection its state is unknown: a new one is made, once for
    /// each life of the connection, however many calls failed on it.
    fn trust_or_reconnect(
        &self,
        generation: u64,
        result: Result<(), fred::error::Error>,
    ) -> Result<(), StoreError> {
        let Err(error) = result else { return Ok(()) };
        let events = &self.inner.links.events;
        let current = generation == self.generation() && events.is_connected();
        if current && self.inner.given_up.swap(generation, Ordering::AcqRel) != generation {
            tracing::warn!(error = error.details(), "the events connection is made anew");
            let events = events.clone();
            tokio::spawn(async move { events.force_reconnection().await });
        }
        Err(error.into())
    }
}

/// Passes on what arrives on the events connection.
pub(super) async fn pump(store: Store, queue: mpsc::Sender<StoreEvent>) {
    let client = &store.inner.links.events;
    let mut messages = client.message_rx();
    let mut reconnects = client.reconnect_rx();
    loop {
        let event = tokio::select! {
            message = messages.recv() => match message {
                Ok(message) => match event(&store, &message.channel, message.value) {
                    Some(event) => event,
                    None => continue,
                },
                Err(RecvError::Lagged(_)) => StoreEvent::Missed,
                Err(RecvError::Closed) => return,
            },
            reconnect = reconnects.recv() => match reconnect {
                Ok(_) | Err(RecvError::Lagged(_)) => {
                    store.inner.generation.fetch_add(1, Ordering::AcqRel);
                    StoreEvent::Reconnected
                }
                Err(RecvError::Closed) => return,
            },
        };
        if queue.send(event).await.is_err() {
            return;
        }
    }
}

fn event(store: &Store, key: &str, value: Value) -> Option<StoreEvent> {
    let payload = match value {
        Value::Bytes(bytes) => bytes,
        Value::String(text) => text.into_inner(),
        _ => return None,
    };
    let names = &store.inner.names;
    match names.channel(key) {
        Some(channel) => Some(StoreEvent::Message { channel: channel.into(), payload }),
        None => (key == names.control()).then_some(StoreEvent::Control(payload)),
    }
}
