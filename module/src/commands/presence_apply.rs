//! `PRESENCE.APPLY key 1 PUT seq record | CUT seq client [client ...] | SEQ seq`
//!
//! Internal: a roster's change as a master replicates it. Applied as it says, without any clock.

use rollcall_wire::stored::StoredEntry;
use rollcall_wire::{Event, caps, replicated as words};

use crate::args::{Args, decimal};
use crate::error::CommandError;
use crate::keyed::{self, OpenKey};
use crate::native::cell;
use crate::native::context::Ctx;
use crate::native::notify::Change;
use crate::native::string::Str;
use crate::roster::store::live_holder;
use crate::roster::{ClientId, Roster, follow};
use crate::spec::{Access, Arg, Command, Keys, Spec};

/// The arguments.
#[derive(Debug)]
pub(crate) struct Apply<'a> {
    key: &'a Str,
    seq: u64,
    what: What<'a>,
}

#[derive(Debug)]
enum What<'a> {
    Put(StoredEntry<'a>),
    Cut(Vec<&'a str>),
    Seq,
}

const SUBJECTS: &[Arg] = &[Arg::text(c"record"), Arg::text(c"client").multiple()];

impl Command for Apply<'_> {
    const SPEC: Spec = Spec {
        name: c"PRESENCE.APPLY",
        parent: None,
        flags: c"write",
        categories: c"write dangerous",
        arity: -5,
        keys: Keys::First(Access::Insert),
        summary: c"Internal: applies a replicated change of a roster.",
        complexity: c"O(N) where N is the number of clients concerned.",
        args: &[
            Arg::key(),
            Arg::integer(c"version"),
            Arg::text(c"change"),
            Arg::integer(c"seq"),
            Arg::one_of(c"subject", SUBJECTS).optional(),
        ],
    };

    fn execute(args: Args<'_>, ctx: &Ctx) -> Result<(), CommandError> {
        internal_only(ctx)?;
        Apply::parse(args)?.run(ctx)
    }
}

/// Internal commands come from the master, from the AOF, or not at all.
pub(super) fn internal_only(ctx: &Ctx) -> Result<(), CommandError> {
    if ctx.is_internal() {
        return Ok(());
    }
    Err(CommandError::bad("internal command: only the master and the AOF may send it"))
}

/// The version word, which must be one this module knows.
pub(super) fn version(args: &mut Args<'_>) -> Result<(), CommandError> {
    if args.required()?.is_word(words::VERSION) {
        return Ok(());
    }
    Err(CommandError::bad("unknown version of a replicated change: upgrade this server"))
}

/// Whether the change is one that a master makes just now, whose events are to be remembered.
fn is_news(ctx: &Ctx, key: &mut OpenKey<'_, Roster>) -> bool {
    // A slot that migrates to this server comes as a file would be loaded, before it comes change
    // by change, and only a roster's first change looks alike in both.
    let loads = ctx.is_loading() || (ctx.is_importing() && key.get().is_none());
    !loads && cell::with(|state| keyed::recent(state).is_on())
}

// === impl Apply ===

impl<'a> Apply<'a> {
    pub(super) fn parse(mut args: Args<'a>) -> Result<Self, CommandError> {
        let key = args.key()?;
        version(&mut args)?;
        let word = args.required()?;
        // More than 63 bits could not be told on.
        let seq = decimal(args.required()?.bytes())
            .filter(|seq| i64::try_from(*seq).is_ok())
            .ok_or_else(|| CommandError::bad("seq must be an integer"))?;
        let what = if word.is_word(words::PUT) {
            let record = StoredEntry::parse(args.required()?.bytes())
                .ok_or_else(|| CommandError::bad("the record is not one of an entry"))?;
            args.finish()?;
            What::Put(record)
        } else if word.is_word(words::CUT) {
            What::Cut(args.names("clients")?.ids("client", caps::CLIENT)?)
        } else if word.is_word(words::SEQ) {
            args.finish()?;
            What::Seq
        } else {
            return Err(CommandError::bad("unknown replicated change: upgrade this server"));
        };
        Ok(Self { key, seq, what })
    }

    fn run(&self, ctx: &Ctx) -> Result<(), CommandError> {
        let seq = self.seq;
        let mut key = OpenKey::<Roster>::follow(ctx, self.key, seq)?;
        let news = is_news(ctx, &mut key);
        cell::with(|state| state.saw_seq(seq));
        match &self.what {
            What::Put(entry) => {
                let holder = cell::with(|state| live_holder(entry.holder, &mut state.leases));
                key.change_or_create(|roster, acting| {
                    if news {
                        follow::put(roster, entry, holder, seq, acting);
                    } else {
                        roster.put_stored(entry, holder, acting);
                        roster.seq = seq;
                    }
                });
                key.done(Some(Change::ADD));
            }
            What::Cut(clients) => {
                let before = key.get().map(Roster::clients);
                key.change(|roster, acting| {
                    if news {
                        return follow::cut(roster, clients, seq, acting);
                    }
                    for client in clients {
                        if let Some(slot) = roster.find(ClientId::new(client)) {
                            roster.remove(slot, acting);
                        }
                    }
                    roster.seq = seq;
                });
                // It is not told why they went.
                let cut = key.get().map(Roster::clients) != before;
                key.done_maybe_empty(cut.then_some(Change::REM));
            }
            What::Seq => {
                key.change(|roster, _| roster.seq = seq);
                if news {
                    let mut message = Vec::new();
                    Event::Reset { seq, db: ctx.db() }.push_json(&mut message);
                    keyed::remember((ctx.db(), self.key), seq, &message);
                }
            }
        }
        ctx.replicate_verbatim();
        ctx.reply_simple(c"OK");
        Ok(())
    }
}
