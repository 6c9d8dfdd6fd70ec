//! The three connections to one Redis master.

use std::ops::Deref;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fred::clients::{Client, WithOptions};
use fred::error::{Error, ErrorKind};
use fred::interfaces::{ClientLike, EventInterface};
use fred::types::config::{
    Config, ConnectionConfig, Options, PerformanceConfig, ReconnectPolicy, Server, ServerConfig,
    UnresponsiveConfig,
};
use fred::types::{ClusterHash, CustomCommand, RespVersion};
use tokio::sync::broadcast::{Receiver as BroadcastReceiver, error::RecvError};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::master::Master;
use super::reply::{StoreError, plain};
use super::tls;
use super::trouble::away;
use crate::config::{RedisAddress, RedisPlace, RedisShard};

/// How long to wait between two tries to connect.
const RECONNECT_DELAY_MS: u32 = 150;
/// Commands that may wait in one client; more fail at once.
const COMMANDS: usize = 65_536;
/// Events that may wait between fred and us; falling further behind re-checks every channel.
const EVENTS: usize = 65_536;
/// The same where there are many masters: the memory for it is taken once for each.
const EVENTS_OF_MANY: usize = 8_192;
/// The same for connections without events; fred allocates what it is told at once.
pub(super) const FEW: usize = 32;

/// No connection yet, and no failure either.
pub(super) const CONNECTING: &str = "connecting";
/// How often each connection is asked whether it lives.
const PING: Duration = Duration::from_secs(1);

/// How long the events connection may owe an answer: until then pushes may be missing.
const SILENCE: Duration = Duration::from_secs(2);

/// A connection. Its commands fail at once while it is away, instead of waiting in a queue whose
/// order nobody knows.
#[derive(Debug, Clone)]
pub(super) struct Link {
    client: WithOptions<Client>,
    /// Changes when a connection has ended.
    ends: watch::Sender<()>,
}

/// The connections; each fails and reconnects on its own.
#[derive(Debug)]
pub(super) struct Links {
    pub(super) keepalive: Link,
    pub(super) events: Link,
    pub(super) commands: Link,
    keepalive_anew: Anew,
    commands_anew: Anew,
    /// Why a connection failed last.
    trouble: Mutex<String>,
}

/// Makes a connection anew, once at a time: fred makes as many as it is asked for, one after the
/// other, and commands wait behind all of them.
#[derive(Debug, Default)]
struct Anew(Arc<AtomicBool>);

// === impl Link ===

impl Deref for Link {
    type Target = WithOptions<Client>;

    fn deref(&self) -> &WithOptions<Client> {
        &self.client
    }
}

impl Link {
    /// Waits for the answer to something that is sent when this is first polled, and gives up when the
    /// connection ends: fred would only after a timeout. What it still keeps may be sent on the next
    /// connection, in its turn: the fate of what was given up is unknown.
    pub(super) async fn answer<T>(
        &self,
        sent: Pin<&mut impl Future<Output = T>>,
    ) -> Result<T, StoreError> {
        let mut ends = self.ends.subscribe();
        tokio::select! {
            biased;
            answer = sent => Ok(answer),
            _ = ends.changed() => Err(away("the connection was lost".to_owned())),
        }
    }
}

// === impl Anew ===

impl Anew {
    fn make(&self, link: &Link) {
        if !self.0.swap(true, Ordering::AcqRel) {
            let (link, under_way) = (link.clone(), self.0.clone());
            tokio::spawn(async move {
                if let Err(error) = link.force_reconnection().await {
                    tracing::debug!(error = error.details(), "a connection was not made anew");
                }
                under_way.store(false, Ordering::Release);
            });
        }
    }
}

// === impl Links ===

impl Links {
    /// Connections to the server at `address`, which is one of `shard`.
    pub(super) fn new(address: &RedisAddress, shard: &RedisShard) -> Result<Self, StoreError> {
        let events = match shard.place {
            RedisPlace::Cluster(_) => EVENTS_OF_MANY,
            _ => EVENTS,
        };
        let trouble = Mutex::new(CONNECTING.to_owned());
        Ok(Self {
            keepalive: link(address, shard, FEW)?,
            events: link(address, shard, events)?,
            commands: link(address, shard, FEW)?,
            keepalive_anew: Anew::default(),
            commands_anew: Anew::default(),
            trouble,
        })
    }

    /// Why a connection is missing; `None` when all of them are there.
    pub(super) fn trouble(&self) -> Option<String> {
        if !self.keepalive.is_connected() {
            return Some(self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone());
        }
        let missing = self.all().into_iter().any(|link| !link.is_connected());
        missing.then(|| CONNECTING.to_owned())
    }

