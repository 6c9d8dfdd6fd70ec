//! The clients that are connected here.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// What the hub tells a session without being asked.
pub trait ClientHandle: Send + Sync + std::fmt::Debug {
    /// The server ended a subscription.
    fn unsubscribed(&self, channel: &str);
}

/// What this server has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub clients: u64,
    pub users: u64,
    pub channels: u64,
    pub subscriptions: u64,
}

/// Connected clients and the connections of each user.
#[derive(Debug, Default)]
pub struct Registry {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    clients: HashMap<Arc<str>, Weak<dyn ClientHandle>>,
    users: HashMap<Arc<str>, usize>,
}

// === impl Registry ===

impl Registry {
    /// Notes a connected client; false when its user has `limit` connections already (0: no limit;
    /// anonymous clients have none).
    pub fn add(
        &self,
        client: &Arc<str>,
        user: &Arc<str>,
        handle: Weak<dyn ClientHandle>,
        limit: usize,
    ) -> bool {
        let mut inner = self.lock();
        let count = inner.users.get(user).copied().unwrap_or_default();
        if limit > 0 && !user.is_empty() && count >= limit {
            return false;
        }
        inner.users.insert(user.clone(), count + 1);
        inner.clients.insert(client.clone(), handle);
        true
    }

    /// Forgets a client.
    pub fn remove(&self, client: &str, user: &str) {
        let mut inner = self.lock();
        if inner.clients.remove(client).is_none() {
            return;
        }
        if let Some(count) = inner.users.get_mut(user) {
            *count -= 1;
            if *count == 0 {
                inner.users.remove(user);
            }
        }
    }

    pub(super) fn unsubscribed(&self, client: &str, channel: &str) {
        let handle = self.lock().clients.get(client).and_then(Weak::upgrade);
        if let Some(handle) = handle {
            handle.unsubscribed(channel);
        }
    }

    pub(super) fn counts(&self) -> Counts {
        let inner = self.lock();
        Counts {
            clients: inner.clients.len() as u64,
            users: inner.users.len() as u64,
            ..Counts::default()
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
