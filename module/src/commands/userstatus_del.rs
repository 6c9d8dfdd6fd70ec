//! `USERSTATUS.DEL key user [user ...]`
//!
//! Forgets when users were active and online; live leases go on holding them. Reply: how many
//! records had something to clear.

use rollcall_wire::{caps, replicated as words};

use crate::args::{Args, Names};
use crate::book::Book;
use crate::error::CommandError;
use crate::keyed::OpenKey;
use crate::native::context::Ctx;
use crate::native::notify::Change;
use crate::native::string::Str;
use crate::reaper;
use crate::spec::{Access, Arg, Command, Keys, Spec};

/// The arguments.
#[derive(Debug)]
pub(crate) struct Del<'a> {
    key: &'a Str,
    names: Names<'a>,
    users: Vec<&'a str>,
}

impl Command for Del<'_> {
    const SPEC: Spec = Spec {
        name: c"USERSTATUS.DEL",
        parent: None,
        flags: c"write fast",
        categories: c"write fast",
        arity: -3,
        keys: Keys::First(Access::Delete),
        summary: c"Forgets when users were active and online.",
        complexity: c"O(N) where N is the number of users named.",
        args: &[Arg::key(), Arg::text(c"user").multiple()],
    };

    fn execute(args: Args<'_>, ctx: &Ctx) -> Result<(), CommandError> {
        Del::parse(args)?.run(ctx)
    }
}

// === impl Del ===

impl<'a> Del<'a> {
    pub(super) fn parse(mut args: Args<'a>) -> Result<Self, CommandError> {
        let key = args.key()?;
        let names = args.names("users")?;
        Ok(Self { key, names, users: names.ids("user", caps::USER)? })
    }

    fn run(&self, ctx: &Ctx) -> Result<(), CommandError> {
        let mut key = OpenKey::<Book>::open(ctx, self.key)?;
        reaper::settle_first(ctx, &mut key, &self.users);
        let cleared = key.change(|book, acting| {
            let mut cleared = 0;
            for user in &self.users {
                cleared += u64::from(book.clear(user, &mut acting.means()));
            }
            cleared
        });
        if cleared.is_some() {
            ctx.replicate_status(self.key, &[words::DEL], self.names.all().iter());
        }
        let cleared = cleared.unwrap_or_default();
        key.done_maybe_empty((cleared > 0).then_some(Change::DEL));
        ctx.reply_number(cleared);
        Ok(())
    }
}
