//! Lines that wait for the command before them.

use std::collections::VecDeque;

use crate::protocol::frame::Line;

/// Lines in order. When it holds `limit` bytes, the session stops reading the socket until there is
/// room: the client's own sends then wait, and nothing is dropped. So it holds at most one frame more.
#[derive(Debug)]
pub(super) struct Pending {
    lines: VecDeque<Line>,
    bytes: usize,
    limit: usize,
}

/// What a waiting line costs beside its bytes: its place in a queue that grows by doubling, and what
/// the allocator adds.
const OVERHEAD: usize = 96;

// === impl Pending ===

impl Pending {
    pub(super) fn new(limit: usize) -> Self {
        Self { lines: VecDeque::new(), bytes: 0, limit }
    }

    pub(super) fn push(&mut self, line: Line) {
        self.bytes += size(&line);
        self.lines.push_back(line);
    }

    pub(super) fn pop(&mut self) -> Option<Line> {
        let line = self.lines.pop_front()?;
        self.bytes -= size(&line);
        if self.lines.is_empty() {
            self.lines = VecDeque::new();
        }
        Some(line)
    }

    pub(super) fn has_room(&self) -> bool {
        self.bytes < self.limit
    }
}

fn size(line: &Line) -> usize {
    match line {
        Line::Command(request) => OVERHEAD + request.size(),
        Line::Pong | Line::Malformed => OVERHEAD,
    }
}
