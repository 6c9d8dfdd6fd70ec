//! Putting back: what a master may have lost, and what has moved to another one, is added again
//! under the node name that holds there now; names of before are dropped when nothing that is still
//! held is left under them. So what was lost comes back and what should be gone goes, with events.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, stream};

use super::holdings::List;
use super::lease::{keep_name, let_go};
use super::master::{Master, node_name};
use super::reply::StoreError;
use super::shard::{Place, Shard};
use super::slots::SlotSet;

/// Commands under way at once while everything is put back.
const AT_ONCE: usize = 256;
/// How long to wait before an interrupted sweep goes on.
const RETRY: Duration = Duration::from_millis(500);

/// Sweeps whenever it is asked for, until the server stops.
pub(super) async fn run(shard: Arc<Shard>) {
    let sweeping = async {
        loop {
            shard.sweep.notified().await;
            while !sweep(&shard).await {
                tokio::select! {
                    () = tokio::time::sleep(RETRY) => {}
                    // Something else is to be done, perhaps where the first try failed.
                    () = shard.sweep.notified() => {}
                }
            }
        }
    };
    shard.stopping.run_until_cancelled(sweeping).await;
}

/// One pass over everything that is to be put back; whether nothing is left to do.
async fn sweep(shard: &Arc<Shard>) -> bool {
    let map = shard.map();
    let lost = map.masters().iter().filter(|master| master.is_lost());
    for master in lost {
        if let Err(error) = begin(shard, master).await {
            tracing::debug!(%error, address = %master.address, "putting back waits for redis");
        }
    }
    let begun = shard.holdings().recovery.begin();
    let put = put_back(shard, &begun).await;
    let PutBack { failed, .. } = &put;
    let ended = {
        let mut holdings = shard.holdings();
        holdings.recovery.done(failed);
        holdings.recovery.ended()
    };
    for name in &ended {
        drop_everywhere(shard, name).await;
    }
    let (entries, users, waiting) = (put.entries, put.users, failed.len());
    if !ended.is_empty() {
        tracing::info!(entries, users, waiting, "everything held was put back");
    } else if entries + users > 0 {
        tracing::debug!(entries, users, waiting, "what has moved was put back");
    }
    let map = shard.map();
    shard.holdings().recovery.is_idle() && !map.masters().iter().any(|master| master.is_lost())
}

/// Gives a master that may have lost data a new name, under which everything is added again.
async fn begin(shard: &Arc<Shard>, master: &Arc<Master>) -> Result<(), StoreError> {
    let name = node_name();
    keep_name(shard, master, &name).await?;
    let mut holdings = shard.holdings();
    if master.take_lost() {
        let old = master.rename(name);
        holdings.recovery.retire(old, &shard.map().owned_by(master));
    }
    Ok(())
}

/// What was put back.
struct PutBack {
    entries: usize,
    users: usize,
    /// The slots of which something could not be added.
    failed: SlotSet,
}

/// Adds everything in `slots` again.
async fn put_back(shard: &Arc<Shard>, slots: &SlotSet) -> PutBack {
    let List { entries, users } = shard.holdings().list(slots);
    let mut put =
        PutBack { entries: entries.len(), users: users.len(), failed: SlotSet::default() };
    let mut adding = stream::iter(entries)
        .map(|(slot, channel, client)| async move {
            let place = Place { shard: shard.clone(), slot };
            (slot, place.put_back(&channel, &client).await)
        })
        .buffer_unordered(AT_ONCE);
    while let Some((slot, added)) = adding.next().await {
        note(&mut put.failed, slot, added);
    }
    for (slot, result) in shard.put_back_users(users).await {
        note(&mut put.failed, slot, result);
    }
    put
}

/// What failed is tried again, unless Redis does not want it.
fn note(failed: &mut SlotSet, slot: u16, result: Result<(), StoreError>) {
    match result {
        Ok(()) => {}
        // One key that Redis will not change must not keep the others out.
        Err(StoreError::Refused(text)) => tracing::error!(text, "something was not put back"),
        Err(error) => {
            tracing::debug!(%error, "putting back is tried again");
            failed.insert(slot);
        }
    }
}

/// Nothing that is still held is under this name any more: what is, leaves.
async fn drop_everywhere(shard: &Arc<Shard>, name: &str) {
    for master in shard.map().masters() {
        // Where it fails the lease runs out: nobody renews it.
        if let Err(error) = let_go(master, name).await {
            tracing::debug!(%error, address = %master.address, "an old lease was left to run out");
        }
    }
}
