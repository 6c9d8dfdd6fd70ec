//! `PRESENCE.SCAN key cursor [COUNT n] [USER u] [JSON] [WITHSEQ]`
//!
//! A page of a roster. Reply: `[cursor, page]`; the cursor `0` starts and ends. Whoever is present
//! during the whole scan is returned exactly once, on one server process and for one life of the
//! key. `USER` follows the user's own clients.

use rollcall_wire::caps;

use super::presence_get::seq_of;
use super::reply::{JsonObject, member};
use crate::args::{Args, once, unknown};
use crate::error::CommandError;
use crate::native::context::Ctx;
use crate::native::key::Key;
use crate::native::string::Str;
use crate::roster::scan::{BadCursor, Cursor};
use crate::roster::{Parts, Roster};
use crate::spec::{Access, Arg, Command, Keys, Spec};

/// Slots looked at when `COUNT` is not given.
const COUNT: u64 = 100;

/// The arguments.
#[derive(Debug)]
pub(crate) struct Scan<'a> {
    key: &'a Str,
    cursor: Cursor,
    count: u32,
    user: Option<&'a str>,
    json: bool,
    with_seq: bool,
}

impl Command for Scan<'_> {
    const SPEC: Spec = Spec {
        name: c"PRESENCE.SCAN",
        parent: None,
        flags: c"readonly",
        categories: c"read",
        arity: -3,
        keys: Keys::First(Access::Read),
        summary: c"Returns a page of a roster, or of one user's clients in it.",
        complexity: c"O(COUNT)",
        args: &[
            Arg::key(),
            Arg::text(c"cursor"),
            Arg::integer(c"count").after(c"COUNT").optional(),
            Arg::text(c"user").after(c"USER").optional(),
            Arg::word(c"json", c"JSON").optional(),
            Arg::word(c"withseq", c"WITHSEQ").optional(),
        ],
    };

    fn execute(args: Args<'_>, ctx: &Ctx) -> Result<(), CommandError> {
        Scan::parse(args)?.run(ctx)
    }
}

// === impl Scan ===

impl<'a> Scan<'a> {
    pub(super) fn parse(mut args: Args<'a>) -> Result<Self, CommandError> {
        let key = args.key()?;
        let cursor = Cursor::parse(args.required()?.bytes())
            .ok_or_else(|| CommandError::bad("cursor must be 0 or what the last page returned"))?;
        let (mut count, mut user, mut json, mut with_seq) = (None, None, None, None);
        while let Some(word) = args.next() {
            if word.is_word("COUNT") {
                once(&mut count, args.number("COUNT", "", caps::PAGE as u64)?, word)?;
            } else if word.is_word("USER") {
                if args.is_empty() {
                    return Err(CommandError::bad("USER needs a value"));
                }
                once(&mut user, args.user_or_empty()?, word)?;
            } else if word.is_word("JSON") {
                once(&mut json, (), word)?;
            } else if word.is_word("WITHSEQ") {
                once(&mut with_seq, (), word)?;
            } else {
                return Err(unknown(word));
            }
        }
        let count = u32::try_from(count.unwrap_or(COUNT)).unwrap_or(u32::MAX);
        let (json, with_seq) = (json.is_some(), with_seq.is_some());
        Ok(Self { key, cursor, count, user, json, with_seq })
    }

    fn run(&self, ctx: &Ctx) -> Result<(), CommandError> {
        let mut key = Key::open_read(ctx, self.key);
        let roster = key.value::<Roster>()?.map(|value| &value.it);
        let mut page = Vec::new();
        let next = match roster {
            Some(roster) => {
                self.page(roster, &mut page).map_err(|BadCursor| CommandError::BadCursor)?
            }
            None if self.cursor == Cursor::Start => Cursor::Start,
            None => return Err(CommandError::BadCursor),
        };
        if self.with_seq {
            ctx.reply_array(2);
            ctx.reply_number(seq_of(ctx, roster));
        }
        ctx.reply_array(2);
        ctx.reply_bytes(next.text().as_bytes());
        if self.json {
            let bytes = page.iter().map(Parts::bytes).sum();
            let mut object = JsonObject::new(page.len(), bytes);
            for parts in &page {
                object.push(parts);
            }
            object.reply(ctx);
            return Ok(());
        }
        ctx.reply_array(page.len());
        for parts in &page {
            member(ctx, parts);
        }
        Ok(())
    }

    fn page<'r>(&self, roster: &'r Roster, page: &mut Vec<Parts<'r>>) -> Result<Cursor, BadCursor> {
        let each = |parts| page.push(parts);
        match self.user {
            None => roster.scan(self.cursor, self.count, each),
            Some(user) => roster.scan_user(user, self.cursor, self.count, each),
        }
    }
}
