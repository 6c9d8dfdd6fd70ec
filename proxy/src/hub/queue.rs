//! What waits to be written to one client.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;

use crate::protocol::Disconnect;

/// A client's outgoing messages, in order.
///
/// Bounded by `limit` bytes of pushes, those included that are held until a subscribe is answered: a
/// client that does not read fast enough is disconnected with 3008 and everything that waited is
/// dropped. A single push passes whatever its size. Replies do not count: the next command is
/// executed only when the queue has room, so they are bounded by the command they answer.
#[derive(Debug)]
pub struct Outbox {
    limit: usize,
    queue: Mutex<Queue>,
    wake: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    messages: VecDeque<Message>,
    /// Of all messages.
    bytes: usize,
    /// Of those that are pushes.
    pushed: usize,
    /// Of pushes that subscriptions hold back for this client; see [`Held`].
    held: usize,
    closed: Option<Disconnect>,
}

#[derive(Debug)]
struct Message {
    text: Bytes,
    is_push: bool,
}

/// Pushes that wait until a subscribe is answered, in order.
///
/// Their bytes count against the outbox's limit from now on, so that many subscriptions at once
/// hold no more than one. When it is full the client is slow, and nothing is held for it any more.
#[derive(Debug)]
pub(super) struct Held {
    outbox: Arc<Outbox>,
    pushes: Vec<(Option<u64>, Bytes)>,
    bytes: usize,
}

// === impl Outbox ===

impl Outbox {
    /// A queue for at most `limit` bytes of pushes; over it the client is slow.
    pub fn new(limit: usize) -> Self {
        Self { limit, queue: Mutex::default(), wake: Notify::new() }
    }

    /// Appends a push.
    pub fn push(&self, message: Bytes) {
        let mut queue = self.lock();
        if queue.closed.is_some() {
            return;
        }
        if queue.takes_push(message.len(), self.limit) {
            queue.append(message, true);
        }
        drop(queue);
        self.wake.notify_one();
    }

    /// Appends a reply, whatever its size.
    pub fn reply(&self, message: Bytes) {
        let mut queue = self.lock();
        if queue.closed.is_none() {
            queue.append(message, false);
        }
        drop(queue);
        self.wake.notify_one();
    }

    /// Counts a push that is held back; false when there is no room, or no more need, for it.
    fn hold(&self, bytes: usize) -> bool {
        let mut queue = self.lock();
        if queue.closed.is_some() {
            return false;
        }
        let takes = queue.takes_push(bytes, self.limit);
        if takes {
            queue.held += bytes;
        }
        drop(queue);
        if !takes {
            self.wake.notify_one();
        }
        takes
    }

    /// Counts pushes no more that were held back.
    fn release(&self, bytes: usize) {
        let mut queue = self.lock();
        queue.held = queue.held.saturating_sub(bytes);
    }

    /// Ends the connection after what already waits; the first reason counts.
    pub fn close(&self, disconnect: Disconnect) {
        self.lock().closed.get_or_insert(disconnect);
        self.wake.notify_one();
    }

    /// Up to `most` messages of together `bytes` or a single larger one, oldest first, and why the
    /// connection ends after them. When more waits, [`Self::wait`] returns at once.
    pub fn take(&self, most: usize, bytes: usize) -> (Vec<Bytes>, Option<Disconnect>) {
        let mut queue = self.lock();
        let mut room = bytes;
        let fits = |message: &&Message| {
            let fits = message.text.len() <= room;
            room = room.saturating_sub(message.text.len());
            fits
        };
        let count = queue.messages.iter().take(most).take_while(fits).count();
        let count = count.max(1).min(queue.messages.len());
        let taken: Vec<Message> = queue.messages.drain(..count).collect();
        let sizes = |message: &Message| message.text.len();
        queue.bytes -= taken.iter().map(sizes).sum::<usize>();
        queue.pushed -= taken.iter().filter(|message| message.is_push).map(sizes).sum::<usize>();
        if queue.messages.is_empty() {
            // An idle client owns no buffer.
            queue.messages = VecDeque::new();
        } else {
            self.wake.notify_one();
        }
        let closed = queue.closed.filter(|_| queue.messages.is_empty());
        (taken.into_iter().map(|message| message.text).collect(), closed)
    }

    /// Whether the next command may be executed.
    pub fn has_room(&self) -> bool {
        self.lock().bytes < self.limit
    }

