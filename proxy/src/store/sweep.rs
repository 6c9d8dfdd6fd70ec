//! Putting back: what a master may have lost, and what has moved to another one, is added again
//! under the node name that holds there now; names of before are dropped when nothing that is still
//! held is left under them. So what was lost comes back and what should be gone goes, with events.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::{StreamExt, stream};

use super::holdings::List;
use super::lease::{self, keep_name, let_go};
use super::master::{Master, node_name};
use super::reply::StoreError;
use super::shard::{Place, Shard};
use super::slots::SlotSet;
use super::trouble::{away, refusal};

/// Commands under way at once while everything is put back.
pub(super) const AT_ONCE: usize = 256;
/// How long to wait before an interrupted sweep goes on; longer each time it gets nowhere.
const RETRY: Duration = Duration::from_millis(500);
const LONGEST_RETRY: Duration = Duration::from_secs(2);
/// How long a master may take to let go of a name.
const LET_GO: Duration = Duration::from_secs(1);

/// Sweeps whenever it is asked for, until the server stops.
pub(super) async fn run(shard: Arc<Shard>) {
    let sweeping = async {
        loop {
            shard.sweep.notified().await;
            let mut pause = RETRY;
            let mut said = false;
            while !sweep(&shard, &mut said).await {
                tokio::select! {
                    () = tokio::time::sleep(pause) => pause = (pause * 2).min(LONGEST_RETRY),
                    // Something else is to be done, perhaps where the first try failed.
                    () = shard.sweep.notified() => pause = RETRY,
                }
            }
        }
    };
    shard.stopping.run_until_cancelled(sweeping).await;
}

/// One pass over everything that is to be put back and can be now; whether nothing is left to do.
/// Why something was not is `said` once.
async fn sweep(shard: &Arc<Shard>, said: &mut bool) -> bool {
    let map = shard.map();
    let lost = map.masters().iter().filter(|master| master.is_lost());
    join_all(lost.map(async |master| {
        if let Err(error) = begin(shard, master).await {
            tracing::debug!(%error, address = %master.address, "putting back waits for redis");
        }
    }))
    .await;
    // A master that is away delays nobody: its slots wait until it is up.
    let up = map.masters().iter().filter(|master| master.up().is_ok());
    let up: Vec<SlotSet> = up.map(|master| map.owned_by(master)).collect();
    let mut usable = SlotSet::default();
    for slots in &up {
        usable.add(slots);
    }
    let begun = shard.holdings().recovery.begin(&usable);
    let parts = up.into_iter().map(|mut slots| {
        slots.keep(&begun);
        put_back(shard, slots)
    });
    let put = join_all(parts).await.into_iter().fold(PutBack::default(), PutBack::and);
    let ended = {
        let mut holdings = shard.holdings();
        holdings.recovery.done(&put.failed);
        holdings.recovery.ended()
    };
    join_all(ended.iter().map(|name| drop_everywhere(shard, name))).await;
    let (entries, users, waiting) = (put.entries, put.users, put.failed.len());
    if !ended.is_empty() {
        tracing::info!(entries, users, "everything held was put back");
    } else if entries + users > 0 {
        tracing::debug!(entries, users, waiting, "put back");
    }
    if let Some(why) = put.why.filter(|_| !std::mem::replace(said, true)) {
        tracing::warn!(redis = %shard.redis.place, waiting, "what was lost is not put back yet: {why}");
    }
    let map = shard.map();
    shard.holdings().recovery.is_idle() && !map.masters().iter().any(|master| master.is_lost())
}

/// Gives a master that may have lost data a new name, under which everything is added again.
async fn begin(shard: &Arc<Shard>, master: &Arc<Master>) -> Result<(), StoreError> {
    let name = node_name();
    let begun = tokio::time::timeout(lease::patience(shard), keep_name(shard, master, &name));
    begun.await.unwrap_or_else(|_| Err(away("no answer in time".to_owned())))?;
    let settled = shard.is_settled();
    let mut holdings = shard.holdings();
    let map = shard.map();
    if map.has(master) && master.take_lost() {
        // What was on its way may have been there already.
        let slots = if settled { map.owned_by(master) } else { map.all() };
        if master.take_lacking() {
            holdings.recovery.lose(&slots);
        }
        holdings.recovery.retire(master.rename(name), &slots);
    }
    Ok(())
}

/// What was put back.
#[derive(Default)]
struct PutBack {
    entries: usize,
    users: usize,
    /// The slots of which something could not be added.
    failed: SlotSet,
    /// Why not, for the first of them.
    why: Option<StoreError>,
}

// === impl PutBack ===

impl PutBack {
    fn and(mut self, other: Self) -> Self {
        self.entries += other.entries;
        self.users += other.users;
        self.failed.add(&other.failed);
        self.why = self.why.or(other.why);
        self
    }
}

/// Adds everything in `slots`, which are at one master, again.
async fn put_back(shard: &Arc<Shard>, slots: SlotSet) -> PutBack {
    if slots.is_empty() {
        return PutBack::default();
    }
    let List { entries, users } = shard.holdings().list(&slots);
    let put = PutBack { entries: entries.len(), users: users.len(), ..PutBack::default() };
    let adding = stream::iter(entries)
        .map(async |(slot, channel, client)| {
            let place = Place { shard: shard.clone(), slot };
            // When the master goes away meanwhile, all that is left fails at once.
            let added = match place.up() {
                Ok(()) => place.put_back(&channel, &client).await,
                away => away,
            };
            (slot, added)
        })
        .buffer_unordered(AT_ONCE)
        .fold(PutBack::default(), async |put, (slot, added)| note(put, slot, added));
    // Users are few commands, and need not wait for all the entries.
    let (added, users) = futures_util::join!(adding, shard.put_back_users(users));
    let put = put.and(added);
    users.into_iter().fold(put, |put, (slot, result)| note(put, slot, result))
}

/// What failed is tried again, unless Redis does not want it.
fn note(mut put: PutBack, slot: u16, result: Result<(), StoreError>) -> PutBack {
    match result {
        Ok(()) => {}
        // One key that Redis will not change must not keep the others out.
        Err(error @ StoreError::Refused(_)) if refusal(&error).is_none() => {
            tracing::error!(%error, "something was not put back");
        }
        Err(error) => {
            tracing::debug!(%error, "putting back is tried again");
            put.failed.insert(slot);
            put.why.get_or_insert(error);
        }
    }
    put
}

/// Nothing that is still held is under this name any more: what is, leaves.
async fn drop_everywhere(shard: &Arc<Shard>, name: &str) {
    let map = shard.map();
    join_all(map.masters().iter().map(async |master| {
        // Where it fails the lease runs out: nobody renews it.
        if !matches!(tokio::time::timeout(LET_GO, let_go(master, name)).await, Ok(Ok(()))) {
            tracing::debug!(address = %master.address, "an old lease was left to run out");
        }
    }))
    .await;
}
