//! The servers on one Redis: each says every few seconds that it is there.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rollcall_wire::control::{Control, Node};
use tokio::time::Instant;

use super::Hub;

/// How often a server says that it is there.
const ANNOUNCE: Duration = Duration::from_secs(3);
/// How long a silent server is still taken to be there.
const SILENCE: Duration = Duration::from_secs(7);
/// The most servers that are remembered; more are none of ours.
const MOST: usize = 10_000;

/// Who this server is.
#[derive(Debug, Clone)]
pub struct Identity {
    pub uid: String,
    pub name: String,
    pub version: &'static str,
    pub started: Instant,
}

/// The servers that are known, and when each was heard of last.
#[derive(Debug)]
pub(super) struct Nodes {
    own: Identity,
    others: Mutex<BTreeMap<String, (Node, Instant)>>,
    /// The life of the events connection in which control messages were asked for.
    listening: AtomicU64,
    /// Somebody new is there and shall not wait to hear of us.
    hurry: tokio::sync::Notify,
}

// === impl Nodes ===

impl Nodes {
    pub(super) fn new(own: Identity) -> Self {
        let (listening, hurry) = (AtomicU64::new(0), tokio::sync::Notify::new());
        Self { own, others: Mutex::default(), listening, hurry }
    }

    /// The connection is new: control messages must be asked for again.
    pub(super) fn deaf(&self) {
        self.hurry.notify_one();
    }

    pub(super) fn on_message(&self, payload: &[u8], now: Instant) {
        let mut others = self.others();
        match Control::parse(payload) {
            Some(Control::Node(node)) if node.uid != self.own.uid => {
                let known = others.contains_key(&node.uid);
                if known || others.len() < MOST {
                    others.insert(node.uid.clone(), (node, now));
                }
                if !known {
                    self.hurry.notify_one();
                }
            }
            Some(Control::Bye { uid }) => {
                others.remove(&uid);
            }
            Some(Control::Node(_)) | None => {}
        }
    }

    fn known(&self, now: Instant) -> Vec<Node> {
        let mut others = self.others();
        others.retain(|_, (_, heard)| now.saturating_duration_since(*heard) < SILENCE);
        others.values().map(|(node, _)| node.clone()).collect()
    }

    fn others(&self) -> MutexGuard<'_, BTreeMap<String, (Node, Instant)>> {
        self.others.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Hub ===

impl Hub {
    /// This server first, then the others that are there.
    pub fn nodes(&self) -> Vec<Node> {
        let mut nodes = vec![self.own_node()];
        nodes.append(&mut self.inner.nodes.known(Instant::now()));
        nodes
    }

    /// Tells the others that this server stops.
    pub async fn say_bye(&self) {
        let bye = Control::Bye { uid: self.inner.nodes.own.uid.clone() };
        if let Err(error) = self.inner.store.tell_all(&bye).await {
            tracing::debug!(%error, "the other servers will notice by themselves");
        }
    }

    fn own_node(&self) -> Node {
        let (own, counts) = (&self.inner.nodes.own, self.counts());
        Node {
            uid: own.uid.clone(),
            name: own.name.clone(),
            version: own.version.to_owned(),
            num_clients: counts.clients,
            num_users: counts.users,
            num_channels: counts.channels,
            num_subs: counts.subscriptions,
            uptime: own.started.elapsed().as_secs(),
        }
    }
}

/// Says that this server is there, for as long as it runs.
pub(super) async fn announce(hub: Hub) {
    let (nodes, store) = (&hub.inner.nodes, &hub.inner.store);
    loop {
        let listening = || nodes.listening.load(Ordering::Acquire) == store.control_life();
        if !listening()
            && let Ok(life) = store.listen_control().await
        {
            nodes.listening.store(life, Ordering::Release);
        }
        if let Err(error) = store.tell_all(&Control::Node(hub.own_node())).await {
            tracing::trace!(%error, "the other servers do not hear of this one");
        }
        let pause = if listening() { ANNOUNCE } else { ANNOUNCE / 10 };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = nodes.hurry.notified() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(uid: &str) -> Vec<u8> {
        let (name, version) = (String::new(), String::new());
        let node = Node {
            uid: uid.to_owned(),
            name,
            version,
            num_clients: 0,
            num_users: 0,
            num_channels: 0,
            num_subs: 0,
            uptime: 0,
        };
        Control::Node(node).to_json()
    }

    #[test]
    fn servers_are_known_until_they_say_bye_or_nothing() {
        let now = Instant::now();
        let started = now;
        let nodes = Nodes::new(Identity {
            uid: "own".to_owned(),
            name: String::new(),
            version: "",
            started,
        });
        let known = |at: Instant| -> Vec<String> {
            nodes.known(at).into_iter().map(|node| node.uid).collect()
        };
        for uid in ["own", "a", "b"] {
            nodes.on_message(&node(uid), now);
        }
        nodes.on_message(b"garbage", now);
        assert_eq!(known(now), ["a", "b"]);
        nodes.on_message(&Control::Bye { uid: "a".to_owned() }.to_json(), now);
        assert_eq!(known(now + Duration::from_secs(6)), ["b"]);
        assert!(known(now + SILENCE).is_empty());
    }
}
