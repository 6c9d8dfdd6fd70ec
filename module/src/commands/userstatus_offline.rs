//! `USERSTATUS.OFFLINE key LEASE node EX s user [user ...]`
//!
//! A node lets go of users. Reply: how many it let go. Replicated with the second.

use rollcall_wire::{caps, replicated as words};

use crate::args::{Args, Names, lease_and_ex};
use crate::book::Book;
use crate::error::CommandError;
use crate::keyed::OpenKey;
use crate::native::cell;
use crate::native::context::Ctx;
use crate::native::string::Str;
use crate::spec::{Access, Arg, Command, Keys, Spec};

/// The arguments.
#[derive(Debug)]
pub(crate) struct Offline<'a> {
    key: &'a Str,
    node: &'a str,
    ex: u32,
    names: Names<'a>,
    users: Vec<&'a str>,
}

impl Command for Offline<'_> {
    const SPEC: Spec = Spec {
        name: c"USERSTATUS.OFFLINE",
        parent: None,
        flags: c"write fast",
        categories: c"write fast",
        arity: -7,
        keys: Keys::First(Access::Update),
        summary: c"Lets a node let go of users.",
        complexity: c"O(N) where N is the number of users named.",
        args: &[
            Arg::key(),
            Arg::text(c"node").after(c"LEASE"),
            Arg::integer(c"seconds").after(c"EX"),
            Arg::text(c"user").multiple(),
        ],
    };

    fn execute(args: Args<'_>, ctx: &Ctx) -> Result<(), CommandError> {
        Offline::parse(args)?.run(ctx)
    }
}

// === impl Offline ===

impl<'a> Offline<'a> {
    pub(super) fn parse(mut args: Args<'a>) -> Result<Self, CommandError> {
        let key = args.key()?;
        let (node, ex) = lease_and_ex(&mut args)?;
        let names = args.names("users")?;
        Ok(Self { key, node, ex, names, users: names.ids("user", caps::USER)? })
    }

    fn run(&self, ctx: &Ctx) -> Result<(), CommandError> {
        let mut key = OpenKey::<Book>::open(ctx, self.key)?;
        let at = key.now_s();
        // A lease that is not alive holds nobody.
        let Some(lease) = cell::with(|state| state.leases.of_node(self.node)) else {
            ctx.reply_number(0);
            return Ok(());
        };
        let left = key.change(|book, acting| {
            let mut left = 0;
            for user in &self.users {
                let time = (at, self.ex);
                left += u64::from(book.offline(user, lease, time, &mut acting.means()));
            }
            left
        });
        // Also when nobody was let go: holders whose leases have ended were settled on the way.
        if left.is_some() {
            let what = [words::OFFLINE, self.node, &at.to_string(), &self.ex.to_string()];
            ctx.replicate_status(self.key, &what, self.names.all().iter());
        }
        ctx.reply_number(left.unwrap_or_default());
        Ok(())
    }
}
