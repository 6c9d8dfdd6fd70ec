//! Events that were published lately, for listeners that could not hear them.
//!
//! Records stand back to back in segments, oldest first, and go a whole segment at a time. A place
//! is a segment's number and an offset in it, so a place in a segment that is gone is known by its
//! number alone: nothing ever has to be looked up to forget something.
//!
//! The records of a bucket are chained from its newest to its oldest: where the chain comes to a
//! place that is gone, everything after it is gone as well. A bucket may have several names. To
//! chain the records of each name apart, a push would have to look at older records, which costs
//! what is far dearer than all the rest of it: memory that is not in a cache. So a look-up passes
//! those of other names, about one on average.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use crate::hash;
use crate::native::prefetch;

/// Bytes of a segment, or an eighth of all if that is less. Offsets have so many values.
const SEGMENT: usize = 1 << OFFSET_BITS;
const OFFSET_BITS: u32 = 16;

/// Bytes of the memory for each bucket: about as many as a record takes.
const PER_BUCKET: usize = 256;
const BUCKETS_MAX: usize = 1 << 22;

/// At most so many segments go in one step, so that none is long.
const STEP: usize = 32;

/// No place: no segment has the number 0.
const NONE: u64 = 0;

/// What the memory may take, and how long it must keep what it took; 0 of either is no memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Limits {
    pub(crate) bytes: usize,
    pub(crate) ms: u64,
}

/// Whose event it is: a database and the name of a key.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Name<'a> {
    db: u32,
    key: &'a [u8],
    hash: u64,
}

/// One per server process. Nothing of it is stored.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    limits: Limits,
    segments: VecDeque<Segment>,
    /// How many segments are gone, which the numbers of the others begin after.
    gone: u64,
    /// By bucket: the place of its newest record.
    newest: Vec<u64>,
    /// The place and the hash of the last record, while it is not in its bucket yet: there it comes
    /// with the next one, when the bucket, which is seldom in a cache, has been fetched.
    loose: Option<(u64, u64)>,
    bytes: usize,
    events: u64,
}

#[derive(Debug)]
struct Segment {
    records: Vec<u8>,
    count: u64,
    /// When the last one came, on the monotonic clock.
    latest_ms: u64,
}

/// What stands before the key and the event of a record.
#[derive(Debug, Clone, Copy)]
struct Head {
    /// The bucket's record before this one; first, as it is written last.
    older: u64,
    seq: u64,
    db: u32,
    key: u32,
    event: u32,
}

const HEAD: usize = 28;

// === impl Limits ===

impl Limits {
    /// Either both are something or nothing is kept.
    fn effective(self) -> Self {
        if self.bytes == 0 || self.ms == 0 { Self::default() } else { self }
    }

    fn buckets(self) -> usize {
        (self.bytes / PER_BUCKET).clamp(1, BUCKETS_MAX).next_power_of_two()
    }
}

// === impl Name ===

impl<'a> Name<'a> {
    pub(crate) fn new(db: u32, key: &'a [u8]) -> Self {
        Self { db, key, hash: hash::of(key) ^ u64::from(db) }
    }
}

// === impl Recent ===

impl Recent {
    /// Goes by these limits from now on. For other bytes it begins anew, as the index has a bucket
    /// for so many of them; what there was is the caller's to drop.
    #[must_use]
    pub(crate) fn bound(&mut self, limits: Limits) -> Option<Self> {
        let limits = limits.effective();
        let same = limits.bytes == self.limits.bytes;
        self.limits = limits;
        (!same).then(|| self.clear())
    }

    /// Forgets everything, which is the caller's to drop.
    #[must_use]
    pub(crate) fn clear(&mut self) -> Self {
        std::mem::replace(self, Self { limits: self.limits, ..Self::default() })
    }

    pub(crate) fn is_on(&self) -> bool {
        self.limits.bytes > 0
    }

    pub(crate) fn events(&self) -> u64 {
        self.events
    }

