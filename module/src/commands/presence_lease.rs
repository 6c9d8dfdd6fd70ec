//! `PRESENCE.LEASE KEEP node PX ms | DROP node | HELP`; [`super::presence_lease_list`] has `LIST`
//!
//! A node's word that it lives. `KEEP` replies `[epoch, fresh, entries, users]`, `DROP` 1 or 0.

use rollcall_wire::caps;

use super::presence_help;
use crate::args::Args;
use crate::error::CommandError;
use crate::native::context::Ctx;
use crate::native::{cell, clock, config, hooks, log};
use crate::spec::{Arg, Command, Keys, Spec};

pub(super) const NAME: &std::ffi::CStr = c"PRESENCE.LEASE";

/// What the subcommands have in common.
pub(crate) const CONTAINER: Spec = Spec {
    name: NAME,
    parent: None,
    flags: c"",
    categories: c"",
    arity: -2,
    keys: Keys::None,
    summary: c"A container for the commands of leases.",
    complexity: c"Depends on subcommand.",
    args: &[],
};

/// `KEEP`: renews a lease or begins one. Neither a write nor refused when memory is full: what
/// stops writes must not end leases.
#[derive(Debug)]
pub(crate) struct Keep<'a> {
    node: &'a str,
    px: u64,
}

/// `DROP`: ends a lease at once; its entries leave in slices.
#[derive(Debug)]
pub(crate) struct Drop<'a> {
    node: &'a str,
}

/// `HELP`: what the server tells whoever mistypes a subcommand to ask for.
#[derive(Debug)]
pub(crate) struct Help;

// === impl Keep ===

impl Command for Keep<'_> {
    const SPEC: Spec = Spec {
        name: c"KEEP",
        parent: Some(NAME),
        flags: c"fast",
        categories: c"fast",
        arity: 5,
        keys: Keys::None,
        summary: c"Renews a node's lease, or begins one.",
        complexity: c"O(1)",
        args: &[Arg::text(c"node"), Arg::integer(c"milliseconds").after(c"PX")],
    };

    fn execute(args: Args<'_>, ctx: &Ctx) -> Result<(), CommandError> {
        Keep::parse(args)?.run(ctx)
    }
}

impl<'a> Keep<'a> {
    pub(super) fn parse(mut args: Args<'a>) -> Result<Self, CommandError> {
        let node = args.id("node", caps::NODE)?;
        let word = args.required()?;
        if !word.is_word("PX") {
            return Err(CommandError::bad("PX milliseconds expected after the node"));
        }
        let px = args.number("PX", " of milliseconds", caps::LEASE_MS)?;
        args.finish()?;
        Ok(Self { node, px })
    }

    fn run(&self, ctx: &Ctx) -> Result<(), CommandError> {
        if !ctx.is_master() {
            return Err(CommandError::ReadOnly);
        }
        let most = config::max_leases();
        let reply = cell::with(|state| {
            let now = clock::monotonic_ms();
            let kept = state.leases.keep_within(most, self.node, self.px, now)?;
            if kept.changed {
                state.untold.set(self.node, self.px);
            }
            let (entries, users) = state.held(kept.lease);
            Some((kept.changed, [state.epoch, u64::from(kept.fresh), entries, users]))
        });
        let Some((changed, reply)) = reply else {
            log::refused_leases(ctx);
            return Err(CommandError::TooManyLeases(most));
        };
        if changed {
            hooks::tell_leases(ctx);
        }
        ctx.reply_array(reply.len());
        for number in reply {
            ctx.reply_number(number);
        }
        Ok(())
    }
}

// === impl Drop ===

impl Command for Drop<'_> {
    const SPEC: Spec = Spec {
        name: c"DROP",
        parent: Some(NAME),
        flags: c"write fast",
        categories: c"write fast",
        arity: 3,
        keys: Keys::None,
        summary: c"Ends a node's lease; what it held leaves in slices.",
        complexity: c"O(1)",
        args: &[Arg::text(c"node")],
    };

    fn execute(args: Args<'_>, ctx: &Ctx) -> Result<(), CommandError> {
        Drop::parse(args)?.run(ctx);
        Ok(())
    }
}

impl<'a> Drop<'a> {
    pub(super) fn parse(mut args: Args<'a>) -> Result<Self, CommandError> {
        let node = args.id("node", caps::NODE)?;
        args.finish()?;
        Ok(Self { node })
    }

    fn run(&self, ctx: &Ctx) {
        let ended = cell::with(|state| state.end_lease(self.node, clock::wall_s()));
        // Also in a transaction that has just paused clients: what follows in it and names the
        // node's next lease must not be heard before this one's end.
        hooks::tell_leases_now(ctx);
        ctx.reply_number(u64::from(ended));
    }
}

// === impl Help ===

impl Command for Help {
    const SPEC: Spec = Spec {
        name: c"HELP",
        parent: Some(NAME),
        flags: c"fast",
        categories: c"fast",
        arity: 2,
        keys: Keys::None,
        summary: c"Returns the commands of leases.",
        complexity: c"O(1)",
        args: &[],
    };

    fn execute(args: Args<'_>, ctx: &Ctx) -> Result<(), CommandError> {
        args.finish()?;
        presence_help::lines(ctx, presence_help::LEASE);
        Ok(())
    }
}
