//! `PRESENCE.RECENT key seq [COUNT n]`
//!
//! The joins, updates, leaves and resets of a name above a sequence that this server still remembers.
//! Reply: each as it was published, oldest first; with `COUNT` the oldest of them, up to so many.

use std::borrow::Cow;

use rollcall_wire::{Event, caps};

use crate::args::{Args, decimal, once, unknown};
use crate::error::CommandError;
use crate::keyed;
use crate::native::cell;
use crate::native::context::Ctx;
use crate::native::key::Key;
use crate::native::string::Str;
use crate::recent::Name;
use crate::roster::Roster;
use crate::spec::{Access, Arg, Command, Keys, Spec};

/// The arguments.
#[derive(Debug)]
pub(crate) struct Recent<'a> {
    key: &'a Str,
    seq: u64,
    count: usize,
}

impl Command for Recent<'_> {
    const SPEC: Spec = Spec {
        name: c"PRESENCE.RECENT",
        parent: None,
        flags: c"readonly",
        categories: c"read",
        arity: -3,
        keys: Keys::First(Access::Read),
        summary: c"Returns the recent events of a roster above a sequence.",
        complexity: c"O(N) where N is the number of events above the sequence, of names that share its place in the index too.",
        args: &[
            Arg::key(),
            Arg::integer(c"seq"),
            Arg::integer(c"count").after(c"COUNT").optional(),
        ],
    };

    fn execute(args: Args<'_>, ctx: &Ctx) -> Result<(), CommandError> {
        Recent::parse(args)?.run(ctx)
    }
}

// === impl Recent ===

impl<'a> Recent<'a> {
    pub(super) fn parse(mut args: Args<'a>) -> Result<Self, CommandError> {
        let key = args.key()?;
        let seq = decimal(args.required()?.bytes())
            .filter(|seq| i64::try_from(*seq).is_ok())
            .ok_or_else(|| CommandError::bad("seq must be an integer, 0 or more"))?;
        let mut count = None;
        while let Some(word) = args.next() {
            if word.is_word("COUNT") {
                once(&mut count, args.number("COUNT", "", caps::PAGE as u64)?, word)?;
            } else {
                return Err(unknown(word));
            }
        }
        let count = count.and_then(|count| usize::try_from(count).ok()).unwrap_or(usize::MAX);
        Ok(Self { key, seq, count })
    }

    fn run(&self, ctx: &Ctx) -> Result<(), CommandError> {
        Key::open_read(ctx, self.key).value::<Roster>()?;
        let (db, name) = (ctx.db(), self.key.bytes());
        // Replying calls the server, which must not happen while the state is in use.
        let mut recent = cell::with(|state| std::mem::take(keyed::recent(state)));
        let (lost, reset) =
            cell::with(|state| (state.sequences.lost(db), state.resets.of(db, name)));
        let is_on = recent.is_on();
        let events = recent.above(Name::new(db, name), self.seq);
        let mut events: Vec<(u64, Cow<'_, [u8]>)> =
            events.into_iter().map(|(seq, event)| (seq, event.into())).collect();
        // Whoever asks from the beginning knows of nothing that was lost but what is told here.
        let matters = self.seq > 0 || events.first().is_some_and(|(seq, _)| *seq < lost);
        for seq in [Some(lost).filter(|_| matters), reset].into_iter().flatten() {
            if is_on && seq > self.seq {
                let at = events.partition_point(|(before, _)| *before < seq);
                let mut message = Vec::new();
                Event::Reset { seq, db }.push_json(&mut message);
                events.insert(at, (seq, message.into()));
            }
        }
        events.truncate(self.count);
        ctx.reply_array(events.len());
        for (_, event) in events {
            ctx.reply_bytes(&event);
        }
        cell::with(|state| state.recent = recent);
        Ok(())
    }
}
