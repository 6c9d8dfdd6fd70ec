//! Rosters: joining and leaving, reading, and publishing on a roster's channel.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use fred::types::Value;
use futures_util::future::join_all;
use futures_util::{StreamExt, stream};
use rollcall_wire::{error_words, words};

use super::Store;
use super::call::{Args, arg, bytes};
use super::doubts::Doubt;
use super::holdings::Entry;
use super::reply::{Reply, StoreError};
use super::shard::Place;
use super::sweep::AT_ONCE;

/// Members per page when a roster is read for a caller.
const PAGE: usize = 1_000;
/// How often reading a roster begins anew when it ends or moves in the middle.
const SCANS: usize = 5;

/// A roster's counts and its sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    pub clients: u64,
    pub users: u64,
    pub seq: u64,
}

/// What adding an entry is to a stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stay {
    /// It begins. An entry that is there is of an earlier stay, whose end Redis has lost.
    New,
    /// The same, but the entry may be there already.
    Begun,
    /// It goes on: whoever shows the client shows nothing new.
    Back,
}

/// A whole roster and the sequence at which it was read.
#[derive(Debug, Clone)]
pub struct Roster {
    pub seq: u64,
    /// The sequence at which reading began; less than `seq` when that took several pages, and clients
    /// came or left meanwhile.
    pub since: u64,
    /// The `presence` object of the client protocol.
    pub json: Bytes,
}

/// A page of a roster.
struct Page {
    seq: u64,
    /// Where the next one begins; `0` after the last.
    cursor: Bytes,
    json: Bytes,
}

// === impl Store ===

impl Store {
    /// Puts a client into a channel's roster; the sequence after that. On an error the client is
    /// not there, or is removed as soon as Redis answers again.
    pub async fn join(&self, channel: &Arc<str>, entry: Entry) -> Result<u64, StoreError> {
        let place = self.roster_place(channel)?;
        place.up()?;
        place.settle(channel, &entry.client).await?;
        let added = place.issue(|holdings, node, again| {
            let stay = if again {
                // Sent elsewhere: only if nobody took it out meanwhile. It may have been put back.
                holdings.get(channel, &entry.client)?;
                Stay::Begun
            } else {
                holdings.insert(place.slot, channel, entry.clone());
                Stay::New
            };
            Some((words::PRESENCE_ADD, place.add(channel, &entry, node, stay)))
        });
        let result = added.await.unwrap_or(Err(StoreError::Away("left meanwhile".to_owned())));
        let result = result.and_then(|reply| sequence(reply).map(|(seq, _)| seq));
        if result.is_err() {
            place.shard.holdings().remove(channel, &entry.client);
            // Also after a clear refusal: a sweep may have put the entry back meanwhile.
            place.doubt(channel, &entry.client);
        }
        result
    }

    /// Replaces the infos of a client that is in a channel's roster. After an error it is there
    /// still, and has the new infos as soon as Redis answers again. If Redis has lost it, this puts
    /// it back: it is no new join.
    pub async fn update(&self, channel: &Arc<str>, entry: Entry) -> Result<(), StoreError> {
        let place = self.roster_place(channel)?;
        place.up()?;
        let updated = place.issue(|holdings, node, again| {
            let held = holdings.get(channel, &entry.client)?.clone();
            if again {
                return Some((words::PRESENCE_ADD, place.add(channel, &held, node, Stay::Back)));
            }
            holdings.insert(place.slot, channel, entry.clone());
            Some((words::PRESENCE_ADD, place.add(channel, &entry, node, Stay::Back)))
        });
        let result = updated.await.map_or(Ok(()), |result| result.map(|_| ()));
        if result.is_err() {
            place.doubt(channel, &entry.client);
        }
        result
    }

    /// Takes a client out of a channel's roster. A call that fails is repeated until it is answered.
    pub async fn leave(&self, channel: &Arc<str>, client: &Arc<str>) {
        // Without a place nothing was ever held there.
        let Ok(place) = self.roster_place(channel) else { return };
        let removed = place.issue(|holdings, _, again| {
            let go = if again {
                holdings.get(channel, client).is_none()
            } else {
                holdings.remove(channel, client)
            };
            go.then(|| (words::PRESENCE_REM, place.rem(channel, client)))
        });
        if let Some(Err(_)) = removed.await {
            place.doubt(channel, client);
        }
    }

    /// The clients of this server in a channel.
    pub fn held(&self, channel: &str) -> Vec<Arc<str>> {
        let place = self.roster_place(channel);
        place.map(|place| place.shard.holdings().clients(channel)).unwrap_or_default()
    }

