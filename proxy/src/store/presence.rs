//! Rosters: joining and leaving, reading, and publishing on a roster's channel.

use std::sync::Arc;

use bytes::Bytes;
use rollcall_wire::words;

use super::Store;
use super::call::{Args, arg, bytes};
use super::holdings::{Entry, Holdings};
use super::reply::{Reply, StoreError};

/// Members per page when a roster is read for a caller.
const PAGE: usize = 1_000;

/// A roster's counts and its sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    pub clients: u64,
    pub users: u64,
    pub seq: u64,
}

/// A whole roster and the sequence at which it was read.
#[derive(Debug, Clone)]
pub struct Roster {
    pub seq: u64,
    /// The `presence` object of the client protocol.
    pub json: Bytes,
}

// === impl Store ===

impl Store {
    /// Puts a client into a channel's roster; the sequence after that. On an error the client is
    /// not there, or is removed as soon as Redis answers again.
    pub async fn join(&self, channel: &Arc<str>, entry: Entry) -> Result<u64, StoreError> {
        self.up()?;
        self.settle(channel, &entry.client).await?;
        let client = entry.client.clone();
        let added = self.issue(|holdings| {
            holdings.insert(channel, entry.clone());
            holdings.sent();
            Some((words::PRESENCE_ADD, self.add(holdings, channel, &entry, false)))
        });
        let result = added.await.unwrap_or(Err(StoreError::Unexpected(words::PRESENCE_ADD)));
        let result = result.and_then(|reply| sequence(reply).map(|(seq, _)| seq));
        let mut holdings = self.holdings();
        holdings.settled();
        if result.is_err() {
            holdings.remove(channel, &client);
            // Also after a clear refusal: a sweep may have put the entry back meanwhile.
            self.inner.doubts.add(channel, &client);
        }
        result
    }

    /// Replaces the infos of a client that is in a channel's roster. After an error it is there
    /// still, with the old infos or the new ones.
    pub async fn update(&self, channel: &Arc<str>, entry: Entry) -> Result<(), StoreError> {
        self.up()?;
        let updated = self.issue(|holdings| {
            holdings.get(channel, &entry.client)?;
            holdings.insert(channel, entry.clone());
            holdings.sent();
            Some((words::PRESENCE_ADD, self.add(holdings, channel, &entry, false)))
        });
        let Some(result) = updated.await else { return Ok(()) };
        self.holdings().settled();
        result.map(|_| ())
    }

    /// Takes a client out of a channel's roster. A call that fails is repeated until it is answered.
    pub async fn leave(&self, channel: &Arc<str>, client: &Arc<str>) {
        let removed = self.issue(|holdings| {
            holdings.remove(channel, client).then(|| {
                holdings.sent();
                (words::PRESENCE_REM, self.rem(channel, client))
            })
        });
        let Some(result) = removed.await else { return };
        self.holdings().settled();
        if result.is_err() {
            self.inner.doubts.add(channel, client);
        }
    }

    /// Puts back an entry that is still held, under the current node name.
    pub(super) async fn put_back(
        &self,
        channel: &Arc<str>,
        client: &str,
    ) -> Result<(), StoreError> {
        let added = self.issue(|holdings| {
            let entry = holdings.get(channel, client)?.clone();
            holdings.sent();
            Some((words::PRESENCE_ADD, self.add(holdings, channel, &entry, true)))
        });
        let Some(result) = added.await else { return Ok(()) };
        self.holdings().settled();
        result.map(|_| ())
    }

    /// A roster's counts, O(1).
    pub async fn stats(&self, channel: &str) -> Result<Stats, StoreError> {
        let mut all = self.stats_of(&[channel]).await?;
        all.pop().ok_or(StoreError::Unexpected(words::PRESENCE_STATS))
    }

    /// The counts of several rosters, in order.
    pub async fn stats_of<C: AsRef<str>>(&self, channels: &[C]) -> Result<Vec<Stats>, StoreError> {
        let unexpected = || StoreError::Unexpected(words::PRESENCE_STATS);
        let args = channels.iter().map(|channel| self.key(channel.as_ref())).collect();
        let replies =
            self.call(words::PRESENCE_STATS, args).await?.array().ok_or_else(unexpected)?;
        replies.into_iter().map(|reply| stats(reply).ok_or_else(unexpected)).collect()
    }

