//! The first moment: calls wait until Redis was ready for the first time, and never again.
//!
//! A server takes connections before its Redis is ready, and a client that comes in between is to be
//! served. Later a Redis that is away is an error at once: clients then try again by themselves.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use futures_util::future::join_all;
use tokio::sync::watch;
use tokio::time::Instant;

use super::Store;
use super::shard::Shard;

/// How a shard begins.
#[derive(Debug, Default)]
pub(super) struct Beginning {
    /// It was ready, or its other masters are away for too long.
    is_over: AtomicBool,
    /// Counts how often a master became ready, and the end of the beginning.
    steps: watch::Sender<u64>,
    /// Until when calls wait, from the first of them on: one that asks for many channels, one after
    /// the other, does not wait for each of them.
    until: OnceLock<Instant>,
}

// === impl Beginning ===

impl Beginning {
    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Acquire)
    }

    /// Nothing waits any more.
    pub(super) fn end(&self) {
        self.is_over.store(true, Ordering::Release);
        self.step();
    }

    fn step(&self) {
        self.steps.send_modify(|steps| *steps += 1);
    }
}

// === impl Store ===

impl Store {
    /// Waits until the Redis of a channel was ready for the first time, for a bounded time.
    pub async fn begun(&self, channel: &str) {
        let shard = self.inner.rosters.get(self.roster_shard(channel));
        if let Some(shard) = shard.filter(|shard| !shard.beginning.is_over()) {
            shard.begun(&self.names().roster(channel)).await;
        }
    }

    /// Waits for the Redis of each of these books in this way.
    pub(super) async fn begun_books(&self, parts: impl Iterator<Item = u32>) {
        let books =
            if self.inner.books.is_empty() { &self.inner.rosters } else { &self.inner.books };
        if books.iter().all(|shard| shard.beginning.is_over()) {
            return;
        }
        let waits = parts.map(|part| async move {
            let key = self.names().book(part);
            if let Some(shard) = super::shard_among(books, &key) {
                shard.begun(&key).await;
            }
        });
        join_all(waits).await;
    }
}

// === impl Shard ===

impl Shard {
    /// Waits until the owner of `key` can be used or the beginning is over, for a bounded time.
    async fn begun(self: &Arc<Self>, key: &str) {
        let mut steps = self.beginning.steps.subscribe();
        let begun = async {
            while !self.beginning.is_over() && !self.serves(key) {
                if steps.changed().await.is_err() {
                    return;
                }
            }
        };
        let wait = self.settings.first_wait;
        let until = *self.beginning.until.get_or_init(|| Instant::now() + wait);
        let in_time = tokio::time::timeout_at(until, begun);
        // Either way the caller goes on, and finds out.
        let _in_time = self.stopping.run_until_cancelled(in_time).await;
    }

    fn serves(self: &Arc<Self>, key: &str) -> bool {
        self.place(key).is_ok_and(|place| self.owner(place.slot).is_ok())
    }

    /// A master can be used. When all can, the beginning is over; a master that stays away makes
    /// calls wait no longer than this.
    pub(super) fn note_up(self: &Arc<Self>) {
        if self.beginning.is_over() {
            return;
        }
        let map = self.map();
        let mut masters = map.masters().iter().filter(|master| map.owns_any(master));
        if masters.all(|master| master.up().is_ok()) {
            return self.beginning.end();
        }
        self.beginning.step();
        let shard = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(shard.settings.first_wait).await;
            shard.beginning.end();
        });
    }
}
