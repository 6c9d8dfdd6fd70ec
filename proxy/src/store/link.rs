//! The three connections to one Redis master.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use fred::clients::{Client, WithOptions};
use fred::interfaces::{ClientLike, EventInterface};
use fred::types::RespVersion;
use fred::types::config::{
    Config, ConnectionConfig, Options, PerformanceConfig, ReconnectPolicy, Server, ServerConfig,
    UnresponsiveConfig,
};

use tokio::sync::broadcast::error::RecvError;

use super::reply::plain;
use super::{Settings, Store};
use crate::config::RedisAddress;

/// How long to wait between two tries to connect.
const RECONNECT_DELAY_MS: u32 = 150;
/// Commands that may wait in one client; more fail at once.
const COMMANDS: usize = 65_536;
/// Events that may wait between fred and us; falling further behind re-checks every channel.
const EVENTS: usize = 65_536;
/// The same for connections without events; fred allocates what it is told at once.
const FEW: usize = 32;

/// No connection yet, and no failure either.
pub(super) const CONNECTING: &str = "connecting";
/// How often each connection is asked whether it lives.
const PING: Duration = Duration::from_secs(1);

/// A connection. Its commands fail at once while it is away, instead of waiting in a queue whose
/// order nobody knows.
pub(super) type Link = WithOptions<Client>;

/// The connections; each fails and reconnects on its own.
#[derive(Debug)]
pub(super) struct Links {
    pub(super) keepalive: Link,
    pub(super) events: Link,
    pub(super) commands: Link,
    /// Why a connection failed last.
    trouble: Mutex<String>,
}

// === impl Links ===

impl Links {
    pub(super) fn new(settings: &Settings) -> Self {
        let client = |events: usize| {
            let policy = ReconnectPolicy::new_constant(0, RECONNECT_DELAY_MS);
            Client::new(
                config(settings),
                Some(performance(settings, events)),
                Some(connection(settings)),
                Some(policy),
            )
            .with_options(&Options { fail_fast: true, ..Options::default() })
        };
        let trouble = Mutex::new(CONNECTING.to_owned());
        Self { keepalive: client(FEW), events: client(EVENTS), commands: client(FEW), trouble }
    }

    /// Why a connection is missing; `None` when all of them are there.
    pub(super) fn trouble(&self) -> Option<String> {
        let missing = self.all().into_iter().any(|link| !link.is_connected());
        missing.then(|| self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    fn all(&self) -> [&Link; 3] {
        [&self.keepalive, &self.events, &self.commands]
    }

    /// Starts connecting in the background, for ever.
    pub(super) fn connect(&self) {
        for link in self.all() {
            tokio::spawn(stay_connected((**link).clone()));
        }
    }
}

/// fred tries again by itself, but for errors it thinks are for ever; those an operator may mend.
async fn stay_connected(client: Client) {
    loop {
        if let Ok(Err(error)) = client.connect().await {
            tracing::debug!(error = error.details(), "a connection to redis ended");
        }
        tokio::time::sleep(PING).await;
    }
}

/// Remembers why connections fail; the keepalive's stands for all of them.
pub(super) async fn watch(store: Store) {
    let links = &store.inner.links;
    let mut errors = links.keepalive.error_rx();
    loop {
        match errors.recv().await {
            Ok((error, _)) => {
                let mut trouble = links.trouble.lock().unwrap_or_else(PoisonError::into_inner);
                *trouble = plain(error.details());
            }
            Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return,
        }
    }
}

/// Pings the connections that may be silent for long, so that one whose other end is gone without a
/// word is noticed: fred makes a connection anew that does not answer in time. The keepalive
/// connection has its renewals.
pub(super) async fn heartbeat(store: Store) {
    let links = &store.inner.links;
    let ping = async |link: &Link| {
        if let Err(error) = link.ping::<()>(None).await {
            tracing::debug!(error = error.details(), "a connection to redis does not answer");
        }
    };
    loop {
        tokio::time::sleep(PING).await;
        tokio::join!(ping(&links.commands), ping(&links.events));
    }
}

fn config(settings: &Settings) -> Config {
    let server = match &settings.address {
        RedisAddress::Tcp { host, port } => {
            ServerConfig::Centralized { server: Server::new(host.as_str(), *port) }
        }
        RedisAddress::Unix { path } => ServerConfig::Unix { path: path.clone() },
    };
    Config {
        server,
        // Only about the first connection: that one, too, is tried again and again.
        fail_fast: false,
        version: RespVersion::RESP3,
        username: settings.user.clone(),
        password: settings.password.as_ref().map(|password| password.expose().to_owned()),
        database: (settings.db != 0).then_some(settings.db),
        ..Config::default()
    }
}

fn performance(settings: &Settings, events: usize) -> PerformanceConfig {
    PerformanceConfig {
        default_command_timeout: settings.io_timeout,
        broadcast_channel_capacity: events,
        ..PerformanceConfig::default()
    }
}

fn connection(settings: &Settings) -> ConnectionConfig {
    ConnectionConfig {
        connection_timeout: settings.connect_timeout,
        internal_command_timeout: settings.io_timeout,
        // A command of unknown fate is ours to judge, never fred's to send again.
        max_command_attempts: 1,
        max_command_buffer_len: COMMANDS,
        unresponsive: UnresponsiveConfig {
            max_timeout: Some(settings.io_timeout),
            interval: (settings.io_timeout / 4).max(Duration::from_millis(100)),
        },
        ..ConnectionConfig::default()
    }
}