    /// The whole roster in one atomic read; for rosters whose size the caller knows to be bounded.
    pub async fn roster(&self, channel: &str) -> Result<Roster, StoreError> {
        let args = vec![self.key(channel), arg("JSON"), arg("WITHSEQ")];
        let (seq, reply) = sequence(self.call(words::PRESENCE_GET, args).await?)?;
        let json = reply.bytes().ok_or(StoreError::Unexpected(words::PRESENCE_GET))?;
        Ok(Roster { seq, json })
    }

    /// Everyone in a channel as the `presence` object of the client protocol, read in pages so that
    /// no room stalls Redis.
    pub async fn presence(&self, channel: &str) -> Result<Bytes, StoreError> {
        let (mut cursor, first) = self.page(channel, Bytes::from_static(b"0")).await?;
        if cursor == "0" {
            return Ok(first);
        }
        let mut all = first.to_vec();
        while cursor != "0" {
            let page;
            (cursor, page) = self.page(channel, cursor).await?;
            append(&mut all, &page);
        }
        Ok(all.into())
    }

    async fn page(&self, channel: &str, cursor: Bytes) -> Result<(Bytes, Bytes), StoreError> {
        let unexpected = || StoreError::Unexpected(words::PRESENCE_SCAN);
        let count = arg(PAGE.to_string());
        let args = vec![self.key(channel), bytes(cursor), arg("COUNT"), count, arg("JSON")];
        let reply = self.call(words::PRESENCE_SCAN, args).await?;
        let [cursor, page] = reply.fixed().ok_or_else(unexpected)?;
        Ok((cursor.bytes().ok_or_else(unexpected)?, page.bytes().ok_or_else(unexpected)?))
    }

    /// Sends an encoded publication to whoever listens to the channel, on every server.
    pub async fn publish(&self, channel: &str, message: Bytes) -> Result<(), StoreError> {
        self.call("SPUBLISH", vec![self.key(channel), bytes(message)]).await.map(|_| ())
    }

    fn key(&self, channel: &str) -> fred::types::Value {
        arg(self.inner.names.roster(channel))
    }

    fn add(&self, holdings: &Holdings, channel: &str, entry: &Entry, back: bool) -> Args {
        let mut args = vec![
            self.key(channel),
            arg(entry.client.to_string()),
            arg(entry.user.to_string()),
            arg("CONNINFO"),
            bytes(entry.conn_info.clone()),
            arg("CHANINFO"),
            bytes(entry.chan_info.clone()),
            arg("LEASE"),
            arg(holdings.node.to_string()),
        ];
        if entry.announce {
            args.push(arg("NOTIFY"));
            if back {
                args.push(arg("BACK"));
            }
        }
        args.push(arg("WITHSEQ"));
        args
    }

    pub(super) fn rem(&self, channel: &str, client: &str) -> Args {
        vec![self.key(channel), arg(client.to_owned())]
    }
}

/// Takes a `WITHSEQ` reply apart.
fn sequence(reply: Reply) -> Result<(u64, Reply), StoreError> {
    let unexpected = || StoreError::Unexpected("WITHSEQ");
    let [seq, reply] = reply.fixed().ok_or_else(unexpected)?;
    Ok((seq.number().ok_or_else(unexpected)?, reply))
}

fn stats(reply: Reply) -> Option<Stats> {
    let [clients, users, seq] = reply.fixed()?;
    Some(Stats { clients: clients.number()?, users: users.number()?, seq: seq.number()? })
}

/// Appends the members of one JSON object to another.
fn append(all: &mut Vec<u8>, page: &[u8]) {
    if page.len() <= 2 {
        return;
    }
    all.pop();
    if all.len() > 1 {
        all.push(b',');
    }
    all.extend_from_slice(&page[1..]);
}

#[cfg(test)]
mod tests {
    #[test]
    fn pages_join_into_one_object() {
        let mut all = b"{}".to_vec();
        for page in ["{}", "{\"a\":1}", "{}", "{\"b\":2,\"c\":3}"] {
            super::append(&mut all, page.as_bytes());
        }
        assert_eq!(all, br#"{"a":1,"b":2,"c":3}"#);
    }
}
