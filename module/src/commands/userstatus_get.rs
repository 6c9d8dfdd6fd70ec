//! `USERSTATUS.GET key user [user ...]`
//!
//! When users were last active and online. Reply: per user, in order and per occurrence,
//! `[active|nil, online|nil]` in Unix seconds.

use rollcall_wire::caps;

use crate::args::{Args, Names};
use crate::book::{Book, Status};
use crate::error::CommandError;
use crate::native::context::Ctx;
use crate::native::key::Key;
use crate::native::string::Str;
use crate::native::{cell, clock};
use crate::spec::{Access, Arg, Command, Keys, Spec};

/// The arguments.
#[derive(Debug)]
pub(crate) struct Get<'a> {
    key: &'a Str,
    users: Names<'a>,
}

impl Command for Get<'_> {
    const SPEC: Spec = Spec {
        name: c"USERSTATUS.GET",
        parent: None,
        flags: c"readonly fast",
        categories: c"read fast",
        arity: -3,
        keys: Keys::First(Access::Read),
        summary: c"Returns when users were last active and online.",
        complexity: c"O(N) where N is the number of users named.",
        args: &[Arg::key(), Arg::text(c"user").multiple()],
    };

    fn execute(args: Args<'_>, ctx: &Ctx) -> Result<(), CommandError> {
        Get::parse(args)?.run(ctx)
    }
}

// === impl Get ===

impl<'a> Get<'a> {
    pub(super) fn parse(mut args: Args<'a>) -> Result<Self, CommandError> {
        let key = args.key()?;
        let users = args.names("users")?;
        users.check("user", caps::USER)?;
        Ok(Self { key, users })
    }

    fn run(&self, ctx: &Ctx) -> Result<(), CommandError> {
        let mut key = Key::open_read(ctx, self.key);
        let book = key.value::<Book>()?.map(|value| &value.it);
        let now = clock::wall_s();
        let users = self.users.all();
        ctx.reply_array(users.len());
        match book {
            Some(book) => cell::with(|state| {
                let users = users.iter().map(Str::bytes);
                book.get(users, now, &state.leases, |status| reply(ctx, status));
            }),
            None => users.iter().for_each(|_| reply(ctx, Status::default())),
        }
        Ok(())
    }
}

/// `[active|nil, online|nil]`.
fn reply(ctx: &Ctx, status: Status) {
    ctx.reply_array(2);
    for second in [status.active, status.online] {
        match second {
            Some(second) => ctx.reply_number(second.into()),
            None => ctx.reply_null(),
        }
    }
}
