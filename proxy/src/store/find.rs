//! Finding the masters of a shard, and following them wherever they go.

mod cluster;
mod sentinel;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fred::interfaces::{ClientLike, EventInterface};
use fred::types::{ClusterHash, CustomCommand};
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use super::link::{self, FEW, Link};
use super::map::Map;
use super::reply::{Reply, StoreError};
use super::shard::Shard;
use super::trouble::away;
use crate::config::{RedisAddress, RedisPlace, RedisShard};

/// How often it is asked who owns what.
const LOOK: Duration = Duration::from_secs(1);
/// The shortest time between two looks, whoever asks for them.
const LEAST_PAUSE: Duration = Duration::from_millis(100);
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(1);

/// Finds the masters and follows them until the server stops.
pub(super) async fn run(shard: Arc<Shard>) {
    let follow = async {
        let followed = match shard.redis.place.clone() {
            RedisPlace::Server(address) => server(&shard, address).await,
            RedisPlace::Sentinel(sentinels) => sentinel::follow(&shard, &sentinels).await,
            RedisPlace::Cluster(seeds) => cluster::follow(&shard, &seeds).await,
        };
        if let Err(error) = followed {
            shard.set_trouble(error.to_string());
        }
    };
    shard.stopping.run_until_cancelled(follow).await;
}

/// One server, which may turn out to be one of a cluster.
async fn server(shard: &Arc<Shard>, address: RedisAddress) -> Result<(), StoreError> {
    // Made while Redis starts: there is room for many events to be found for it.
    let master = shard.unconnected_master((address.clone(), None))?;
    shard.runs.cancelled().await;
    link::connect(&master, &shard.redis);
    let keepalive = &master.links.keepalive;
    loop {
        if !keepalive.is_connected() {
            let trouble = master.links.trouble().unwrap_or_default();
            shard.set_trouble(away(trouble).to_string());
            connection(keepalive).await;
            continue;
        }
        match mode(keepalive).await {
            Ok(mode) if mode == "cluster" => break,
            Ok(mode) if mode == "sentinel" => {
                let form = "redis+sentinel://host:port?sentinel_master_name=name";
                shard.set_trouble(format!("this is a Sentinel, not a server: use {form}"));
                tokio::time::sleep(LOOK).await;
            }
            Ok(_) => {
                shard.adopt(Map::single(master));
                return Ok(());
            }
            Err(error) => {
                shard.set_trouble(error.to_string());
                tokio::time::sleep(LEAST_PAUSE).await;
            }
        }
    }
    tracing::info!(%address, "redis is a cluster");
    master.gone.cancel();
    cluster::follow(shard, &[address]).await
}

/// Waits until it is connected, but not for long: so the latest trouble is seen, and a connection
/// between fred's look at it and its wait for it is not missed.
async fn connection(link: &Link) {
    if let Ok(Err(error)) = tokio::time::timeout(LEAST_PAUSE, link.wait_for_connect()).await {
        // fred gave up, and is told to try again after a while.
        tracing::debug!(error = error.details(), "no connection to redis");
        tokio::time::sleep(LEAST_PAUSE).await;
    }
}

/// Whether a server is alone or one of a cluster; a word that every user may say.
async fn mode(link: &Link) -> Result<String, StoreError> {
    let command = CustomCommand::new_static("HELLO", ClusterHash::FirstKey, false);
    let answer = link.custom_raw(command, Vec::<String>::new());
    let Ok(frame) = tokio::time::timeout(PATIENCE, answer).await else {
        return Err(StoreError::Away("redis does not answer".to_owned()));
    };
    let frame = frame?;
    match Reply::field(&frame, "mode") {
        Some(mode) => Ok(mode),
        None => Err(Reply::read(frame).err().unwrap_or(StoreError::Unexpected("HELLO"))),
    }
}

/// A connection that lives as long as this.
struct Probe {
    address: RedisAddress,
    link: Link,
    gone: CancellationToken,
    /// Why it failed last.
    trouble: Arc<Mutex<Option<String>>>,
}

// === impl Probe ===

impl Probe {
    /// Begins to connect; whether the address `has_worked` before decides what is made of a failure.
    fn new(
        address: &RedisAddress,
        redis: &RedisShard,
        has_worked: bool,
    ) -> Result<Self, StoreError> {
        let link = link::link(address, redis, FEW)?;
        let gone = CancellationToken::new();
        let trouble = Arc::new(Mutex::new(None));
        let noting = note(link.clone(), trouble.clone(), redis.clone(), has_worked);
        tokio::spawn(link::until_gone(gone.clone(), noting));
        link::stay_connected(&link, &redis.client_name, &gone);
        Ok(Self { address: address.clone(), link, gone, trouble })
    }

    /// Waits until it is connected, for as long as connecting may take.
    async fn connected(&self, limit: Duration) -> bool {
        let connected = async {
            while !self.link.is_connected() {
                connection(&self.link).await;
            }
        };
        tokio::time::timeout(limit, connected).await.is_ok()
    }

    /// Why it is not connected, for people.
    fn away(&self) -> StoreError {
        let trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let trouble = trouble.unwrap_or_else(|| "no answer".to_owned());
        StoreError::Away(format!("{} is away: {trouble}", self.address))
    }
}

/// Keeps why a connection fails. What has worked once is not configured wrongly.
async fn note(
    link: Link,
    trouble: Arc<Mutex<Option<String>>>,
    redis: RedisShard,
    mut has_worked: bool,
) {
    let (mut errors, mut connections) = (link.error_rx(), link.reconnect_rx());
    loop {
        tokio::select! {
            // In this order: an error that follows a connection is judged after it.
            biased;
            connection = connections.recv() => match connection {
                Ok(_) | Err(RecvError::Lagged(_)) => has_worked = true,
                Err(RecvError::Closed) => return,
            },
            error = errors.recv() => match error {
                Ok(error) => {
                    let why = link::why(&error, &redis, has_worked);
                    *trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
                }
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            },
        }
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.gone.cancel();
    }
}

#[cfg(test)]
mod tests;
