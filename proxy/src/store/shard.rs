//! One Redis of those over which channels are spread: a server, a Sentinel group or a cluster.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use rollcall_wire::Names;
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::beginning::Beginning;
use super::cluster_nodes::Named;
use super::doubts::Doubts;
use super::events::{self, StoreEvent};
use super::holdings::Holdings;
use super::link::{self, CONNECTING};
use super::map::Map;
use super::master::Master;
use super::reply::StoreError;
use super::trouble::Reasons;
use super::{Settings, find, lease, sweep, writes};
use crate::config::{RedisAddress, RedisPlace, RedisShard};

/// How long counts are not compared after slots have moved: what is on its way is on neither side.
const UNSETTLED: Duration = Duration::from_secs(4);
/// The same while a node says that a slot is on its way; after that nobody is moving it.
const STUCK: Duration = Duration::from_secs(60);
/// How long a command waits for a look at the cluster that tells it where to go.
const LOOK: Duration = Duration::from_secs(1);

/// A shard.
#[derive(Debug)]
pub(super) struct Shard {
    pub(super) settings: Arc<Settings>,
    pub(super) names: Names,
    /// Where it is.
    pub(super) redis: RedisShard,
    map: RwLock<Arc<Map>>,
    /// What this server holds there: the truth that is put back after a loss.
    holdings: Mutex<Holdings>,
    pub(super) doubts: Doubts,
    /// Asks for everything that was lost or moved to be put back.
    pub(super) sweep: Notify,
    /// Asks for a look at who owns what.
    pub(super) look: Notify,
    /// When the last look began that has ended.
    looks: watch::Sender<Option<Instant>>,
    /// Why no master is known.
    trouble: Mutex<String>,
    /// Why nothing says any more who owns what, although masters are known; and what was said of it.
    lookout: Mutex<(String, Reasons)>,
    /// Which slots are on their way, and since when these.
    moving: Mutex<Moving>,
    pub(super) events: mpsc::Sender<StoreEvent>,
    pub(super) beginning: Beginning,
    /// Redis, where it is one server, may be connected to.
    pub(super) runs: CancellationToken,
    /// The server stops: nothing new begins.
    pub(super) stopping: CancellationToken,
    /// Everything is let go of: connections end.
    closing: CancellationToken,
}

/// What is known of slots on their way.
#[derive(Debug, Default)]
struct Moving {
    /// When a command or a map showed one.
    seen: Option<Instant>,
    /// What nodes say of slots that they give or take, and since when it is this.
    marks: (BTreeSet<String>, Option<Instant>),
}

/// How a shard is told to begin and to end.
#[derive(Debug, Clone, Default)]
pub(super) struct Ends {
    /// Redis may be connected to.
    pub(super) runs: CancellationToken,
    /// Nothing new begins.
    pub(super) stopping: CancellationToken,
    /// Connections end.
    pub(super) closing: CancellationToken,
}

/// Where a key is: a slot of a shard.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) shard: Arc<Shard>,
    pub(super) slot: u16,
}

// === impl Moving ===

impl Moving {
    /// Nobody is moving the slots that nodes say are on their way.
    fn is_stuck(&self) -> bool {
        let (marks, since) = &self.marks;
        !marks.is_empty() && since.is_some_and(|since| since.elapsed() >= STUCK)
    }
}

// === impl Shard ===
impl Shard {
    pub(super) fn start(
        redis: RedisShard,
        settings: Arc<Settings>,
        events: mpsc::Sender<StoreEvent>,
        Ends { runs, stopping, closing }: Ends,
    ) -> Arc<Self> {
        let shard = Arc::new(Self {
            names: Names::new(settings.prefix.clone()),
            settings,
            redis,
            map: RwLock::default(),
            holdings: Mutex::new(Holdings::new(0)),
            doubts: Doubts::default(),
            sweep: Notify::new(),
            look: Notify::new(),
            looks: watch::Sender::new(None),
            trouble: Mutex::new(CONNECTING.to_owned()),
            lookout: Mutex::default(),
            moving: Mutex::default(),
            events,
            beginning: Beginning::default(),
            runs,
            stopping,
            closing,
        });
        tokio::spawn(find::run(shard.clone()));
        tokio::spawn(sweep::run(shard.clone()));
        tokio::spawn(super::doubts::resolve(shard.clone()));
        shard
    }

