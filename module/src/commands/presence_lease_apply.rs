//! `PRESENCE.LEASEAPPLY 1 SET node px | END node at`
//!
//! Internal: a lease's begin, change or end as a master replicates it.

use rollcall_wire::{caps, replicated as words};

use super::presence_apply::{internal_only, version};
use crate::args::Args;
use crate::error::CommandError;
use crate::native::context::Ctx;
use crate::native::{cell, clock};
use crate::spec::{Arg, Command, Keys, Spec};

/// The arguments: the very news that a master tells.
#[derive(Debug)]
pub(crate) struct LeaseApply<'a> {
    node: &'a str,
    number: u64,
    end: bool,
}

impl Command for LeaseApply<'_> {
    const SPEC: Spec = Spec {
        name: c"PRESENCE.LEASEAPPLY",
        parent: None,
        flags: c"write",
        categories: c"write dangerous",
        arity: 5,
        keys: Keys::None,
        summary: c"Internal: applies a replicated change of a lease.",
        complexity: c"O(1)",
        args: &[
            Arg::integer(c"version"),
            Arg::text(c"change"),
            Arg::text(c"node"),
            Arg::integer(c"number"),
        ],
    };

    fn execute(args: Args<'_>, ctx: &Ctx) -> Result<(), CommandError> {
        internal_only(ctx)?;
        LeaseApply::parse(args)?.run(ctx);
        Ok(())
    }
}

// === impl LeaseApply ===

impl<'a> LeaseApply<'a> {
    pub(super) fn parse(mut args: Args<'a>) -> Result<Self, CommandError> {
        version(&mut args)?;
        let word = args.required()?;
        let end = word.is_word(words::END);
        if !end && !word.is_word(words::SET) {
            return Err(CommandError::bad("unknown replicated change: upgrade this server"));
        }
        let node = args.id("node", caps::NODE)?;
        let max = if end { u64::from(u32::MAX) } else { caps::LEASE_MS };
        let number = args.number("the number", "", max)?;
        args.finish()?;
        Ok(Self { node, number, end })
    }

    fn run(&self, ctx: &Ctx) {
        cell::with(|state| {
            if self.end {
                let at = u32::try_from(self.number).unwrap_or(u32::MAX);
                state.end_lease_untold(self.node, at);
            } else {
                state.leases.keep(self.node, self.number, clock::monotonic_ms());
            }
        });
        ctx.replicate_verbatim();
        ctx.reply_simple(c"OK");
    }
}
