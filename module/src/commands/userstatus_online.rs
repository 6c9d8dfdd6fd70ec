//! `USERSTATUS.ONLINE key LEASE node EX s user [user ...]`
//!
//! A node holds users online as long as its lease lives. Reply: how many it did not hold before.
//! Replicated with the lease, which replicas may not know yet.

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
pub(crate) struct Online<'a> {
    key: &'a Str,
    node: &'a str,
    ex: u32,
    names: Names<'a>,
    users: Vec<&'a str>,
}

impl Command for Online<'_> {
    const SPEC: Spec = Spec {
        name: c"USERSTATUS.ONLINE",
        parent: None,
        flags: c"write deny-oom fast",
        categories: c"write fast",
        arity: -7,
        keys: Keys::First(Access::Update),
        summary: c"Lets a node hold users online.",
        complexity: c"O(N) where N is the number of users named.",
        args: &[
            Arg::key(),
            Arg::text(c"node").after(c"LEASE"),
            Arg::integer(c"seconds").after(c"EX"),
            Arg::text(c"user").multiple(),
        ],
    };

    fn execute(args: Args<'_>, ctx: &Ctx) -> Result<(), CommandError> {
        Online::parse(args)?.run(ctx)
    }
}

// === impl Online ===

impl<'a> Online<'a> {
    pub(super) fn parse(mut args: Args<'a>) -> Result<Self, CommandError> {
        let key = args.key()?;
        let (node, ex) = lease_and_ex(&mut args)?;
        let names = args.names("users")?;
        Ok(Self { key, node, ex, names, users: names.ids("user", caps::USER)? })
    }

    fn run(&self, ctx: &Ctx) -> Result<(), CommandError> {
        let mut key = OpenKey::<Book>::open(ctx, self.key)?;
        let (lease, px) = cell::with(|state| {
            let lease = state.leases.of_node(self.node)?;
            Some((lease, state.leases.alive(lease)?.px()))
        })
        .ok_or_else(|| CommandError::NoLease(self.node.into()))?;
        let new = key.change_or_create(|book, acting| {
            let mut new = 0;
            for user in &self.users {
                new += u64::from(book.online(user, lease, self.ex, &mut acting.means()));
            }
            new
        });
        let what = [words::ONLINE, self.node, &px.to_string(), &self.ex.to_string()];
        ctx.replicate_status(self.key, &what, self.names.all().iter());
        ctx.reply_number(new.unwrap_or_default());
        Ok(())
    }
}
