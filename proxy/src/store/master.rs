//! One Redis master: its connections, our lease there, and how it looks from here.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fred::interfaces::EventInterface;
use fred::types::config::Server;
use tokio::sync::broadcast::{Receiver as BroadcastReceiver, error::TryRecvError};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::link::{CONNECTING, Links};
use super::reply::StoreError;
use super::trouble::refusal;
use super::{Health, PUT_BACK};
use crate::config::{RedisAddress, RedisShard};

/// A master of a shard.
#[derive(Debug)]
pub(super) struct Master {
    pub(super) address: RedisAddress,
    /// What else it is called by.
    pub(super) alias: Option<RedisAddress>,
    pub(super) links: Links,
    /// The node name under which everything is added there; changed under the holdings' lock.
    name: Mutex<Arc<str>>,
    state: Mutex<State>,
    /// What it refused, and when that was said.
    refusals: Mutex<HashMap<[&'static str; 2], Instant>>,
    /// The life of the events connection: unique among all connections of this process.
    life: AtomicU64,
    /// The life of the events connection around whose beginning nothing was lost.
    trusted: AtomicU64,
    /// The life of the events connection that was given up last.
    given_up: AtomicU64,
    /// Wakes the keepalive loop before its time.
    pub(super) hurry: Notify,
    /// Counts renewals that were begun.
    begun: AtomicU64,
    /// The last that succeeded, of those that `begun` counts, and when it began.
    renewed: watch::Sender<(u64, Option<Instant>)>,
    /// Brought up to date by [`Self::first_renewal`].
    commands_made: Mutex<Made>,
    /// The last loss that was noticed, and when.
    loss: Mutex<Option<(u64, Instant)>>,
    /// The epoch that the last renewal reported; 0 before the first.
    epoch: AtomicU64,
    /// It says that the cluster does not serve keys.
    cluster_fails: AtomicBool,
    /// What it holds may be something else than it shall: everything must be put back.
    lost: AtomicBool,
    /// It may have lost some of that.
    lacking: AtomicBool,
    /// It is not used any more, or the server stops: its tasks end.
    pub(super) gone: CancellationToken,
}

/// How a master looks from here, and what was said of it.
#[derive(Debug)]
struct State {
    health: Health,
    /// Why it could not be used, as often as that changed since it could be used last.
    said: Vec<String>,
}

/// The last time that the commands connection was made.
#[derive(Debug)]
struct Made {
    connections: BroadcastReceiver<Server>,
    /// The first renewal after it.
    renewal: u64,
}

/// How often it is said that commands are refused.
const SAID_AGAIN: Duration = Duration::from_secs(60);

/// So many reasons are remembered.
const REASONS: usize = 16;

/// A node name nobody else has or had.
pub(super) fn node_name() -> Arc<str> {
    uuid::Uuid::new_v4().to_string().into()
}

/// A number for the life of a connection, the stay of a slot or a loss: no other has it, and later
/// ones are greater.
pub(super) fn next_number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

// === impl State ===

impl State {
    /// Whether this reason is not said yet; it is now.
    fn says(&mut self, why: &str) -> bool {
        let new = !self.said.iter().any(|said| said == why);
        if new && self.said.len() < REASONS {
            self.said.push(why.to_owned());
        }
        new
    }
}

// === impl Master ===

impl Master {
    /// A master at `address`, reached as `shard` says; connects when its links are told to.
    pub(super) fn new(
        (address, alias): (RedisAddress, Option<RedisAddress>),
        shard: &RedisShard,
        gone: CancellationToken,
    ) -> Result<Arc<Self>, StoreError> {
        let links = Links::new(&address, shard)?;
        let connections = links.commands.reconnect_rx();
        Ok(Arc::new(Self {
            links,
            address,
            alias,
            name: Mutex::new(node_name()),
            state: Mutex::new(State {
                health: Health::Down(CONNECTING.to_owned()),
                said: Vec::new(),
            }),
            refusals: Mutex::default(),
            life: AtomicU64::new(next_number()),
            trusted: AtomicU64::new(0),
            given_up: AtomicU64::new(0),
            hurry: Notify::new(),
            begun: AtomicU64::new(0),
            renewed: watch::Sender::new((0, None)),
            commands_made: Mutex::new(Made { connections, renewal: 0 }),
            loss: Mutex::default(),
            epoch: AtomicU64::new(0),
            cluster_fails: AtomicBool::new(false),
            lost: AtomicBool::new(false),
            lacking: AtomicBool::new(false),
            gone,
        }))
    }

