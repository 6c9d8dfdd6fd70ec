//! Telling listeners and replicas that rosters changed otherwise than by joins and leaves.

use std::time::Instant;

use rollcall_wire::Event;

use super::context::{Ctx, OwnStr};
use super::string::Str;
use super::{cell, clock, followers};
use crate::keyed;

/// The sequence of a roster that came under a name, in a dump perhaps that says another one. What
/// the name had before is older, and what the dump says is not of this server.
pub(super) fn begin(ctx: &Ctx, (db, name): (u32, &[u8]), restored: Option<u64>) -> u64 {
    let (acting, loading) = (ctx.is_acting_master(), ctx.is_loading());
    cell::with(|state| {
        // Whoever follows hears what its master made of it.
        if let Some(seq) = restored.filter(|_| acting) {
            state.sequences.saw_foreign(seq, clock::wall_us());
        }
        if loading { state.sequences.take() } else { state.note_reset(db, name, !acting) }
    })
}

/// Publishes that rosters changed otherwise than by joins and leaves, for at most a slice;
/// whether some are left.
pub(super) fn flush(ctx: &Ctx, until: Instant) -> bool {
    while let Some(((db, name), seq)) = cell::with(|state| state.resets.pop()) {
        ctx.select(db);
        reset(ctx, (db, OwnStr::new(&name).as_str()), seq);
        if Instant::now() >= until {
            return cell::with(|state| !state.resets.is_empty());
        }
    }
    false
}

/// The same for one key, before a command changes it.
pub(crate) fn flush_of(ctx: &Ctx, db: u32, name: &Str) {
    let waits = cell::with(|state| state.resets.of(db, name.bytes()));
    if let Some(seq) = waits.filter(|_| ctx.is_acting_master()) {
        cell::with(|state| state.resets.remove(db, name.bytes()));
        reset(ctx, (db, name), seq);
    }
}

fn reset(ctx: &Ctx, (db, name): (u32, &Str), seq: u64) {
    cell::with(|state| {
        state.counters.resets += 1;
        state.counters.events += 1;
    });
    if !followers::nobody() {
        ctx.replicate_seq(name, seq);
    }
    let mut message = Vec::new();
    Event::Reset { seq, db }.push_json(&mut message);
    ctx.publish(name, &message);
    keyed::remember((db, name), seq, &message);
}
