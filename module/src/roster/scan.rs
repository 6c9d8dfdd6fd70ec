//! Pages of a roster: whoever stays during a whole scan is returned exactly once.

use super::slab::user_hash;
use super::{Parts, Roster};
use crate::hash;
use crate::linear_hash::NONE;

/// Where the next page starts. The tag names the server process and the life of the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cursor {
    /// From the first entry.
    Start,
    /// From this slot on.
    Slot { tag: u64, slot: u32 },
    /// From this entry of the user's chain on, or the next older one when it has left.
    User { tag: u64, slot: u32, born: u32 },
}

/// The cursor is of another server process, another life of the key, or another kind of scan.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BadCursor;

// === impl Cursor ===

impl Cursor {
    /// Reads what [`Self::text`] wrote.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        if text == b"0" {
            return Some(Self::Start);
        }
        let text = std::str::from_utf8(text).ok()?;
        let mut parts = text.split('-');
        let tag = u64::from_str_radix(parts.next()?, 16).ok()?;
        let slot = u32::from_str_radix(parts.next()?, 16).ok()?;
        let cursor = match parts.next() {
            None => Self::Slot { tag, slot },
            Some(born) => Self::User { tag, slot, born: u32::from_str_radix(born, 16).ok()? },
        };
        parts.next().is_none().then_some(cursor)
    }

    /// The cursor as clients see it.
    pub(crate) fn text(self) -> String {
        match self {
            Self::Start => String::from("0"),
            Self::Slot { tag, slot } => format!("{tag:x}-{slot:x}"),
            Self::User { tag, slot, born } => format!("{tag:x}-{slot:x}-{born:x}"),
        }
    }
}

// === impl Roster ===

impl Roster {
    /// Looks at up to `count` slots from `cursor` on; [`Cursor::Start`] when that was the end.
    pub(crate) fn scan<'a>(
        &'a self,
        cursor: Cursor,
        count: u32,
        mut each: impl FnMut(Parts<'a>),
    ) -> Result<Cursor, BadCursor> {
        let from = match cursor {
            Cursor::Start => 0,
            Cursor::Slot { tag, slot } if tag == self.tag() => slot,
            _ => return Err(BadCursor),
        };
        let slots = u32::try_from(self.slab.slots.len()).unwrap_or(NONE);
        let end = from.saturating_add(count).min(slots);
        for slot in from..end {
            if let Some(parts) = self.parts(slot) {
                each(parts);
            }
        }
        if end >= slots {
            return Ok(Cursor::Start);
        }
        Ok(Cursor::Slot { tag: self.tag(), slot: end })
    }

    /// Up to `count` clients of one user, newest first.
    pub(crate) fn scan_user<'a>(
        &'a self,
        user: &str,
        cursor: Cursor,
        count: u32,
        mut each: impl FnMut(Parts<'a>),
    ) -> Result<Cursor, BadCursor> {
        let mut slot = match cursor {
            Cursor::Start => self.user_head(user, user_hash(user)).unwrap_or(NONE),
            Cursor::User { tag, slot, born } if tag == self.tag() => self.resume(user, slot, born),
            _ => return Err(BadCursor),
        };
        for _ in 0..count {
            let Some(parts) = self.parts(slot) else { break };
            each(parts);
            slot = self.slab.slots[slot].user_next;
        }
        Ok(match self.slab.blob(slot) {
            None => Cursor::Start,
            Some(blob) => Cursor::User { tag: self.tag(), slot, born: blob.born() },
        })
    }

    /// The entry a user scan goes on with.
    fn resume(&self, user: &str, slot: u32, born: u32) -> u32 {
        let same = |blob: &super::Blob| blob.born() == born && blob.user() == user;
        if self.slab.blob(slot).is_some_and(same) {
            return slot;
        }
        // It left: the next older one follows. Chains run from newest to oldest.
        let mut slot = self.user_head(user, user_hash(user)).unwrap_or(NONE);
        while let Some(blob) = self.slab.blob(slot) {
            let age = self.born.wrapping_sub(blob.born());
            if age > self.born.wrapping_sub(born) {
                break;
            }
            slot = self.slab.slots[slot].user_next;
        }
        slot
    }

    fn tag(&self) -> u64 {
        self.life ^ hash::of(b"cursor")
    }
}
