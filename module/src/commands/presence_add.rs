//! `PRESENCE.ADD key client user [CONNINFO x] [CHANINFO x] EX s | PX ms | LEASE node [NOTIFY [BACK | ANEW]] [WITHSEQ]`
//!
//! A client joins, or its infos and holder change. Reply: 1 joined, 0 was there already.
//! Replicated as the whole entry with absolute times.

use rollcall_wire::{Info, caps};

use super::presence_get::read_seq;
use crate::args::{Args, once, repeated, unknown};
use crate::error::CommandError;
use crate::keyed::OpenKey;
use crate::native::cell;
use crate::native::clock;
use crate::native::context::{Ctx, OwnStr};
use crate::native::followers;
use crate::native::notify::Change;
use crate::native::string::{Str, is_word};
use crate::roster::change::{self, Stay};
use crate::roster::{ClientId, Holder, Parts, Roster};
use crate::spec::{Access, Arg, Command, Keys, Spec};

/// Room for the usual entry is kept from one command to the next.
const RECORD: usize = 4096;

/// The arguments.
#[derive(Debug)]
pub(crate) struct Add<'a> {
    key: &'a Str,
    client: &'a str,
    user: &'a str,
    conn_info: &'a [u8],
    chan_info: &'a [u8],
    holder: Until<'a>,
    notify: bool,
    stay: Stay,
    with_seq: bool,
}

/// The holder as it is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Until<'a> {
    /// Milliseconds from now.
    Ms(u64),
    Lease(&'a str),
}

const HOLDERS: &[Arg] = &[
    Arg::integer(c"seconds").after(c"EX"),
    Arg::integer(c"milliseconds").after(c"PX"),
    Arg::text(c"node").after(c"LEASE"),
];

const STAYS: &[Arg] = &[Arg::word(c"back", c"BACK"), Arg::word(c"anew", c"ANEW")];

const NOTIFY: &[Arg] = &[Arg::word(c"notify", c"NOTIFY"), Arg::one_of(c"stay", STAYS).optional()];

impl Command for Add<'_> {
    const SPEC: Spec = Spec {
        name: c"PRESENCE.ADD",
        parent: None,
        flags: c"write deny-oom fast",
        categories: c"write fast",
        arity: -6,
        keys: Keys::First(Access::Insert),
        summary: c"Adds a client to a roster, or changes its infos and what it lives by.",
        complexity: c"O(1)",
        args: &[
            Arg::key(),
            Arg::text(c"client"),
            Arg::text(c"user"),
            Arg::text(c"conn-info").after(c"CONNINFO").optional(),
            Arg::text(c"chan-info").after(c"CHANINFO").optional(),
            Arg::one_of(c"holder", HOLDERS),
            Arg::block(c"announce", NOTIFY).optional(),
            Arg::word(c"withseq", c"WITHSEQ").optional(),
        ],
    };

    fn execute(args: Args<'_>, ctx: &Ctx) -> Result<(), CommandError> {
        Add::parse(args)?.run(ctx)
    }
}

// === impl Add ===

impl<'a> Add<'a> {
    pub(super) fn parse(mut args: Args<'a>) -> Result<Self, CommandError> {
        let key = args.key()?;
        let client = args.id("client", caps::CLIENT)?;
        let user = args.user_or_empty()?;
        let (mut conn_info, mut chan_info, mut holder) = (None, None, None);
        let (mut notify, mut back, mut anew, mut with_seq) = (None, None, None, None);
        while let Some(word) = args.next() {
            let name = word.bytes();
            if is_word(name, "CONNINFO") {
                once(&mut conn_info, args.info("CONNINFO")?, word)?;
            } else if is_word(name, "CHANINFO") {
                once(&mut chan_info, args.info("CHANINFO")?, word)?;
            } else if let Some(until) = Until::parse(name, &mut args)? {
                if let Some((_, first)) = holder.replace((until, name)) {
                    let same = first.eq_ignore_ascii_case(name);
                    return Err(if same { repeated(word) } else { one_holder() });
                }
            } else if is_word(name, "NOTIFY") {
                once(&mut notify, (), word)?;
            } else if is_word(name, "BACK") {
                once(&mut back, (), word)?;
            } else if is_word(name, "ANEW") {
                once(&mut anew, (), word)?;
            } else if is_word(name, "WITHSEQ") {
                once(&mut with_seq, (), word)?;
            } else {
                return Err(unknown(word));
            }
        }
        let stay = match (notify, back, anew) {
            (_, None, None) => Stay::Any,
            (None, Some(()), _) => return Err(CommandError::bad("BACK needs NOTIFY")),
            (None, None, Some(())) => return Err(CommandError::bad("ANEW needs NOTIFY")),
            (Some(()), Some(()), None) => Stay::Back,
            (Some(()), None, Some(())) => Stay::Anew,
            (Some(()), Some(()), Some(())) => {
                return Err(CommandError::bad("who is put back does not come anew: BACK or ANEW"));
            }
        };
        Ok(Self {
            key,
            client,
            user,
            conn_info: conn_info.unwrap_or_default(),
            chan_info: chan_info.unwrap_or_default(),
            holder: holder.ok_or_else(one_holder)?.0,
            notify: notify.is_some(),
            stay,
            with_seq: with_seq.is_some(),
        })
    }

