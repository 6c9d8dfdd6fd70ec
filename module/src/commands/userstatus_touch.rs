//! `USERSTATUS.TOUCH key EX s user [user ...]`
//!
//! Users were active just now. Reply: how many users were named. Replicated with the second.

use rollcall_wire::{caps, replicated as words};

use crate::args::{Args, Names, ex};
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
pub(crate) struct Touch<'a> {
    key: &'a Str,
    ex: u32,
    names: Names<'a>,
    users: Vec<&'a str>,
}

impl Command for Touch<'_> {
    const SPEC: Spec = Spec {
        name: c"USERSTATUS.TOUCH",
        parent: None,
        flags: c"write deny-oom fast",
        categories: c"write fast",
        arity: -5,
        keys: Keys::First(Access::Update),
        summary: c"Marks users as active now.",
        complexity: c"O(N) where N is the number of users named.",
        args: &[Arg::key(), Arg::integer(c"seconds").after(c"EX"), Arg::text(c"user").multiple()],
    };

    fn execute(args: Args<'_>, ctx: &Ctx) -> Result<(), CommandError> {
        Touch::parse(args)?.run(ctx)
    }
}

// === impl Touch ===

impl<'a> Touch<'a> {
    pub(super) fn parse(mut args: Args<'a>) -> Result<Self, CommandError> {
        let key = args.key()?;
        let ex = ex(&mut args)?;
        let names = args.names("users")?;
        Ok(Self { key, ex, names, users: names.ids("user", caps::USER)? })
    }

    fn run(&self, ctx: &Ctx) -> Result<(), CommandError> {
        let mut key = OpenKey::<Book>::open(ctx, self.key)?;
        reaper::settle_first(ctx, &mut key, &self.users);
        let at = key.now_s();
        key.change_or_create(|book, acting| {
            for user in &self.users {
                book.touch(user, at, self.ex, &mut acting.means());
            }
        });
        let what = [words::TOUCH, &at.to_string(), &self.ex.to_string()];
        ctx.replicate_status(self.key, &what, self.names.all().iter());
        key.done(Some(Change::TOUCH));
        ctx.reply_number(self.users.len() as u64);
        Ok(())
    }
}
