//! What the server keeps in Redis, as typed calls; the only place that names fred.
//!
//! Channels are spread over shards. A shard is one server, a Sentinel group or a cluster, and has
//! one master or several. Each master is served by four connections, each its own client:
//! keepalives of the lease, events, commands, and whether writes are taken, so that a dead one delays
//! no other's. All
//! commands for one key use the one commands connection of its master, in the order in which they
//! were issued; nothing is replayed behind the caller's back.

mod beginning;
mod call;
mod cluster_nodes;
mod control;
mod doubts;
mod events;
mod find;
mod goodbye;
mod holdings;
mod jump;
mod lease;
mod link;
mod map;
mod master;
mod presence;
mod recovery;
mod reply;
mod shard;
mod slots;
mod status;
mod sweep;
mod tls;
mod trouble;
mod whole;
mod writes;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rollcall_wire::Names;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::config::RedisShard;

pub use events::StoreEvent;
pub use holdings::Entry;
pub use presence::{Roster, Stats};
pub use reply::StoreError;
pub use status::Status;

use shard::{Ends, Place, Shard};

/// After a loss, how long every server has to put back what it holds.
pub const PUT_BACK: Duration = Duration::from_secs(5);
/// How often it is looked whether the start is over.
const BEGINNING: Duration = Duration::from_millis(20);

/// Where Redis is and how to use it.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The shards over which channels are spread, at least one; their order decides which channel
    /// is where.
    pub rosters: Vec<RedisShard>,
    /// The shards of user statuses; empty for those of the channels.
    pub books: Vec<RedisShard>,
    /// How long this server may be unheard and keep what it holds.
    pub lease: Duration,
    /// How long calls wait for a Redis that was never ready yet.
    pub first_wait: Duration,
    pub prefix: String,
    /// How many books user statuses are spread over.
    pub partitions: u32,
    /// How long a status is kept after the last sign of the user; `None` when the feature is off.
    pub status_ttl: Option<Duration>,
}

/// How Redis looks from here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// The lease is held: everything works.
    Up,
    /// Calls fail at once; the text says why, for the log and `/ready`.
    Down(String),
}

/// Whether the server can serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Readiness {
    /// Some Redis master can be used: what is on others waits for them, the rest works.
    pub ready: bool,
    /// What is wrong, for people; empty when all masters can be used, take writes, and would be
    /// followed to where a failover takes them.
    pub trouble: String,
}

/// The store. Cloning is cheap and shares everything.
#[derive(Debug, Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    settings: Arc<Settings>,
    names: Names,
    rosters: Vec<Arc<Shard>>,
    /// Empty when user statuses are where the channels are.
    books: Vec<Arc<Shard>>,
    /// Every master was either up or away once: none is just being connected to.
    begun: AtomicBool,
    ends: Ends,
}

// === impl Store ===

impl Store {
    /// Connects in the background, from when `runs` is cancelled, and keeps trying; returns at once.
    /// The receiver gets every event of the channels that are listened to.
    pub fn start(
        settings: Settings,
        runs: CancellationToken,
    ) -> (Self, mpsc::Receiver<StoreEvent>) {
        let (events, receiver) = mpsc::channel(events::QUEUE);
        let settings = Arc::new(settings);
        let ends = Ends { runs, ..Ends::default() };
        let start = |redis: &RedisShard| {
            Shard::start(redis.clone(), settings.clone(), events.clone(), ends.clone())
        };
        let rosters = settings.rosters.iter().map(start).collect();
        let books = match settings.status_ttl {
            Some(_) => settings.books.iter().map(start).collect(),
            None => Vec::new(),
        };
        let names = Names::new(settings.prefix.clone());
        let begun = AtomicBool::new(false);
        let inner = Inner { settings, names, rosters, books, begun, ends };
        let store = Self { inner: Arc::new(inner) };
        tokio::spawn(begin(store.clone()));
        (store, receiver)
    }

