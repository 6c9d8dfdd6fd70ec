//! Listening: sharded subscriptions on the events connections, and what arrives there.

use std::pin::pin;
use std::sync::Arc;

use fred::error::Error;
use fred::interfaces::{ClientLike, EventInterface, PubsubInterface};
use fred::types::Value;
use tokio::sync::broadcast::error::RecvError;

use super::Store;
use super::cluster_nodes::Redirect;
use super::master::Master;
use super::reply::{StoreError, plain};
use super::shard::{Place, Shard};
use super::trouble::away;

/// Events that may wait for the hub. When it is full, the pumps wait, fred's own buffers fill, and
/// an overflow there is noticed as [`StoreEvent::Missed`]: nothing is lost in silence.
pub(super) const QUEUE: usize = 4_096;
/// How often a subscription follows a slot that moves.
const REDIRECTS: u32 = 4;

/// Something the hub must know.
#[derive(Debug)]
pub enum StoreEvent {
    /// A message on a channel that is listened to.
    Message { channel: Box<str>, payload: bytes::Bytes },
    /// What a server tells the others.
    Control(bytes::Bytes),
    /// An events connection is new, or slots have moved: every channel whose life is not that of
    /// its subscription must be subscribed and checked again.
    Renewed,
    /// Events were dropped on the way: every channel of this life must be checked again.
    Missed { life: u64 },
    /// Redis has lost nothing around the beginning of this life: what was missed before it can be
    /// read.
    Trusted { life: u64 },
    /// Redis may have lost data: every channel of this life must be checked again, patiently. The
    /// number of this loss is that of [`Store::loss`].
    NewEpoch { life: u64 },
}

// === impl Store ===

impl Store {
    /// Starts listening to a channel; the life of the connection for which that holds.
    pub async fn listen(&self, channel: &str) -> Result<u64, StoreError> {
        let place = self.roster_place(channel)?;
        place.up()?;
        place.subscribe(&self.names().roster(channel)).await
    }

    /// The same when the rest of Redis may not be ready yet.
    pub async fn subscribe(&self, channel: &str) -> Result<u64, StoreError> {
        self.roster_place(channel)?.subscribe(&self.names().roster(channel)).await
    }

    /// The life of the events connection for a channel: what was subscribed in another one is not
    /// subscribed. 0 while there is none.
    pub fn life(&self, channel: &str) -> u64 {
        self.roster_place(channel).map(|place| place.life()).unwrap_or_default()
    }

    /// Whether a channel's events arrive on the events connection of this life.
    pub fn is_on(&self, channel: &str, life: u64) -> bool {
        self.master_of(channel).is_some_and(|master| master.life() == life)
    }

    /// Whether it is known that Redis lost nothing around the beginning of the life of a channel's
    /// events connection.
    pub fn is_trusted(&self, channel: &str) -> bool {
        self.master_of(channel).is_some_and(|master| master.is_trusted())
    }

    /// The number of the last loss of data that was noticed where a channel is, if servers may still
    /// be putting back what was lost; else 0. Later ones are greater.
    pub fn loss(&self, channel: &str) -> u64 {
        self.master_of(channel).map(|master| master.loss()).unwrap_or_default()
    }

    /// The same for sure: the lease is renewed once more, so that every loss has been noticed.
    pub async fn loss_for_sure(&self, channel: &str) -> Result<u64, StoreError> {
        let place = self.roster_place(channel)?;
        let master = place.shard.owner(place.slot)?;
        match tokio::time::timeout(place.shard.settings.lease, master.renewal()).await {
            Ok(()) => Ok(master.loss()),
            Err(_) => Err(away("no answer in time".to_owned())),
        }
    }

    /// Stops listening to a channel that was subscribed in the life `since`.
    pub async fn unlisten(&self, channel: &str, since: u64) -> Result<(), StoreError> {
        let place = self.roster_place(channel)?;
        let map = place.shard.map();
        let Some(master) = map.owner(place.slot) else { return Ok(()) };
        if place.life() != since || !master.links.events.is_connected() {
            // It went with its connection, or with its slot; a word about a slot that is not there
            // any more would be answered by an error that fred takes for another command's.
            return Ok(());
        }
        let life = master.life();
        let events = &master.links.events;
        let sent = pin!(events.sunsubscribe(self.names().roster(channel)));
        let result = events.answer(sent).await?;
        master.checked(life, result)
    }

