//! `PRESENCE.LEASE LIST [cursor [COUNT n]]`
//!
//! Living leases, each `[node, px, left_ms, entries, users]`: all of them by name, or with a cursor
//! `[cursor, page]`, oldest first. A lease that lives during the whole listing is in one page.

use rollcall_wire::caps;

use crate::args::{Args, once, unknown};
use crate::error::CommandError;
use crate::hash;
use crate::lease::{Lease, LeaseId};
use crate::native::context::Ctx;
use crate::native::{cell, clock};
use crate::spec::{Arg, Command, Keys, Spec};
use crate::state::State;

/// Leases of a page when `COUNT` is not given.
const COUNT: u64 = 100;

/// The arguments.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum List {
    All,
    Page { after: Cursor, count: usize },
}

/// The last lease of the page before, as one server process numbers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cursor {
    Start,
    Lease { process: u64, lease: LeaseId },
}

const PAGE: &[Arg] = &[Arg::text(c"cursor"), Arg::integer(c"count").after(c"COUNT").optional()];

impl Command for List {
    const SPEC: Spec = Spec {
        name: c"LIST",
        parent: Some(super::presence_lease::NAME),
        flags: c"readonly",
        categories: c"read",
        arity: -2,
        keys: Keys::None,
        summary: c"Returns leases with what they hold, all or a page.",
        complexity: c"O(N) where N is the number of leases returned, at most 10,000.",
        args: &[Arg::block(c"page", PAGE).optional()],
    };

    fn execute(args: Args<'_>, ctx: &Ctx) -> Result<(), CommandError> {
        List::parse(args)?.run(ctx)
    }
}

// === impl List ===

impl List {
    pub(super) fn parse(mut args: Args<'_>) -> Result<Self, CommandError> {
        let Some(cursor) = args.next() else { return Ok(Self::All) };
        let after = Cursor::parse(cursor.bytes())
            .ok_or_else(|| CommandError::bad("cursor must be 0 or what the last page returned"))?;
        let mut count = None;
        while let Some(word) = args.next() {
            if !word.is_word("COUNT") {
                return Err(unknown(word));
            }
            once(&mut count, args.number("COUNT", "", caps::PAGE as u64)?, word)?;
        }
        let count = usize::try_from(count.unwrap_or(COUNT)).unwrap_or(caps::PAGE);
        Ok(Self::Page { after, count })
    }

    fn run(&self, ctx: &Ctx) -> Result<(), CommandError> {
        cell::with(|state| {
            match *self {
                Self::All => all(state, ctx)?,
                Self::Page { after, count } => page(state, ctx, after.lease()?, count),
            }
            Ok(())
        })
    }
}

fn all(state: &State, ctx: &Ctx) -> Result<(), CommandError> {
    let there = state.leases.alive_count();
    if there > caps::PAGE {
        let most = caps::PAGE;
        return Err(CommandError::bad(format!(
            "LIST without a cursor returns at most {most} leases, and there are {there}: begin with cursor 0"
        )));
    }
    let list = state.leases.list(caps::PAGE, clock::monotonic_ms());
    ctx.reply_array(list.len());
    for lease in list {
        reply(state, ctx, lease);
    }
    Ok(())
}

fn page(state: &State, ctx: &Ctx, after: LeaseId, count: usize) {
    let mut left = state.leases.after(after, clock::monotonic_ms());
    let page: Vec<_> = left.by_ref().take(count).collect();
    let next = match (page.last(), left.next()) {
        (Some((lease, ..)), Some(_)) => Cursor::after(*lease),
        _ => Cursor::Start,
    };
    ctx.reply_array(2);
    ctx.reply_bytes(next.text().as_bytes());
    ctx.reply_array(page.len());
    for lease in page {
        reply(state, ctx, lease);
    }
}

fn reply(state: &State, ctx: &Ctx, (id, lease, left_ms): (LeaseId, &Lease, u64)) {
    let (entries, users) = state.held(id);
    ctx.reply_array(5);
    ctx.reply_bytes(lease.node().as_bytes());
    for number in [lease.px(), left_ms, entries, users] {
        ctx.reply_number(number);
    }
}

// === impl Cursor ===

impl Cursor {
    fn after(lease: LeaseId) -> Self {
        Self::Lease { process: process(), lease }
    }

    /// Reads what [`Self::text`] wrote.
    fn parse(text: &[u8]) -> Option<Self> {
        if text == b"0" {
            return Some(Self::Start);
        }
        let (process, lease) = std::str::from_utf8(text).ok()?.split_once('-')?;
        let number = |text| u64::from_str_radix(text, 16).ok();
        Some(Self::Lease { process: number(process)?, lease: LeaseId::from_number(number(lease)?) })
    }

    /// The cursor as clients see it.
    fn text(self) -> String {
        match self {
            Self::Start => String::from("0"),
            Self::Lease { process, lease } => format!("{process:x}-{:x}", lease.number()),
        }
    }

    /// The lease after which the page begins.
    fn lease(self) -> Result<LeaseId, CommandError> {
        match self {
            Self::Start => Ok(LeaseId::ENDED),
            Self::Lease { process: of, lease } if of == process() => Ok(lease),
            Self::Lease { .. } => Err(CommandError::BadCursor),
        }
    }
}

/// The hash has another key in each process.
fn process() -> u64 {
    hash::of(b"leases")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::native::string::Str;

    fn parsed(line: &str) -> Result<List, String> {
        let words: Vec<Str> = line.split_whitespace().map(Str::from).collect();
        List::parse(Args::new(&words)).map_err(|error| error.to_string())
    }

    #[test]
    fn without_a_cursor_all_are_meant_and_errors_name_the_argument() {
        let page = |after, count| Ok(List::Page { after, count });
        assert_eq!(parsed(""), Ok(List::All));
        assert_eq!(parsed("0"), page(Cursor::Start, 100));
        let after = Cursor::after(LeaseId::MAX);
        assert_eq!(parsed(&format!("{} count 7", after.text())), page(after, 7));
        assert_eq!(after.lease(), Ok(LeaseId::MAX));
        let other = Cursor::parse(b"1-1").expect("it is one");
        assert_eq!(other.lease(), Err(CommandError::BadCursor));
        for (line, error) in [
            ("COUNT 5", "ERR cursor must be 0 or what the last page returned"),
            ("0 COUNT 0", "ERR COUNT must be a positive integer"),
            ("0 COUNT 10001", "ERR COUNT must be at most 10000"),
            ("0 COUNT 1 COUNT 1", "ERR option 'COUNT' is given more than once"),
            ("0 USER ann", "ERR unknown option 'USER'"),
        ] {
            assert_eq!(parsed(line), Err(error.to_owned()), "{line}");
        }
    }
}