    /// Whether the server can serve.
    pub fn readiness(&self) -> Readiness {
        let mut troubles = Vec::new();
        let (mut up, mut places) = (0, 0);
        let alone = self.shards().count() == 1;
        for shard in self.shards() {
            let map = shard.map();
            if !map.is_known() {
                places += 1;
                troubles.push((shard.redis.place.to_string(), shard.trouble()));
            }
            let blindness = shard.blindness();
            if !blindness.is_empty() {
                troubles.push((shard.redis.place.to_string(), blindness));
            }
            for master in map.masters().iter().filter(|master| map.owns_any(master)) {
                places += 1;
                let why = match master.health() {
                    Health::Up => {
                        up += 1;
                        master.writes()
                    }
                    Health::Down(why) => Some(why),
                };
                troubles.extend(why.map(|why| (master.address.to_string(), why)));
            }
        }
        let alone = alone && places == 1;
        let begun = &self.inner.begun;
        if !troubles.iter().any(|(_, why)| why == link::CONNECTING) {
            begun.store(true, Ordering::Relaxed);
        }
        let ready = up > 0 && begun.load(Ordering::Relaxed);
        let say = |(address, why)| if alone { why } else { format!("{address}: {why}") };
        let troubles: Vec<String> = troubles.into_iter().map(say).collect();
        Readiness { ready, trouble: troubles.join("; ") }
    }

    /// Waits until the server can serve.
    pub async fn ready(&self) {
        while !self.readiness().ready {
            tokio::time::sleep(BEGINNING).await;
        }
    }

    /// The number of our database: a roster of the same name in another one is not ours.
    pub fn db(&self, channel: &str) -> u32 {
        let shard = self.inner.rosters.get(self.roster_shard(channel));
        shard.map(|shard| u32::from(shard.redis.db)).unwrap_or_default()
    }

    /// Lets go of everything that is held, at a graceful stop.
    pub async fn stop(&self) {
        self.inner.ends.stopping.cancel();
        lease::drop_all(self).await;
        self.inner.ends.closing.cancel();
    }

    fn shards(&self) -> impl Iterator<Item = &Arc<Shard>> {
        self.inner.rosters.iter().chain(&self.inner.books)
    }

    fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    fn names(&self) -> &Names {
        &self.inner.names
    }

    /// The shard of a channel, by its place in the configuration.
    fn roster_shard(&self, channel: &str) -> usize {
        jump::shard_of(channel, self.inner.rosters.len())
    }

    /// Where a channel is.
    fn roster_place(&self, channel: &str) -> Result<Place, StoreError> {
        let shard = self.inner.rosters.get(self.roster_shard(channel));
        let shard = shard.ok_or_else(|| StoreError::Away("no redis is configured".to_owned()))?;
        shard.place(&self.names().roster(channel))
    }

    /// Where another key is: whatever its kind, its shard is that of its whole name.
    fn place(&self, key: &str) -> Result<Place, StoreError> {
        place_among(&self.inner.rosters, key)
    }

    /// The key of a book, and where it is.
    fn book(&self, part: u32) -> Result<(String, Place), StoreError> {
        let key = self.names().book(part);
        let books = match &self.inner.books[..] {
            [] => &self.inner.rosters,
            books => books,
        };
        let place = place_among(books, &key)?;
        Ok((key, place))
    }
}

/// Notes when the start is over, whether anybody asks or not.
async fn begin(store: Store) {
    while !store.inner.begun.load(Ordering::Relaxed) {
        store.readiness();
        tokio::time::sleep(BEGINNING).await;
    }
}

fn shard_among<'a>(shards: &'a [Arc<Shard>], key: &str) -> Option<&'a Arc<Shard>> {
    shards.get(jump::shard_of(key, shards.len()))
}

fn place_among(shards: &[Arc<Shard>], key: &str) -> Result<Place, StoreError> {
    let shard = shard_among(shards, key);
    shard.ok_or_else(|| StoreError::Away("no redis is configured".to_owned()))?.place(key)
}
