//! A Sentinel group: its Sentinels are asked where the master is, every second and whenever the
//! master is away.

use std::sync::Arc;

use fred::interfaces::ClientLike;
use fred::types::{ClusterHash, CustomCommand};
use futures_util::future::join_all;

use super::super::call::{self, arg};
use super::super::map::Map;
use super::super::reply::{Reply, StoreError};
use super::super::shard::Shard;
use super::{LEAST_PAUSE, LOOK, PATIENCE, Probe};
use crate::config::{RedisAddress, RedisShard, Sentinels};

pub(super) async fn follow(shard: &Arc<Shard>, sentinels: &Sentinels) -> Result<(), StoreError> {
    let login = RedisShard {
        login: sentinels.login.clone(),
        tls: sentinels.tls.clone(),
        client_name: sentinels.client_name.clone(),
        db: 0,
        ..shard.redis.clone()
    };
    let probes = sentinels.addresses.iter().map(|address| Probe::new(address, &login));
    let probes: Vec<_> = probes.collect::<Result<_, _>>()?;
    // The first of them that is there is enough to begin with.
    let first = probes.iter().map(|probe| Box::pin(probe.connected(login.connect_timeout)));
    futures_util::future::select_all(first).await;
    let mut newest = 0;
    loop {
        match master(&probes, &sentinels.master, newest).await.and_then(|(address, epoch)| {
            newest = epoch;
            adopt(shard, address)
        }) {
            Ok(()) => {}
            Err(error) if !shard.map().is_known() => shard.set_trouble(error.to_string()),
            Err(error) => tracing::debug!(%error, "no sentinel names the master"),
        }
        shard.looks.send_modify(|looks| *looks += 1);
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

/// Where the master is, and the epoch in which it became that: never an older one than `newest`, so
/// that Sentinels that are cut off do not lead back.
async fn master(
    probes: &[Probe],
    name: &str,
    newest: u64,
) -> Result<(RedisAddress, u64), StoreError> {
    let answers = join_all(probes.iter().map(|probe| ask(probe, name))).await;
    let mut errors = Vec::new();
    let mut votes = Vec::new();
    for (probe, answer) in probes.iter().zip(answers) {
        match answer {
            Ok(vote) => votes.push(vote),
            Err(StoreError::Away(why)) => errors.push(why),
            Err(why) => errors.push(format!("{}: {why}", probe.address)),
        }
    }
    winner(votes, newest).ok_or_else(|| {
        StoreError::Away(format!("no sentinel names the master: {}", errors.join("; ")))
    })
}

/// The address of the newest epoch; among equals what most say, and then what the first says.
fn winner(votes: Vec<(RedisAddress, u64)>, newest: u64) -> Option<(RedisAddress, u64)> {
    let epoch = votes.iter().map(|(_, epoch)| *epoch).max().filter(|epoch| *epoch >= newest)?;
    let votes: Vec<_> = votes.into_iter().filter(|(_, of)| *of == epoch).collect();
    let count = |address| votes.iter().filter(|(other, _)| other == address).count();
    let most = votes.iter().map(|(address, _)| count(address)).max()?;
    votes.iter().find(|(address, _)| count(address) == most).cloned()
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

    #[test]
    fn the_newest_epoch_wins_and_among_equals_the_most() {
        let winner = |votes: &[(u16, u64)], newest| {
            let votes = votes.iter().map(|(port, epoch)| (at(*port), *epoch)).collect();
            super::winner(votes, newest)
        };
        assert_eq!(winner(&[], 0), None);
        assert_eq!(winner(&[(1, 0), (1, 0), (2, 3)], 0), Some((at(2), 3)));
        assert_eq!(winner(&[(1, 3), (2, 3), (2, 3)], 3), Some((at(2), 3)));
        assert_eq!(winner(&[(1, 3), (2, 3)], 0), Some((at(1), 3)));
        assert_eq!(winner(&[(1, 2), (1, 2)], 3), None, "they are cut off");
    }
}
