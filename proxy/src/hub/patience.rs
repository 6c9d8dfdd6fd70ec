//! Whether a read of a roster that differs from what was shown is believed. Pure: no clock.

/// What to do with the differences between a read and what was shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Differences {
    /// Show them.
    Show,
    /// Who is there came; who is not there may be put back, when somebody deleted the roster.
    ShowJoins,
    /// Who is not there left; who is there may be held for a server that died as Redis lost data.
    ShowLeaves,
    /// Redis may have lost the last changes: who is not there may be put back, and who is there may
    /// have left before. Events tell, and the read that ends the wait.
    Wait,
}

/// Whether a read that differs from what was shown is believed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Stage {
    /// It is, unless nobody is left at all.
    #[default]
    None,
    /// Redis may have lost data: the next read starts the wait.
    Due,
    /// Differences wait until the time is up.
    Waiting,
    /// The time is up: the next read is believed, as to who left.
    Over,
    /// Joins that no event tells wait on, until the grace of leases is over.
    Late,
    /// That time is up, too.
    LateOver,
}

/// Whether reads are believed.
#[derive(Debug, Default)]
pub(super) struct Patience {
    stage: Stage,
    /// The wait, or the one that is due, is only because the events connection is a new one.
    only_connection: bool,
    /// It is known since then that Redis has not lost data.
    trusted: bool,
    /// Counts the waits, so that the end of one is not taken for the end of the next.
    waits: u32,
    /// Clients were there when the roster was last heard of, since the wait began.
    somebody: bool,
    /// The last wait that has gone on for so long that a sign of a loss is one of another loss.
    closed: u32,
    /// Counts the signs of a loss, so that a read can tell whether one came meanwhile.
    signs: u32,
    /// The number of the last loss of data that was waited for.
    loss: u64,
}

// === impl Patience ===

impl Patience {
    /// Whether the next read begins a wait, whatever the one before was judged to be.
    pub(super) fn is_due(&self) -> bool {
        self.stage == Stage::Due
    }

    /// Whether something is or will be waited for.
    pub(super) fn is_waiting(&self) -> bool {
        self.stage != Stage::None
    }

    /// Whether the next read shows who left.
    pub(super) fn shows_leaves(&self) -> bool {
        !matches!(self.stage, Stage::Due | Stage::Waiting)
    }

    /// Whether a read is all that is waited for.
    pub(super) fn wants_read(&self) -> bool {
        matches!(self.stage, Stage::Due | Stage::Over | Stage::LateOver)
    }

    /// This was the last loss when the first read was made.
    pub(super) fn begin_after(&mut self, loss: u64) {
        self.loss = self.loss.max(loss);
    }

    /// Redis has lost data, and this is the number of the loss: each is waited for once.
    pub(super) fn lost(&mut self, loss: u64) {
        if self.loss < loss {
            self.loss = loss;
            self.begin_anew();
        }
    }

    /// An event says how many clients are there.
    pub(super) fn told(&mut self, clients: u64) {
        self.somebody = clients > 0;
    }

    /// A sign that Redis has lost data: clients that a read lacks are given time to be put back, and
    /// those that it names too much to be taken out. Soon after a wait has begun it is a sign of the
    /// loss that is waited for, and the wait does not begin anew: while clients are put back there are
    /// many signs.
    pub(super) fn distrust(&mut self) {
        if self.stage == Stage::Waiting && self.closed != self.waits {
            self.signs = self.signs.wrapping_add(1);
            self.only_connection = false;
        } else {
            self.begin_anew();
        }
    }

    /// The next read begins a wait.
    fn begin_anew(&mut self) {
        self.signs = self.signs.wrapping_add(1);
        self.stage = Stage::Due;
        self.only_connection = false;
    }

    /// How many signs of a loss there were.
    pub(super) fn signs(&self) -> u32 {
        self.signs
    }

    /// From now on a sign of a loss is one of another loss than the one of this wait.
    pub(super) fn close(&mut self, wait: u32) {
        self.closed = wait;
    }

    /// The same because events were missed, and nobody knows yet whether Redis has lost data too.
    pub(super) fn distrust_connection(&mut self) {
        let waits = !matches!(self.stage, Stage::None);
        self.only_connection |= !waits;
        self.trusted = false;
        self.stage = Stage::Due;
    }

    /// What is to be done with the differences of a read, and the number of the wait that begins
    /// with it. A roster that `vanished` under a mirror that shows somebody is a loss as well; it may
    /// stay away, when nobody is left to put them back.
    pub(super) fn judge_read(&mut self, vanished: bool) -> (Differences, Option<u32>) {
        let before = self.stage;
        self.only_connection &= !vanished;
        self.stage = match before {
            Stage::Due => Stage::Waiting,
            Stage::None | Stage::Late | Stage::LateOver if vanished => Stage::Waiting,
            // They were put back, and are lost again.
            Stage::Over if vanished && self.somebody => Stage::Waiting,
            Stage::Over if !self.only_connection => Stage::Late,
            Stage::Over | Stage::LateOver => Stage::None,
            other => other,
        };
        if before != Stage::Waiting {
            self.somebody = false;
        }
        self.somebody |= !vanished;
        let differences = match self.stage {
            Stage::Waiting if self.only_connection && self.trusted => Differences::ShowJoins,
            Stage::Waiting => Differences::Wait,
            Stage::Late => Differences::ShowLeaves,
            _ => Differences::Show,
        };
        match self.stage {
            Stage::Waiting | Stage::Late if before == self.stage => (differences, None),
            Stage::Waiting | Stage::Late => {
                self.waits = self.waits.wrapping_add(1);
                (differences, Some(self.waits))
            }
            _ => (differences, None),
        }
    }

    /// A wait is over: unless another has begun, the next read is believed.
    pub(super) fn end(&mut self, wait: u32) {
        self.stage = match self.stage {
            Stage::Waiting if self.waits == wait => Stage::Over,
            Stage::Late if self.waits == wait => Stage::LateOver,
            other => other,
        };
    }

    /// Redis has lost nothing when the connection was made: who is in the next read is there, unless
    /// there is another reason to wait. Whether a read would show more now.
    pub(super) fn trust(&mut self) -> bool {
        self.trusted = true;
        self.only_connection && matches!(self.stage, Stage::Due | Stage::Waiting)
    }
}
