//! Events of the running command or slice, on their way to listeners.

use rollcall_wire::Event;

/// A buffer above this size is given back when it is empty.
const KEPT: usize = 64 * 1024;

/// Rendered events, one after the other.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    bytes: Vec<u8>,
    /// Of each event: where it ends, and its sequence.
    ends: Vec<(usize, u64)>,
}

// === impl Outbox ===

impl Outbox {
    pub(crate) fn push(&mut self, event: &Event<'_>) {
        event.push_json(&mut self.bytes);
        self.ends.push((self.bytes.len(), event.seq()));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Hands over each event with its sequence, and is empty afterwards.
    pub(crate) fn drain(&mut self, mut each: impl FnMut(u64, &[u8])) {
        let mut start = 0;
        for (end, seq) in self.ends.drain(..) {
            each(seq, &self.bytes[start..end]);
            start = end;
        }
        self.bytes.clear();
        self.bytes.shrink_to(KEPT);
    }
}