    /// Waits until there may be something to take.
    pub async fn wait(&self) {
        self.wake.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Queue ===

impl Queue {
    fn append(&mut self, text: Bytes, is_push: bool) {
        self.bytes += text.len();
        if is_push {
            self.pushed += text.len();
        }
        self.messages.push_back(Message { text, is_push });
    }

    /// Whether there is room for a push; if not, the client is slow, and all that waits is dropped.
    fn takes_push(&mut self, bytes: usize, limit: usize) -> bool {
        let waiting = self.pushed + self.held;
        if waiting == 0 || waiting + bytes <= limit {
            return true;
        }
        // What is held counts until its owners let go of it.
        *self = Self { closed: Some(Disconnect::SLOW), held: self.held, ..Self::default() };
        false
    }
}

// === impl Held ===

impl Held {
    /// Holds pushes for the client with this outbox.
    pub(super) fn new(outbox: Arc<Outbox>) -> Self {
        Self { outbox, pushes: Vec::new(), bytes: 0 }
    }

    /// Holds one more, unless the client is slow or on its way out.
    pub(super) fn push(&mut self, seq: Option<u64>, push: &Bytes) {
        if self.outbox.hold(push.len()) {
            self.bytes += push.len();
            self.pushes.push((seq, push.clone()));
        } else {
            self.drain();
        }
    }

    /// Lets go of all.
    pub(super) fn drain(&mut self) -> Vec<(Option<u64>, Bytes)> {
        self.outbox.release(std::mem::take(&mut self.bytes));
        std::mem::take(&mut self.pushes)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.drain();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_client_is_closed_and_its_queue_dropped() {
        let outbox = Outbox::new(10);
        outbox.push(Bytes::from_static(b"12345678"));
        outbox.push(Bytes::from_static(b"12345678"));
        outbox.push(Bytes::from_static(b"late"));
        assert_eq!(outbox.take(16, 1_000), (vec![], Some(Disconnect::SLOW)));
    }

    #[test]
    fn messages_leave_in_order_before_the_close() {
        let outbox = Outbox::new(100);
        for message in ["a", "b", "c"] {
            outbox.push(Bytes::from(message));
        }
        outbox.close(Disconnect::SHUTDOWN);
        outbox.close(Disconnect::SLOW);
        assert_eq!(outbox.take(2, 1_000), (vec![Bytes::from("a"), Bytes::from("b")], None));
        assert_eq!(outbox.take(2, 1_000), (vec![Bytes::from("c")], Some(Disconnect::SHUTDOWN)));
    }

    #[test]
    fn frames_are_bounded_by_bytes_but_for_a_single_message() {
        let outbox = Outbox::new(100);
        for message in ["1234", "12345", "1", "123456789"] {
            outbox.push(Bytes::from(message));
        }
        let sizes = || outbox.take(16, 6).0.iter().map(Bytes::len).collect::<Vec<_>>();
        assert_eq!([sizes(), sizes(), sizes(), sizes()], [vec![4], vec![5, 1], vec![9], vec![]]);
    }

    #[test]
    fn pushes_after_a_large_reply_wait_behind_it() {
        let outbox = Outbox::new(10);
        outbox.reply(Bytes::from_static(b"a reply over the limit"));
        outbox.push(Bytes::from_static(b"12345"));
        outbox.push(Bytes::from_static(b"67890"));
        let (messages, closed) = outbox.take(16, 1_000);
        assert_eq!((messages.len(), closed), (3, None));
        outbox.push(Bytes::from_static(b"12345"));
        outbox.push(Bytes::from_static(b"678901"));
        assert_eq!(outbox.take(16, 1_000), (vec![], Some(Disconnect::SLOW)));
    }

    #[test]
    fn what_is_held_for_all_subscriptions_counts_together() {
        let outbox = Arc::new(Outbox::new(10));
        let (mut one, mut two) = (Held::new(outbox.clone()), Held::new(outbox.clone()));
        one.push(Some(1), &Bytes::from_static(b"12345"));
        two.push(None, &Bytes::from_static(b"1234"));
        drop(one);
        two.push(None, &Bytes::from_static(b"123456"));
        assert_eq!(two.drain().len(), 2, "the one that was dropped left room");
        let (mut one, mut two) = (Held::new(outbox.clone()), Held::new(outbox.clone()));
        one.push(None, &Bytes::from_static(b"12345"));
        two.push(None, &Bytes::from_static(b"123456"));
        assert_eq!(outbox.take(16, 1_000), (vec![], Some(Disconnect::SLOW)));
        one.push(None, &Bytes::from_static(b"1"));
        assert_eq!((one.drain().len(), two.drain().len()), (0, 0), "nobody will read it");
    }

    #[test]
    fn replies_pass_whatever_their_size() {
        let outbox = Outbox::new(4);
        outbox.reply(Bytes::from_static(b"1234567890"));
        assert!(!outbox.has_room());
        outbox.reply(Bytes::from_static(b"1234567890"));
        assert_eq!(outbox.take(16, 1_000).0.len(), 2);
        assert!(outbox.has_room());
    }
}
