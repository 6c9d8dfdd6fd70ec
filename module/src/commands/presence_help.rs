//! `PRESENCE.HELP`: the commands of rosters and leases, one line each.

use std::ffi::CStr;

use crate::args::Args;
use crate::error::CommandError;
use crate::native::context::Ctx;
use crate::spec::{Command, Keys, Spec};

/// No arguments.
#[derive(Debug)]
pub(crate) struct Help;

/// Those of leases.
pub(super) const LEASE: &[&CStr] = &[
    c"PRESENCE.LEASE KEEP node PX ms",
    c"    Renews a node's lease or begins one: [epoch, fresh, entries, users].",
    c"PRESENCE.LEASE DROP node",
    c"    Ends it; what it held leaves. 1, or 0 when there was none.",
    c"PRESENCE.LEASE LIST [cursor [COUNT n]]",
    c"    Per lease [node, px, left_ms, entries, users]; with a cursor [cursor, leases]. 0 starts and ends.",
];

const LINES: &[&CStr] = &[
    c"PRESENCE.ADD key client user [CONNINFO x] [CHANINFO x] EX s|PX ms|LEASE node [NOTIFY [BACK|ANEW]] [WITHSEQ]",
    c"    A client joins, or its infos and what it lives by change. 1 joined, 0 was there already.",
    c"PRESENCE.REM key client [client ...]",
    c"    Clients leave. How many left.",
    c"PRESENCE.GET key [JSON] [WITHSEQ]",
    c"    Everybody: [client, user, conn_info|nil, chan_info|nil] each, or one JSON object.",
    c"PRESENCE.SCAN key cursor [COUNT n] [USER u] [JSON] [WITHSEQ]",
    c"    A page: [cursor, members]. The cursor 0 starts and ends.",
    c"PRESENCE.STATS key [key ...]",
    c"    Per key [clients, users, seq].",
    c"PRESENCE.RECENT key seq [COUNT n]",
    c"    Events of late above a sequence, as they were published.",
    LEASE[0],
    LEASE[1],
    LEASE[2],
    LEASE[3],
    LEASE[4],
    LEASE[5],
    c"Events are published on the sharded channel named like the key: SSUBSCRIBE key.",
];

impl Command for Help {
    const SPEC: Spec = Spec {
        name: c"PRESENCE.HELP",
        parent: None,
        flags: c"fast",
        categories: c"fast",
        arity: 1,
        keys: Keys::None,
        summary: c"Returns the commands of rosters and leases.",
        complexity: c"O(1)",
        args: &[],
    };

    fn execute(args: Args<'_>, ctx: &Ctx) -> Result<(), CommandError> {
        args.finish()?;
        lines(ctx, LINES);
        Ok(())
    }
}

/// Replies lines of text.
pub(super) fn lines(ctx: &Ctx, lines: &[&CStr]) {
    ctx.reply_array(lines.len());
    for line in lines {
        ctx.reply_simple(line);
    }
}
