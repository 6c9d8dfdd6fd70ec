//! One channel: its local subscribers and the mirror of its roster.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use rollcall_wire::publication::Message;
use tokio::time::Instant;

use super::member_push;
use super::mirror::{Effect, Event, Mirror};
use super::queue::Outbox;

/// Pushes that may wait for the reply of a subscribe; over it the client is slow.
const HELD: usize = 16_384;

/// A channel's state; see [`super::Hub`].
#[derive(Debug, Default)]
pub(super) struct Channel {
    pub(super) subscribers: HashMap<Arc<str>, Subscriber>,
    /// The life of the events connection in which Redis was asked for the channel's events; 0 when
    /// it was not.
    pub(super) listening: u64,
    /// Exists while somebody listens to joins and leaves.
    pub(super) mirror: Option<Mirror>,
    /// Since when nobody subscribes.
    pub(super) empty_since: Option<Instant>,
    /// A check is queued already.
    pub(super) check_waiting: bool,
    /// Held while listening begins or ends, or the mirror is read.
    pub(super) gate: Arc<tokio::sync::Mutex<()>>,
}

/// A client that listens to a channel.
#[derive(Debug)]
pub struct Subscriber {
    pub(super) client: Arc<str>,
    pub(super) outbox: Arc<Outbox>,
    /// Whether joins and leaves are pushed.
    pub(super) wants_members: bool,
    /// Joins and leaves before this are from before the client's own join; 0 once others were shown.
    /// What is shown from then on is newer, also when a Redis that goes on from older data counts
    /// from less.
    from: u64,
    /// Pushes that wait for the reply of the subscribe; `None` from then on.
    held: Option<Vec<(Option<u64>, Bytes)>>,
    /// Told to subscribe anew before its reply was out: that must come first.
    evicted: bool,
}

// === impl Channel ===

impl Channel {
    pub(super) fn add(&mut self, subscriber: Subscriber) {
        self.empty_since = None;
        self.subscribers.insert(subscriber.client.clone(), subscriber);
    }

    pub(super) fn remove(&mut self, client: &str) {
        self.subscribers.remove(client);
        if self.subscribers.is_empty() {
            self.empty_since.get_or_insert_with(Instant::now);
        }
        if !self.subscribers.values().any(|one| one.wants_members) {
            self.mirror = None;
        }
    }

    pub(super) fn get_mut(&mut self, client: &str) -> Option<&mut Subscriber> {
        self.subscribers.get_mut(client)
    }

    /// Applies an event to the mirror and shows what changed; whether the roster must be read again.
    pub(super) fn on_event(&mut self, channel: &str, message: &Message<'_>) -> bool {
        let Some(mirror) = &mut self.mirror else { return false };
        if matches!(message, Message::Reset { .. }) {
            // Whoever was there is put back, perhaps after others have joined.
            mirror.patience().distrust();
            return true;
        }
        let Some(event) = Event::of(message) else { return true };
        let effect = mirror.on_event(event);
        self.show(channel, effect)
    }

    /// An event that is perhaps not of the history of the data that Redis has now shows nothing: if it
    /// is, Redis remembers it, and is asked. Whether it must be.
    pub(super) fn on_unknown_history(&mut self, message: &Message<'_>) -> bool {
        let Some(mirror) = &mut self.mirror else { return false };
        mirror.was_deaf();
        if matches!(message, Message::Reset { .. }) {
            mirror.patience().distrust();
        }
        true
    }

    /// Pushes changes to the listeners of joins and leaves; whether something was missed.
    pub(super) fn show(&mut self, channel: &str, effect: Effect) -> bool {
        for (seq, change) in &effect.changes {
            let push = member_push(channel, change);
            for subscriber in self.subscribers.values_mut().filter(|one| one.wants_members) {
                subscriber.member(*seq, &push);
            }
        }
        effect.gap
    }

    /// Pushes to everybody.
    pub(super) fn deliver_all(&mut self, push: &Bytes) {
        for subscriber in self.subscribers.values_mut() {
            subscriber.push(None, push);
        }
    }
}

// === impl Subscriber ===

impl Subscriber {
    pub fn new(client: Arc<str>, outbox: Arc<Outbox>, wants_members: bool) -> Self {
        Self { client, outbox, wants_members, from: 0, held: Some(Vec::new()), evicted: false }
    }

    /// Notes that the subscription ends; whether the client can be told now.
    pub(super) fn evict(&mut self) -> bool {
        self.evicted = self.held.is_some();
        !self.evicted
    }

    /// The reply is out: what waited follows, and from now on pushes go straight through. Whether
    /// the client was evicted meanwhile.
    pub(super) fn commit(&mut self, reply: Option<Bytes>, from: u64) -> bool {
        self.from = from;
        if let Some(reply) = reply {
            self.outbox.reply(reply);
        }
        for (seq, push) in self.held.take().unwrap_or_default() {
            match seq {
                Some(seq) => self.member(seq, &push),
                None => self.outbox.push(push),
            }
        }
        self.evicted
    }

    /// The client was told who is here: every join and leave from now on changes that.
    pub(super) fn told(&mut self) {
        self.from = 0;
    }

    /// Whether it was shown its own join, as far as that is known.
    pub(super) fn begins_by(&self, seq: u64) -> bool {
        self.from <= seq
    }

    fn member(&mut self, seq: u64, push: &Bytes) {
        if seq >= self.from {
            if self.held.is_none() {
                self.from = 0;
            }
            self.push(Some(seq), push);
        }
    }

    fn push(&mut self, seq: Option<u64>, push: &Bytes) {
        match &mut self.held {
            None => self.outbox.push(push.clone()),
            Some(held) if held.len() < HELD => held.push((seq, push.clone())),
            Some(_) => self.outbox.close(crate::protocol::Disconnect::SLOW),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_older_than_the_own_join_is_never_shown() {
        let outbox = Arc::new(Outbox::new(1_000));
        let mut subscriber = Subscriber::new("c".into(), outbox.clone(), true);
        subscriber.member(9, &Bytes::from_static(b"old"));
        subscriber.push(None, &Bytes::from_static(b"publication"));
        subscriber.member(10, &Bytes::from_static(b"own join"));
        subscriber.commit(Some(Bytes::from_static(b"reply")), 10);
        subscriber.member(11, &Bytes::from_static(b"next"));
        // Mirrors drop what is old; this is of a Redis that goes on from older data.
        subscriber.member(9, &Bytes::from_static(b"newer"));
        let (messages, _) = outbox.take(16, 1_000);
        assert_eq!(messages, ["reply", "publication", "own join", "next", "newer"]);
    }

    #[test]
    fn who_was_told_who_is_here_is_shown_every_change_of_that() {
        let outbox = Arc::new(Outbox::new(1_000));
        let mut subscriber = Subscriber::new("c".into(), outbox.clone(), true);
        subscriber.commit(None, 10);
        assert!(subscriber.begins_by(10) && !subscriber.begins_by(9));
        subscriber.told();
        subscriber.member(9, &Bytes::from_static(b"late"));
        assert_eq!(outbox.take(16, 1_000).0, ["late"]);
    }
}