    /// Puts every client that is held in a channel back into its roster, which is not what it was.
    /// What fails is found by the counts.
    pub async fn put_back(&self, channel: &Arc<str>) {
        let Ok(place) = self.roster_place(channel) else { return };
        let clients = {
            let holdings = place.shard.holdings();
            // Where more was lost, everything is put back.
            if holdings.recovery.awaits(place.slot) {
                Vec::new()
            } else {
                holdings.clients(channel)
            }
        };
        let put_back = async |client: Arc<str>| match place.put_back(channel, &client).await {
            Ok(()) => false,
            Err(error) => {
                tracing::debug!(%channel, %error, "not put back yet");
                true
            }
        };
        stream::iter(clients)
            .map(put_back)
            .buffer_unordered(AT_ONCE)
            .any(async |failed| failed)
            .await;
    }

    /// A roster's counts, O(1).
    pub async fn stats(&self, channel: &str) -> Result<Stats, StoreError> {
        self.begun(channel).await;
        let place = self.roster_place(channel)?;
        let replies = place.read(words::PRESENCE_STATS, vec![place.roster_key(channel)]).await?;
        one(all_stats(replies, 1)?)
    }

    /// The same for who judges by itself what is missing from a Redis that may have lost data.
    pub async fn stats_as_is(&self, channel: &str) -> Result<Stats, StoreError> {
        one(self.roster_place(channel)?.stats_of(&[channel]).await?)
    }

    /// The counts of several rosters as they are, in order; what cannot be reached fails alone.
    pub async fn stats_of<C: AsRef<str>>(&self, channels: &[C]) -> Vec<Result<Stats, StoreError>> {
        let away = || StoreError::Away("not asked".to_owned());
        let mut all: Vec<_> = channels.iter().map(|_| Err(away())).collect();
        let mut groups: BTreeMap<(usize, u16), (Place, Vec<usize>)> = BTreeMap::new();
        for (at, channel) in channels.iter().enumerate() {
            let shard = self.roster_shard(channel.as_ref());
            match self.roster_place(channel.as_ref()) {
                Ok(place) => {
                    let group = groups.entry((shard, place.slot));
                    group.or_insert_with(|| (place, Vec::new())).1.push(at);
                }
                Err(error) => all[at] = Err(error),
            }
        }
        let calls = groups.into_values().map(|(place, group)| async move {
            let names: Vec<&str> = group.iter().map(|at| channels[*at].as_ref()).collect();
            (group, place.stats_of(&names).await)
        });
        for (group, answer) in join_all(calls).await {
            match answer {
                Ok(stats) => {
                    group.into_iter().zip(stats).for_each(|(at, stats)| all[at] = Ok(stats));
                }
                Err(error) => group.into_iter().for_each(|at| all[at] = Err(error.clone())),
            }
        }
        all
    }

    /// The whole roster in one atomic read; for rosters whose size the caller knows to be bounded.
    pub async fn roster(&self, channel: &str) -> Result<Roster, StoreError> {
        let place = self.roster_place(channel)?;
        let args = vec![place.roster_key(channel), arg("JSON"), arg("WITHSEQ")];
        let (seq, reply) = sequence(place.call(words::PRESENCE_GET, args).await?)?;
        let json = reply.bytes().ok_or(StoreError::Unexpected(words::PRESENCE_GET))?;
        Ok(Roster { seq, since: seq, json })
    }

    /// The events of a channel with a sequence above `since` that Redis still remembers, as they were
    /// published: the oldest of them, up to `count`.
    pub async fn recent(
        &self,
        channel: &str,
        since: u64,
        count: usize,
    ) -> Result<Vec<Bytes>, StoreError> {
        let unexpected = || StoreError::Unexpected(words::PRESENCE_RECENT);
        let place = self.roster_place(channel)?;
        let (since, count) = (arg(since.to_string()), arg(count.to_string()));
        let args = vec![place.roster_key(channel), since, arg("COUNT"), count];
        let reply = place.call(words::PRESENCE_RECENT, args).await?;
        let events = reply.array().ok_or_else(unexpected)?;
        events.into_iter().map(|event| event.bytes().ok_or_else(unexpected)).collect()
    }

    /// Everyone in a channel as the `presence` object of the client protocol, read in pages so that
    /// no room stalls Redis.
    pub async fn presence(&self, channel: &str) -> Result<Roster, StoreError> {
        self.begun(channel).await;
        let place = self.roster_place(channel)?;
        for _ in 0..SCANS {
            match place.pages(channel).await {
                // The roster ended or went to another server meanwhile: read it as it is now.
                Err(StoreError::Refused(text)) if text.starts_with(error_words::BADCURSOR) => {}
                result => return result,
            }
        }
        Err(StoreError::Away("the roster is moving".to_owned()))
    }

