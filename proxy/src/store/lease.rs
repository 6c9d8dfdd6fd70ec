//! The lease: renewed each second, compared with what is held, and everything put back after a
//! loss ("mark and sweep").

use std::sync::Arc;
use std::time::Duration;

use fred::interfaces::ClientLike;
use futures_util::{StreamExt, stream};
use rollcall_wire::words;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::call::{self, arg};
use super::events::StoreEvent;
use super::holdings::{List, Snapshot};
use super::link::CONNECTING;
use super::reply::{Reply, StoreError};
use super::{Health, Store};

/// How often the lease is renewed.
const RENEW: Duration = Duration::from_secs(1);
/// How often it is tried while Redis is away: this decides how soon all is whole again.
const RETRY: Duration = Duration::from_millis(200);
/// How long a renewal may take at least before it is given up.
const LEAST_PATIENCE: Duration = Duration::from_millis(500);
/// Counts that differ are acted on at most this often.
const SWEEP_PAUSE: Duration = Duration::from_secs(5);
/// Commands under way at once while everything is put back.
const AT_ONCE: usize = 256;
/// The oldest Redis with sharded pub/sub.
const OLDEST: (u32, u32) = (7, 0);

/// What the keepalive loop remembers between two renewals.
#[derive(Debug, Default)]
struct Memory {
    epoch: Option<u64>,
    /// The difference seen last, `(entries, users)` in Redis minus here.
    differed: Option<(i128, i128)>,
    swept: Option<Instant>,
    /// A put back that did not finish.
    unfinished: bool,
    /// Names to let go once everything is under the current one.
    old: Vec<Arc<str>>,
}

/// A renewal's answer.
#[derive(Debug, Clone, Copy)]
struct Kept {
    epoch: u64,
    fresh: bool,
    entries: u64,
    users: u64,
}

/// What a renewal's answer asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Fine,
    /// Put everything back; `lost` when Redis may have lost more than ours.
    PutBack {
        lost: bool,
    },
}

/// A node name nobody else has or had.
pub(super) fn node_name() -> Arc<str> {
    uuid::Uuid::new_v4().to_string().into()
}

/// Renews the lease for as long as the server runs.
pub(super) async fn keep(store: Store, events: mpsc::Sender<StoreEvent>) {
    let mut memory = Memory::default();
    loop {
        let started = Instant::now();
        let pause = match renew(&store, &mut memory, &events).await {
            Ok(()) => {
                set_health(&store, Health::Up);
                RENEW
            }
            Err(error) => {
                let why = explain(&store, &error).await;
                set_health(&store, Health::Down(why));
                RETRY
            }
        };
        tokio::select! {
            () = tokio::time::sleep_until(started + pause) => {}
            () = store.inner.hurry.notified() => {}
        }
    }
}

/// Lets go of the lease; the leaves follow in Redis.
pub(super) async fn drop_all(store: &Store) {
    let node = store.holdings().node.clone();
    if let Err(error) = let_go(store, &node).await {
        tracing::debug!(%error, "the lease was left to run out");
    }
}

async fn renew(
    store: &Store,
    memory: &mut Memory,
    events: &mpsc::Sender<StoreEvent>,
) -> Result<(), StoreError> {
    let (node, before) = {
        let holdings = store.holdings();
        (holdings.node.clone(), holdings.snapshot())
    };
    let kept = keep_name(store, &node).await?;
    for old in &memory.old {
        keep_name(store, old).await?;
    }
    let after = store.holdings().snapshot();
    let verdict = judge(memory, &kept, &before, &after);
    memory.epoch = Some(kept.epoch);
    if let Verdict::PutBack { lost } = verdict {
        if lost && events.send(StoreEvent::NewEpoch).await.is_err() {
            tracing::debug!("nobody listens any more");
        }
        put_back(store, memory).await?;
    }
    Ok(())
}

/// Compares a renewal's answer with what is held.
fn judge(memory: &mut Memory, kept: &Kept, before: &Snapshot, after: &Snapshot) -> Verdict {
    let new_epoch = memory.epoch.is_some_and(|epoch| epoch != kept.epoch);
    let lost_lease = kept.fresh && memory.epoch.is_some();
    if new_epoch || lost_lease || memory.unfinished {
        memory.differed = None;
        return Verdict::PutBack { lost: new_epoch || lost_lease };
    }
    let minus = |there: u64, here: u64| i128::from(there) - i128::from(here);
    let difference = (minus(kept.entries, after.entries), minus(kept.users, after.users));
    if difference == (0, 0) {
        memory.differed = None;
        return Verdict::Fine;
    }
    // On a busy server something always is under way; a real difference stays the same.
    let last = memory.differed.replace(difference);
    let again = last.is_some_and(|last| last == difference || before.quiet_until(after));
    let paused = memory.swept.is_none_or(|swept| swept.elapsed() >= SWEEP_PAUSE);
    if again && paused {
        tracing::warn!(
            redis_entries = kept.entries,
            entries = after.entries,
            redis_users = kept.users,
            users = after.users,
            "redis holds other counts under this node than the server: putting everything back"
        );
        memory.differed = None;
        return Verdict::PutBack { lost: false };
    }
    Verdict::Fine
}