    /// What it takes, its index included.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes + self.newest.len() * size_of::<u64>()
    }

    /// Keeps an event of a name, whose sequences grow.
    pub(crate) fn push(&mut self, now_ms: u64, name: Name<'_>, seq: u64, event: &[u8]) {
        let need = HEAD + name.key.len() + event.len();
        let lengths = (u32::try_from(name.key.len()), u32::try_from(event.len()));
        let (Ok(key), Ok(length)) = lengths else { return };
        if need > self.limits.bytes {
            return;
        }
        if self.newest.is_empty() {
            self.newest = vec![NONE; self.limits.buckets()];
        }
        if !self.segments.back().is_some_and(|segment| segment.has_room(need)) {
            self.expire(now_ms);
            self.add_segment(need);
        }
        self.tie();
        let number = self.gone + self.segments.len() as u64;
        let Some(segment) = self.segments.back_mut() else { return };
        self.loose = Some(((number << OFFSET_BITS) | segment.records.len() as u64, name.hash));
        let head = Head { older: NONE, seq, db: name.db, key, event: length };
        segment.records.extend_from_slice(&head.bytes());
        segment.records.extend_from_slice(name.key);
        segment.records.extend_from_slice(event);
        segment.count += 1;
        segment.latest_ms = now_ms;
        self.events += 1;
        prefetch::soon(&self.newest[self.bucket(name.hash)]);
    }

    /// The events of a name above a sequence, each with its own, oldest first.
    pub(crate) fn above(&mut self, name: Name<'_>, seq: u64) -> Vec<(u64, &[u8])> {
        self.tie();
        let mut place = self.newest.get(self.bucket(name.hash)).copied().unwrap_or(NONE);
        let mut events = Vec::new();
        while let Some((head, rest)) = self.record(place) {
            let (key, rest) = rest.split_at(head.key as usize);
            if (head.db, key) == (name.db, name.key) {
                // Whatever is older of the name is lower: a server's sequences never go back.
                if head.seq <= seq {
                    break;
                }
                events.push((head.seq, &rest[..head.event as usize]));
            }
            place = head.older;
        }
        events.reverse();
        events
    }

    /// Forgets what is older than it must keep, some of it when that is much.
    pub(crate) fn expire(&mut self, now_ms: u64) {
        for _ in 0..STEP {
            let ms = self.limits.ms;
            let over = |segment: &Segment| segment.latest_ms.saturating_add(ms) < now_ms;
            if !self.segments.front().is_some_and(over) {
                return;
            }
            drop(self.drop_oldest());
        }
    }

    /// Puts the last record into its bucket.
    fn tie(&mut self) {
        let Some((place, hash)) = self.loose.take() else { return };
        let bucket = self.bucket(hash);
        let older = std::mem::replace(&mut self.newest[bucket], place);
        // It is gone already when there was no room for it and one more.
        if let Some((number, at)) = split(place, self.gone)
            && let Some(segment) = self.segments.get_mut(number)
        {
            segment.records[at..at + 8].copy_from_slice(&older.to_le_bytes());
        }
    }

    fn bucket(&self, hash: u64) -> usize {
        let mask = self.newest.len().saturating_sub(1);
        usize::try_from(hash & mask as u64).unwrap_or_default()
    }

    /// A record's head, and what follows it; `None` when it is gone.
    fn record(&self, place: u64) -> Option<(Head, &[u8])> {
        let (number, at) = split(place, self.gone)?;
        let (head, rest) = self.segments.get(number)?.records[at..].split_first_chunk()?;
        Some((Head::read(head), rest))
    }

    /// A new segment for a record of so many bytes, and room for it.
    fn add_segment(&mut self, need: usize) {
        let size = need.max(SEGMENT.min(self.limits.bytes / 8));
        let mut room = None;
        while self.bytes + size > self.limits.bytes && !self.segments.is_empty() {
            room = self.drop_oldest();
        }
        // Where one goes for the other, its memory does as well.
        let room = room.filter(|room| room.capacity() == size);
        let mut records = room.unwrap_or_else(|| Vec::with_capacity(size));
        records.clear();
        self.bytes += records.capacity();
        self.segments.push_back(Segment { records, count: 0, latest_ms: 0 });
    }

    /// Forgets the oldest segment; its memory.
    fn drop_oldest(&mut self) -> Option<Vec<u8>> {
        let segment = self.segments.pop_front()?;
        self.gone += 1;
        self.bytes -= segment.records.capacity();
        self.events -= segment.count;
        Some(segment.records)
    }
}

/// Which of the segments that are left a place is in, and where.
fn split(place: u64, gone: u64) -> Option<(usize, usize)> {
    let number = (place >> OFFSET_BITS).checked_sub(gone + 1)?;
    let at = place & (SEGMENT as u64 - 1);
    Some((usize::try_from(number).ok()?, usize::try_from(at).ok()?))
}

// === impl Segment ===

impl Segment {
    fn has_room(&self, need: usize) -> bool {
        let used = self.records.len();
        used < SEGMENT && self.records.capacity() - used >= need
    }
}

// === impl Head ===

impl Head {
    fn bytes(&self) -> [u8; HEAD] {
        let mut bytes = [0; HEAD];
        bytes[..8].copy_from_slice(&self.older.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.seq.to_le_bytes());
        bytes[16..20].copy_from_slice(&self.db.to_le_bytes());
        bytes[20..24].copy_from_slice(&self.key.to_le_bytes());
        bytes[24..].copy_from_slice(&self.event.to_le_bytes());
        bytes
    }

    fn read(bytes: &[u8; HEAD]) -> Self {
        let long = |at: usize| {
            let mut number = [0; 8];
            number.copy_from_slice(&bytes[at..at + 8]);
            u64::from_le_bytes(number)
        };
        let short = |at: usize| {
            let mut number = [0; 4];
            number.copy_from_slice(&bytes[at..at + 4]);
            u32::from_le_bytes(number)
        };
        Self { older: long(0), seq: long(8), db: short(16), key: short(20), event: short(24) }
    }
}
