//! `PRESENCE.REM key client [client ...]`
//!
//! Clients leave a roster. Reply: how many left. Replicated as the list of those that went.

use rollcall_wire::caps;

use crate::args::{Args, Names};
use crate::error::CommandError;
use crate::keyed::OpenKey;
use crate::native::context::Ctx;
use crate::native::followers;
use crate::native::notify::Change;
use crate::native::string::Str;
use crate::roster::change::{Removed, remove};
use crate::roster::{ClientId, Roster};
use crate::spec::{Access, Arg, Command, Keys, Spec};

/// The arguments.
#[derive(Debug)]
pub(crate) struct Rem<'a> {
    key: &'a Str,
    clients: Names<'a>,
}

impl Command for Rem<'_> {
    const SPEC: Spec = Spec {
        name: c"PRESENCE.REM",
        parent: None,
        flags: c"write fast",
        categories: c"write fast",
        arity: -3,
        keys: Keys::First(Access::Delete),
        summary: c"Removes clients from a roster.",
        complexity: c"O(N) where N is the number of clients named.",
        args: &[Arg::key(), Arg::text(c"client").multiple()],
    };

    fn execute(args: Args<'_>, ctx: &Ctx) -> Result<(), CommandError> {
        Rem::parse(args)?.run(ctx)
    }
}

// === impl Rem ===

impl<'a> Rem<'a> {
    pub(super) fn parse(mut args: Args<'a>) -> Result<Self, CommandError> {
        let key = args.key()?;
        let clients = args.names("clients")?;
        clients.check("client", caps::CLIENT)?;
        Ok(Self { key, clients })
    }

    fn run(&self, ctx: &Ctx) -> Result<(), CommandError> {
        let mut key = OpenKey::<Roster>::open(ctx, self.key)?;
        let alone = followers::nobody();
        let (mut gone, mut any, mut left, mut seq) = (Vec::new(), false, 0, 0);
        // One change per client: its event is published before the next is rendered.
        for client in self.clients.all() {
            let removed = key.change(|roster, acting| {
                let removed = remove(roster, ClientId::new(client.text()), acting);
                (removed, roster.seq())
            });
            let Some((removed, now)) = removed else { break };
            seq = now;
            if removed != Removed::Absent {
                any = true;
                if !alone {
                    gone.push(client);
                }
            }
            left += u64::from(removed == Removed::Left);
        }
        if any {
            if alone {
                ctx.replicate_verbatim();
            } else {
                ctx.replicate_cut(self.key, seq, gone.into_iter());
            }
            key.done_maybe_empty(Some(Change::REM));
        }
        ctx.reply_number(left);
        Ok(())
    }
}
