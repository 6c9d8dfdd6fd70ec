//! Who listens here: channels, their local subscribers, and the fan-out of events to them.
//!
//! The hub holds no presence truth. For channels with join/leave listeners it keeps a mirror, which
//! decides what a listener has already been shown, and answers only listeners.

mod channel;
mod check;
mod listen;
mod mirror;
mod nodes;
mod patience;
mod picture;
mod queue;
mod reading;
mod registry;

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use rollcall_wire::publication::{Message, Published};
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

use crate::protocol::codes::Unsubscribe;
use crate::protocol::write;
use crate::store::{Store, StoreError, StoreEvent};

pub use channel::Subscriber;
pub use nodes::Identity;
pub use picture::Questioner;
pub use queue::Outbox;
pub use registry::{ClientHandle, Counts};

use channel::Channel;
use mirror::Change;
use nodes::Nodes;
use registry::Registry;

/// The channels are spread over this many locks.
const SHARDS: usize = 16;
/// Checks of channels that may wait, and resets; what does not fit is found soon by looking at all
/// channels, or by the counts.
const CHECKS: usize = 65_536;

type Channels = HashMap<Arc<str>, Channel>;

/// The hub. Cloning is cheap and shares everything.
#[derive(Debug, Clone)]
pub struct Hub {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    store: Store,
    shards: [Mutex<Channels>; SHARDS],
    hasher: RandomState,
    registry: Registry,
    /// Largest roster that is mirrored; see `channel.join_leave_mirror_limit`.
    mirror_limit: u64,
    checks: mpsc::Sender<Arc<str>>,
    /// Some checks found no room.
    crowded: Notify,
    /// Channels whose clients here must be put back into their rosters.
    resets: mpsc::Sender<Arc<str>>,
    nodes: Nodes,
    /// An events connection is new, or slots have moved.
    renewed: Notify,
}

/// A client whose subscribe is about to be answered.
#[derive(Debug)]
pub struct Subscribing<'a> {
    pub client: &'a Arc<str>,
    pub outbox: &'a Outbox,
    /// `None` when another reply has said it already.
    pub reply: Option<Bytes>,
}

// === impl Inner ===

impl Inner {
    /// Asks for who is here to be put back into a roster, which may lack them.
    fn put_back(&self, channel: &str) {
        if self.resets.try_send(channel.into()).is_err() {
            tracing::debug!(channel, "too many rosters to put back: counts will tell");
        }
    }
}

// === impl Hub ===

impl Hub {
    /// Starts the hub over a store and the events that the store receives.
    pub fn start(
        store: Store,
        events: mpsc::Receiver<StoreEvent>,
        own: Identity,
        mirror_limit: u64,
    ) -> Self {
        let (checks, waiting) = mpsc::channel(CHECKS);
        let (resets, reset) = mpsc::channel(CHECKS);
        let hub = Self {
            inner: Arc::new(Inner {
                store,
                shards: std::array::from_fn(|_| Mutex::default()),
                hasher: RandomState::new(),
                registry: Registry::default(),
                mirror_limit,
                checks,
                crowded: Notify::new(),
                resets,
                nodes: Nodes::new(own),
                renewed: Notify::new(),
            }),
        };
        tokio::spawn(pump(hub.clone(), events));
        tokio::spawn(check::run(hub.clone(), waiting));
        tokio::spawn(check::periodically(hub.clone()));
        tokio::spawn(check::soon_again(hub.clone()));
        tokio::spawn(check::put_back(hub.inner.store.clone(), reset));
        tokio::spawn(listen::close_idle(hub.clone()));
        tokio::spawn(listen::resubscribe(hub.clone()));
        tokio::spawn(nodes::announce(hub.clone()));
        hub
    }

    /// The connected clients.
    pub fn registry(&self) -> &Registry {
        &self.inner.registry
    }

    /// What this server has, for `info`.
    pub fn counts(&self) -> Counts {
        let mut counts = self.inner.registry.counts();
        for shard in 0..SHARDS {
            let channels = self.lock(shard);
            let occupied = channels.values().filter(|channel| !channel.subscribers.is_empty());
            counts.channels += occupied.count() as u64;
            counts.subscriptions +=
                channels.values().map(|channel| channel.subscribers.len() as u64).sum::<u64>();
        }
        counts
    }

    /// Begins to listen to a channel for a client. What arrives waits until [`Self::commit`].
    pub async fn join(&self, channel: &Arc<str>, subscriber: Subscriber) -> Result<(), StoreError> {
        // Before anything is noted: a channel without a Redis is taken for one that is listened to.
        self.inner.store.begun(channel).await;
        let client = subscriber.client.clone();
        let wants_members = subscriber.wants_members;
        let gate = {
            let mut channels = self.channels(channel);
            let state = channels.entry(channel.clone()).or_default();
            state.add(subscriber);
            state.gate.clone()
        };
        let joined = {
            let _gate = gate.lock().await;
            self.open(channel, wants_members).await
        };
        if joined.is_err() {
            self.leave(channel, &client);
        }
        joined
    }

    /// Sends the reply of a subscribe and then what has waited: joins and leaves from `seq` on.
    pub fn commit(&self, channel: &str, subscribing: Subscribing<'_>, seq: u64) {
        let Subscribing { client, outbox, reply } = subscribing;
        let evicted = {
            let mut channels = self.channels(channel);
            if let Some(subscriber) =
                channels.get_mut(channel).and_then(|state| state.get_mut(client))
            {
                subscriber.commit(reply, seq)
            } else {
                // A command is answered, whatever became of the subscription.
                if let Some(reply) = reply {
                    outbox.reply(reply);
                }
                false
            }
        };
        if evicted {
            self.inner.registry.unsubscribed(client, channel);
            outbox.push(write::push_unsubscribe(channel, Unsubscribe::INSUFFICIENT_STATE));
        }
    }

