//! What this server holds in Redis under its node name: clients in rosters and users online.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;

use super::recovery::Recovery;
use super::slots::SlotSet;

/// A client in a channel, as it is put (and put back) into the roster.
#[derive(Debug, Clone)]
pub struct Entry {
    pub client: Arc<str>,
    pub user: Arc<str>,
    pub conn_info: Bytes,
    pub chan_info: Bytes,
    /// Whether joins and leaves are announced.
    pub announce: bool,
}

/// The holdings of one shard; changed only together with the command that changes Redis.
#[derive(Debug)]
pub(super) struct Holdings {
    channels: HashMap<Arc<str>, Held>,
    users: HashMap<Arc<str>, Online>,
    /// Counts for each slot; the slots of a master are those its answers are compared with.
    counts: Vec<Count>,
    /// What is to be put back.
    pub(super) recovery: Recovery,
}

/// A channel with clients of this server.
#[derive(Debug)]
struct Held {
    slot: u16,
    clients: HashMap<Arc<str>, Entry>,
}

/// A user with connections to this server.
#[derive(Debug)]
struct Online {
    slot: u16,
    connections: u32,
}

/// What is held in one slot.
#[derive(Debug, Clone, Default)]
struct Count {
    entries: u32,
    users: u32,
    /// Commands under way that change what is held.
    in_flight: u32,
    /// Counts every change, so that a comparison knows whether it saw a quiet moment.
    changes: u64,
}

/// The names of everything that is held.
#[derive(Debug, Default)]
pub(super) struct List {
    /// `(slot, channel, client)`.
    pub(super) entries: Vec<(u16, Arc<str>, Arc<str>)>,
    /// `(slot, user)`.
    pub(super) users: Vec<(u16, Arc<str>)>,
}

/// What a keepalive's reply is compared with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Snapshot {
    pub(super) entries: u64,
    pub(super) users: u64,
    changes: u64,
    in_flight: u64,
}

// === impl Holdings ===

impl Holdings {
    /// Nothing, in so many slots.
    pub(super) fn new(slots: usize) -> Self {
        Self {
            channels: HashMap::new(),
            users: HashMap::new(),
            counts: vec![Count::default(); slots],
            recovery: Recovery::default(),
        }
    }

    pub(super) fn slots(&self) -> usize {
        self.counts.len()
    }

    /// Notes an entry that is about to be added.
    pub(super) fn insert(&mut self, slot: u16, channel: &Arc<str>, entry: Entry) {
        let new = || Held { slot, clients: HashMap::new() };
        let held = self.channels.entry(channel.clone()).or_insert_with(new);
        let is_new = held.clients.insert(entry.client.clone(), entry).is_none();
        self.count(slot, |count| {
            count.entries += u32::from(is_new);
            count.changes += 1;
        });
    }

    /// Forgets an entry; whether it was there.
    pub(super) fn remove(&mut self, channel: &str, client: &str) -> bool {
        let Some(held) = self.channels.get_mut(channel) else { return false };
        let was_there = held.clients.remove(client).is_some();
        let slot = held.slot;
        if held.clients.is_empty() {
            self.channels.remove(channel);
        }
        if was_there {
            self.count(slot, |count| {
                count.entries -= 1;
                count.changes += 1;
            });
        }
        was_there
    }

    pub(super) fn get(&self, channel: &str, client: &str) -> Option<&Entry> {
        self.channels.get(channel)?.clients.get(client)
    }

    /// The clients in a channel.
    pub(super) fn clients(&self, channel: &str) -> Vec<Arc<str>> {
        let held = self.channels.get(channel);
        held.map(|held| held.clients.keys().cloned().collect()).unwrap_or_default()
    }

    /// Notes one more connection of `user`; whether it is the first.
    pub(super) fn user_came(&mut self, slot: u16, user: &Arc<str>) -> bool {
        let new = Online { slot, connections: 0 };
        let online = self.users.entry(user.clone()).or_insert(new);
        online.connections += 1;
        let first = online.connections == 1;
        if first {
            self.count(slot, |count| {
                count.users += 1;
                count.changes += 1;
            });
        }
        first
    }

    /// Notes one connection of `user` less; whether it was the last.
    pub(super) fn user_went(&mut self, user: &str) -> bool {
        let Some(online) = self.users.get_mut(user) else { return false };
        online.connections -= 1;
        let (slot, last) = (online.slot, online.connections == 0);
        if last {
            self.users.remove(user);
            self.count(slot, |count| {
                count.users -= 1;
                count.changes += 1;
            });
        }
        last
    }

