//! What Redis has not answered: clients that shall be gone are removed until it does, and users are
//! put online or offline, as they are by then.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::{StreamExt, stream};
use rollcall_wire::words;

use super::presence::Stay;
use super::reply::StoreError;
use super::shard::{Place, Shard};
use super::slots::SlotSet;

/// How often unanswered removals are tried again.
const RETRY: Duration = Duration::from_millis(500);
/// Removals under way at once.
const AT_ONCE: usize = 64;
/// More than this is left to the lease: the counts differ, and everything is put back anew.
const MOST: usize = 100_000;

/// Of what it is not known how it is in Redis.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Doubt {
    /// A client that shall be in a channel, as it is held, or not.
    Client { channel: Arc<str>, client: Arc<str> },
    /// A user who shall be online or not, as the connections say.
    User(Arc<str>),
}

#[derive(Debug, Default)]
pub(super) struct Doubts {
    /// With the slot, and a number: an answer settles the doubt it is about, not a later one.
    all: Mutex<HashMap<Doubt, (u16, u64)>>,
}

// === impl Doubts ===

impl Doubts {
    pub(super) fn add(&self, slot: u16, doubt: Doubt) {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let mut all = self.all();
        if all.len() < MOST {
            all.insert(doubt, (slot, NEXT.fetch_add(1, Ordering::Relaxed)));
        }
    }

    /// Whether something in `slots` is in doubt.
    pub(super) fn concern(&self, slots: &SlotSet) -> bool {
        self.all().values().any(|(slot, _)| slots.contains(*slot))
    }

    fn number(&self, doubt: &Doubt) -> Option<u64> {
        self.all().get(doubt).map(|(_, number)| *number)
    }

    fn settle(&self, doubt: &Doubt, number: Option<u64>) {
        let mut all = self.all();
        if all.get(doubt).map(|(_, number)| *number) == number {
            all.remove(doubt);
        }
    }

    fn list(&self) -> Vec<(Doubt, u16)> {
        self.all().iter().map(|(doubt, (slot, _))| (doubt.clone(), *slot)).collect()
    }

    fn all(&self) -> MutexGuard<'_, HashMap<Doubt, (u16, u64)>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Place ===

impl Place {
    /// A client that joins again shall begin from nothing: what is in doubt is removed first.
    pub(super) async fn settle(
        &self,
        channel: &Arc<str>,
        client: &Arc<str>,
    ) -> Result<(), StoreError> {
        let doubt = Doubt::Client { channel: channel.clone(), client: client.clone() };
        let doubts = &self.shard.doubts;
        if doubts.number(&doubt).is_some() { self.resolve(&doubt).await } else { Ok(()) }
    }

    /// Sends what ends a doubt, unless it has ended: decided in the moment in which the command
    /// takes its place in the order of commands.
    async fn resolve(&self, doubt: &Doubt) -> Result<(), StoreError> {
        let doubts = &self.shard.doubts;
        let mut number = None;
        let sent = self.issue(|holdings, node, _| {
            number = doubts.number(doubt);
            number?;
            Some(match doubt {
                Doubt::Client { channel, client } => match holdings.get(channel, client) {
                    Some(entry) => {
                        (words::PRESENCE_ADD, self.add(channel, entry, node, Stay::Back))
                    }
                    None => (words::PRESENCE_REM, self.rem(channel, client)),
                },
                Doubt::User(user) if holdings.has_user(user) => {
                    (words::USERSTATUS_ONLINE, self.hold(user, node)?)
                }
                Doubt::User(user) => (words::USERSTATUS_OFFLINE, self.hold(user, node)?),
            })
        });
        match sent.await {
            // A lease that is lost takes what it held with it, and what is held is put back.
            Some(Ok(_) | Err(StoreError::Refused(_) | StoreError::NoLease)) => {}
            Some(Err(error)) => return Err(error),
            None => return Ok(()),
        }
        if let Doubt::User(user) = doubt {
            self.release_elsewhere(std::slice::from_ref(user)).await?;
        }
        doubts.settle(doubt, number);
        Ok(())
    }
}

/// Repeats what was not answered for as long as the server runs.
pub(super) async fn resolve(shard: Arc<Shard>) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(RETRY) => {}
            () = shard.stopping.cancelled() => return,
        }
        stream::iter(shard.doubts.list())
            .for_each_concurrent(AT_ONCE, |(doubt, slot)| {
                let place = Place { shard: shard.clone(), slot };
                async move {
                    if place.up().is_ok()
                        && let Err(error) = place.resolve(&doubt).await
                    {
                        tracing::debug!(%error, "what was not answered is sent again");
                    }
                }
            })
            .await;
    }
}
