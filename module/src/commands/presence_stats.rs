//! `PRESENCE.STATS key [key ...]`
//!
//! Counts of rosters. Reply: per key `[clients, users, seq]`.

use super::presence_get::seq_of;
use crate::args::Args;
use crate::error::CommandError;
use crate::native::context::Ctx;
use crate::native::key::Key;
use crate::native::string::Str;
use crate::roster::Roster;
use crate::spec::{Access, Arg, Command, Keys, Spec};

/// The arguments.
#[derive(Debug)]
pub(crate) struct Stats<'a> {
    keys: &'a [Str],
}

impl Command for Stats<'_> {
    const SPEC: Spec = Spec {
        name: c"PRESENCE.STATS",
        parent: None,
        flags: c"readonly fast",
        categories: c"read fast",
        arity: -2,
        keys: Keys::All(Access::Read),
        summary: c"Returns the numbers of clients and users and the sequence of rosters.",
        complexity: c"O(N) where N is the number of keys.",
        args: &[Arg::key().multiple()],
    };

    fn execute(args: Args<'_>, ctx: &Ctx) -> Result<(), CommandError> {
        Stats::parse(args)?.run(ctx)
    }
}

// === impl Stats ===

impl<'a> Stats<'a> {
    pub(super) fn parse(mut args: Args<'a>) -> Result<Self, CommandError> {
        Ok(Self { keys: args.names("keys")?.keys()? })
    }

    fn run(&self, ctx: &Ctx) -> Result<(), CommandError> {
        if let [key] = self.keys {
            let counts = counts(ctx, key)?;
            ctx.reply_array(1);
            reply(ctx, counts);
            return Ok(());
        }
        // All are read before the first is replied: one of another type is an error of the whole.
        let all: Result<Vec<_>, _> = self.keys.iter().map(|key| counts(ctx, key)).collect();
        let all = all?;
        ctx.reply_array(all.len());
        for counts in all {
            reply(ctx, counts);
        }
        Ok(())
    }
}

fn counts(ctx: &Ctx, name: &Str) -> Result<[u64; 3], CommandError> {
    let mut key = Key::open_read(ctx, name);
    let roster = key.value::<Roster>()?.map(|value| &value.it);
    let seq = seq_of(ctx, roster);
    let (clients, users) = roster.map_or((0, 0), |roster| (roster.clients(), roster.users()));
    Ok([clients.into(), users.into(), seq])
}

fn reply(ctx: &Ctx, counts: [u64; 3]) {
    ctx.reply_array(3);
    for number in counts {
        ctx.reply_number(number);
    }
}