    pub(super) fn map(&self) -> Arc<Map> {
        self.map.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn holdings(&self) -> MutexGuard<'_, Holdings> {
        self.holdings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where `key` is; an error as long as no master is known.
    pub(super) fn place(self: &Arc<Self>, key: &str) -> Result<Place, StoreError> {
        let map = self.map();
        if !map.is_known() {
            return Err(StoreError::Away(self.trouble()));
        }
        Ok(Place { shard: self.clone(), slot: map.slot(key) })
    }

    /// Who owns a slot, if it can be used now.
    pub(super) fn owner(&self, slot: u16) -> Result<Arc<Master>, StoreError> {
        let map = self.map();
        let owner = map.owner(slot).ok_or_else(|| StoreError::Away(self.trouble()))?;
        owner.up()?;
        Ok(owner.clone())
    }

    pub(super) fn trouble(&self) -> String {
        let trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if trouble.is_empty() { "no redis owns the slot of this key".to_owned() } else { trouble }
    }

    /// Notes why no master can be found, and says it once.
    pub(super) fn set_trouble(&self, why: String) {
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        if *trouble != why && !why.is_empty() && why != CONNECTING {
            tracing::error!(redis = %self.redis.place, "{why}");
        }
        *trouble = why;
    }

    /// Why a failover or a moved slot would not be noticed now; empty when it would.
    pub(super) fn blindness(&self) -> String {
        self.lookout.lock().unwrap_or_else(PoisonError::into_inner).0.clone()
    }

    /// Notes how a look at who owns what has ended. Where no master is known yet, that is why. Where
    /// masters are known they are used on, and each reason is said once.
    pub(super) fn note_look(&self, looked: Result<(), StoreError>) {
        let why = looked.err().map(|error| error.to_string());
        if let Some(why) = why.as_ref().filter(|_| !self.map().is_known()) {
            return self.set_trouble(why.clone());
        }
        let redis = &self.redis.place;
        let mut lookout = self.lookout.lock().unwrap_or_else(PoisonError::into_inner);
        let (now, said) = &mut *lookout;
        match &why {
            Some(why) if said.add(why, Instant::now()) => {
                tracing::warn!(%redis, "a failover would not be noticed: {why}");
            }
            None if said.clear() => tracing::info!(%redis, "failovers are noticed again"),
            _ => {}
        }
        *now = why.unwrap_or_default();
    }

    /// A master at `address` whose connections begin to be made.
    pub(super) fn new_master(&self, named: Named) -> Result<Arc<Master>, StoreError> {
        let master = self.unconnected_master(named)?;
        link::connect(&master, &self.redis);
        Ok(master)
    }

    /// A master whose connections are yet to be made.
    pub(super) fn unconnected_master(&self, named: Named) -> Result<Arc<Master>, StoreError> {
        Master::new(named, &self.redis, self.closing.child_token())
    }

    /// From now on `new` says who owns what: leases begin on new masters, and whatever slots have
    /// moved is added again and listened to where it is now.
    pub(super) fn adopt(self: &Arc<Self>, new: Map) {
        self.change(|_| Some(new));
    }

    /// The same for what `change` makes of the map there is, if anything; whether it did.
    fn change(self: &Arc<Self>, change: impl FnOnce(&Map) -> Option<Map>) -> bool {
        let Some((old, new)) = self.replace(change) else { return false };
        for master in new.masters().iter().filter(|master| !old.has(master)) {
            tokio::spawn(lease::keep(self.clone(), master.clone()));
            let pump = events::pump(self.clone(), master.clone());
            tokio::spawn(link::until_gone(master.gone.clone(), pump));
            let writes = writes::watch(self.clone(), master.clone());
            tokio::spawn(link::until_gone(master.gone.clone(), writes));
        }
        for master in old.masters().iter().filter(|master| !new.has(master)) {
            tracing::info!(address = %master.address, "redis is not used any more");
            master.gone.cancel();
        }
        self.set_trouble(String::new());
        self.sweep.notify_one();
        self.tell_soon(StoreEvent::Renewed);
        true
    }

    /// Puts another map in the place of the one there was; both are returned.
    fn replace(&self, change: impl FnOnce(&Map) -> Option<Map>) -> Option<(Arc<Map>, Arc<Map>)> {
        // Under this lock, so that no command goes to an owner under a name that was retired.
        let mut holdings = self.holdings();
        let mut map = self.map.write().unwrap_or_else(PoisonError::into_inner);
        let mut new = change(&map)?;
        new.count_stays(&map);
        let new = Arc::new(new);
        let old = std::mem::replace(&mut *map, new.clone());
        if holdings.slots() != new.slots() {
            // Nothing was held before the first map, and later ones have as many slots.
            *holdings = Holdings::new(new.slots());
        }
        let moved = new.moved_since(&old);
        holdings.recovery.soil(&moved);
        for master in old.masters().iter().filter(|master| !new.has(master)) {
            // Whoever has its slots now may not have all that it had.
            let slots = old.owned_by(master);
            holdings.recovery.lose(&slots);
            holdings.recovery.retire(master.name(), &slots);
        }
        if old.is_known() && !moved.is_empty() {
            drop((holdings, map));
            self.saw_moving();
            tracing::debug!(slots = moved.len(), "slots have another owner");
        }
        Some((old, new))
    }

    /// A node says that a slot belongs to somebody else.
    pub(super) async fn moved(self: &Arc<Self>, slot: u16, to: &RedisAddress) {
        self.saw_moving();
        self.look.notify_one();
        let changed = self.change(|map| map.with_moved(slot, to));
        if !changed && self.map().at(to).is_none() {
            self.look_soon().await;
        }
    }

    /// Waits for a look at who owns what that begins now, for a bounded time.
    pub(super) async fn look_soon(&self) {
        let now = Instant::now();
        let mut looks = self.looks.subscribe();
        self.look.notify_one();
        let looked = looks.wait_for(|began| began.is_some_and(|began| began >= now));
        if tokio::time::timeout(LOOK, looked).await.is_err() {
            tracing::debug!("nobody says who owns what");
        }
    }

    /// A look has ended that began then.
    pub(super) fn has_looked(&self, began: Instant) {
        self.looks.send_replace(Some(began));
        // Those that wait for it.
        let map = self.map();
        for master in map.masters().iter().filter(|master| master.up().is_err()) {
            master.hurry.notify_one();
        }
    }

    /// Whether a master may be used that was away until `since`, or is there for the `first` time.
    /// Under Sentinel and in a cluster it may have been replaced meanwhile, and would take joins and
    /// leaves that are lost with it: a look that begins then is waited for.
    pub(super) fn may_return(&self, first: bool, since: Instant) -> bool {
        let looked = *self.looks.borrow();
        if first && looked.is_some_and(|began| began.elapsed() < LOOK) {
            // It is new because that look has named it.
            return true;
        }
        let is_sentinel = matches!(self.redis.place, RedisPlace::Sentinel(_));
        // One address of a cluster is followed as a cluster.
        if !is_sentinel && self.map().slots() <= 1 {
            return true;
        }
        let is_looked_at = looked.is_some_and(|began| began >= since);
        if !is_looked_at {
            self.look.notify_one();
        }
        is_looked_at
    }

    /// Slots are moving: counts say nothing for a while.
    pub(super) fn saw_moving(&self) {
        self.moving().seen = Some(Instant::now());
    }

    /// The same because a command was sent elsewhere. What an interrupted move has left behind does
    /// that for ever, and counts for nothing after a while.
    pub(super) fn saw_redirection(&self) {
        let mut moving = self.moving();
        if !moving.is_stuck() {
            moving.seen = Some(Instant::now());
        }
    }

    /// Notes what nodes say of slots on their way. What an interrupted move has left behind stays
    /// as it is, and counts for nothing after a while.
    pub(super) fn saw_marks(&self, marks: BTreeSet<String>) {
        let mut moving = self.moving();
        if moving.marks.0 != marks {
            moving.marks = (marks, Some(Instant::now()));
            moving.seen = Some(Instant::now());
        }
    }

    pub(super) fn is_settled(&self) -> bool {
        let moving = self.moving();
        let quiet = moving.seen.is_none_or(|at| at.elapsed() >= UNSETTLED);
        quiet && (moving.marks.0.is_empty() || moving.is_stuck())
    }

    fn moving(&self) -> MutexGuard<'_, Moving> {
        self.moving.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every name whose lease must live at `master`, its own first: what has moved there may still
    /// be held under a name of where it was.
    pub(super) fn names_at(&self, master: &Arc<Master>) -> Vec<Arc<str>> {
        let holdings = self.holdings();
        let map = self.map();
        let others = map.masters().iter().filter(|other| !Arc::ptr_eq(other, master));
        let others: Vec<_> = others.map(|other| other.name()).collect();
        let own = std::iter::once(master.name());
        own.chain(others).chain(holdings.recovery.names().cloned()).collect()
    }

    /// The same for who must not wait, whoever is slow to listen.
    pub(super) fn tell_soon(self: &Arc<Self>, event: StoreEvent) {
        let shard = self.clone();
        tokio::spawn(async move { shard.tell(event).await });
    }

    pub(super) async fn tell(&self, event: StoreEvent) {
        if self.events.send(event).await.is_err() {
            tracing::debug!("nobody listens any more");
        }
    }
}

// === impl Place ===

impl Place {
    /// The life in which events of this place arrive, which begins anew with the events connection
    /// and with each stay of the slot at a master; 0 for none.
    pub(super) fn life(&self) -> u64 {
        let map = self.shard.map();
        map.owner(self.slot).map(|owner| owner.life().max(map.stay(self.slot))).unwrap_or_default()
    }
}