    /// Whether an event with this epoch is of the history that a master of now tells. If not, it may be
    /// of a master that was replaced and goes on, or of data of which the keepalive has not heard yet,
    /// which it is asked to do at once. (Events of a slot that has moved come from where it was.)
    pub fn is_current(&self, channel: &str, epoch: u64) -> bool {
        if epoch == 0 {
            return true;
        }
        let Ok(place) = self.roster_place(channel) else { return false };
        let map = place.shard.map();
        let owner = map.owner(place.slot);
        if owner.is_some_and(|owner| owner.epoch() == epoch) {
            return true;
        }
        if let Some(owner) = owner {
            owner.hurry.notify_one();
        }
        let mut masters = map.masters().iter();
        masters.any(|master| master.epoch() == epoch && map.owns_any(master))
    }

    fn master_of(&self, channel: &str) -> Option<Arc<Master>> {
        let place = self.roster_place(channel).ok()?;
        place.shard.map().owner(place.slot).cloned()
    }
}

// === impl Place ===

impl Place {
    /// Subscribes to the sharded channel `key`, which is here.
    pub(super) async fn subscribe(&self, key: &str) -> Result<u64, StoreError> {
        for _ in 0..REDIRECTS {
            let map = self.shard.map();
            let Some(master) = map.owner(self.slot) else { break };
            let connection = master.life();
            let life = connection.max(map.stay(self.slot));
            let events = &master.links.events;
            let result = events.answer(pin!(events.ssubscribe(key.to_owned()))).await?;
            let moved = result.as_ref().err().and_then(|error| self.moved(error, master));
            match moved {
                Some(Redirect::Moved { slot, address }) => self.shard.moved(slot, &address).await,
                _ => return master.checked(connection, result).map(|()| life),
            }
        }
        Err(StoreError::Away(self.shard.trouble()))
    }

    /// A redirection that is about this slot; one about another answers another command.
    fn moved(&self, error: &Error, master: &Master) -> Option<Redirect> {
        let redirect = Redirect::parse(error.details(), &master.address)?;
        matches!(&redirect, Redirect::Moved { slot, .. } if *slot == self.slot).then_some(redirect)
    }
}

// === impl Master ===

impl Master {
    /// After any other error on the events connection its state is unknown: a new one is made.
    fn checked(&self, life: u64, result: Result<(), Error>) -> Result<(), StoreError> {
        let Err(error) = result else { return Ok(()) };
        if error.details().starts_with("NOPERM") {
            // Only about this channel, and no new connection may do more.
            let refused = StoreError::Refused(error.details().to_owned());
            self.note_refusal("SSUBSCRIBE", &refused);
            return Err(refused);
        }
        self.make_events_anew(life, &plain(error.details()));
        Err(error.into())
    }

    /// Makes the events connection anew, once for each of its lives, however many calls failed.
    pub(super) fn make_events_anew(&self, life: u64, error: &str) {
        let events = &self.links.events;
        if events.is_connected() && !self.gone.is_cancelled() && self.give_up(life) {
            let address = &self.address;
            if error.starts_with("LOADING") {
                // Said already, and it will be so each second until it has loaded.
                tracing::debug!(%address, error, "the events connection is made anew");
            } else {
                tracing::warn!(%address, error, "the events connection is made anew");
            }
            let events = events.clone();
            tokio::spawn(async move { events.force_reconnection().await });
        }
    }
}

/// Passes on what arrives on the events connection of one master.
pub(super) async fn pump(shard: Arc<Shard>, master: Arc<Master>) {
    let client = &master.links.events;
    let mut messages = client.message_rx();
    let mut reconnects = client.reconnect_rx();
    if client.is_connected() {
        // The first connection was quicker than this.
        master.begin_life();
        shard.tell(StoreEvent::Renewed).await;
    }
    loop {
        let event = tokio::select! {
            message = messages.recv() => match message {
                Ok(message) => match event(&shard, &message.channel, message.value) {
                    Some(event) => event,
                    None => continue,
                },
                Err(RecvError::Lagged(_)) => StoreEvent::Missed { life: master.life() },
                Err(RecvError::Closed) => return,
            },
            reconnect = reconnects.recv() => match reconnect {
                Ok(_) | Err(RecvError::Lagged(_)) => {
                    master.begin_life();
                    StoreEvent::Renewed
                }
                Err(RecvError::Closed) => return,
            },
        };
        shard.tell(event).await;
    }
}

fn event(shard: &Shard, key: &str, value: Value) -> Option<StoreEvent> {
    let payload = match value {
        Value::Bytes(bytes) => bytes,
        Value::String(text) => text.into_inner(),
        _ => return None,
    };
    let names = &shard.names;
    match names.channel(key) {
        Some(channel) => Some(StoreEvent::Message { channel: channel.into(), payload }),
        // Nothing else is subscribed to.
        None => Some(StoreEvent::Control(payload)),
    }
}
