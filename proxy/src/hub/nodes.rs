//! The servers on one Redis: each says every few seconds that it is there, and answers when another
//! asks.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rollcall_wire::control::{Answer, Control, Node, Question};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::Hub;

/// How often a server says that it is there.
const ANNOUNCE: Duration = Duration::from_secs(3);
/// How long a silent server is still taken to be there.
const SILENCE: Duration = Duration::from_secs(7);
/// The most servers that are remembered; more are none of ours.
const MOST: usize = 10_000;

/// Longest name or version of another server, in bytes; none of ours says more.
const LONGEST: usize = 1_024;

/// How long a question waits for the answers of all.
const PATIENCE: Duration = Duration::from_secs(1);
/// Questions that may wait at once.
const QUESTIONS: usize = 256;
/// Answers that may wait to be read; there are hardly more servers.
const ANSWERS: usize = 1_024;

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
    /// The lives of the events connections in which control messages were asked for.
    listening: Mutex<[u64; 2]>,
    /// Who waits for answers, by the question's id.
    questions: Mutex<HashMap<u64, mpsc::Sender<(String, Answer)>>>,
    next_question: AtomicU64,
    /// Somebody new is there and shall not wait to hear of us.
    hurry: tokio::sync::Notify,
}

// === impl Nodes ===

impl Nodes {
    pub(super) fn new(own: Identity) -> Self {
        Self {
            own,
            others: Mutex::default(),
            listening: Mutex::default(),
            questions: Mutex::default(),
            next_question: AtomicU64::new(1),
            hurry: tokio::sync::Notify::new(),
        }
    }

    /// Takes a message; a question that is to be answered is returned as who asks and the id.
    pub(super) fn on_message(&self, payload: &[u8], now: Instant) -> Option<(String, u64)> {
        match Control::parse(payload).filter(is_plausible)? {
            Control::Node(node) if node.uid != self.own.uid => {
                let mut others = self.others();
                let known = others.contains_key(&node.uid);
                if known || others.len() < MOST {
                    others.insert(node.uid.clone(), (node, now));
                }
                if !known {
                    self.hurry.notify_one();
                }
            }
            Control::Bye { uid } => {
                self.others().remove(&uid);
            }
            Control::Ask { uid, id, what: Question::Node } if uid != self.own.uid => {
                return Some((uid, id));
            }
            Control::Answer { uid, id, what } => {
                if let Some(waiting) = locked(&self.questions).get(&id)
                    && waiting.try_send((uid, what)).is_err()
                {
                    tracing::debug!("more servers answer than there can be");
                }
            }
            Control::Node(_) | Control::Ask { .. } => {}
        }
        None
    }

    /// Begins to wait for answers; `None` when too many wait already.
    fn question(&self) -> Option<(u64, mpsc::Receiver<(String, Answer)>)> {
        let mut questions = locked(&self.questions);
        if questions.len() >= QUESTIONS {
            return None;
        }
        let id = self.next_question.fetch_add(1, Ordering::Relaxed);
        let (sender, receiver) = mpsc::channel(ANSWERS);
        questions.insert(id, sender);
        Some((id, receiver))
    }

    fn forget(&self, id: u64) {
        locked(&self.questions).remove(&id);
    }

    fn known(&self, now: Instant) -> Vec<Node> {
        let mut others = self.others();
        others.retain(|_, (_, heard)| now.saturating_duration_since(*heard) < SILENCE);
        others.values().map(|(node, _)| node.clone()).collect()
    }

    fn others(&self) -> MutexGuard<'_, BTreeMap<String, (Node, Instant)>> {
        locked(&self.others)
    }
}