    fn run(&self, ctx: &Ctx) -> Result<(), CommandError> {
        let mut key = OpenKey::<Roster>::open(ctx, self.key)?;
        let add = change::Add {
            parts: Parts {
                client: ClientId::new(self.client),
                user: self.user,
                conn_info: Info::classify(self.conn_info),
                chan_info: Info::classify(self.chan_info),
                announced: self.notify,
            },
            holder: self.holder.resolve()?,
            stay: self.stay,
        };
        let done = key.change_or_create(|roster, acting| {
            let added = change::add(roster, &add, acting);
            (added, roster.read_at())
        });
        let (added, seq) = done.ok_or_else(|| CommandError::bad("the key could not be created"))?;
        if added.changed && followers::nobody() {
            ctx.replicate_verbatim();
        } else if added.changed {
            if let Some(seq) = added.ended {
                let client = OwnStr::new(self.client.as_bytes());
                ctx.replicate_cut(self.key, seq, std::iter::once(client.as_str()));
            }
            replicate(ctx, self.key, &mut key, added.slot);
        }
        key.done(added.changed.then_some(Change::ADD));
        if self.with_seq {
            ctx.reply_array(2);
            ctx.reply_number(read_seq(ctx, Some(seq)));
        }
        ctx.reply_number(u64::from(added.joined));
        Ok(())
    }
}

/// Tells replicas of an entry as it is now.
fn replicate(ctx: &Ctx, name: &Str, key: &mut OpenKey<'_, Roster>, slot: u32) {
    let Some(roster) = key.get() else { return };
    let mut record = cell::with(|state| std::mem::take(&mut state.record));
    cell::with(|state| roster.push_stored(slot, &state.leases, &mut record));
    ctx.replicate_put(name, roster.seq(), &record);
    record.clear();
    record.shrink_to(RECORD);
    cell::with(|state| state.record = record);
}

fn one_holder() -> CommandError {
    CommandError::bad("exactly one of EX seconds, PX milliseconds and LEASE node is needed")
}

// === impl Until ===

impl<'a> Until<'a> {
    fn parse(name: &[u8], args: &mut Args<'a>) -> Result<Option<Self>, CommandError> {
        if is_word(name, "EX") {
            let seconds = args.number("EX", " of seconds", caps::SECONDS)?;
            return Ok(Some(Self::Ms(seconds * 1000)));
        }
        if is_word(name, "PX") {
            let ms = args.number("PX", " of milliseconds", caps::SECONDS * 1000)?;
            return Ok(Some(Self::Ms(ms)));
        }
        if is_word(name, "LEASE") {
            if args.is_empty() {
                return Err(CommandError::bad("LEASE needs a value"));
            }
            return Ok(Some(Self::Lease(args.id("node", caps::NODE)?)));
        }
        Ok(None)
    }

    fn resolve(self) -> Result<Holder, CommandError> {
        match self {
            Self::Ms(ms) => Ok(Holder::deadline(clock::wall_ms() + ms)),
            Self::Lease(node) => cell::with(|state| state.leases.of_node(node))
                .map(Holder::Lease)
                .ok_or_else(|| CommandError::NoLease(node.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> String {
        let words: Vec<Str> = line.split(' ').map(Str::from).collect();
        match Add::parse(Args::new(&words)) {
            Ok(add) => format!("{:?} notify={} {:?}", add.holder, add.notify, add.stay),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn options_come_in_any_order_and_errors_name_them() {
        let check = |line: &str, expected: &str| assert_eq!(parsed(line), expected, "{line}");
        check("k c u ex 5 notify back", "Ms(5000) notify=true Back");
        check("k c u NOTIFY conninfo x LEASE n", "Lease(\"n\") notify=true Any");
        check("k c  PX 1", "Ms(1) notify=false Any");
        check("k c u EX 0", "ERR EX must be a positive integer of seconds");
        check("k c u PX -1", "ERR PX must be a positive integer of milliseconds");
        check("k c u EX", "ERR EX needs a value");
        check("k c u EX 5 BACK", "ERR BACK needs NOTIFY");
        check("k c u EX 5 ANEW", "ERR ANEW needs NOTIFY");
        check(
            "k c u EX 5 NOTIFY ANEW BACK",
            "ERR who is put back does not come anew: BACK or ANEW",
        );
        check("k c u EX 5 FOO", "ERR unknown option 'FOO'");
        check("k c u EX 5 WITHSEQ withseq", "ERR option 'withseq' is given more than once");
        check("k c u EX 60 EX 60", "ERR option 'EX' is given more than once");
        check("k c u LEASE n NOTIFY LEASE n", "ERR option 'LEASE' is given more than once");
        check("k  u EX 5", "ERR client must not be empty");
        let needed = "ERR exactly one of EX seconds, PX milliseconds and LEASE node is needed";
        check("k c u NOTIFY", needed);
        check("k c u EX 5 LEASE n", needed);
        check("k c u EX 5 PX 5000", needed);
    }
}
