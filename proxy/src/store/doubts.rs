//! Clients whose removal, or failed join, Redis has not answered: removed until it does.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rollcall_wire::words;

use super::Store;
use super::reply::StoreError;

/// How often unanswered removals are tried again.
const RETRY: Duration = Duration::from_millis(500);
/// More than this is left to the lease: the counts differ, and everything is put back anew.
const MOST: usize = 100_000;

type Doubt = (Arc<str>, Arc<str>);

#[derive(Debug, Default)]
pub(super) struct Doubts {
    clients: Mutex<HashSet<Doubt>>,
    /// The set's size, so that the usual case takes no lock.
    count: AtomicUsize,
    /// Held while a removal is under way: who wants to join again waits for it.
    removing: tokio::sync::Mutex<()>,
}

// === impl Doubts ===

impl Doubts {
    pub(super) fn add(&self, channel: &Arc<str>, client: &Arc<str>) {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if clients.len() < MOST {
            clients.insert((channel.clone(), client.clone()));
        }
        self.count.store(clients.len(), Ordering::Release);
    }

    fn remove(&self, doubt: &Doubt) {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        clients.remove(doubt);
        self.count.store(clients.len(), Ordering::Release);
    }

    fn list(&self) -> Vec<Doubt> {
        let clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        clients.iter().cloned().collect()
    }

    fn contains(&self, doubt: &Doubt) -> bool {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner).contains(doubt)
    }
}

// === impl Store ===

impl Store {
    /// A client that joins again is no longer in doubt; a removal under way is waited for.
    pub(super) async fn doubts_settled(&self, channel: &Arc<str>, client: &Arc<str>) {
        if self.inner.doubts.count.load(Ordering::Acquire) > 0 {
            let _removing = self.inner.doubts.removing.lock().await;
            self.inner.doubts.remove(&(channel.clone(), client.clone()));
        }
    }
}

/// Repeats unanswered removals for as long as the server runs.
pub(super) async fn resolve(store: Store) {
    loop {
        tokio::time::sleep(RETRY).await;
        if store.up().is_err() {
            continue;
        }
        for doubt in store.inner.doubts.list() {
            let _removing = store.inner.doubts.removing.lock().await;
            if !store.inner.doubts.contains(&doubt) {
                continue;
            }
            let (channel, client) = &doubt;
            match store.call(words::PRESENCE_REM, store.rem(channel, client)).await {
                Ok(_) | Err(StoreError::Refused(_)) => store.inner.doubts.remove(&doubt),
                // Away again: the rest can wait as well.
                Err(_) => break,
            }
        }
    }
}
