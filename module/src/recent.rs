//! Events that were published lately, for listeners that could not hear them.
//!
//! Records stand back to back in segments, oldest first, and go a whole segment at a time. A place
//! is a segment's number and an offset in it, so a place in a segment that is gone is known by its
//! number alone: nothing ever has to be looked up to forget something.
//!
//! The records of one name are chained from its newest to its oldest. The newest of each name that
//! falls into a bucket are chained too, the latest first: where such a chain comes to a place that
//! is gone, everything after it is gone as well.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use crate::hash;

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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Name<'a> {
    pub(crate) db: u32,
    pub(crate) key: &'a [u8],
}

/// One per server process. Nothing of it is stored.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    limits: Limits,
    segments: VecDeque<Segment>,
    /// How many segments are gone, which the numbers of the others begin after.
    gone: u64,
    /// By bucket: the place of the newest record of the name that had an event last.
    newest: Vec<u64>,
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
    hash: u64,
    /// The name's record before this one.
    older: u64,
    /// While it is its name's newest: the newest of the next name in the bucket.
    next: u64,
    seq: u64,
    db: u32,
    key: u32,
    event: u32,
}

const HEAD: usize = 44;

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

impl Name<'_> {
    fn hash(self) -> u64 {
        hash::of(self.key) ^ u64::from(self.db)
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
        if self.is_on() {
            self.push_by(name.hash(), now_ms, name, seq, event);
        }
    }

    /// The events of a name above a sequence, oldest first.
    pub(crate) fn above(&self, name: Name<'_>, seq: u64) -> Vec<&[u8]> {
        self.above_by(name.hash(), name, seq)
    }

    /// Forgets what is older than it must keep, some of it when that is much.
    pub(crate) fn expire(&mut self, now_ms: u64) {
        for _ in 0..STEP {
            let ms = self.limits.ms;
            let over = |segment: &Segment| segment.latest_ms.saturating_add(ms) < now_ms;
            if !self.segments.front().is_some_and(over) {
                return;
            }
            self.drop_oldest();
        }
    }

    fn push_by(&mut self, hash: u64, now_ms: u64, name: Name<'_>, seq: u64, event: &[u8]) {
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
        let bucket = self.bucket(hash);
        let older = self.take_out(bucket, hash);
        let head =
            Head { hash, older, next: self.newest[bucket], seq, db: name.db, key, event: length };
        let number = self.gone + self.segments.len() as u64;
        let Some(segment) = self.segments.back_mut() else { return };
        self.newest[bucket] = (number << OFFSET_BITS) | segment.records.len() as u64;
        head.push(&mut segment.records);
        segment.records.extend_from_slice(name.key);
        segment.records.extend_from_slice(event);
        segment.count += 1;
        segment.latest_ms = now_ms;
        self.events += 1;
    }

    fn above_by(&self, hash: u64, name: Name<'_>, seq: u64) -> Vec<&[u8]> {
        let mut place = self.newest.get(self.bucket(hash)).copied().unwrap_or(NONE);
        while let Some((head, _)) = self.record(place).filter(|(head, _)| head.hash != hash) {
            place = head.next;
        }
        let mut events = Vec::new();
        while let Some((head, rest)) = self.record(place) {
            let (key, rest) = rest.split_at(head.key as usize);
            if (head.db, key) == (name.db, name.key) {
                // Whatever is older is lower: a server's sequences never go back.
                if head.seq <= seq {
                    break;
                }
                events.push(&rest[..head.event as usize]);
            }
            place = head.older;
        }
        events.reverse();
        events
    }

    fn bucket(&self, hash: u64) -> usize {
        let mask = self.newest.len().saturating_sub(1);
        usize::try_from(hash & mask as u64).unwrap_or_default()
    }

    /// Takes the newest record of a hash out of its bucket; its place.
    fn take_out(&mut self, bucket: usize, hash: u64) -> u64 {
        let (mut before, mut place) = (NONE, self.newest[bucket]);
        while let Some((head, _)) = self.record(place) {
            if head.hash == hash {
                match self.segment_mut(before) {
                    Some((segment, at)) => Head::set_next(&mut segment.records[at..], head.next),
                    None => self.newest[bucket] = head.next,
                }
                return place;
            }
            (before, place) = (place, head.next);
        }
        NONE
    }

    /// A record's head, and what follows it; `None` when it is gone.
    fn record(&self, place: u64) -> Option<(Head, &[u8])> {
        let (number, at) = split(place, self.gone)?;
        let (head, rest) = self.segments.get(number)?.records[at..].split_first_chunk()?;
        Some((Head::read(head), rest))
    }

    fn segment_mut(&mut self, place: u64) -> Option<(&mut Segment, usize)> {
        let (number, at) = split(place, self.gone)?;
        Some((self.segments.get_mut(number)?, at))
    }

    /// A new segment for a record of so many bytes, and room for it.
    fn add_segment(&mut self, need: usize) {
        let size = need.max(SEGMENT.min(self.limits.bytes / 8));
        while self.bytes + size > self.limits.bytes && !self.segments.is_empty() {
            self.drop_oldest();
        }
        let segment = Segment { records: Vec::with_capacity(size), count: 0, latest_ms: 0 };
        self.bytes += segment.records.capacity();
        self.segments.push_back(segment);
    }

    fn drop_oldest(&mut self) {
        if let Some(segment) = self.segments.pop_front() {
            self.gone += 1;
            self.bytes -= segment.records.capacity();
            self.events -= segment.count;
        }
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
    fn push(&self, out: &mut Vec<u8>) {
        for number in [self.hash, self.older, self.next, self.seq] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        for number in [self.db, self.key, self.event] {
            out.extend_from_slice(&number.to_le_bytes());
        }
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
        Self {
            hash: long(0),
            older: long(8),
            next: long(16),
            seq: long(24),
            db: short(32),
            key: short(36),
            event: short(40),
        }
    }

    /// Changes the one number of a record that changes.
    fn set_next(record: &mut [u8], next: u64) {
        record[16..24].copy_from_slice(&next.to_le_bytes());
    }
}
