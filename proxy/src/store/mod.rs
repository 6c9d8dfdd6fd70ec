//! What the server keeps in Redis, as typed calls; the only place that names fred.
//!
//! One Redis master is served by three connections, each its own client: keepalives of the lease,
//! events, and commands. All commands for one key use the one commands connection, in the order in
//! which they were issued; nothing is replayed behind the caller's back.

mod call;
mod control;
mod doubts;
pub mod embedded;
mod events;
mod holdings;
mod lease;
mod link;
mod presence;
mod reply;
mod status;
mod sweep;

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rollcall_wire::Names;
use tokio::sync::{Notify, mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::config::{RedisAddress, Secret};

pub use events::StoreEvent;
pub use holdings::Entry;
pub use presence::{Roster, Stats};
pub use reply::StoreError;
pub use status::Status;

use doubts::Doubts;
use holdings::Holdings;
use link::Links;

/// Where Redis is and how to use it.
#[derive(Debug, Clone)]
pub struct Settings {
    pub address: RedisAddress,
    pub user: Option<String>,
    pub password: Option<Secret>,
    /// The number of the database.
    pub db: u8,
    pub connect_timeout: Duration,
    pub io_timeout: Duration,
    /// How long the lease lives without being renewed; renewed every 1 s.
    pub lease: Duration,
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

/// The store. Cloning is cheap and shares everything.
#[derive(Debug, Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    settings: Settings,
    names: Names,
    links: Links,
    /// What this server holds in Redis: the truth that is put back after a loss.
    holdings: Mutex<Holdings>,
    doubts: Doubts,
    health: watch::Sender<Health>,
    /// Wakes the keepalive loop before its time.
    hurry: Notify,
    /// Asks for everything held to be put back.
    sweep: Notify,
    /// Counts the lives of the events connection.
    generation: AtomicU64,
    /// The life of the events connection that was given up last.
    given_up: AtomicU64,
    stopping: CancellationToken,
}

// === impl Store ===

impl Store {
    /// Connects in the background and keeps trying; returns at once. The receiver gets every event
    /// of the channels that are listened to.
    pub fn start(settings: Settings) -> (Self, mpsc::Receiver<StoreEvent>) {
        let (events, receiver) = mpsc::channel(events::QUEUE);
        let (health, _) = watch::channel(Health::Down(link::CONNECTING.to_owned()));
        let store = Self {
            inner: Arc::new(Inner {
                names: Names::new(settings.prefix.clone()),
                links: Links::new(&settings),
                holdings: Mutex::new(Holdings::new(lease::node_name())),
                doubts: Doubts::default(),
                health,
                hurry: Notify::new(),
                sweep: Notify::new(),
                generation: AtomicU64::new(1),
                given_up: AtomicU64::new(0),
                stopping: CancellationToken::new(),
                settings,
            }),
        };
        tokio::spawn(link::watch(store.clone()));
        store.inner.links.connect();
        tokio::spawn(lease::keep(store.clone(), events.clone()));
        tokio::spawn(sweep::run(store.clone()));
        tokio::spawn(events::pump(store.clone(), events));
        tokio::spawn(doubts::resolve(store.clone()));
        tokio::spawn(link::heartbeat(store.clone()));
        (store, receiver)
    }

    /// The health as it changes.
    pub fn health(&self) -> watch::Receiver<Health> {
        self.inner.health.subscribe()
    }

    /// The number of our database: a roster of the same name in another one is not ours.
    pub fn db(&self) -> u32 {
        u32::from(self.inner.settings.db)
    }

    /// Lets go of everything that is held, at a graceful stop.
    pub async fn stop(&self) {
        lease::drop_all(self).await;
    }

    fn holdings(&self) -> MutexGuard<'_, Holdings> {
        self.inner.holdings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
