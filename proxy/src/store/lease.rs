//! The lease: renewed four times a second, whatever else goes on, and compared with what is held
//! once a second.
//!
//! A loss is mended by [`super::sweep`], which this only asks for: nothing that waits for other
//! connections may delay a renewal.

mod memory;

use std::sync::Arc;
use std::time::Duration;

use fred::interfaces::ClientLike;
use futures_util::future::join_all;
use rollcall_wire::words;
use tokio::time::Instant;

use super::call::{self, arg};
use super::events::StoreEvent;
use super::link::CONNECTING;
use super::master::Master;
use super::reply::{Reply, StoreError};
use super::shard::Shard;
use super::trouble::{away, explain};
use super::{Health, Store};
use memory::{Here, Memory, RENEW, Rhythm, Verdict};

pub(super) use memory::Kept;

/// The shortest time between two renewals, whoever asks for them.
const LEAST_PAUSE: Duration = Duration::from_millis(20);
/// How often it is tried while Redis is away: this decides how soon all is whole again.
const RETRY: Duration = Duration::from_millis(200);
/// How long a renewal may take at least before it is given up.
const LEAST_PATIENCE: Duration = Duration::from_millis(500);

/// Renews the lease at one master for as long as it is used.
pub(super) async fn keep(shard: Arc<Shard>, master: Arc<Master>) {
    let mut memory = Memory::default();
    let rhythm = Rhythm::of(shard.settings.lease);
    // Since when renewals have succeeded.
    let mut answers: Option<Instant> = None;
    loop {
        let started = Instant::now();
        let renewal = master.begin_renewal();
        let renewed = renew(&shard, &master, &mut memory).await;
        let first = !master.has_worked();
        if renewed.is_ok() {
            master.end_renewal(renewal);
        } else {
            memory.unanswered = true;
            answers = None;
        }
        let (health, pause) = match &renewed {
            Ok(()) => match trouble(&shard, &master, first, *answers.get_or_insert(started)) {
                None => (Health::Up, rhythm.own),
                Some(trouble) => (Health::Down(away(trouble).to_string()), RETRY),
            },
            Err(error) => (Health::Down(explain(&master, error).await), RETRY),
        };
        let up = health == Health::Up;
        if !up {
            // Perhaps somebody else owns its slots by now.
            shard.look.notify_one();
        }
        if master.set_health(health) && up {
            // What waited for it can be put back.
            shard.sweep.notify_one();
            shard.note_up();
        }
        let hurry = async {
            master.hurry.notified().await;
            tokio::time::sleep_until(started + LEAST_PAUSE).await;
        };
        tokio::select! {
            () = tokio::time::sleep_until(started + pause) => {}
            () = hurry => {}
            () = master.gone.cancelled() => return,
            () = shard.stopping.cancelled() => return,
        }
    }
}

/// Why a master that renews the lease cannot be used. One that was away until `since` is looked at
/// first, which may take longer than a lease: renewals go on meanwhile. What it says of itself counts
/// too.
fn trouble(shard: &Shard, master: &Master, first: bool, since: Instant) -> Option<String> {
    let trouble = master.trouble();
    if trouble.is_none() && master.up().is_err() && !shard.may_return(first, since) {
        return Some(CONNECTING.to_owned());
    }
    trouble
}

/// Lets go of every name, at a graceful stop; the leaves follow in Redis.
pub(super) async fn drop_all(store: &Store) {
    let mut dropping = Vec::new();
    for shard in store.shards() {
        for master in shard.map().masters() {
            let names = shard.names_at(master);
            dropping.push(drop_names(shard.clone(), master.clone(), names));
        }
    }
    join_all(dropping).await;
}

async fn drop_names(shard: Arc<Shard>, master: Arc<Master>, names: Vec<Arc<str>>) {
    for node in names {
        match tokio::time::timeout(RENEW, let_go(&master, &node)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "the lease was left to run out"),
            Err(_) => {
                let redis = &shard.redis.place;
                return tracing::debug!(%redis, "no answer: leases are left to run out");
            }
        }
    }
}

async fn renew(
    shard: &Arc<Shard>,
    master: &Arc<Master>,
    memory: &mut Memory,
) -> Result<(), StoreError> {
    let (life, now) = (master.life(), Instant::now());
    let (kept, here) = if memory.wants_all(Rhythm::of(shard.settings.lease), now) {
        let (kept, here) = renew_all(shard, master).await?;
        memory.complete = Some(now);
        (kept, Some(here))
    } else {
        let kept = in_time(shard, master, keep_name(shard, master, &master.name())).await??;
        (kept, None)
    };
    let verdict = memory.judge(&kept, here.as_ref(), Instant::now());
    if verdict == Verdict::Lost {
        // Before the epoch is known: events of it are taken only by who knows of the loss.
        master.note_loss();
    }
    master.note_epoch(kept.epoch);
    match verdict {
        Verdict::Fine => {
            if memory.is_calm() && master.trust(life) {
                shard.tell_soon(StoreEvent::Trusted { life });
            }
        }
        Verdict::Lost => {
            let (address, lease_was_gone) = (&master.address, kept.fresh);
            tracing::warn!(%address, lease_was_gone, "redis may have lost data: all is put back");
            shard.sweep.notify_one();
            shard.tell_soon(StoreEvent::NewEpoch { life: master.life() });
            if shard.map().slots() > 1 {
                // It may have been a replica in between, and listeners are not told what they lost.
                master.make_events_anew(life, "redis may have lost data");
            }
        }
        Verdict::Differs { entries, users } => {
            tracing::warn!(
                address = %master.address,
                redis_entries = kept.entries,
                entries,
                redis_users = kept.users,
                users,
                "redis holds other counts under this node than the server"
            );
            // What is too much may be under any name of ours.
            shard.map().masters().iter().for_each(|master| master.mark_lost());
            shard.sweep.notify_one();
        }
    }
    Ok(())
}

