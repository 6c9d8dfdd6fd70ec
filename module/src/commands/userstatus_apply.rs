//! `USERSTATUS.APPLY key 1 change [argument ...]`
//!
//! Internal: a book's change as a master replicates it; `rollcall_wire::replicated` lists the
//! changes. Applied as it says, without any clock.

use rollcall_wire::stored::StoredStatus;
use rollcall_wire::{caps, replicated as words};

use super::presence_apply::{internal_only, version};
use crate::args::Args;
use crate::book::{Book, Means};
use crate::error::CommandError;
use crate::keyed::OpenKey;
use crate::lease::LeaseId;
use crate::native::cell;
use crate::native::context::Ctx;
use crate::native::notify::Change;
use crate::native::string::Str;
use crate::roster::Ledger;
use crate::spec::{Access, Arg, Command, Keys, Spec};

/// The arguments.
#[derive(Debug)]
pub(crate) struct Apply<'a> {
    key: &'a Str,
    what: What<'a>,
    users: Vec<&'a str>,
}

#[derive(Debug)]
enum What<'a> {
    Touch { at: u32, ex: u32 },
    Online { node: &'a str, px: u64, ex: u32 },
    Offline { node: &'a str, at: u32, ex: u32 },
    Settle,
    Del,
    Gone,
    Put(StoredStatus<'a>),
}

const SUBJECTS: &[Arg] = &[Arg::text(c"record"), Arg::text(c"user").multiple()];

impl Command for Apply<'_> {
    const SPEC: Spec = Spec {
        name: c"USERSTATUS.APPLY",
        parent: None,
        flags: c"write",
        categories: c"write dangerous",
        arity: -5,
        keys: Keys::First(Access::Update),
        summary: c"Internal: applies a replicated change of a status book.",
        complexity: c"O(N) where N is the number of users concerned.",
        args: &[
            Arg::key(),
            Arg::integer(c"version"),
            Arg::text(c"change"),
            Arg::text(c"node").optional(),
            Arg::integer(c"px").optional(),
            Arg::integer(c"at").optional(),
            Arg::integer(c"ex").optional(),
            Arg::one_of(c"subject", SUBJECTS),
        ],
    };

    fn execute(args: Args<'_>, ctx: &Ctx) -> Result<(), CommandError> {
        internal_only(ctx)?;
        Apply::parse(args)?.run(ctx)
    }
}

// === impl Apply ===

impl<'a> Apply<'a> {
    pub(super) fn parse(mut args: Args<'a>) -> Result<Self, CommandError> {
        let key = args.key()?;
        version(&mut args)?;
        let what = What::parse(&mut args)?;
        let users = if matches!(what, What::Put(_)) {
            args.finish()?;
            Vec::new()
        } else {
            args.names("users")?.ids("user", caps::USER)?
        };
        Ok(Self { key, what, users })
    }

    fn run(&self, ctx: &Ctx) -> Result<(), CommandError> {
        let mut key = OpenKey::<Book>::open(ctx, self.key)?;
        let holders = self.what.leases();
        let changed = key.change_or_create(|book, acting| {
            let mut changed = false;
            if let What::Put(stored) = &self.what {
                book.put_stored(stored, &holders, &mut acting.means());
                changed = true;
            }
            for user in &self.users {
                changed |= self.what.apply(book, user, holders.first(), &mut acting.means());
            }
            changed
        });
        key.done_maybe_empty(changed.unwrap_or_default().then(|| self.what.change()));
        ctx.replicate_verbatim();
        ctx.reply_simple(c"OK");
        Ok(())
    }
}

// === impl What ===

impl<'a> What<'a> {
    fn parse(args: &mut Args<'a>) -> Result<Self, CommandError> {
        let word = args.required()?;
        if word.is_word(words::TOUCH) {
            return Ok(Self::Touch { at: second(args, "at")?, ex: second(args, "ex")? });
        }
        if word.is_word(words::ONLINE) {
            let node = args.id("node", caps::NODE)?;
            let px = args.number("px", "", caps::LEASE_MS)?;
            return Ok(Self::Online { node, px, ex: second(args, "ex")? });
        }
        if word.is_word(words::OFFLINE) {
            let node = args.id("node", caps::NODE)?;
            return Ok(Self::Offline { node, at: second(args, "at")?, ex: second(args, "ex")? });
        }
        if word.is_word(words::PUT) {
            return StoredStatus::parse(args.required()?.bytes())
                .map(Self::Put)
                .ok_or_else(|| CommandError::bad("the record is not one of a status"));
        }
        let bare =
            [(words::SETTLE, Self::Settle), (words::DEL, Self::Del), (words::GONE, Self::Gone)];
        bare.into_iter()
            .find_map(|(name, what)| word.is_word(name).then_some(what))
            .ok_or_else(|| CommandError::bad("unknown replicated change: upgrade this server"))
    }

    /// Does it to a user; whether that changed something.
    fn apply(
        &self,
        book: &mut Book,
        user: &str,
        holder: Option<&LeaseId>,
        means: &mut Means<'_, impl Ledger>,
    ) -> bool {
        match (self, holder) {
            (Self::Touch { at, ex }, _) => book.touch(user, *at, *ex, means),
            (Self::Online { ex, .. }, Some(lease)) => return book.online(user, *lease, *ex, means),
            (Self::Offline { at, ex, .. }, Some(lease)) => {
                return book.offline(user, *lease, (*at, *ex), means);
            }
            (Self::Settle, _) => book.settle_user(user, means),
            (Self::Del, _) => return book.clear(user, means),
            (Self::Gone, _) => book.expire(user),
            _ => return false,
        }
        true
    }

    /// What keyspace listeners are told of it.
    fn change(&self) -> Change {
        match self {
            Self::Touch { .. } => Change::TOUCH,
            Self::Online { .. } => Change::ONLINE,
            Self::Offline { .. } => Change::OFFLINE,
            Self::Del => Change::DEL,
            Self::Gone => Change::STATUS_EXPIRED,
            // A whole record tells that leases of its user have ended.
            Self::Settle | Self::Put(_) => Change::STATUS_LEASE,
        }
    }

    /// The leases it names; those not known here are created, except to let go.
    fn leases(&self) -> Vec<LeaseId> {
        cell::with(|state| match self {
            Self::Online { node, px, .. } => vec![state.leases.ensure(node, *px)],
            Self::Offline { node, .. } => state.leases.of_node(node).into_iter().collect(),
            Self::Put(stored) => {
                let names = stored.holders.iter();
                names.map(|lease| state.leases.ensure(lease.node, lease.px)).collect()
            }
            _ => Vec::new(),
        })
    }
}

fn second(args: &mut Args<'_>, name: &str) -> Result<u32, CommandError> {
    let seconds = args.number(name, "", u64::from(u32::MAX))?;
    Ok(u32::try_from(seconds).unwrap_or(u32::MAX))
}
