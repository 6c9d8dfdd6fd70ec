//! What this server holds in Redis under its node name: clients in rosters and users online.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;

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

/// The holdings; changed only together with the command that changes Redis.
#[derive(Debug)]
pub(super) struct Holdings {
    /// The name under which everything new is added.
    pub(super) node: Arc<str>,
    /// Names that are still to be dropped, once everything is under the current one.
    old: Vec<Arc<str>>,
    channels: HashMap<Arc<str>, HashMap<Arc<str>, Entry>>,
    entries: u64,
    users: HashMap<Arc<str>, u32>,
    /// Counts every change, so that a comparison knows whether it saw a quiet moment.
    changes: u64,
    in_flight: u64,
}

/// The names of everything that is held.
#[derive(Debug)]
pub(super) struct List {
    /// `(channel, client)` pairs.
    pub(super) entries: Vec<(Arc<str>, Arc<str>)>,
    pub(super) users: Vec<Arc<str>>,
}

/// What a keepalive's reply is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Snapshot {
    pub(super) entries: u64,
    pub(super) users: u64,
    changes: u64,
    in_flight: u64,
}

// === impl Holdings ===

impl Holdings {
    pub(super) fn new(node: Arc<str>) -> Self {
        Self {
            node,
            old: Vec::new(),
            channels: HashMap::new(),
            entries: 0,
            users: HashMap::new(),
            changes: 0,
            in_flight: 0,
        }
    }

    /// From now on everything is added under `node`.
    pub(super) fn rename(&mut self, node: Arc<str>) {
        let old = std::mem::replace(&mut self.node, node);
        self.old.push(old);
    }

    /// Every name whose lease must live, the current one first.
    pub(super) fn names(&self) -> Vec<Arc<str>> {
        std::iter::once(&self.node).chain(&self.old).cloned().collect()
    }

    /// An old name is dropped.
    pub(super) fn forget_name(&mut self, name: &str) {
        self.old.retain(|old| **old != *name);
    }

    /// Notes an entry that is about to be added.
    pub(super) fn insert(&mut self, channel: &Arc<str>, entry: Entry) {
        let clients = self.channels.entry(channel.clone()).or_default();
        if clients.insert(entry.client.clone(), entry).is_none() {
            self.entries += 1;
        }
        self.changes += 1;
    }

    /// Forgets an entry; whether it was there.
    pub(super) fn remove(&mut self, channel: &str, client: &str) -> bool {
        let Some(clients) = self.channels.get_mut(channel) else { return false };
        let was_there = clients.remove(client).is_some();
        if clients.is_empty() {
            self.channels.remove(channel);
        }
        if was_there {
            self.entries -= 1;
            self.changes += 1;
        }
        was_there
    }

    pub(super) fn get(&self, channel: &str, client: &str) -> Option<&Entry> {
        self.channels.get(channel)?.get(client)
    }

    /// Notes one more connection of `user`; whether it is the first.
    pub(super) fn user_came(&mut self, user: &Arc<str>) -> bool {
        let count = self.users.entry(user.clone()).or_default();
        *count += 1;
        let first = *count == 1;
        self.changes += u64::from(first);
        first
    }

    /// Notes one connection of `user` less; whether it was the last.
    pub(super) fn user_went(&mut self, user: &str) -> bool {
        let Some(count) = self.users.get_mut(user) else { return false };
        *count -= 1;
        let last = *count == 0;
        if last {
            self.users.remove(user);
            self.changes += 1;
        }
        last
    }

    pub(super) fn has_user(&self, user: &str) -> bool {
        self.users.contains_key(user)
    }

    /// A command that changes what is held is under way; ends with [`Self::settled`].
    pub(super) fn sent(&mut self) {
        self.in_flight += 1;
    }

    pub(super) fn settled(&mut self) {
        self.in_flight -= 1;
    }

    /// Everything that is held.
    pub(super) fn list(&self) -> List {
        let entries = self
            .channels
            .iter()
            .flat_map(|(channel, clients)| {
                clients.keys().map(move |client| (channel.clone(), client.clone()))
            })
            .collect();
        List { entries, users: self.users.keys().cloned().collect() }
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        Snapshot {
            entries: self.entries,
            users: self.users.len() as u64,
            changes: self.changes,
            in_flight: self.in_flight,
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

    #[test]
    fn entries_are_counted_once() {
        let mut holdings = Holdings::new("n".into());
        let channel: Arc<str> = "a".into();
        holdings.insert(&channel, entry("1"));
        holdings.insert(&channel, entry("1"));
        holdings.insert(&channel, entry("2"));
        assert_eq!(holdings.snapshot().entries, 2);
        assert!(holdings.remove("a", "1"));
        assert!(!holdings.remove("a", "1"));
        assert!(!holdings.remove("b", "1"));
        assert_eq!(holdings.snapshot().entries, 1);
        assert_eq!(holdings.list().entries.len(), 1);
    }

    #[test]
    fn a_user_is_held_from_the_first_connection_to_the_last() {
        let mut holdings = Holdings::new("n".into());
        let user: Arc<str> = "42".into();
        assert!(holdings.user_came(&user));
        assert!(!holdings.user_came(&user));
        assert!(!holdings.user_went("42"));
        assert!(holdings.user_went("42"));
        assert!(!holdings.user_went("42"));
        assert_eq!(holdings.snapshot().users, 0);
    }

    #[test]
    fn noise_is_what_changed_or_is_under_way() {
        let mut holdings = Holdings::new("n".into());
        let before = holdings.snapshot();
        assert_eq!(before.noise_until(&holdings.snapshot()), 0);
        holdings.sent();
        assert_eq!(before.noise_until(&holdings.snapshot()), 1);
        holdings.settled();
        holdings.insert(&"a".into(), entry("1"));
        assert_eq!(before.noise_until(&holdings.snapshot()), 1);
    }

    #[test]
    fn old_names_live_until_they_are_dropped() {
        let mut holdings = Holdings::new("a".into());
        holdings.rename("b".into());
        holdings.rename("c".into());
        let names = |holdings: &Holdings| holdings.names().join(" ");
        assert_eq!(names(&holdings), "c a b");
        holdings.forget_name("a");
        assert_eq!(names(&holdings), "c b");
    }
}
