//! `PRESENCE.APPLY key 1 PUT seq record | CUT seq client [client ...] | SEQ seq | SEEN seq`
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
    Seen,
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

/// Whether changes are such as a master makes just now, whose events are to be remembered.
fn is_news(ctx: &Ctx) -> bool {
    !ctx.is_loading() && cell::with(|state| keyed::recent(state).is_on())
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
        } else if word.is_word(words::SEEN) {
            args.finish()?;
            What::Seen
        } else {
            return Err(CommandError::bad("unknown replicated change: upgrade this server"));
        };
        Ok(Self { key, seq, what })
    }

    fn run(&self, ctx: &Ctx) -> Result<(), CommandError> {
        cell::with(|state| state.sequences.saw(self.seq));
        match &self.what {
            What::Put(entry) => self.put(ctx, entry)?,
            What::Cut(clients) => self.cut(ctx, clients)?,
            What::Seq => self.reset(ctx),
            What::Seen => cell::with(|state| state.sequences.begin(None)),
        }
        ctx.replicate_verbatim();
        ctx.reply_simple(c"OK");
        Ok(())
    }

    fn put(&self, ctx: &Ctx, entry: &StoredEntry<'_>) -> Result<(), CommandError> {
        let (mut key, news) = self.open(ctx)?;
        let holder = cell::with(|state| live_holder(entry.holder, &mut state.leases));
        key.change_or_create(|roster, acting| {
            if news {
                follow::put(roster, entry, holder, self.seq, acting);
            } else {
                roster.put_stored(entry, holder, acting);
                roster.set_seq(self.seq);
            }
        });
        key.done(Some(Change::ADD));
        Ok(())
    }

    fn cut(&self, ctx: &Ctx, clients: &[&str]) -> Result<(), CommandError> {
        let (mut key, news) = self.open(ctx)?;
        let before = key.get().map(Roster::clients);
        key.change(|roster, acting| {
            if news {
                return follow::cut(roster, clients, self.seq, acting);
            }
            for client in clients {
                if let Some(slot) = roster.find(ClientId::new(client)) {
                    roster.remove(slot, acting);
                }
            }
            roster.set_seq(self.seq);
        });
        // It is not told why they went.
        let cut = key.get().map(Roster::clients) != before;
        key.done_maybe_empty(cut.then_some(Change::REM));
        Ok(())
    }

    /// The key, and whether its change is one whose events are to be remembered.
    fn open(&self, ctx: &Ctx) -> Result<(OpenKey<'a, Roster>, bool), CommandError> {
        let mut key = OpenKey::<Roster>::follow(ctx, self.key, self.seq)?;
        // A slot that migrates to this server comes as a file would be loaded, before it comes
        // change by change, and only a roster's first change looks alike in both.
        let news = is_news(ctx) && !(ctx.is_importing() && key.get().is_none());
        // Before a master changes a roster it tells of a reset.
        cell::with(|state| state.resets.remove(ctx.db(), self.key.bytes()));
        Ok((key, news))
    }

    /// The roster changed otherwise, or is gone, or something else is in its place.
    fn reset(&self, ctx: &Ctx) {
        let (db, seq) = (ctx.db(), self.seq);
        cell::with(|state| state.resets.remove(db, self.key.bytes()));
        if let Ok(mut key) = OpenKey::<Roster>::follow(ctx, self.key, seq) {
            key.change(|roster, _| roster.set_seq(seq));
        }
        if is_news(ctx) {
            let mut message = Vec::new();
            Event::Reset { seq, db }.push_json(&mut message);
            keyed::remember((db, self.key), seq, &message);
        }
    }
}