/// Whether a message may be one of a server: any Redis user with the right to publish can send one.
fn is_plausible(message: &Control) -> bool {
    let is_short = |node: &Node| {
        [&node.uid, &node.name, &node.version].into_iter().all(|text| text.len() <= LONGEST)
    };
    match message {
        Control::Node(node) => is_short(node),
        Control::Bye { uid } | Control::Ask { uid, .. } => uid.len() <= LONGEST,
        Control::Answer { uid, what: Answer::Node(node), .. } => {
            uid.len() <= LONGEST && is_short(node)
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

// === impl Hub ===

impl Hub {
    /// This server first, then the others that are there, as they say now; one that does not answer
    /// in time as it said last.
    pub async fn nodes(&self) -> Vec<Node> {
        let mut known = self.inner.nodes.known(Instant::now());
        let answers = if known.is_empty() { Vec::new() } else { self.ask(known.len()).await };
        for (uid, Answer::Node(node)) in answers {
            match known.iter_mut().find(|known| known.uid == uid) {
                Some(known) => *known = node,
                None => known.push(node),
            }
        }
        known.insert(0, self.own_node());
        known
    }

    /// Asks all servers what they have, until so many have answered or the time is up.
    async fn ask(&self, servers: usize) -> Vec<(String, Answer)> {
        let nodes = &self.inner.nodes;
        let mut answers = Vec::new();
        let Some((id, mut receiver)) = nodes.question() else { return answers };
        let asking = async {
            let ask = Control::Ask { uid: nodes.own.uid.clone(), id, what: Question::Node };
            if let Err(error) = self.inner.store.tell_all(&ask).await {
                return tracing::debug!(%error, "the other servers cannot be asked");
            }
            while answers.len() < servers
                && let Some(answer) = receiver.recv().await
            {
                answers.push(answer);
            }
        };
        if tokio::time::timeout(PATIENCE, asking).await.is_err() {
            tracing::debug!(id, "some servers did not answer");
        }
        nodes.forget(id);
        answers
    }

    /// Connections are new: control messages may have to be asked for again.
    pub(super) fn announce_soon(&self) {
        self.inner.nodes.hurry.notify_one();
    }

    /// Answers another server.
    pub(super) fn answer(&self, (uid, id): (String, u64)) {
        let hub = self.clone();
        tokio::spawn(async move {
            let own = hub.own_node();
            let answer = Control::Answer { uid: own.uid.clone(), id, what: Answer::Node(own) };
            if let Err(error) = hub.inner.store.tell_one(&uid, &answer).await {
                tracing::debug!(%error, "a question was not answered");
            }
        });
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
        let uid = &nodes.own.uid;
        let listening = || *locked(&nodes.listening) == store.control_lives(uid);
        if !listening()
            && let Ok(lives) = store.listen_control(uid).await
        {
            *locked(&nodes.listening) = lives;
        }
        // Who has heard of this server may ask it something.
        if listening()
            && let Err(error) = store.tell_all(&Control::Node(hub.own_node())).await
        {
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
            assert_eq!(nodes.on_message(&node(uid), now), None);
        }
        for garbage in [b"garbage".to_vec(), node(&"x".repeat(LONGEST + 1))] {
            assert_eq!(nodes.on_message(&garbage, now), None);
        }
        assert_eq!(known(now), ["a", "b"]);
        let bye = Control::Bye { uid: "a".to_owned() };
        assert_eq!(nodes.on_message(&bye.to_json(), now), None);
        assert_eq!(known(now + Duration::from_secs(6)), ["b"]);
        assert!(known(now + SILENCE).is_empty());
    }
    #[test]
    fn questions_of_others_are_to_be_answered_and_answers_find_who_waits() {
        let now = Instant::now();
        let started = now;
        let nodes = Nodes::new(Identity {
            uid: "own".to_owned(),
            name: String::new(),
            version: "",
            started,
        });
        let ask =
            |uid: &str| Control::Ask { uid: uid.to_owned(), id: 5, what: Question::Node }.to_json();
        assert_eq!(nodes.on_message(&ask("a"), now), Some(("a".to_owned(), 5)));
        assert_eq!(nodes.on_message(&ask("own"), now), None);
        let (id, mut receiver) = nodes.question().unwrap();
        let Some(Control::Node(b)) = Control::parse(&node("b")) else { panic!("a node") };
        for answered in [id, id + 1] {
            let what = Answer::Node(b.clone());
            let answer = Control::Answer { uid: "b".to_owned(), id: answered, what };
            assert_eq!(nodes.on_message(&answer.to_json(), now), None);
        }
        assert_eq!(receiver.try_recv().unwrap().0, "b");
        assert!(receiver.try_recv().is_err());
        nodes.forget(id);
        let waiting: Vec<_> = (0..QUESTIONS).map(|_| nodes.question().unwrap()).collect();
        assert!(nodes.question().is_none(), "{} wait", waiting.len());
    }
}
