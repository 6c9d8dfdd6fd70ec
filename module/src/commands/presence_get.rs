//! `PRESENCE.GET key [JSON] [WITHSEQ]`
//!
//! Everybody in a roster. Reply: members, each `[client, user, conn_info|nil, chan_info|nil]`;
//! with `JSON` one string, the `presence` object of the client protocol.

use super::reply::{JsonObject, member};
use crate::args::{Args, once, unknown};
use crate::error::CommandError;
use crate::native::cell;
use crate::native::context::Ctx;
use crate::native::key::Key;
use crate::native::string::Str;
use crate::roster::Roster;
use crate::sequences::ReadAt;
use crate::spec::{Access, Arg, Command, Keys, Spec};

/// The arguments.
#[derive(Debug)]
pub(crate) struct Get<'a> {
    key: &'a Str,
    json: bool,
    with_seq: bool,
}

impl Command for Get<'_> {
    const SPEC: Spec = Spec {
        name: c"PRESENCE.GET",
        parent: None,
        flags: c"readonly",
        categories: c"read",
        arity: -2,
        keys: Keys::First(Access::Read),
        summary: c"Returns everybody in a roster.",
        complexity: c"O(N) where N is the number of clients in the roster.",
        args: &[
            Arg::key(),
            Arg::word(c"json", c"JSON").optional(),
            Arg::word(c"withseq", c"WITHSEQ").optional(),
        ],
    };

    fn execute(args: Args<'_>, ctx: &Ctx) -> Result<(), CommandError> {
        Get::parse(args)?.run(ctx)
    }
}

// === impl Get ===

impl<'a> Get<'a> {
    pub(super) fn parse(mut args: Args<'a>) -> Result<Self, CommandError> {
        let key = args.key()?;
        let (mut json, mut with_seq) = (None, None);
        while let Some(word) = args.next() {
            if word.is_word("JSON") {
                once(&mut json, (), word)?;
            } else if word.is_word("WITHSEQ") {
                once(&mut with_seq, (), word)?;
            } else {
                return Err(unknown(word));
            }
        }
        Ok(Self { key, json: json.is_some(), with_seq: with_seq.is_some() })
    }

    fn run(&self, ctx: &Ctx) -> Result<(), CommandError> {
        let mut key = Key::open_read(ctx, self.key);
        let roster = key.value::<Roster>()?.map(|value| &value.it);
        if self.with_seq {
            ctx.reply_array(2);
            ctx.reply_number(seq_of(ctx, roster));
        }
        if self.json {
            let (members, bytes) =
                roster.map_or((0, 0), |roster| (roster.clients() as usize, roster.blobs()));
            let mut object = JsonObject::new(members, bytes);
            if let Some(roster) = roster {
                roster.for_each(|parts| object.push(&parts));
            }
            object.reply(ctx);
            return Ok(());
        }
        ctx.reply_array(roster.map_or(0, |roster| roster.clients() as usize));
        if let Some(roster) = roster {
            roster.for_each(|parts| member(ctx, &parts));
        }
        Ok(())
    }
}

/// The sequence a read of a roster is taken at, whether it is there or not.
pub(super) fn seq_of(ctx: &Ctx, roster: Option<&Roster>) -> u64 {
    read_seq(ctx, roster.map(Roster::read_at))
}

/// The same of one that says this of itself.
pub(super) fn read_seq(ctx: &Ctx, roster: Option<ReadAt>) -> u64 {
    let db = ctx.db();
    cell::with(|state| state.sequences.of_read(db, roster))
}