    /// After this what was under way on it has failed.
    pub(super) fn make_keepalive_anew(&self) {
        self.keepalive_anew.make(&self.keepalive);
    }

    /// Ends the waiting for all that is under way. It may still be carried out.
    pub(super) fn give_up(&self) {
        for link in self.all() {
            link.ends.send_replace(());
        }
    }

    fn all(&self) -> [&Link; 3] {
        [&self.keepalive, &self.events, &self.commands]
    }
}

/// A connection to `address`, not connected yet, for up to so many events that may wait.
pub(super) fn link(
    address: &RedisAddress,
    shard: &RedisShard,
    events: usize,
) -> Result<Link, StoreError> {
    let policy = ReconnectPolicy::new_constant(0, RECONNECT_DELAY_MS);
    let client = Client::new(
        config(address, shard)?,
        Some(performance(shard, events)),
        Some(connection(shard)),
        Some(policy),
    );
    let client = client.with_options(&Options { fail_fast: true, ..Options::default() });
    Ok(Link { client, ends: watch::Sender::new(()) })
}

/// Connects and reconnects in the background until `gone`.
pub(super) fn stay_connected(link: &Link, name: &str, gone: &CancellationToken) {
    tokio::spawn(keep_connected((***link).clone(), gone.clone()));
    tokio::spawn(until_gone(gone.clone(), note_ends(link.error_rx(), link.ends.clone())));
    if !name.is_empty() {
        tokio::spawn(tell_name((***link).clone(), name.to_owned(), gone.clone()));
    }
}

/// Notes that a connection has ended, of which fred's errors tell.
async fn note_ends(
    mut errors: BroadcastReceiver<(Error, Option<Server>)>,
    ends: watch::Sender<()>,
) {
    while let Ok(_) | Err(RecvError::Lagged(_)) = errors.recv().await {
        ends.send_replace(());
    }
}

/// fred tries again by itself, but for errors it thinks are for ever; those an operator may mend.
async fn keep_connected(client: Client, gone: CancellationToken) {
    loop {
        let mut connection = client.connect();
        tokio::select! {
            ended = &mut connection => if let Ok(Err(error)) = ended {
                tracing::debug!(error = error.details(), "a connection to redis ended");
            },
            () = gone.cancelled() => return connection.abort(),
        }
        tokio::select! {
            () = tokio::time::sleep(PING) => {}
            () = gone.cancelled() => return,
        }
    }
}

/// Gives each connection its name, for `CLIENT LIST`; one that may not have it works without.
async fn tell_name(client: Client, name: String, gone: CancellationToken) {
    let mut connections = client.reconnect_rx();
    loop {
        tokio::select! {
            connection = connections.recv() => match connection {
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            },
            () = gone.cancelled() => return,
        }
        let command = CustomCommand::new_static("CLIENT", ClusterHash::FirstKey, false);
        if let Err(error) = client.custom_raw(command, vec!["SETNAME", &name]).await {
            tracing::debug!(error = error.details(), "a connection has no name");
        }
    }
}

/// Starts the connections of a master and what watches over them.
pub(super) fn connect(master: &Arc<Master>, shard: &RedisShard) {
    for link in master.links.all() {
        stay_connected(link, &shard.client_name, &master.gone);
    }
    tokio::spawn(until_gone(master.gone.clone(), watch(master.clone(), shard.clone())));
    let Links { events, commands, .. } = &master.links;
    let io_timeout = shard.io_timeout;
    for (link, patience) in [(events, io_timeout.min(SILENCE)), (commands, io_timeout)] {
        let heartbeat = heartbeat(master.clone(), link.clone(), patience);
        tokio::spawn(until_gone(master.gone.clone(), heartbeat));
        tokio::spawn(until_gone(master.gone.clone(), hurry(master.clone(), link.clone())));
    }
}

/// Does `work` as long as it is of use.
pub(super) async fn until_gone(gone: CancellationToken, work: impl Future<Output = ()>) {
    gone.run_until_cancelled(work).await.unwrap_or_default();
}

/// A renewal finds out whether all connections are there: it shall not wait for its time when one
/// was made.
async fn hurry(master: Arc<Master>, link: Link) {
    let mut connections = link.reconnect_rx();
    while let Ok(_) | Err(RecvError::Lagged(_)) = connections.recv().await {
        master.hurry.notify_one();
    }
}

