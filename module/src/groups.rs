//! Things in slots that end together: one group per lease or deadline, its members chained
//! through the slots, so that an end walks exactly what it concerns.

use std::collections::BTreeMap;

use crate::linear_hash::NONE;

/// Up to this many groups are searched one by one.
const FEW: usize = 8;

/// Where the chains live: the slots of the owner.
pub(crate) trait Links {
    fn links(&mut self, slot: u32) -> &mut GroupLinks;
}

/// A slot's place in its group.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GroupLinks {
    pub(crate) group: u32,
    pub(crate) next: u32,
    pub(crate) prev: u32,
}

/// The groups, by key.
#[derive(Debug)]
pub(crate) struct Groups<K> {
    slab: Vec<Group<K>>,
    /// Freed groups, chained through `head`.
    free: u32,
    /// Only when there are many.
    by_key: Option<Box<BTreeMap<K, u32>>>,
}

#[derive(Debug)]
struct Group<K> {
    key: K,
    head: u32,
    count: u32,
}

// === impl GroupLinks ===

impl Default for GroupLinks {
    fn default() -> Self {
        Self { group: NONE, next: NONE, prev: NONE }
    }
}

// === impl Groups ===

impl<K: Copy + Ord> Groups<K> {
    pub(crate) const fn new() -> Self {
        Self { slab: Vec::new(), free: NONE, by_key: None }
    }

    /// The key of the group with this number, which a slot holds.
    pub(crate) fn key(&self, group: u32) -> Option<K> {
        self.slab.get(group as usize).map(|group| group.key)
    }

    /// Any member of the group of `key`.
    pub(crate) fn member(&self, key: K) -> Option<u32> {
        self.find(key).and_then(|at| self.slab.get(at as usize)).map(|group| group.head)
    }

    /// The smallest key that is at least `from`.
    pub(crate) fn first_from(&self, from: K) -> Option<K> {
        match &self.by_key {
            Some(map) => map.range(from..).next().map(|(key, _)| *key),
            None => self.all().map(|(key, _)| key).filter(|key| *key >= from).min(),
        }
    }

    /// All groups and how many members each has, in no order.
    pub(crate) fn all(&self) -> impl Iterator<Item = (K, u32)> + '_ {
        let used = self.slab.iter().filter(|group| group.count > 0);
        used.map(|group| (group.key, group.count))
    }

    /// Adds `slot`, which is in no group, to the group of `key`; how many it then has.
    pub(crate) fn join(&mut self, links: &mut impl Links, slot: u32, key: K) -> u32 {
        let at = self.find(key).unwrap_or_else(|| self.create(key));
        let group = &mut self.slab[at as usize];
        let head = group.head;
        *links.links(slot) = GroupLinks { group: at, next: head, prev: NONE };
        if head != NONE {
            links.links(head).prev = slot;
        }
        group.head = slot;
        group.count += 1;
        group.count
    }

    /// Takes `slot` out of its group; the group's key and how many are left in it.
    pub(crate) fn leave(&mut self, links: &mut impl Links, slot: u32) -> Option<(K, u32)> {
        let GroupLinks { group: at, next, prev } = std::mem::take(links.links(slot));
        if next != NONE {
            links.links(next).prev = prev;
        }
        if prev != NONE {
            links.links(prev).next = next;
        }
        let group = self.slab.get_mut(at as usize)?;
        if group.head == slot {
            group.head = next;
        }
        group.count -= 1;
        let left = (group.key, group.count);
        if group.count == 0 {
            group.head = self.free;
            self.free = at;
            if let Some(map) = &mut self.by_key {
                map.remove(&left.0);
            }
        }
        Some(left)
    }

    pub(crate) fn bytes(&self) -> usize {
        let map = self.by_key.as_ref().map_or(0, |map| 32 + map.len() * (size_of::<K>() + 4) * 2);
        self.slab.capacity() * size_of::<Group<K>>() + map
    }

    fn find(&self, key: K) -> Option<u32> {
        if let Some(map) = &self.by_key {
            return map.get(&key).copied();
        }
        let at = self.slab.iter().position(|group| group.count > 0 && group.key == key)?;
        u32::try_from(at).ok()
    }

    fn create(&mut self, key: K) -> u32 {
        let at = if self.free == NONE {
            if self.slab.len() < 4 {
                self.slab.reserve_exact(1);
            }
            self.slab.push(Group { key, head: NONE, count: 0 });
            u32::try_from(self.slab.len() - 1).unwrap_or(NONE)
        } else {
            let at = self.free;
            let group = &mut self.slab[at as usize];
            self.free = group.head;
            *group = Group { key, head: NONE, count: 0 };
            at
        };
        if let Some(map) = &mut self.by_key {
            map.insert(key, at);
        } else if self.slab.len() > FEW {
            let numbered = (0..).zip(&self.slab);
            let mut map: BTreeMap<K, u32> = numbered
                .filter(|(_, group)| group.count > 0)
                .map(|(at, group)| (group.key, at))
                .collect();
            map.insert(key, at);
            self.by_key = Some(Box::new(map));
        }
        at
    }
}