    /// Sends an encoded publication to whoever listens to the channel, on every server.
    pub async fn publish(&self, channel: &str, message: Bytes) -> Result<(), StoreError> {
        self.begun(channel).await;
        let place = self.roster_place(channel)?;
        place.call("SPUBLISH", vec![place.roster_key(channel), bytes(message)]).await.map(|_| ())
    }
}

// === impl Place ===

impl Place {
    /// Puts back an entry that is still held, under the node name of whoever owns it now.
    pub(super) async fn put_back(
        &self,
        channel: &Arc<str>,
        client: &str,
    ) -> Result<(), StoreError> {
        let added = self.issue(|holdings, node, _| {
            let entry = holdings.get(channel, client)?;
            Some((words::PRESENCE_ADD, self.add(channel, entry, node, Stay::Back)))
        });
        added.await.map_or(Ok(()), |result| result.map(|_| ()))
    }

    async fn stats_of(&self, channels: &[&str]) -> Result<Vec<Stats>, StoreError> {
        let args = channels.iter().map(|channel| self.roster_key(channel)).collect();
        all_stats(self.call(words::PRESENCE_STATS, args).await?, channels.len())
    }

    /// All pages of one scan.
    async fn pages(&self, channel: &str) -> Result<Roster, StoreError> {
        let Page { seq: since, mut cursor, json } =
            self.page(channel, Bytes::from_static(b"0")).await?;
        if cursor == "0" {
            return Ok(Roster { seq: since, since, json });
        }
        let (mut all, mut last) = (json.to_vec(), since);
        while cursor != "0" {
            let page = self.page(channel, cursor).await?;
            append(&mut all, &page.json);
            (cursor, last) = (page.cursor, page.seq);
        }
        Ok(Roster { seq: last, since, json: all.into() })
    }

    async fn page(&self, channel: &str, cursor: Bytes) -> Result<Page, StoreError> {
        let unexpected = || StoreError::Unexpected(words::PRESENCE_SCAN);
        let count = arg(PAGE.to_string());
        let (key, json, with_seq) = (self.roster_key(channel), arg("JSON"), arg("WITHSEQ"));
        let args = vec![key, bytes(cursor), arg("COUNT"), count, json, with_seq];
        let (seq, reply) = sequence(self.read(words::PRESENCE_SCAN, args).await?)?;
        let [cursor, page] = reply.fixed().ok_or_else(unexpected)?;
        let cursor = cursor.bytes().ok_or_else(unexpected)?;
        Ok(Page { seq, cursor, json: page.bytes().ok_or_else(unexpected)? })
    }

    /// Adds the client as it is held, or removes it, until Redis has answered.
    fn doubt(&self, channel: &Arc<str>, client: &Arc<str>) {
        let doubt = Doubt::Client { channel: channel.clone(), client: client.clone() };
        self.shard.doubts.add(self.slot, doubt);
    }

    fn roster_key(&self, channel: &str) -> Value {
        arg(self.shard.names.roster(channel))
    }

    pub(super) fn add(&self, channel: &str, entry: &Entry, node: &str, stay: Stay) -> Args {
        let mut args = vec![
            self.roster_key(channel),
            arg(entry.client.to_string()),
            arg(entry.user.to_string()),
            arg("CONNINFO"),
            bytes(entry.conn_info.clone()),
            arg("CHANINFO"),
            bytes(entry.chan_info.clone()),
            arg("LEASE"),
            arg(node.to_owned()),
        ];
        if entry.announce {
            args.push(arg("NOTIFY"));
            match stay {
                Stay::New => args.push(arg("ANEW")),
                Stay::Begun => {}
                Stay::Back => args.push(arg("BACK")),
            }
        }
        args.push(arg("WITHSEQ"));
        args
    }

    pub(super) fn rem(&self, channel: &str, client: &str) -> Args {
        vec![self.roster_key(channel), arg(client.to_owned())]
    }
}

/// Takes a `WITHSEQ` reply apart.
fn sequence(reply: Reply) -> Result<(u64, Reply), StoreError> {
    let unexpected = || StoreError::Unexpected("WITHSEQ");
    let [seq, reply] = reply.fixed().ok_or_else(unexpected)?;
    Ok((seq.number().ok_or_else(unexpected)?, reply))
}

fn all_stats(replies: Reply, count: usize) -> Result<Vec<Stats>, StoreError> {
    let unexpected = || StoreError::Unexpected(words::PRESENCE_STATS);
    let replies = replies.array().filter(|replies| replies.len() == count);
    let replies = replies.ok_or_else(unexpected)?;
    replies.into_iter().map(|reply| stats(reply).ok_or_else(unexpected)).collect()
}

fn one(stats: Vec<Stats>) -> Result<Stats, StoreError> {
    stats.into_iter().next().ok_or(StoreError::Unexpected(words::PRESENCE_STATS))
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
