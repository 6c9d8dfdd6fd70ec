//! What waits to be written to one client.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;

use crate::protocol::Disconnect;

/// A client's outgoing messages, in order.
///
/// Bounded by `limit` bytes of pushes: a client that does not read fast enough is disconnected with
/// 3008 and everything that waited is dropped. Replies do not count: the next command is executed
/// only when the queue has room, so they are bounded by the command they answer.
#[derive(Debug)]
pub struct Outbox {
    limit: usize,
    queue: Mutex<Queue>,
    wake: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    messages: VecDeque<Bytes>,
    bytes: usize,
    closed: Option<Disconnect>,
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
        if queue.bytes + message.len() > self.limit && !queue.messages.is_empty() {
            *queue = Queue { closed: Some(Disconnect::SLOW), ..Queue::default() };
        } else {
            queue.append(message);
        }
        drop(queue);
        self.wake.notify_one();
    }

    /// Appends a reply, whatever its size.
    pub fn reply(&self, message: Bytes) {
        let mut queue = self.lock();
        if queue.closed.is_none() {
            queue.append(message);
        }
        drop(queue);
        self.wake.notify_one();
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
        let fits = |message: &&Bytes| {
            let fits = message.len() <= room;
            room = room.saturating_sub(message.len());
            fits
        };
        let count = queue.messages.iter().take(most).take_while(fits).count();
        let count = count.max(1).min(queue.messages.len());
        let taken: Vec<Bytes> = queue.messages.drain(..count).collect();
        queue.bytes -= taken.iter().map(Bytes::len).sum::<usize>();
        if queue.messages.is_empty() {
            // An idle client owns no buffer.
            queue.messages = VecDeque::new();
        } else {
            self.wake.notify_one();
        }
        let closed = queue.closed.filter(|_| queue.messages.is_empty());
        (taken, closed)
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
    fn append(&mut self, message: Bytes) {
        self.bytes += message.len();
        self.messages.push_back(message);
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
    fn replies_pass_whatever_their_size() {
        let outbox = Outbox::new(4);
        outbox.reply(Bytes::from_static(b"1234567890"));
        assert!(!outbox.has_room());
        outbox.reply(Bytes::from_static(b"1234567890"));
        assert_eq!(outbox.take(16, 1_000).0.len(), 2);
        assert!(outbox.has_room());
    }
}
