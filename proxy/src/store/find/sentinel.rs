//! A Sentinel group: its Sentinels are asked where the master is, every second and whenever the
//! master is away.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use fred::interfaces::ClientLike;
use fred::types::{ClusterHash, CustomCommand};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::Instant;

use super::super::call::{self, arg};
use super::super::map::Map;
use super::super::reply::{Reply, StoreError};
use super::super::shard::Shard;
use super::{LEAST_PAUSE, LOOK, PATIENCE, Probe};
use crate::config::{RedisAddress, RedisShard, Sentinels};

/// How long the others may take when most have answered: one that stands still delays nothing.
const LATE: Duration = Duration::from_millis(100);

/// How long most Sentinels must name another master of an older epoch until that is believed.
const ANEW: Duration = Duration::from_secs(10);

pub(super) async fn follow(shard: &Arc<Shard>, sentinels: &Sentinels) -> Result<(), StoreError> {
    let login = RedisShard {
        login: sentinels.login.clone(),
        tls: sentinels.tls.clone(),
        client_name: sentinels.client_name.clone(),
        db: 0,
        ..shard.redis.clone()
    };
    let probes = sentinels.addresses.iter().map(|address| Probe::new(address, &login, false));
    let probes: Vec<_> = probes.collect::<Result<_, _>>()?;
    // The first of them that is there is enough to begin with.
    let first = probes.iter().map(|probe| Box::pin(probe.connected(login.connect_timeout)));
    futures_util::future::select_all(first).await;
    let mut memory = Memory::default();
    loop {
        let began = Instant::now();
        let master = master(shard, &probes, &sentinels.master, &mut memory).await;
        shard.note_look(master.and_then(|address| adopt(shard, address)));
        shard.has_looked(began);
        tokio::time::sleep(LEAST_PAUSE).await;
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            () = shard.look.notified() => {}
        }
    }
}

fn adopt(shard: &Arc<Shard>, address: RedisAddress) -> Result<(), StoreError> {
    if shard.map().at(&address).is_none() {
        tracing::info!(%address, "sentinel names the master");
        shard.adopt(Map::single(shard.new_master((address, None))?));
    }
    Ok(())
}

/// Where the master is.
async fn master(
    shard: &Shard,
    probes: &[Probe],
    name: &str,
    memory: &mut Memory,
) -> Result<RedisAddress, StoreError> {
    let asking = async |(n, probe)| (n, probe, ask(probe, name).await);
    let mut asked: FuturesUnordered<_> = probes.iter().enumerate().map(asking).collect();
    // In the order in which they are configured, so that the same answers always say the same.
    let (mut votes, mut errors) = (BTreeMap::new(), BTreeMap::new());
    // Each gives up by itself before that, and says so.
    let mut limit = Instant::now() + 2 * PATIENCE;
    while let Ok(Some((n, probe, answer))) = tokio::time::timeout_at(limit, asked.next()).await {
        match answer {
            Ok(vote) => _ = votes.insert(n, vote),
            Err(StoreError::Away(why)) => _ = errors.insert(n, why),
            Err(why) => _ = errors.insert(n, format!("{}: {why}", probe.address)),
        }
        if votes.len() * 2 > probes.len() {
            limit = limit.min(Instant::now() + LATE);
        }
    }
    let votes: Vec<Vote> = votes.into_values().collect();
    let map = shard.map();
    let followed = |address: &RedisAddress| map.at(address).is_some();
    memory.judge(&votes, probes.len(), followed, Instant::now()).ok_or_else(|| {
        let mut errors: Vec<String> = errors.into_values().collect();
        if !votes.is_empty() {
            errors.push("the others name an older one".to_owned());
        }
        StoreError::Away(format!("no sentinel names the master: {}", errors.join("; ")))
    })
}

/// Where a Sentinel says that the master is, and the epoch in which it became that.
type Vote = (RedisAddress, u64);

/// What is remembered of the Sentinels, so that those that are cut off do not lead back.
#[derive(Debug, Default)]
struct Memory {
    newest: u64,
    /// What most of them say of an older epoch, and since when.
    older: Option<(Vote, Instant)>,
}

// === impl Memory ===

impl Memory {
    /// Where the master is, by the votes of so many Sentinels in all. Epochs older than one that was
    /// seen count only when Sentinels begin anew: most of them name the master that is followed, or
    /// name another one for [`ANEW`].
    fn judge(
        &mut self,
        votes: &[Vote],
        sentinels: usize,
        followed: impl Fn(&RedisAddress) -> bool,
        now: Instant,
    ) -> Option<RedisAddress> {
        let vote = winner(votes)?;
        if vote.1 < self.newest {
            let most = votes.iter().filter(|other| **other == vote).count() * 2 > sentinels;
            let since = self.older.take().filter(|(before, _)| *before == vote);
            let since = since.map_or(now, |(_, since)| since);
            if !most {
                return None;
            }
            if !followed(&vote.0) && now - since < ANEW {
                self.older = Some((vote, since));
                return None;
            }
            tracing::warn!(epoch = vote.1, before = self.newest, "sentinels have begun anew");
        }
        self.older = None;
        self.newest = vote.1;
        Some(vote.0)
    }
}

