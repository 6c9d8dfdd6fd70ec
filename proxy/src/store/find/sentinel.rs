//! A Sentinel group: its Sentinels are asked where the master is, every second and whenever the
//! master is away.

use std::sync::Arc;

use fred::interfaces::ClientLike;
use futures_util::future::join_all;

use super::super::call::{self, arg};
use super::super::map::Map;
use super::super::reply::StoreError;
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
    loop {
        match master(&probes, &sentinels.master).await {
            Ok(address) if shard.map().at(&address).is_none() => {
                tracing::info!(%address, "sentinel names the master");
                let master = shard.new_master(address)?;
                shard.adopt(Map::single(master)).await;
            }
            Ok(_) => {}
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

/// What most of the Sentinels that answer say; among equals, what the first says.
async fn master(probes: &[Probe], name: &str) -> Result<RedisAddress, StoreError> {
    let answers = join_all(probes.iter().map(|probe| ask(probe, name))).await;
    let mut errors = Vec::new();
    let mut votes: Vec<(RedisAddress, usize)> = Vec::new();
    for (probe, answer) in probes.iter().zip(answers) {
        match answer {
            Ok(address) => match votes.iter_mut().find(|(voted, _)| *voted == address) {
                Some((_, votes)) => *votes += 1,
                None => votes.push((address, 1)),
            },
            Err(StoreError::Away(why)) => errors.push(why),
            Err(why) => errors.push(format!("{}: {why}", probe.address)),
        }
    }
    let most = votes.iter().map(|(_, votes)| *votes).max();
    let winner = votes.into_iter().find(|(_, votes)| Some(*votes) == most);
    winner.map(|(address, _)| address).ok_or_else(|| {
        StoreError::Away(format!("no sentinel names the master: {}", errors.join("; ")))
    })
}

async fn ask(probe: &Probe, name: &str) -> Result<RedisAddress, StoreError> {
    if !probe.link.is_connected() {
        return Err(probe.away());
    }
    let args = vec![arg("get-master-addr-by-name"), arg(name.to_owned())];
    let call = call::on(&probe.link, "SENTINEL", args);
    let Ok(reply) = tokio::time::timeout(PATIENCE, call).await else {
        return Err(StoreError::Away(format!("{} does not answer", probe.address)));
    };
    let unknown = || StoreError::Away(format!("{} knows no master called {name:?}", probe.address));
    let [host, port] = reply?.fixed().ok_or_else(unknown)?;
    let text = |bytes: Option<bytes::Bytes>| String::from_utf8(bytes?.to_vec()).ok();
    let unexpected = || StoreError::Unexpected("SENTINEL get-master-addr-by-name");
    let host = text(host.bytes()).ok_or_else(unexpected)?;
    let port = text(port.bytes()).and_then(|port| port.parse().ok()).ok_or_else(unexpected)?;
    Ok(RedisAddress::Tcp { host, port })
}
