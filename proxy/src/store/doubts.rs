//! Clients whose removal, or failed join, Redis has not answered: removed until it does.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::{StreamExt, stream};
use rollcall_wire::words;

use super::Store;
use super::reply::StoreError;

/// How often unanswered removals are tried again.
const RETRY: Duration = Duration::from_millis(500);
/// Removals under way at once.
const AT_ONCE: usize = 64;
/// More than this is left to the lease: the counts differ, and everything is put back anew.
const MOST: usize = 100_000;

type Doubt = (Arc<str>, Arc<str>);

#[derive(Debug, Default)]
pub(super) struct Doubts {
    /// Each with a number of its own: a removal settles the doubt it was sent for, not a later one.
    clients: Mutex<HashMap<Doubt, u64>>,
}

// === impl Doubts ===

impl Doubts {
    pub(super) fn add(&self, channel: &Arc<str>, client: &Arc<str>) {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let mut clients = self.clients();
        if clients.len() < MOST {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            clients.insert((channel.clone(), client.clone()), number);
        }
    }

    fn number(&self, doubt: &Doubt) -> Option<u64> {
        self.clients().get(doubt).copied()
    }

    fn settle(&self, doubt: &Doubt, number: Option<u64>) {
        let mut clients = self.clients();
        if clients.get(doubt).copied() == number {
            clients.remove(doubt);
        }
    }

    fn clients(&self) -> MutexGuard<'_, HashMap<Doubt, u64>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Store ===

impl Store {
    /// A client that joins again shall begin from nothing: what is in doubt is removed first.
    pub(super) async fn settle(
        &self,
        channel: &Arc<str>,
        client: &Arc<str>,
    ) -> Result<(), StoreError> {
        let doubt = (channel.clone(), client.clone());
        if self.inner.doubts.number(&doubt).is_some() { self.resolve(&doubt).await } else { Ok(()) }
    }

    /// Removes a client that is in doubt, unless it is not any more: decided in the moment in which
    /// the command takes its place in the order of commands.
    async fn resolve(&self, doubt: &Doubt) -> Result<(), StoreError> {
        let (channel, client) = doubt;
        let mut number = None;
        let removed = self.issue(|_| {
            number = self.inner.doubts.number(doubt);
            number.map(|_| (words::PRESENCE_REM, self.rem(channel, client)))
        });
        match removed.await {
            Some(Err(error @ (StoreError::Away(_) | StoreError::Unexpected(_)))) => Err(error),
            Some(_) => {
                self.inner.doubts.settle(doubt, number);
                Ok(())
            }
            None => Ok(()),
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
        let doubts: Vec<Doubt> = store.inner.doubts.clients().keys().cloned().collect();
        stream::iter(doubts)
            .for_each_concurrent(AT_ONCE, |doubt| {
                let store = &store;
                async move {
                    if let Err(error) = store.resolve(&doubt).await {
                        tracing::debug!(%error, "a removal is tried again");
                    }
                }
            })
            .await;
    }
}
