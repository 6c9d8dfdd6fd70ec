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
use crate::native::notify::Change;
use crate::native::string::Str;
use crate::reaper;
use crate::spec::{Access, Arg, Command, Keys, Spec};

/// `key LEASE node EX s user [user ...]`, which `OFFLINE` takes too.
#[derive(Debug)]
pub(crate) struct Held<'a> {
    pub(super) key: &'a Str,
    pub(super) node: &'a str,
    pub(super) ex: u32,
    pub(super) names: Names<'a>,
    pub(super) users: Vec<&'a str>,
}

/// How the server documents them.
pub(super) const HELD: &[Arg] = &[
    Arg::key(),
    Arg::text(c"node").after(c"LEASE"),
    Arg::integer(c"seconds").after(c"EX"),
    Arg::text(c"user").multiple(),
];

/// The arguments.
#[derive(Debug)]
pub(crate) struct Online<'a>(Held<'a>);

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
        args: HELD,
    };

    fn execute(args: Args<'_>, ctx: &Ctx) -> Result<(), CommandError> {
        Online::parse(args)?.run(ctx)
    }
}

// === impl Held ===

impl<'a> Held<'a> {
    pub(super) fn parse(mut args: Args<'a>) -> Result<Self, CommandError> {
        let key = args.key()?;
        let (node, ex) = lease_and_ex(&mut args)?;
        let names = args.names("users")?;
        Ok(Self { key, node, ex, names, users: names.ids("user", caps::USER)? })
    }
}

// === impl Online ===

impl<'a> Online<'a> {
    pub(super) fn parse(args: Args<'a>) -> Result<Self, CommandError> {
        Held::parse(args).map(Self)
    }

    fn run(&self, ctx: &Ctx) -> Result<(), CommandError> {
        let asked = &self.0;
        let mut key = OpenKey::<Book>::open(ctx, asked.key)?;
        let (lease, px) = cell::with(|state| {
            let lease = state.leases.of_node(asked.node)?;
            Some((lease, state.leases.alive(lease)?.px()))
        })
        .ok_or_else(|| CommandError::NoLease(asked.node.into()))?;
        reaper::settle_first(ctx, &mut key, &asked.users);
        let new = key.change_or_create(|book, acting| {
            let mut new = 0;
            for user in &asked.users {
                new += u64::from(book.online(user, lease, asked.ex, &mut acting.means()));
            }
            new
        });
        let what = [words::ONLINE, asked.node, &px.to_string(), &asked.ex.to_string()];
        ctx.replicate_status(asked.key, &what, asked.names.all().iter());
        let new = new.unwrap_or_default();
        key.done((new > 0).then_some(Change::ONLINE));
        ctx.reply_number(new);
        Ok(())
    }
}
