//! `USERSTATUS.HELP`: the commands of status books, one line each.

use std::ffi::CStr;

use super::presence_help::lines;
use crate::args::Args;
use crate::error::CommandError;
use crate::native::context::Ctx;
use crate::spec::{Command, Keys, Spec};

/// No arguments.
#[derive(Debug)]
pub(crate) struct Help;

const LINES: &[&CStr] = &[
    c"USERSTATUS.TOUCH key EX s user [user ...]",
    c"    Users were active just now. How many were named.",
    c"USERSTATUS.ONLINE key LEASE node EX s user [user ...]",
    c"    The node holds the users online. How many it did not hold before.",
    c"USERSTATUS.OFFLINE key LEASE node EX s user [user ...]",
    c"    The node lets go. How many it let go.",
    c"USERSTATUS.GET key user [user ...]",
    c"    Per user [active|nil, online|nil] in Unix seconds.",
    c"USERSTATUS.DEL key user [user ...]",
    c"    Forgets both times; live leases stay. How many had something to clear.",
];

impl Command for Help {
    const SPEC: Spec = Spec {
        name: c"USERSTATUS.HELP",
        parent: None,
        flags: c"fast",
        categories: c"fast",
        arity: 1,
        keys: Keys::None,
        summary: c"Returns the commands of status books.",
        complexity: c"O(1)",
        args: &[],
    };

    fn execute(args: Args<'_>, ctx: &Ctx) -> Result<(), CommandError> {
        args.finish()?;
        lines(ctx, LINES);
        Ok(())
    }
}
