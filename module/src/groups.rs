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

/// The groups, by key. Most values have one group: it stands here, and has the number 0.
#[derive(Debug)]
pub(crate) struct Groups<K> {
    one: Option<Group<K>>,
    more: Option<Box<More<K>>>,
}

/// Groups beside the first, numbered from 1.
#[derive(Debug)]
struct More<K> {
    slab: Vec<Group<K>>,
    /// Numbers of freed groups, chained through `head`.
    free: u32,
    /// All of them, when there are many.
    by_key: Option<BTreeMap<K, u32>>,
}

/// A group without members is free.
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
        Self { one: None, more: None }
    }

    /// The key of the group with this number, which a slot holds.
    pub(crate) fn key(&self, group: u32) -> Option<K> {
        self.group(group).map(|group| group.key)
    }

    /// Any member of the group of `key`.
    pub(crate) fn member(&self, key: K) -> Option<u32> {
        self.find(key).and_then(|at| self.group(at)).map(|group| group.head)
    }

    /// The smallest key that is at least `from`.
    pub(crate) fn first_from(&self, from: K) -> Option<K> {
        let one = self.one.iter().map(|group| group.key).filter(|key| *key >= from);
        let more = self.more.as_ref().and_then(|more| more.first_from(from));
        one.chain(more).min()
    }

    /// All groups and how many members each has, in no order.
    pub(crate) fn all(&self) -> impl Iterator<Item = (K, u32)> + '_ {
        let more = self.more.iter().flat_map(|more| more.used());
        self.one.iter().chain(more).map(|group| (group.key, group.count))
    }

    /// Adds `slot`, which is in no group, to the group of `key`; how many it then has.
    pub(crate) fn join(&mut self, links: &mut impl Links, slot: u32, key: K) -> u32 {
        let at = self.find(key).unwrap_or_else(|| self.create(key));
        let Some(group) = self.group_mut(at) else { return 0 };
        let head = group.head;
        group.head = slot;
        group.count += 1;
        let count = group.count;
        *links.links(slot) = GroupLinks { group: at, next: head, prev: NONE };
        if head != NONE {
            links.links(head).prev = slot;
        }
        count
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
        let group = self.group_mut(at)?;
        if group.head == slot {
            group.head = next;
        }
        group.count -= 1;
        let left = (group.key, group.count);
        if left.1 == 0 {
            match &mut self.more {
                Some(more) if at > 0 => more.free(at),
                _ => self.one = None,
            }
        }
        Some(left)
    }

    /// Bytes beside the struct itself.
    pub(crate) fn bytes(&self) -> usize {
        self.more.as_ref().map_or(0, |more| more.bytes())
    }

    fn group(&self, at: u32) -> Option<&Group<K>> {
        match at.checked_sub(1) {
            None => self.one.as_ref(),
            Some(at) => self.more.as_ref()?.slab.get(at as usize),
        }
    }

    fn group_mut(&mut self, at: u32) -> Option<&mut Group<K>> {
        match at.checked_sub(1) {
            None => self.one.as_mut(),
            Some(at) => self.more.as_mut()?.slab.get_mut(at as usize),
        }
    }

    fn find(&self, key: K) -> Option<u32> {
        if self.one.as_ref().is_some_and(|group| group.key == key) {
            return Some(0);
        }
        self.more.as_ref()?.find(key)
    }

    fn create(&mut self, key: K) -> u32 {
        let group = Group { key, head: NONE, count: 0 };
        if self.one.is_none() {
            self.one = Some(group);
            return 0;
        }
        let more = || Box::new(More { slab: Vec::new(), free: NONE, by_key: None });
        self.more.get_or_insert_with(more).create(group)
    }
}

// === impl More ===

impl<K: Copy + Ord> More<K> {
    fn used(&self) -> impl Iterator<Item = &Group<K>> {
        self.slab.iter().filter(|group| group.count > 0)
    }

    fn first_from(&self, from: K) -> Option<K> {
        match &self.by_key {
            Some(map) => map.range(from..).next().map(|(key, _)| *key),
            None => self.used().map(|group| group.key).filter(|key| *key >= from).min(),
        }
    }

    fn find(&self, key: K) -> Option<u32> {
        if let Some(map) = &self.by_key {
            return map.get(&key).copied();
        }
        (1..)
            .zip(&self.slab)
            .find(|(_, group)| group.count > 0 && group.key == key)
            .map(|(at, _)| at)
    }

    fn create(&mut self, group: Group<K>) -> u32 {
        let key = group.key;
        let at = if self.free == NONE {
            if self.slab.len() < 4 {
                self.slab.reserve_exact(1);
            }
            self.slab.push(group);
            u32::try_from(self.slab.len()).unwrap_or(NONE)
        } else {
            let at = self.free;
            let place = &mut self.slab[at as usize - 1];
            self.free = place.head;
            *place = group;
            at
        };
        if let Some(map) = &mut self.by_key {
            map.insert(key, at);
        } else if self.slab.len() > FEW {
            let used = (1..).zip(&self.slab).filter(|(_, group)| group.count > 0);
            let mut map: BTreeMap<K, u32> = used.map(|(at, group)| (group.key, at)).collect();
            map.insert(key, at);
            self.by_key = Some(map);
        }
        at
    }

    fn free(&mut self, at: u32) {
        let group = &mut self.slab[at as usize - 1];
        if let Some(map) = &mut self.by_key {
            map.remove(&group.key);
        }
        group.head = self.free;
        self.free = at;
    }

    fn bytes(&self) -> usize {
        let map = self.by_key.as_ref().map_or(0, |map| map.len() * (size_of::<K>() + 4) * 2);
        size_of::<Self>() + self.slab.capacity() * size_of::<Group<K>>() + map
    }
}