/// The newest epoch; among equals what most say, and then what the first says.
fn winner(votes: &[Vote]) -> Option<Vote> {
    let epoch = votes.iter().map(|(_, epoch)| *epoch).max()?;
    let votes: Vec<_> = votes.iter().filter(|(_, of)| *of == epoch).collect();
    let count = |vote: &Vote| votes.iter().filter(|other| **other == vote).count();
    let most = votes.iter().map(|vote| count(vote)).max()?;
    votes.iter().find(|vote| count(vote) == most).map(|vote| (*vote).clone())
}

async fn ask(probe: &Probe, name: &str) -> Result<(RedisAddress, u64), StoreError> {
    if !probe.link.is_connected() {
        return Err(probe.away());
    }
    let address = vec![arg("get-master-addr-by-name"), arg(name.to_owned())];
    let epoch = vec!["MASTER".to_owned(), name.to_owned()];
    let command = CustomCommand::new_static("SENTINEL", ClusterHash::FirstKey, false);
    let asking = async {
        let epoch = probe.link.custom_raw(command, epoch);
        tokio::join!(call::on(&probe.link, "SENTINEL", address), epoch)
    };
    let Ok((address, epoch)) = tokio::time::timeout(PATIENCE, asking).await else {
        return Err(StoreError::Away(format!("{} does not answer", probe.address)));
    };
    let unknown = || StoreError::Away(format!("{} knows no master called {name:?}", probe.address));
    let [host, port] = address?.fixed().ok_or_else(unknown)?;
    let text = |bytes: Option<bytes::Bytes>| String::from_utf8(bytes?.to_vec()).ok();
    let unexpected = || StoreError::Unexpected("SENTINEL");
    let host = text(host.bytes()).ok_or_else(unexpected)?;
    let port = text(port.bytes()).and_then(|port| port.parse().ok()).ok_or_else(unexpected)?;
    let epoch = Reply::field(&epoch?, "config-epoch").and_then(|epoch| epoch.parse().ok());
    Ok((RedisAddress::Tcp { host, port }, epoch.ok_or_else(unexpected)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(port: u16) -> RedisAddress {
        RedisAddress::Tcp { host: "h".to_owned(), port }
    }

    /// What so many seconds later is made of these votes of three, by who follows the first port.
    fn judged(memory: &mut Memory, seconds: u64, votes: &[(u16, u64)]) -> Option<RedisAddress> {
        static START: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);
        let votes: Vec<Vote> = votes.iter().map(|(port, epoch)| (at(*port), *epoch)).collect();
        let now = *START + Duration::from_secs(seconds);
        memory.judge(&votes, 3, |address| *address == at(1), now)
    }

    #[test]
    fn the_newest_epoch_wins_and_among_equals_the_most() {
        let judged = |votes: &[(u16, u64)]| judged(&mut Memory::default(), 0, votes);
        assert_eq!(judged(&[]), None);
        assert_eq!(judged(&[(1, 0), (1, 0), (2, 3)]), Some(at(2)));
        assert_eq!(judged(&[(1, 3), (2, 3), (2, 3)]), Some(at(2)));
        assert_eq!(judged(&[(1, 3), (2, 3)]), Some(at(1)));
    }

    #[test]
    fn sentinels_that_are_cut_off_do_not_lead_back() {
        let mut memory = Memory::default();
        assert_eq!(judged(&mut memory, 0, &[(1, 3)]), Some(at(1)));
        assert_eq!(judged(&mut memory, 1, &[(2, 2)]), None, "one of three");
        assert_eq!(judged(&mut memory, 60, &[(2, 2)]), None);
        assert_eq!(judged(&mut memory, 61, &[(2, 2), (2, 2)]), None, "not for long enough");
        assert_eq!(judged(&mut memory, 65, &[(2, 2), (2, 2), (1, 3)]), Some(at(1)));
        assert_eq!(judged(&mut memory, 70, &[(2, 2), (2, 2)]), None, "it begins again");
    }

    #[test]
    fn sentinels_that_were_set_up_anew_are_followed() {
        let mut memory = Memory::default();
        assert_eq!(judged(&mut memory, 0, &[(1, 3), (1, 3), (1, 3)]), Some(at(1)));
        assert_eq!(judged(&mut memory, 1, &[(1, 0), (1, 0)]), Some(at(1)), "the same master");
        assert_eq!(judged(&mut memory, 2, &[(2, 1), (2, 1), (2, 1)]), Some(at(2)));
        // With another master at once.
        assert_eq!(judged(&mut memory, 3, &[(3, 0), (3, 0)]), None);
        assert_eq!(judged(&mut memory, 12, &[(3, 0), (3, 0)]), None);
        assert_eq!(judged(&mut memory, 13, &[(3, 0), (3, 0)]), Some(at(3)));
    }
}