    /// Stops listening for a client.
    pub fn leave(&self, channel: &str, client: &str) {
        if let Some(state) = self.channels(channel).get_mut(channel) {
            state.remove(client);
        }
    }

    /// Makes sure that events arrive and, for listeners of joins and leaves, that there is a mirror.
    /// The channel's gate is held.
    async fn open(&self, channel: &Arc<str>, wants_members: bool) -> Result<(), StoreError> {
        let current = self.inner.store.life(channel);
        let listening = self.channels(channel).get(channel).map(|state| state.listening);
        if listening != Some(current) {
            self.hold(channel);
            let life = self.inner.store.listen(channel).await?;
            self.listens(channel, life);
            // It has moved meanwhile, when nobody listened to it yet.
            if !self.is_listening(channel) {
                self.inner.renewed.notify_one();
            }
        }
        if wants_members {
            self.mirror(channel).await?;
        }
        Ok(())
    }

    /// Takes one message that arrived on a channel.
    fn dispatch(&self, channel: &str, payload: &[u8]) {
        let Some(message) = Message::parse(payload) else {
            tracing::debug!(channel, "a message that is not ours was dropped");
            return;
        };
        if message.db().is_some_and(|db| db != self.inner.store.db(channel)) {
            return;
        }
        let mut channels = self.channels(channel);
        let Some(state) = channels.get_mut(channel) else { return };
        if matches!(message, Message::Reset { .. }) {
            self.inner.put_back(channel);
        }
        let check = match message {
            message if !self.inner.store.is_current(channel, message.epoch()) => {
                state.on_unknown_history(&message)
            }
            Message::Publication(published) => {
                state.deliver_all(&publication(channel, &published));
                false
            }
            message => state.on_event(channel, &message),
        };
        if check {
            drop(channels);
            self.check_soon(channel);
        }
    }

    /// Tells listeners of joins and leaves to subscribe anew.
    fn unsubscribe_members(&self, channel: &str) {
        let push = write::push_unsubscribe(channel, Unsubscribe::INSUFFICIENT_STATE);
        let mut clients = Vec::new();
        if let Some(state) = self.channels(channel).get_mut(channel) {
            state.mirror = None;
            for subscriber in state.subscribers.values_mut().filter(|one| one.wants_members) {
                if subscriber.evict() {
                    clients.push((subscriber.client.clone(), subscriber.outbox.clone()));
                }
            }
        }
        for (client, outbox) in clients {
            self.inner.registry.unsubscribed(&client, channel);
            outbox.push(push.clone());
        }
    }

    /// Asks for a check of a channel; each channel waits at most once.
    fn check_soon(&self, channel: &str) {
        let mut channels = self.channels(channel);
        let Some((name, state)) = channels.get_key_value(channel) else { return };
        if state.check_waiting {
            return;
        }
        let name = name.clone();
        if self.inner.checks.try_send(name).is_err() {
            self.inner.crowded.notify_one();
        } else if let Some(state) = channels.get_mut(channel) {
            state.check_waiting = true;
        }
    }

    /// Names of all channels for which `filter` holds.
    fn names(&self, filter: impl Fn(&Channel) -> bool) -> Vec<Arc<str>> {
        let mut names = Vec::new();
        for shard in 0..SHARDS {
            let channels = self.lock(shard);
            names.extend(
                channels.iter().filter(|(_, state)| filter(state)).map(|(name, _)| name.clone()),
            );
        }
        names
    }

    fn channels(&self, channel: &str) -> MutexGuard<'_, Channels> {
        let hash = self.inner.hasher.hash_one(channel);
        self.lock(usize::try_from(hash % SHARDS as u64).unwrap_or_default())
    }

    fn lock(&self, shard: usize) -> MutexGuard<'_, Channels> {
        self.inner.shards[shard].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Serves the store's events for as long as the server runs.
async fn pump(hub: Hub, mut events: mpsc::Receiver<StoreEvent>) {
    while let Some(event) = events.recv().await {
        match event {
            StoreEvent::Message { channel, payload } => hub.dispatch(&channel, &payload),
            StoreEvent::Control(payload) => {
                if let Some(question) = hub.inner.nodes.on_message(&payload, Instant::now()) {
                    hub.answer(question);
                }
            }
            StoreEvent::Renewed => {
                hub.announce_soon();
                hub.inner.renewed.notify_one();
            }
            StoreEvent::Missed { life } => check::missed(&hub, life),
            StoreEvent::Trusted { life } => check::trust(&hub, life),
            StoreEvent::NewEpoch { life } => check::new_epoch(&hub, life),
        }
    }
}

/// A publication as a push. Other programs may publish here as well, and break their lines.
fn publication(channel: &str, published: &Published<'_>) -> Bytes {
    write::push(channel, "pub", |body| {
        if let Some(data) = published.data {
            body.json("data", &data.into());
        }
        if let Some(data) = &published.b64data {
            body.string("b64data", data);
        }
        for (name, value) in [("info", published.info), ("tags", published.tags)] {
            if let Some(value) = value {
                body.json(name, &value.into());
            }
        }
    })
}

/// A change of the mirror as a push.
fn member_push(channel: &str, change: &Change) -> Bytes {
    match change {
        Change::Join(info) => write::push_member(channel, "join", info),
        Change::Leave(info) => write::push_member(channel, "leave", info),
    }
}
