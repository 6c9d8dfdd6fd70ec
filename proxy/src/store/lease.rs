//! The lease: renewed each second, whatever else goes on, and compared with what is held.
//!
//! A loss is mended by [`super::sweep`], which this only asks for: nothing that waits for other
//! connections may delay a renewal.

use std::sync::Arc;
use std::time::Duration;

use fred::interfaces::ClientLike;
use futures_util::future::join_all;
use rollcall_wire::words;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::call::{self, arg};
use super::events::StoreEvent;
use super::holdings::Snapshot;
use super::link::CONNECTING;
use super::reply::{Reply, StoreError};
use super::{Health, Store};

/// How often the lease is renewed, unless it is so short that it must be more often.
const RENEW: Duration = Duration::from_secs(1);
/// How often it is tried while Redis is away: this decides how soon all is whole again.
const RETRY: Duration = Duration::from_millis(200);
/// How long a renewal may take at least before it is given up.
const LEAST_PATIENCE: Duration = Duration::from_millis(500);
/// Counts that differ are acted on at most this often.
const SWEEP_PAUSE: Duration = Duration::from_secs(5);
/// The oldest Redis with sharded pub/sub.
const OLDEST: (u32, u32) = (7, 0);

/// What the keepalive loop remembers between two renewals.
#[derive(Debug, Default)]
struct Memory {
    epoch: Option<u64>,
    /// The name that was renewed last: its next renewal must not be fresh.
    kept: Option<Arc<str>>,
    /// The signs of the difference seen last.
    differed: Option<(i128, i128)>,
    /// When different counts were acted on.
    swept: Option<Instant>,
}

/// A renewal's answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kept {
    pub(super) epoch: u64,
    pub(super) fresh: bool,
    pub(super) entries: u64,
    pub(super) users: u64,
}

/// What a renewal's answer asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Fine,
    /// Our lease ended, or Redis may have lost data.
    Lost,
    /// Redis holds other counts than this server.
    Differs,
}

/// A node name nobody else has or had.
pub(super) fn node_name() -> Arc<str> {
    uuid::Uuid::new_v4().to_string().into()
}

/// Renews the lease until the server stops.
pub(super) async fn keep(store: Store, events: mpsc::Sender<StoreEvent>) {
    let mut memory = Memory::default();
    let often = RENEW.min(store.inner.settings.lease * 2 / 5);
    loop {
        let started = Instant::now();
        let renewed = renew(&store, &mut memory, &events).await;
        let (health, pause) = match &renewed {
            Ok(()) => match store.inner.links.trouble() {
                None => (Health::Up, often),
                Some(trouble) => (Health::Down(away(trouble).to_string()), RETRY),
            },
            Err(error) => (Health::Down(explain(&store, error).await), RETRY),
        };
        set_health(&store, health);
        tokio::select! {
            () = tokio::time::sleep_until(started + pause) => {}
            () = store.inner.hurry.notified() => {}
            () = store.inner.stopping.cancelled() => return,
        }
    }
}

/// Lets go of every name, at a graceful stop; the leaves follow in Redis.
pub(super) async fn drop_all(store: &Store) {
    store.inner.stopping.cancel();
    let names = store.holdings().names();
    for node in names {
        match tokio::time::timeout(RENEW, let_go(store, &node)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "the lease was left to run out"),
            Err(_) => return tracing::debug!("redis does not answer: leases are left to run out"),
        }
    }
}

async fn renew(
    store: &Store,
    memory: &mut Memory,
    events: &mpsc::Sender<StoreEvent>,
) -> Result<(), StoreError> {
    let (names, before) = {
        let holdings = store.holdings();
        (holdings.names(), holdings.snapshot())
    };
    // The current name first; the others are on their way out, and only shall not end too early.
    let mut answers = join_all(names.iter().map(|name| keep_name(store, name))).await.into_iter();
    let kept = answers.next().unwrap_or(Err(StoreError::Unexpected(words::PRESENCE_LEASE)))?;
    let after = store.holdings().snapshot();
    let node = names.into_iter().next();
    let verdict = memory.judge(node, &kept, &before, &after);
    match verdict {
        Verdict::Fine => {}
        Verdict::Lost => {
            if events.send(StoreEvent::NewEpoch).await.is_err() {
                tracing::debug!("nobody listens any more");
            }
            store.inner.sweep.notify_one();
        }
        Verdict::Differs => {
            tracing::warn!(
                redis_entries = kept.entries,
                entries = after.entries,
                redis_users = kept.users,
                users = after.users,
                "redis holds other counts under this node than the server"
            );
            store.inner.sweep.notify_one();
        }
    }
    Ok(())
}

// === impl Memory ===

impl Memory {
    /// Compares a renewal's answer with what is held.
    fn judge(
        &mut self,
        node: Option<Arc<str>>,
        kept: &Kept,
        before: &Snapshot,
        after: &Snapshot,
    ) -> Verdict {
        let new_epoch = self.epoch.replace(kept.epoch).is_some_and(|epoch| epoch != kept.epoch);
        let same_name = self.kept == node;
        self.kept = node;
        if new_epoch || (kept.fresh && same_name) {
            self.differed = None;
            return Verdict::Lost;
        }
        let minus = |there: u64, here: u64| i128::from(there) - i128::from(here);
        let difference = (minus(kept.entries, after.entries), minus(kept.users, after.users));
        // What is under way right now may be counted on one side only.
        let noise = before.noise_until(after);
        if difference.0.abs() + difference.1.abs() <= noise {
            self.differed = None;
            return Verdict::Fine;
        }
        let signs = (difference.0.signum(), difference.1.signum());
        let again = self.differed.replace(signs) == Some(signs);
        let paused = self.swept.is_none_or(|swept| swept.elapsed() >= SWEEP_PAUSE);
        if again && paused {
            self.differed = None;
            self.swept = Some(Instant::now());
            return Verdict::Differs;
        }
        Verdict::Fine
    }
}

/// Renews one name, or begins its lease.
pub(super) async fn keep_name(store: &Store, node: &str) -> Result<Kept, StoreError> {
    let px = store.inner.settings.lease.as_millis().to_string();
    let args = vec![arg("KEEP"), arg(node.to_owned()), arg("PX"), arg(px)];
    let links = &store.inner.links;
    if !links.keepalive.is_connected() {
        return Err(away(links.trouble().unwrap_or_default()));
    }
    let call = call::on(&links.keepalive, words::PRESENCE_LEASE, args);
    let patience = (store.inner.settings.lease / 2).max(LEAST_PATIENCE);
    let Ok(reply) = tokio::time::timeout(patience, call).await else {
        // Whatever hangs there, the next renewal shall not wait behind it; nor behind this.
        let keepalive = links.keepalive.clone();
        tokio::spawn(async move { keepalive.force_reconnection().await });
        return Err(away("no answer".to_owned()));
    };
    kept(reply?).ok_or(StoreError::Unexpected(words::PRESENCE_LEASE))
}

/// Ends the lease of one name.
pub(super) async fn let_go(store: &Store, node: &str) -> Result<(), StoreError> {
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

fn away(trouble: String) -> StoreError {
    match trouble.as_str() {
        CONNECTING => StoreError::Away(trouble),
        _ => StoreError::Away(format!("redis is away: {trouble}")),
    }
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

#[cfg(test)]
mod tests;
