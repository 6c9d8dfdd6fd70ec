//! The sequences of a server: which one an event gets, and at which one a read is taken.
//!
//! A read's sequence says of its moment: each event of the name before it has at most this one, each
//! later one has a higher one. The highest sequence there is says so of every name, so it serves for
//! names of which nothing better is known.

/// So far ahead of this server's clock may a sequence be that a client brings: the clocks of two
/// servers differ by less.
const AHEAD_US: u64 = 60_000_000;

/// More could not be told to replicas.
const MAX: u64 = i64::MAX.cast_unsigned();

/// What one server process knows.
#[derive(Debug, Default)]
pub(crate) struct Sequences {
    /// The highest that was given or seen.
    highest: u64,
    /// Until when names that are not known may have had events, as far as is known.
    known: u64,
    /// When all databases were emptied last; and by database, when it was emptied or exchanged.
    lost: u64,
    lost_of: Vec<u64>,
}

/// What a roster says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReadAt {
    /// Its last event.
    Event(u64),
    /// It had none since it was empty, when this was the highest; 0 when that is not known.
    Begin(u64),
}

/// The same in one number, as there are many rosters: those without an event have [`BEGIN`] set.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark(u64);

const BEGIN: u64 = 1 << 63;

// === impl Mark ===

impl Mark {
    pub(crate) fn event(seq: u64) -> Self {
        Self(seq)
    }

    pub(crate) fn begin(highest: u64) -> Self {
        Self(highest | BEGIN)
    }

    /// Of the last event, 0 when there was none.
    pub(crate) fn seq(self) -> u64 {
        if self.0 & BEGIN == 0 { self.0 } else { 0 }
    }

    pub(crate) fn read_at(self) -> ReadAt {
        if self.seq() > 0 { ReadAt::Event(self.0) } else { ReadAt::Begin(self.0 & !BEGIN) }
    }
}

// === impl Sequences ===

impl Sequences {
    pub(crate) fn highest(&self) -> u64 {
        self.highest
    }

    /// An event's, at `now_us`.
    pub(crate) fn next(&mut self, now_us: u64) -> u64 {
        self.highest = now_us.max(self.highest + 1).min(MAX);
        self.highest
    }

    /// That of a change which is no event. It depends on no clock: whoever follows a master takes the
    /// same.
    pub(crate) fn take(&mut self) -> u64 {
        self.next(0)
    }

    /// One of a master or a file.
    pub(crate) fn saw(&mut self, seq: u64) {
        self.highest = self.highest.max(seq).min(MAX);
    }

    /// One of a client's payload: unless it is plausible, it is nobody's affair but the payload's.
    pub(crate) fn saw_foreign(&mut self, seq: u64, now_us: u64) {
        if seq <= now_us.saturating_add(AHEAD_US) {
            self.saw(seq);
        }
    }

    /// A database was emptied or exchanged, or all of them were, of which no event tells.
    pub(crate) fn lose(&mut self, db: Option<u32>) {
        let seq = self.take();
        self.mark_lost(db, seq);
    }

    /// Two databases changed places.
    pub(crate) fn exchange(&mut self, a: u32, b: u32) {
        let seq = self.take();
        self.mark_lost(Some(a), seq);
        self.mark_lost(Some(b), seq);
    }

    fn mark_lost(&mut self, db: Option<u32>, seq: u64) {
        let Some(db) = db else {
            self.lost = seq;
            return self.lost_of.clear();
        };
        let at = db as usize;
        if self.lost_of.len() <= at {
            self.lost_of.resize(at + 1, 0);
        }
        self.lost_of[at] = seq;
    }

    /// When a database was emptied or exchanged last; 0 when it never was.
    pub(crate) fn lost(&self, db: u32) -> u64 {
        self.lost.max(self.lost_of.get(db as usize).copied().unwrap_or_default())
    }

    /// What a read is taken at: of no roster, of one whose last event was this, or of one that had no
    /// event when the sequences were so far.
    pub(crate) fn of_read(&self, db: u32, roster: Option<ReadAt>) -> u64 {
        match roster {
            None => self.highest,
            Some(ReadAt::Event(seq)) => seq.max(self.lost(db)),
            Some(ReadAt::Begin(seq)) => seq.max(self.known).max(self.lost(db)),
        }
    }

    /// Data is about to be loaded, with its own sequences; that of a master is all there is.
    pub(crate) fn before_load(&mut self, from_master: bool) {
        let highest = if from_master { 0 } else { self.highest };
        *self = Self { highest, ..Self::default() };
    }

    /// Everything that is known by itself was seen. `now_us` on a master: names of which nothing is
    /// known may have had events until now.
    pub(crate) fn begin(&mut self, now_us: Option<u64>) {
        self.saw(now_us.unwrap_or_default());
        self.known = self.highest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_cannot_bring_the_sequences_far_from_the_clock() {
        let mut sequences = Sequences::default();
        for seq in [MAX, u64::MAX, 1_000 + AHEAD_US + 1] {
            sequences.saw_foreign(seq, 1_000);
            assert_eq!(sequences.highest(), 0);
        }
        sequences.saw_foreign(1_000 + AHEAD_US, 1_000);
        assert_eq!(sequences.next(2_000), 1_000 + AHEAD_US + 1);
        // A file is believed, and the highest there is does not overflow.
        sequences.saw(MAX);
        assert_eq!((sequences.next(1), sequences.take()), (MAX, MAX));
    }

    #[test]
    fn a_mark_tells_an_event_from_a_beginning() {
        let told = |mark: Mark| (mark.seq(), mark.read_at());
        assert_eq!(told(Mark::event(7)), (7, ReadAt::Event(7)));
        assert_eq!(told(Mark::event(MAX)), (MAX, ReadAt::Event(MAX)));
        assert_eq!(told(Mark::event(0)), (0, ReadAt::Begin(0)));
        assert_eq!(told(Mark::begin(7)), (0, ReadAt::Begin(7)));
        assert_eq!(told(Mark::begin(0)), (0, ReadAt::Begin(0)));
    }

    #[test]
    fn a_read_is_not_older_than_what_was_lost() {
        let mut sequences = Sequences::default();
        sequences.begin(Some(10));
        assert_eq!(sequences.of_read(0, None), 10);
        let [begin, event] = [ReadAt::Begin(7), ReadAt::Event(7)].map(Some);
        assert_eq!(sequences.of_read(0, begin), 10);
        assert_eq!(sequences.of_read(0, event), 7);
        sequences.exchange(0, 3);
        assert_eq!([0, 1, 3].map(|db| sequences.of_read(db, event)), [11, 7, 11]);
        assert_eq!(sequences.of_read(0, Some(ReadAt::Event(20))), 20);
        sequences.lose(Some(1));
        sequences.lose(None);
        assert_eq!([0, 1, 2].map(|db| sequences.lost(db)), [13, 13, 13]);
        sequences.before_load(false);
        assert_eq!((sequences.highest(), sequences.lost(0)), (13, 0));
        sequences.before_load(true);
        assert_eq!(sequences.of_read(0, None), 0);
    }
}