    pub(super) fn is_at(&self, address: &RedisAddress) -> bool {
        self.address == *address || self.alias.as_ref() == Some(address)
    }

    pub(super) fn name(&self) -> Arc<str> {
        locked(&self.name).clone()
    }

    /// Takes another name; the one before. The caller holds the lock of the holdings.
    pub(super) fn rename(&self, name: Arc<str>) -> Arc<str> {
        std::mem::replace(&mut locked(&self.name), name)
    }

    pub(super) fn health(&self) -> Health {
        locked(&self.state).health.clone()
    }

    /// Refuses at once while it is away.
    pub(super) fn up(&self) -> Result<(), StoreError> {
        match &locked(&self.state).health {
            Health::Up => Ok(()),
            Health::Down(why) => Err(StoreError::Away(why.clone())),
        }
    }

    /// Says a change of health once, in the log of an operator who can act on it; whether there was
    /// one. What is between may give several reasons in turns: each is said once until it is there.
    pub(super) fn set_health(&self, health: Health) -> bool {
        let mut state = locked(&self.state);
        if state.health == health || self.gone.is_cancelled() {
            return false;
        }
        let address = &self.address;
        match &health {
            Health::Up => {
                tracing::info!(%address, "redis is ready");
                state.said.clear();
            }
            // Every start begins so; it is worth a line only if it goes on to fail.
            Health::Down(why) if why == CONNECTING => {}
            Health::Down(why) if state.says(why) => tracing::error!(%address, "{why}"),
            Health::Down(why) => tracing::debug!(%address, "{why}"),
        }
        state.health = health;
        true
    }

    /// Says what it refuses, and to what, in the log of an operator who can act on it; seldom, as every
    /// call may be.
    pub(super) fn note_refusal(&self, command: &'static str, error: &StoreError) {
        let Some((word, text)) = refusal(error) else { return };
        let mut refusals = locked(&self.refusals);
        let what = [word, command];
        if refusals.get(&what).is_none_or(|said| said.elapsed() >= SAID_AGAIN) {
            refusals.insert(what, Instant::now());
            tracing::error!(address = %self.address, command, "redis refuses commands: {text}");
        }
    }

    /// The life of the events connection: what was subscribed in another one is not subscribed.
    pub(super) fn life(&self) -> u64 {
        self.life.load(Ordering::Acquire)
    }

    /// The events connection is a new one.
    pub(super) fn begin_life(&self) {
        self.life.store(next_number(), Ordering::Release);
    }

    /// Nothing was lost around the beginning of this life; whether that is news.
    pub(super) fn trust(&self, life: u64) -> bool {
        self.trusted.swap(life, Ordering::AcqRel) != life
    }

    pub(super) fn is_trusted(&self) -> bool {
        self.trusted.load(Ordering::Acquire) == self.life()
    }

    /// Whether this life is to be given up, once for each life.
    pub(super) fn give_up(&self, life: u64) -> bool {
        life == self.life() && self.given_up.swap(life, Ordering::AcqRel) != life
    }

    /// Why it cannot be used although it renews the lease; `None` when it can.
    pub(super) fn trouble(&self) -> Option<String> {
        if self.cluster_fails.load(Ordering::Acquire) {
            return Some("the cluster is down (cluster_state:fail)".to_owned());
        }
        self.links.trouble()
    }