/// Mark and sweep: everything held is added under a new name, then the old name is dropped, so that
/// what was lost comes back and what should be gone goes.
async fn put_back(store: &Store, memory: &mut Memory) -> Result<(), StoreError> {
    memory.unfinished = true;
    memory.swept = Some(Instant::now());
    let node = node_name();
    keep_name(store, &node).await?;
    let (old, List { entries, users }) = {
        let mut holdings = store.holdings();
        (std::mem::replace(&mut holdings.node, node.clone()), holdings.list())
    };
    memory.old.push(old);
    let total = entries.len();
    let mut adding = stream::iter(entries)
        .map(|(channel, client)| async move { store.put_back(&channel, &client).await })
        .buffer_unordered(AT_ONCE);
    let mut renewed = Instant::now();
    while let Some(result) = adding.next().await {
        result?;
        if renewed.elapsed() >= RENEW / 2 {
            renewed = Instant::now();
            keep_name(store, &node).await?;
        }
    }
    drop(adding);
    store.put_back_users(&users).await?;
    while let Some(old) = memory.old.last() {
        let_go(store, old).await?;
        memory.old.pop();
    }
    memory.unfinished = false;
    tracing::info!(entries = total, users = users.len(), "everything held was put back");
    Ok(())
}

async fn keep_name(store: &Store, node: &str) -> Result<Kept, StoreError> {
    let px = store.inner.settings.lease.as_millis().to_string();
    let args = vec![arg("KEEP"), arg(node.to_owned()), arg("PX"), arg(px)];
    let links = &store.inner.links;
    if let Some(trouble) = links.trouble() {
        return Err(match trouble.as_str() {
            CONNECTING => StoreError::Away(trouble),
            _ => StoreError::Away(format!("redis is away: {trouble}")),
        });
    }
    let call = call::on(&links.keepalive, words::PRESENCE_LEASE, args);
    let patience = (store.inner.settings.lease / 2).max(LEAST_PATIENCE);
    let Ok(reply) = tokio::time::timeout(patience, call).await else {
        // Whatever hangs there, the next renewal shall not wait behind it; nor behind this.
        let keepalive = links.keepalive.clone();
        tokio::spawn(async move { keepalive.force_reconnection().await });
        return Err(StoreError::Away("redis is away: no answer".to_owned()));
    };
    kept(reply?).ok_or(StoreError::Unexpected(words::PRESENCE_LEASE))
}

async fn let_go(store: &Store, node: &str) -> Result<(), StoreError> {
    let args = vec![arg("DROP"), arg(node.to_owned())];
    call::on(&store.inner.links.keepalive, words::PRESENCE_LEASE, args).await.map(|_| ())
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

/// Says a change of health once, in the log of an operator who can act on it.
fn set_health(store: &Store, health: Health) {
    store.inner.health.send_if_modified(|current| {
        if *current == health {
            return false;
        }
        let address = &store.inner.settings.address;
        match &health {
            Health::Up => tracing::info!(%address, "redis is ready"),
            // Every start begins so; it is worth a line only if it goes on to fail.
            Health::Down(why) if why == CONNECTING => {}
            Health::Down(why) => tracing::error!(%address, "{why}"),
        }
        *current = health;
        true
    });
}

/// What to do about a failed renewal.
async fn explain(store: &Store, error: &StoreError) -> String {
    let text = match error {
        StoreError::Refused(text) => text,
        StoreError::Away(why) if why == CONNECTING => return why.clone(),
        other => return format!("{other}; trying again"),
    };
    if let Some(version) = version(store).await.filter(|version| *version < OLDEST) {
        let (major, minor) = version;
        return format!("redis {major}.{minor} is too old: Rollcall needs Redis 7.0 or later");
    }
    if text.contains("unknown command") {
        return "redis runs without the Rollcall module: start it with \
                --loadmodule /path/to/librollcall_module.so"
            .to_owned();
    }
    format!("redis refused to renew the lease ({text}); trying again")
}

async fn version(store: &Store) -> Option<(u32, u32)> {
    let reply = call::on(&store.inner.links.keepalive, "INFO", vec![arg("server")]).await.ok()?;
    let text = String::from_utf8(reply.bytes()?.to_vec()).ok()?;
    let version = text.lines().find_map(|line| line.strip_prefix("redis_version:"))?;
    let mut parts = version.split('.').map(str::parse);
    Some((parts.next()?.ok()?, parts.next()?.ok()?))
}