/// Renews every name that must live here: the sum of what Redis holds under them, and what this
/// server holds.
async fn renew_all(shard: &Arc<Shard>, master: &Arc<Master>) -> Result<(Kept, Here), StoreError> {
    let names = shard.names_at(master);
    let slots = shard.map().owned_by(master);
    let (before, whole) = {
        let holdings = shard.holdings();
        (holdings.snapshot(&slots), !holdings.recovery.concerns(&slots))
    };
    // The own name first; the others shall only not end too early.
    let renewals = join_all(names.iter().enumerate().map(|(at, name)| async move {
        if at == 0 {
            keep_name(shard, master, name).await
        } else {
            keep_other_name(shard, master, name).await
        }
    }));
    let answers = in_time(shard, master, renewals).await?;
    let after = shard.holdings().snapshot(&slots);
    let (kept, complete) = sum(answers)?;
    let settled = shard.is_settled() && shard.map().owned_by(master) == slots;
    let comparable =
        settled && whole && complete && master.trouble().is_none() && !shard.doubts.concern(&slots);
    Ok((kept, Here { before, after, settled, comparable }))
}

/// Waits for renewals as long as they may take.
async fn in_time<T>(
    shard: &Shard,
    master: &Master,
    renewals: impl Future<Output = T>,
) -> Result<T, StoreError> {
    tokio::time::timeout(patience(shard), renewals).await.map_err(|_| {
        // Whatever hangs there, the next renewal shall not wait behind it.
        master.links.make_keepalive_anew();
        away("no answer in time".to_owned())
    })
}

/// The own name's answer with the counts of all names, and whether all of these are known.
fn sum(answers: Vec<Result<Kept, StoreError>>) -> Result<(Kept, bool), StoreError> {
    let mut answers = answers.into_iter();
    let own = answers.next().unwrap_or(Err(StoreError::Unexpected(words::PRESENCE_LEASE)))?;
    Ok(answers.fold((own, true), |(sum, complete), other| match other {
        Ok(other) => {
            let (entries, users) = (sum.entries + other.entries, sum.users + other.users);
            (Kept { entries, users, ..sum }, complete)
        }
        Err(_) => (sum, false),
    }))
}

/// How long a renewal may take.
pub(super) fn patience(shard: &Shard) -> Duration {
    (shard.settings.lease / 2).max(LEAST_PATIENCE)
}

/// Renews the name under which everything is added at a master, or begins its lease.
pub(super) async fn keep_name(
    shard: &Shard,
    master: &Master,
    node: &str,
) -> Result<Kept, StoreError> {
    let rhythm = Rhythm::of(shard.settings.lease);
    keep_for(master, node, rhythm.px(rhythm.own)).await
}

/// Renews another name, of which less may be lost: it is renewed more rarely.
async fn keep_other_name(shard: &Shard, master: &Master, node: &str) -> Result<Kept, StoreError> {
    let rhythm = Rhythm::of(shard.settings.lease);
    keep_for(master, node, rhythm.px(rhythm.all)).await
}

async fn keep_for(master: &Master, node: &str, time: Duration) -> Result<Kept, StoreError> {
    let px = time.as_millis().to_string();
    let args = vec![arg("KEEP"), arg(node.to_owned()), arg("PX"), arg(px)];
    let links = &master.links;
    if !links.keepalive.is_connected() {
        return Err(away(links.trouble().unwrap_or_else(|| CONNECTING.to_owned())));
    }
    let reply = call::on(&links.keepalive, words::PRESENCE_LEASE, args).await?;
    kept(reply).ok_or(StoreError::Unexpected(words::PRESENCE_LEASE))
}

/// Ends the lease of one name.
pub(super) async fn let_go(master: &Master, node: &str) -> Result<(), StoreError> {
    let args = vec![arg("DROP"), arg(node.to_owned())];
    call::on(&master.links.keepalive, words::PRESENCE_LEASE, args).await.map(|_| ())
}

fn kept(reply: Reply) -> Option<Kept> {
    let [epoch, fresh, entries, users] = reply.fixed()?;
    Some(Kept {
        epoch: epoch.number()?,
        fresh: fresh.number()? == 1,
        entries: entries.number()?,
        users: users.number()?,
    })
}
