//! Whether a master that is there takes writes: full, without its replicas, unable to save, or paused,
//! it renews leases and answers reads, and lets nobody join.
//!
//! Asked on a connection of its own, as a write that is paused holds up whatever comes after it.

use std::sync::Arc;
use std::time::Duration;

use fred::interfaces::ClientLike;
use rollcall_wire::words;
use tokio::time::timeout;

use super::call::{self, Answer, Args, arg};
use super::link::{self, FEW, Link};
use super::master::{Master, node_name};
use super::reply::StoreError;
use super::shard::Shard;
use super::trouble::refusal;

/// How often a master is asked.
const PACE: Duration = Duration::from_secs(2);
/// How long a write may wait before writes count as paused.
const PATIENCE: Duration = Duration::from_millis(1500);
/// How many names are tried for a key that a master of a cluster owns.
const TRIES: u32 = 50_000;

/// What a master makes of writes.
#[derive(Debug)]
enum Verdict {
    /// It takes them.
    Takes,
    /// It does not, and says why.
    Refuses(String),
    /// It is away, or the key is another's: nothing is known.
    Unknown,
}

/// Asks a master for as long as it is used.
pub(super) async fn watch(shard: Arc<Shard>, master: Arc<Master>) {
    let link = match link::link(&master.address, &shard.redis, FEW) {
        Ok(link) => link,
        Err(error) => return tracing::debug!(%error, "whether redis takes writes is not asked"),
    };
    link::stay_connected(&link, &shard.redis.client_name, &master.gone);
    let node = node_name();
    let mut key = None;
    loop {
        tokio::time::sleep(PACE).await;
        if !link.is_connected() || master.up().is_err() {
            master.set_writes(None);
            continue;
        }
        key = key.or_else(|| owned_key(&shard, &master));
        let Some(name) = key.clone() else { continue };
        match ask(&master, &link, probe(name, &node)).await {
            Verdict::Takes => master.set_writes(None),
            Verdict::Refuses(why) => master.set_writes(Some(why)),
            Verdict::Unknown => key = None,
        }
    }
}

/// Sends the probe. One that is held back is waited for: another would only queue behind it.
async fn ask(master: &Master, link: &Link, args: Args) -> Verdict {
    let mut answer = Box::pin(call::on(link, words::PRESENCE_ADD, args));
    let answer = if let Ok(answer) = timeout(PATIENCE, &mut answer).await {
        answer
    } else {
        master.set_writes(Some(format!(
            "redis takes no writes: one has waited for {PATIENCE:?} (CLIENT PAUSE, or a failover)"
        )));
        answer.await
    };
    verdict(master, &answer)
}

fn verdict(master: &Master, answer: &Answer) -> Verdict {
    match answer {
        Ok(_) | Err(StoreError::NoLease) => Verdict::Takes,
        // Rights that are missing are found by who needs them.
        Err(error) => match refusal(error).filter(|(word, _)| *word != "NOPERM") {
            Some((_, text)) => {
                master.note_refusal(words::PRESENCE_ADD, error);
                Verdict::Refuses(format!("redis refuses writes: {text}"))
            }
            None => Verdict::Unknown,
        },
    }
}

/// A join that changes nothing whatever the master makes of writes: under a lease that there never
/// was, it is refused last.
fn probe(key: String, node: &str) -> Args {
    vec![arg(key), arg("probe"), arg(""), arg("LEASE"), arg(node.to_owned())]
}

/// The key of a roster that the master owns; never written to.
fn owned_key(shard: &Shard, master: &Arc<Master>) -> Option<String> {
    let map = shard.map();
    let slots = map.owned_by(master);
    (0..TRIES)
        .map(|n| shard.names.roster(&format!("{{probe-{n}}}")))
        .find(|key| slots.contains(map.slot(key)))
}
