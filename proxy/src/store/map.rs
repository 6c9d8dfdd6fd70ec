//! Which master owns which slot.

use std::sync::Arc;

use super::cluster_nodes::{NOBODY, Owners};
use super::master::{Master, next_number};
use super::slots::{SLOTS, SlotSet};
use crate::config::RedisAddress;

/// The masters of a shard. A server alone, or the master of a Sentinel group, owns the one slot.
#[derive(Debug, Default, Clone)]
pub(super) struct Map {
    masters: Vec<Arc<Master>>,
    /// For each slot a place in `masters`, or [`NOBODY`]; empty as long as no master is known.
    owners: Vec<u16>,
    /// For each of `masters` its configuration epoch, as far as is known.
    epochs: Vec<u64>,
    /// For each slot the life that began when its owner became its owner; see [`Master::life`].
    stays: Vec<u64>,
}

// === impl Map ===

impl Map {
    /// One master for everything.
    pub(super) fn single(master: Arc<Master>) -> Self {
        Self { masters: vec![master], owners: vec![0], epochs: vec![0], stays: vec![0] }
    }

    /// What `owners` says, whose masters are these.
    pub(super) fn cluster(masters: Vec<Arc<Master>>, owners: Owners) -> Self {
        let Owners { epochs, slots, .. } = owners;
        let stays = vec![0; slots.len()];
        Self { masters, owners: slots, epochs, stays }
    }

    pub(super) fn masters(&self) -> &[Arc<Master>] {
        &self.masters
    }

    pub(super) fn at(&self, address: &RedisAddress) -> Option<&Arc<Master>> {
        self.masters.iter().find(|master| master.is_at(address))
    }

    pub(super) fn has(&self, master: &Arc<Master>) -> bool {
        self.masters.iter().any(|other| Arc::ptr_eq(other, master))
    }

    pub(super) fn is_known(&self) -> bool {
        !self.owners.is_empty()
    }

    /// Whether it says the same as `owners`, or knows of newer epochs.
    pub(super) fn says(&self, owners: &Owners) -> bool {
        let addresses = owners.masters.iter().map(|(address, _)| address);
        self.masters.iter().map(|master| &master.address).eq(addresses)
            && self.owners == owners.slots
            && self.epochs.iter().zip(&owners.epochs).all(|(known, said)| known >= said)
    }

    /// How many slots there are.
    pub(super) fn slots(&self) -> usize {
        self.owners.len()
    }

    /// The slot of a key.
    pub(super) fn slot(&self, key: &str) -> u16 {
        if self.owners.len() == SLOTS { fred::util::redis_keyslot(key.as_bytes()) } else { 0 }
    }

    pub(super) fn owner(&self, slot: u16) -> Option<&Arc<Master>> {
        let place = *self.owners.get(usize::from(slot))?;
        self.masters.get(usize::from(place))
    }

    /// The slots of one master.
    pub(super) fn owned_by(&self, master: &Arc<Master>) -> SlotSet {
        self.slots_where(|_, owner| owner.is_some_and(|owner| Arc::ptr_eq(owner, master)))
    }

    /// Every slot.
    pub(super) fn all(&self) -> SlotSet {
        self.slots_where(|_, _| true)
    }

    pub(super) fn owns_any(&self, master: &Arc<Master>) -> bool {
        !self.owned_by(master).is_empty()
    }

    /// The slots that have another owner here than in `old`.
    pub(super) fn moved_since(&self, old: &Self) -> SlotSet {
        self.slots_where(|slot, owner| match (owner, old.owner(slot)) {
            (Some(owner), Some(before)) => !Arc::ptr_eq(owner, before),
            (owner, _) => owner.is_some(),
        })
    }

    /// The life that began when a slot came to where it is.
    pub(super) fn stay(&self, slot: u16) -> u64 {
        self.stays.get(usize::from(slot)).copied().unwrap_or_default()
    }

    /// Goes on with the stays of `old`, and begins others where the owner is another one; and where
    /// its epoch is another one, because slots came to it, perhaps after they had gone from it
    /// unseen, and with them its subscriptions.
    pub(super) fn count_stays(&mut self, old: &Self) {
        let life = next_number();
        let stayed: Vec<bool> = (self.masters.iter().zip(&mut self.epochs))
            .map(|(master, epoch)| {
                let before = old.epoch_of(master).unwrap_or_default();
                *epoch = before.max(*epoch);
                *epoch == before
            })
            .collect();
        for slot in 0..u16::try_from(self.owners.len()).unwrap_or_default() {
            let same = match (self.owner(slot), old.owner(slot)) {
                (Some(owner), Some(before)) => {
                    let place = usize::from(self.owners[usize::from(slot)]);
                    Arc::ptr_eq(owner, before) && stayed[place]
                }
                (owner, before) => owner.is_none() && before.is_none(),
            };
            self.stays[usize::from(slot)] = if same { old.stay(slot) } else { life };
        }
    }

    fn epoch_of(&self, master: &Arc<Master>) -> Option<u64> {
        let place = self.masters.iter().position(|other| Arc::ptr_eq(other, master))?;
        self.epochs.get(place).copied()
    }