    pub(super) fn has_user(&self, user: &str) -> bool {
        self.users.contains_key(user)
    }

    /// A command that changes what is held is under way; ends with [`Self::answered`].
    pub(super) fn sent(&mut self, slot: u16) {
        self.count(slot, |count| count.in_flight += 1);
    }

    pub(super) fn answered(&mut self, slot: u16) {
        self.count(slot, |count| count.in_flight -= 1);
    }

    /// Everything that is held in `slots`.
    pub(super) fn list(&self, slots: &SlotSet) -> List {
        let entries = self.channels.iter().filter(|(_, held)| slots.contains(held.slot));
        let entries = entries.flat_map(|(channel, held)| {
            held.clients.keys().map(move |client| (held.slot, channel.clone(), client.clone()))
        });
        let users = self.users.iter().filter(|(_, online)| slots.contains(online.slot));
        List {
            entries: entries.collect(),
            users: users.map(|(user, online)| (online.slot, user.clone())).collect(),
        }
    }

    /// The counts of `slots` together.
    pub(super) fn snapshot(&self, slots: &SlotSet) -> Snapshot {
        let mut sum = Snapshot::default();
        for (_, count) in (0_u16..).zip(&self.counts).filter(|(slot, _)| slots.contains(*slot)) {
            sum.entries += u64::from(count.entries);
            sum.users += u64::from(count.users);
            sum.in_flight += u64::from(count.in_flight);
            sum.changes += count.changes;
        }
        sum
    }

    fn count(&mut self, slot: u16, change: impl FnOnce(&mut Count)) {
        if let Some(count) = self.counts.get_mut(usize::from(slot)) {
            change(count);
        }
    }
}

// === impl Snapshot ===

impl Snapshot {
    /// How far counts may differ by what was under way between two snapshots.
    pub(super) fn noise_until(&self, later: &Self) -> i128 {
        i128::from(self.in_flight)
            + i128::from(later.in_flight)
            + i128::from(later.changes.saturating_sub(self.changes))
    }

    #[cfg(test)]
    pub(super) fn of(entries: u64, changes: u64) -> Self {
        Self { entries, users: 0, changes, in_flight: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(client: &str) -> Entry {
        Entry {
            client: client.into(),
            user: "u".into(),
            conn_info: Bytes::new(),
            chan_info: Bytes::new(),
            announce: true,
        }
    }

    fn all() -> SlotSet {
        (0..4).collect()
    }

    #[test]
    fn entries_are_counted_once_in_their_slot() {
        let mut holdings = Holdings::new(4);
        let (one, two): (Arc<str>, Arc<str>) = ("a".into(), "b".into());
        holdings.insert(1, &one, entry("1"));
        holdings.insert(1, &one, entry("1"));
        holdings.insert(1, &one, entry("2"));
        holdings.insert(2, &two, entry("1"));
        let entries = |holdings: &Holdings, slots: &SlotSet| holdings.snapshot(slots).entries;
        assert_eq!(entries(&holdings, &all()), 3);
        assert_eq!(entries(&holdings, &[2].into_iter().collect()), 1);
        assert!(holdings.remove("a", "1"));
        assert!(!holdings.remove("a", "1"));
        assert!(!holdings.remove("c", "1"));
        assert_eq!(entries(&holdings, &all()), 2);
        assert_eq!(holdings.list(&[1].into_iter().collect()).entries.len(), 1);
    }

    #[test]
    fn a_user_is_held_from_the_first_connection_to_the_last() {
        let mut holdings = Holdings::new(4);
        let user: Arc<str> = "42".into();
        assert!(holdings.user_came(3, &user));
        assert!(!holdings.user_came(3, &user));
        assert_eq!(holdings.list(&all()).users, [(3, user)]);
        assert!(!holdings.user_went("42"));
        assert!(holdings.user_went("42"));
        assert!(!holdings.user_went("42"));
        assert_eq!(holdings.snapshot(&all()).users, 0);
    }

    #[test]
    fn noise_is_what_changed_or_is_under_way() {
        let mut holdings = Holdings::new(4);
        let before = holdings.snapshot(&all());
        assert_eq!(before.noise_until(&holdings.snapshot(&all())), 0);
        holdings.sent(0);
        assert_eq!(before.noise_until(&holdings.snapshot(&all())), 1);
        holdings.answered(0);
        holdings.insert(0, &"a".into(), entry("1"));
        assert_eq!(before.noise_until(&holdings.snapshot(&all())), 1);
    }
}