    /// Notes whether the cluster serves keys, as this one sees it. While it does not, no command is
    /// sent there: fred closes the connection at each of the errors that answer them.
    pub(super) fn set_cluster_fails(&self, fails: bool) {
        if self.cluster_fails.swap(fails, Ordering::AcqRel) != fails {
            self.hurry.notify_one();
        }
    }

    /// Counts a renewal that begins; its number and when that is.
    pub(super) fn begin_renewal(&self) -> (u64, Instant) {
        let number = self.begun.fetch_add(1, Ordering::AcqRel) + 1;
        self.first_renewal(number);
        (number, Instant::now())
    }

    /// This renewal succeeded, and what it says of losses is noted.
    pub(super) fn end_renewal(&self, (number, began): (u64, Instant)) {
        self.renewed.send_replace((number, Some(began)));
    }

    /// Waits for a renewal that begins now or later. What Redis had lost before is noted then.
    pub(super) async fn renewal(&self) {
        let next = self.begun.load(Ordering::Acquire) + 1;
        let mut renewed = self.renewed.subscribe();
        self.hurry.notify_one();
        // The sender lives as long as this master.
        let _ = renewed.wait_for(|(number, _)| *number >= next).await;
    }

    /// Whether a renewal has succeeded that was begun since the commands connection was made, and
    /// less than this `lease` ago: before, what is read there may be of a Redis of whose losses nobody
    /// knows. Asks for one if there was none.
    ///
    /// Relies on fred telling of a connection before it sends commands on it.
    pub(super) fn knows_losses(&self, lease: Duration) -> bool {
        let first = self.first_renewal(self.begun.load(Ordering::Acquire) + 1);
        let (last, began) = *self.renewed.borrow();
        let known = last >= first && began.is_some_and(|began| began.elapsed() < lease);
        if !known {
            self.hurry.notify_one();
        }
        known
    }

    /// The first renewal that began since the commands connection was made: that of the number `next`
    /// if it was made since this was asked last.
    fn first_renewal(&self, next: u64) -> u64 {
        let mut made = locked(&self.commands_made);
        while let Ok(_) | Err(TryRecvError::Lagged(_)) = made.connections.try_recv() {
            made.renewal = next;
        }
        made.renewal
    }

    /// The epoch of its data that is known; 0 for none.
    pub(super) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// Notes the epoch that a renewal reports.
    pub(super) fn note_epoch(&self, epoch: u64) {
        self.epoch.store(epoch, Ordering::Release);
    }

    /// The number of the last loss that was noticed; 0 when everybody has put back by now what was
    /// lost.
    pub(super) fn loss(&self) -> u64 {
        let last = locked(&self.loss).filter(|(_, at)| at.elapsed() < PUT_BACK);
        last.map(|(number, _)| number).unwrap_or_default()
    }

    /// Redis has lost data.
    pub(super) fn note_loss(&self) {
        *locked(&self.loss) = Some((next_number(), Instant::now()));
        self.lacking.store(true, Ordering::Release);
        self.mark_lost();
    }

    /// What it holds may be something else than it shall: everything is put back.
    pub(super) fn mark_lost(&self) {
        self.trusted.store(0, Ordering::Release);
        self.lost.store(true, Ordering::Release);
    }

    pub(super) fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Acquire)
    }

    /// Whether data was lost of which nobody has begun to put anything back.
    pub(super) fn is_lacking(&self) -> bool {
        self.lacking.load(Ordering::Acquire)
    }

    /// It is about to be put back; whether there was something.
    pub(super) fn take_lacking(&self) -> bool {
        self.lacking.swap(false, Ordering::AcqRel)
    }

    /// Takes the mark of a loss away; whether there was one.
    pub(super) fn take_lost(&self) -> bool {
        self.lost.swap(false, Ordering::AcqRel)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_is_said_once_whichever_was_said_in_between() {
        let mut state = State { health: Health::Up, said: Vec::new() };
        let said = ["reset", "broken", "reset", "broken", "refused"].map(|why| state.says(why));
        assert_eq!(said, [true, true, false, false, true]);
    }
}
