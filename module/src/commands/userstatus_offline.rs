//! `USERSTATUS.OFFLINE key LEASE node EX s user [user ...]`
//!
//! A node lets go of users. Reply: how many it let go. Replicated with the second.

use rollcall_wire::replicated as words;

use super::userstatus_online::{HELD, Held};
use crate::args::Args;
use crate::book::Book;
use crate::error::CommandError;
use crate::keyed::OpenKey;
use crate::native::cell;
use crate::native::context::Ctx;
use crate::native::notify::Change;
use crate::reaper;
use crate::spec::{Access, Command, Keys, Spec};

/// The arguments.
#[derive(Debug)]
pub(crate) struct Offline<'a>(Held<'a>);

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
        args: HELD,
    };

    fn execute(args: Args<'_>, ctx: &Ctx) -> Result<(), CommandError> {
        Offline::parse(args)?.run(ctx)
    }
}

// === impl Offline ===

impl<'a> Offline<'a> {
    pub(super) fn parse(args: Args<'a>) -> Result<Self, CommandError> {
        Held::parse(args).map(Self)
    }

    fn run(&self, ctx: &Ctx) -> Result<(), CommandError> {
        let asked = &self.0;
        let mut key = OpenKey::<Book>::open(ctx, asked.key)?;
        let at = key.now_s();
        // A lease that is not alive holds nobody.
        let Some(lease) = cell::with(|state| state.leases.of_node(asked.node)) else {
            ctx.reply_number(0);
            return Ok(());
        };
        reaper::settle_first(ctx, &mut key, &asked.users);
        let left = key.change(|book, acting| {
            let mut left = 0;
            for user in &asked.users {
                let time = (at, asked.ex);
                left += u64::from(book.offline(user, lease, time, &mut acting.means()));
            }
            left
        });
        // Also when nobody was let go: holders whose leases have ended were settled on the way.
        if left.is_some() {
            let what = [words::OFFLINE, asked.node, &at.to_string(), &asked.ex.to_string()];
            ctx.replicate_status(asked.key, &what, asked.names.all().iter());
        }
        let left = left.unwrap_or_default();
        key.done((left > 0).then_some(Change::OFFLINE));
        ctx.reply_number(left);
        Ok(())
    }
}