    /// The same with one slot at another master; `None` when that is not known, or owns it already.
    pub(super) fn with_moved(&self, slot: u16, to: &RedisAddress) -> Option<Self> {
        let place = self.masters.iter().position(|master| master.is_at(to))?;
        let place = u16::try_from(place).ok().filter(|place| *place != NOBODY)?;
        let owner = *self.owners.get(usize::from(slot))?;
        (owner != place).then(|| {
            let mut map = self.clone();
            map.owners[usize::from(slot)] = place;
            map
        })
    }

    fn slots_where(&self, filter: impl Fn(u16, Option<&Arc<Master>>) -> bool) -> SlotSet {
        let slots = 0..u16::try_from(self.owners.len()).unwrap_or_default();
        slots.filter(|slot| filter(*slot, self.owner(*slot))).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::config::{Login, RedisPlace, RedisShard};

    fn address(port: u16) -> RedisAddress {
        RedisAddress::Tcp { host: "127.0.0.1".to_owned(), port }
    }

    /// A master that is never connected to.
    fn master(port: u16) -> Arc<Master> {
        let shard = RedisShard {
            place: RedisPlace::Cluster(vec![address(port)]),
            login: Login::default(),
            db: 0,
            tls: None,
            client_name: String::new(),
            connect_timeout: Duration::from_secs(1),
            io_timeout: Duration::from_secs(1),
        };
        Master::new((address(port), None), &shard, CancellationToken::new()).unwrap()
    }

    /// The first 100 slots belong to the first master, the others to the second; the last to nobody.
    fn cluster(masters: &[Arc<Master>]) -> Map {
        let mut slots = vec![1; SLOTS];
        slots[..100].fill(0);
        slots[SLOTS - 1] = NOBODY;
        let named = masters.iter().map(|master| (master.address.clone(), None)).collect();
        let owners = Owners { masters: named, epochs: vec![1; masters.len()], slots };
        Map::cluster(masters.to_vec(), owners)
    }

    #[test]
    fn outside_a_cluster_everything_is_in_one_slot() {
        let map = Map::single(master(1));
        assert_eq!((map.slots(), map.slot("a"), map.slot("b")), (1, 0, 0));
        assert_eq!(map.owned_by(&map.masters()[0]).len(), 1);
        assert!(!Map::default().is_known() && map.is_known());
    }

    #[test]
    fn slots_of_keys_are_those_of_the_cluster_specification() {
        let map = cluster(&[master(1), master(2)]);
        assert_eq!(map.slot("123456789"), 0x31c3);
        assert_eq!(map.slot("{user1000}.following"), map.slot("{user1000}.followers"));
    }

    #[test]
    fn what_moved_is_what_has_another_owner() {
        let (one, two, three) = (master(1), master(2), master(3));
        let old = cluster(&[one.clone(), two.clone()]);
        assert_eq!(old.owned_by(&one).len(), 100);
        assert!(old.owner(u16::try_from(SLOTS - 1).unwrap()).is_none());
        let new = cluster(&[one.clone(), three.clone()]);
        let moved = new.moved_since(&old);
        assert_eq!(moved, new.owned_by(&three));
        assert!(!moved.contains(0) && moved.contains(100));
        assert_eq!(new.moved_since(&Map::default()).len(), u32::try_from(SLOTS - 1).unwrap());
        assert!(old.has(&two) && !new.has(&two));
    }

    #[test]
    fn a_slot_that_comes_back_begins_another_stay() {
        let masters = [master(1), master(2)];
        let mut first = cluster(&masters);
        first.count_stays(&Map::default());
        let mut away = first.with_moved(5, &address(2)).unwrap();
        away.count_stays(&first);
        let mut back = away.with_moved(5, &address(1)).unwrap();
        back.count_stays(&away);
        assert!(first.stay(5) < away.stay(5) && away.stay(5) < back.stay(5));
        assert_eq!(first.stay(6), back.stay(6));
    }

    #[test]
    fn a_new_epoch_of_the_owner_begins_another_stay() {
        let masters = [master(1), master(2)];
        let mut first = cluster(&masters);
        first.count_stays(&Map::default());
        let with = |epochs: [u64; 2], old: &Map| {
            let mut map = cluster(&masters);
            map.epochs = epochs.to_vec();
            map.count_stays(old);
            map
        };
        let newer = with([1, 2], &first);
        assert_eq!(newer.stay(0), first.stay(0));
        assert!(newer.stay(100) > first.stay(100));
        let hearsay = with([1, 1], &newer);
        assert_eq!(hearsay.stay(100), newer.stay(100), "an older epoch is no news");
        assert_eq!(hearsay.epochs, [1, 2]);
    }

    #[test]
    fn one_slot_moves_to_a_master_that_is_known() {
        let map = cluster(&[master(1), master(2)]);
        let moved = map.with_moved(5, &address(2)).unwrap();
        assert_eq!(moved.moved_since(&map), [5].into_iter().collect());
        let named = vec![(address(1), None), (address(2), None)];
        let says = |epochs: [u64; 2]| {
            let epochs = epochs.to_vec();
            moved.says(&Owners { masters: named.clone(), epochs, slots: moved.owners.clone() })
        };
        assert!(says([1, 1]) && says([0, 1]) && !says([1, 2]));
        assert!(map.with_moved(5, &address(1)).is_none(), "it is there already");
        assert!(map.with_moved(5, &address(3)).is_none(), "nobody is there");
    }
}
