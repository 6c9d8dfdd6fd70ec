//! Mark and sweep: after a loss everything held is added under a new node name and the old name is
//! dropped, so that what was lost comes back and what should be gone goes, with events.

use std::time::Duration;

use futures_util::{StreamExt, stream};

use super::Store;
use super::holdings::List;
use super::lease::{keep_name, let_go, node_name};
use super::reply::StoreError;

/// Commands under way at once while everything is put back.
const AT_ONCE: usize = 256;
/// How long to wait before an interrupted sweep goes on.
const RETRY: Duration = Duration::from_millis(500);

/// Sweeps whenever it is asked for, until the server stops.
pub(super) async fn run(store: Store) {
    loop {
        tokio::select! {
            () = store.inner.sweep.notified() => {}
            () = store.inner.stopping.cancelled() => return,
        }
        let mut renamed = false;
        while let Err(error) = sweep(&store, &mut renamed).await {
            tracing::debug!(%error, "putting everything back was interrupted and goes on");
            tokio::time::sleep(RETRY).await;
        }
    }
}

/// One sweep; one that was interrupted goes on under the name it has taken.
async fn sweep(store: &Store, renamed: &mut bool) -> Result<(), StoreError> {
    if !*renamed {
        let node = node_name();
        keep_name(store, &node).await?;
        store.holdings().rename(node);
        *renamed = true;
    }
    let List { entries, users } = store.holdings().list();
    let total = entries.len();
    let mut adding = stream::iter(entries)
        .map(|(channel, client)| async move {
            match store.put_back(&channel, &client).await {
                // One roster that Redis will not change must not keep the others out.
                Err(StoreError::Refused(text)) => {
                    tracing::error!(%channel, text, "a client was not put back");
                    Ok(())
                }
                result => result,
            }
        })
        .buffer_unordered(AT_ONCE);
    while let Some(result) = adding.next().await {
        result?;
    }
    drop(adding);
    store.put_back_users(&users).await?;
    let names = store.holdings().names();
    for old in names.into_iter().skip(1) {
        let_go(store, &old).await?;
        store.holdings().forget_name(&old);
    }
    tracing::info!(entries = total, users = users.len(), "everything held was put back");
    Ok(())
}
