//! A cluster: its nodes are asked who owns which slots, every second and whenever one of them sends
//! a command elsewhere; all the time while slots move, because nobody says to listeners that they
//! have to listen elsewhere.

use std::sync::Arc;
use std::time::Duration;

use fred::interfaces::ClientLike;
use futures_util::future::join_all;
use tokio::time::Instant;

use super::super::call::{self, arg};
use super::super::cluster_nodes::{Owners, View};
use super::super::link::Link;
use super::super::map::Map;
use super::super::master::Master;
use super::super::reply::StoreError;
use super::super::shard::Shard;
use super::super::slots::hash_tag;
use super::{LEAST_PAUSE, LOOK, PATIENCE, Probe};
use crate::config::RedisAddress;

pub(super) async fn follow(shard: &Arc<Shard>, seeds: &[RedisAddress]) -> Result<(), StoreError> {
    if let Some(tag) = hash_tag(&shard.settings.prefix) {
        tracing::warn!(
            redis = %shard.redis.place,
            "engine.redis.prefix has the hash tag {{{tag}}}: all channels and users are in one \
             slot, so on one master of this cluster; the others are of no use"
        );
    }
    let mut worked = Vec::new();
    loop {
        let began = Instant::now();
        let views = look(shard, seeds, &mut worked).await;
        shard.note_look(views.and_then(|views| adopt(shard, &views)));
        shard.has_looked(began);
        tokio::time::sleep(LEAST_PAUSE).await;
        let pause = if shard.is_settled() { LOOK } else { busy_pause(shard.map().masters().len()) };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = shard.look.notified() => {}
        }
    }
}

/// How long to wait for the next look while slots move: each look asks every one of the masters.
fn busy_pause(masters: usize) -> Duration {
    let each = LEAST_PAUSE / 10;
    each.saturating_mul(u32::try_from(masters).unwrap_or(u32::MAX)).min(LOOK)
}

/// What the masters say; if none answers, what another node says that was known. `worked` keeps which
/// of these have been connected to.
async fn look(
    shard: &Arc<Shard>,
    seeds: &[RedisAddress],
    worked: &mut Vec<RedisAddress>,
) -> Result<Vec<View>, StoreError> {
    let map = shard.map();
    worked.retain(|address| seeds.contains(address) || map.at(address).is_some());
    let connected = map.masters().iter().filter(|master| master.links.keepalive.is_connected());
    let views = connected.map(async |master| {
        let link = &master.links.keepalive;
        let (view, state) = tokio::join!(view(link, shard, &master.address), text(link, "INFO"));
        if let Ok(state) = state {
            // One without slots, just added or about to go, keeps nobody from anything.
            master.set_cluster_fails(map.owns_any(master) && state.contains("cluster_state:fail"));
        }
        view
    });
    let views: Vec<_> = join_all(views).await.into_iter().filter_map(Result::ok).collect();
    if !views.is_empty() {
        return Ok(views);
    }
    let mut errors = Vec::new();
    let known = map.masters().iter().map(|master| &master.address);
    for address in known.chain(seeds) {
        let master_has_worked = map.at(address).is_some_and(|master| master.has_worked());
        let has_worked = master_has_worked || worked.contains(address);
        let probe = Probe::new(address, &shard.redis, has_worked)?;
        if !probe.connected(shard.redis.connect_timeout).await {
            errors.push(probe.away().to_string());
            continue;
        }
        if !has_worked {
            worked.push(address.clone());
        }
        match view(&probe.link, shard, address).await {
            Ok(view) if Owners::of(std::slice::from_ref(&view)).are_known() => {
                return Ok(vec![view]);
            }
            // It was taken out of the cluster, or is not in it yet.
            Ok(_) => errors.push(format!("{address} knows no slots")),
            Err(why) => errors.push(format!("{address}: {why}")),
        }
    }
    Err(StoreError::Away(format!("no node of the cluster can be asked: {}", errors.join("; "))))
}

async fn view(link: &Link, shard: &Shard, address: &RedisAddress) -> Result<View, StoreError> {
    let nodes = text(link, "NODES").await?;
    let view = View::parse(&nodes, address, shard.redis.tls.is_some());
    view.ok_or(StoreError::Unexpected("CLUSTER NODES"))
}

/// The reply of a `CLUSTER` subcommand.
async fn text(link: &Link, word: &'static str) -> Result<String, StoreError> {
    let call = call::on(link, "CLUSTER", vec![arg(word)]);
    let Ok(reply) = tokio::time::timeout(PATIENCE, call).await else {
        return Err(StoreError::Away("redis does not answer".to_owned()));
    };
    let text = reply?.bytes().and_then(|bytes| String::from_utf8(bytes.to_vec()).ok());
    text.ok_or(StoreError::Unexpected("CLUSTER"))
}

fn adopt(shard: &Arc<Shard>, views: &[View]) -> Result<(), StoreError> {
    shard.saw_marks(views.iter().flat_map(|view| view.marks.iter().cloned()).collect());
    let owners = Owners::of(views);
    let map = shard.map();
    if !owners.are_known() || map.says(&owners) {
        return Ok(());
    }
    let mut masters = Vec::new();
    let mut new: Vec<Arc<Master>> = Vec::new();
    for named in &owners.masters {
        if let Some(master) = map.at(&named.0) {
            masters.push(master.clone());
            continue;
        }
        let master = shard.new_master(named.clone()).inspect_err(|_| {
            for master in &new {
                master.gone.cancel();
            }
        })?;
        new.push(master.clone());
        masters.push(master);
    }
    shard.adopt(Map::cluster(masters, owners));
    Ok(())
}
