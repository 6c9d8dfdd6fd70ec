//! Which master owns which slot.

use std::sync::Arc;

use super::cluster_nodes::NOBODY;
use super::master::Master;
use super::slots::{SLOTS, SlotSet};
use crate::config::RedisAddress;

/// The masters of a shard. A server alone, or the master of a Sentinel group, owns the one slot.
#[derive(Debug, Default, Clone)]
pub(super) struct Map {
    masters: Vec<Arc<Master>>,
    /// For each slot a place in `masters`, or [`NOBODY`]; empty as long as no master is known.
    owners: Vec<u16>,
}

// === impl Map ===

impl Map {
    /// One master for everything.
    pub(super) fn single(master: Arc<Master>) -> Self {
        Self { masters: vec![master], owners: vec![0] }
    }

    /// The masters of a cluster; `owners` has a place among them for each slot.
    pub(super) fn cluster(masters: Vec<Arc<Master>>, owners: Vec<u16>) -> Self {
        Self { masters, owners }
    }

    pub(super) fn masters(&self) -> &[Arc<Master>] {
        &self.masters
    }

    pub(super) fn at(&self, address: &RedisAddress) -> Option<&Arc<Master>> {
        self.masters.iter().find(|master| master.address == *address)
    }

    pub(super) fn has(&self, master: &Arc<Master>) -> bool {
        self.masters.iter().any(|other| Arc::ptr_eq(other, master))
    }

    pub(super) fn is_known(&self) -> bool {
        !self.owners.is_empty()
    }

    /// Whether it says the same as these masters and, for each slot, places among them.
    pub(super) fn says(&self, masters: &[RedisAddress], owners: &[u16]) -> bool {
        self.masters.iter().map(|master| &master.address).eq(masters) && self.owners == owners
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

    /// The same with one slot at another master; `None` when that is not known, or owns it already.
    pub(super) fn with_moved(&self, slot: u16, to: &RedisAddress) -> Option<Self> {
        let place = self.masters.iter().position(|master| master.address == *to)?;
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
        Master::new(address(port), &shard, CancellationToken::new()).unwrap()
    }

    /// The first 100 slots belong to the first master, the others to the second; the last to nobody.
    fn cluster(masters: &[Arc<Master>]) -> Map {
        let mut owners = vec![1; SLOTS];
        owners[..100].fill(0);
        owners[SLOTS - 1] = NOBODY;
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
    fn one_slot_moves_to_a_master_that_is_known() {
        let map = cluster(&[master(1), master(2)]);
        let moved = map.with_moved(5, &address(2)).unwrap();
        assert_eq!(moved.moved_since(&map), [5].into_iter().collect());
        assert!(moved.says(&[address(1), address(2)], &moved.owners.clone()));
        assert!(map.with_moved(5, &address(1)).is_none(), "it is there already");
        assert!(map.with_moved(5, &address(3)).is_none(), "nobody is there");
    }
}