/// Remembers why connections fail; the keepalive's stands for all of them. A new one shall renew
/// the lease at once.
async fn watch(master: Arc<Master>, shard: RedisShard) {
    let links = &master.links;
    let mut errors = links.keepalive.error_rx();
    let mut connections = links.keepalive.reconnect_rx();
    let mut has_been_there = false;
    loop {
        tokio::select! {
            error = errors.recv() => match error {
                Ok(error) => {
                    let mut trouble = links.trouble.lock().unwrap_or_else(PoisonError::into_inner);
                    *trouble = why(&error, &shard, has_been_there);
                }
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            },
            connection = connections.recv() => match connection {
                Ok(_) | Err(RecvError::Lagged(_)) => {
                    has_been_there = true;
                    master.hurry.notify_one();
                }
                Err(RecvError::Closed) => return,
            },
        }
    }
}

/// Why a connection failed, for people; an error of a connection that was there names its server.
/// What `worked` before is not configured wrongly.
pub(super) fn why(
    (error, of): &(Error, Option<Server>),
    shard: &RedisShard,
    worked: bool,
) -> String {
    let (details, connecting) = (error.details(), of.is_none() && !worked);
    match (error.kind(), &shard.tls) {
        // A server that expects something else waits for more of it.
        (ErrorKind::Timeout, Some(_)) if connecting => format!(
            "no answer to a tls handshake within {:?}: can this address be reached, and is tls \
             spoken at this port?",
            shard.connect_timeout
        ),
        (ErrorKind::Timeout, _) => "no answer in time".to_owned(),
        (ErrorKind::IO, None) if connecting && details.contains("ConnectionReset") => {
            "the connection was reset at once: is tls spoken at this port (rediss://)?".to_owned()
        }
        _ if connecting && details.starts_with("Decode Error") => {
            "what answers at this port is not redis".to_owned()
        }
        _ => plain(details),
    }
}

/// Pings a connection that may be silent for long, so that one whose other end is gone without a
/// word is noticed. The keepalive connection has its renewals. fred's own check does not serve: for
/// it a connection lives as long as something is written to it.
async fn heartbeat(master: Arc<Master>, link: Link, patience: Duration) {
    loop {
        tokio::time::sleep(PING).await;
        let life = master.life();
        let is_events = link.id() == master.links.events.id();
        let answer = tokio::time::timeout(patience, link.ping::<()>(None)).await;
        match answer {
            Ok(Ok(())) => {}
            // No answer, or an error that answers something else than this ping.
            Ok(Err(error)) if is_events => master.make_events_anew(life, &plain(error.details())),
            Err(_) if is_events => master.make_events_anew(life, "no answer in time"),
            Ok(Err(error)) if *error.kind() != ErrorKind::Timeout => {
                tracing::debug!(error = error.details(), "a connection to redis is away");
            }
            Ok(Err(_)) | Err(_) => {
                tracing::warn!(address = %master.address, "the commands connection is made anew");
                // What was under way on it is of unknown fate, and settled as such.
                master.links.commands_anew.make(&link);
            }
        }
    }
}

fn config(address: &RedisAddress, shard: &RedisShard) -> Result<Config, StoreError> {
    let server = match address {
        RedisAddress::Tcp { host, port } => {
            ServerConfig::Centralized { server: tls::server(host, *port, shard.tls.as_ref()) }
        }
        RedisAddress::Unix { path } => ServerConfig::Unix { path: path.clone() },
    };
    let given = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    Ok(Config {
        server,
        // Only about the first connection: that one, too, is tried again and again.
        fail_fast: false,
        version: RespVersion::RESP3,
        username: given(&shard.login.user),
        password: given(shard.login.password.expose()),
        tls: shard.tls.as_ref().map(tls::config).transpose()?,
        database: (shard.db != 0).then_some(shard.db),
        ..Config::default()
    })
}

fn performance(shard: &RedisShard, events: usize) -> PerformanceConfig {
    PerformanceConfig {
        default_command_timeout: shard.io_timeout,
        broadcast_channel_capacity: events,
        ..PerformanceConfig::default()
    }
}

fn connection(shard: &RedisShard) -> ConnectionConfig {
    ConnectionConfig {
        connection_timeout: shard.connect_timeout,
        internal_command_timeout: shard.io_timeout,
        // A command of unknown fate is ours to judge, never fred's to send again.
        max_command_attempts: 1,
        max_command_buffer_len: COMMANDS,
        unresponsive: UnresponsiveConfig {
            max_timeout: Some(shard.io_timeout),
            interval: (shard.io_timeout / 4).max(Duration::from_millis(100)),
        },
        ..ConnectionConfig::default()
    }
}
