//! Ends: leases whose time is up, entries whose lease ended or whose deadline passed. In slices,
//! so that nothing waits longer than a millisecond for it.

use std::time::{Duration, Instant};

use rollcall_wire::Why;

use crate::lease::LeaseId;
use crate::native::context::{Ctx, OwnStr};
use crate::native::{cell, clock};
use crate::registry::{KeyId, Kind, TICK_MS};
use crate::roster::{Holder, change};
use crate::roster_key::RosterKey;

/// A slice stops here, so that it ends within a millisecond.
const SLICE: Duration = Duration::from_micros(700);

/// Time is looked at, and replicas are told, once per so many entries.
const BATCH: usize = 32;

/// Something to do in one key.
#[derive(Debug, Clone, Copy)]
enum Task {
    /// Everything an ended lease holds there.
    Lease(LeaseId),
    /// Everything whose deadline passed.
    Deadlines,
}

/// Ends the leases whose time is up. Replicas are told by the caller.
pub(crate) fn end_leases() {
    cell::with(|state| {
        for node in state.leases.overdue() {
            state.end_lease(&node, clock::wall_s());
        }
    });
}

/// One slice of whatever is due; whether there is more.
pub(crate) fn slice(ctx: &Ctx) -> bool {
    let start = Instant::now();
    let mut worked = false;
    let more = loop {
        let Some((db, id, task)) = next_task() else { break false };
        worked = true;
        if !visit(ctx, db, id, task, start) || start.elapsed() >= SLICE {
            break true;
        }
    };
    if worked {
        let us = u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX);
        cell::with(|state| {
            state.counters.slices += 1;
            state.counters.slice_max_us = state.counters.slice_max_us.max(us);
        });
    }
    more
}

/// The next key to visit, ended leases first.
fn next_task() -> Option<(u32, KeyId, Task)> {
    let tick = clock::wall_ms() / TICK_MS;
    cell::with(|state| {
        for lease in state.leases.ended() {
            if !state.spaces().iter().any(|space| space.holds.contains_key(&lease)) {
                state.leases.forget(lease);
            }
        }
        let unswept = state.unswept();
        for (db, space) in (0..).zip(state.spaces()) {
            for lease in &unswept {
                let key = space.holds.get(lease).and_then(|hold| hold.keys.first());
                if let Some(key) = key {
                    return Some((db, *key, Task::Lease(*lease)));
                }
            }
        }
        let due = |space: &crate::registry::Space| space.next_due().is_some_and(|at| at <= tick);
        let db = u32::try_from(state.spaces().iter().position(due)?).ok()?;
        let key = state.space(db).pop_due(tick)?;
        Some((db, key, Task::Deadlines))
    })
}

/// Works on one key until it is done or the slice is over; whether it is done.
fn visit(ctx: &Ctx, db: u32, id: KeyId, task: Task, start: Instant) -> bool {
    let named =
        cell::with(|state| state.space(db).name(id).map(|(name, kind)| (OwnStr::new(name), kind)));
    let Some((name, kind)) = named else {
        forget(db, id, task);
        return true;
    };
    ctx.select(db);
    match kind {
        Kind::Roster => visit_roster(ctx, db, id, task, &name, start),
        Kind::Book => true,
    }
}

/// A hint led nowhere: it must not be followed for ever.
fn forget(db: u32, id: KeyId, task: Task) {
    if let Task::Lease(lease) = task {
        cell::with(|state| state.space(db).drop_hint(lease, id));
    }
}

fn visit_roster(ctx: &Ctx, db: u32, id: KeyId, task: Task, name: &OwnStr, start: Instant) -> bool {
    let opened = RosterKey::open_quietly(ctx, name.as_str());
    let Ok(mut key) = opened else {
        forget(db, id, task);
        return true;
    };
    if key.roster().is_none_or(|value| value.id != id) {
        forget(db, id, task);
        return true;
    }
    let done = loop {
        match end_some(ctx, &mut key, task, name) {
            0 => break true,
            _ if start.elapsed() >= SLICE => break false,
            _ => {}
        }
    };
    if !done && matches!(task, Task::Deadlines) {
        cell::with(|state| state.space(db).queue(id, Some(0)));
    }
    key.delete_if_empty();
    done
}

/// Ends up to a batch of entries, and tells replicas; how many.
fn end_some(ctx: &Ctx, key: &mut RosterKey<'_>, task: Task, name: &OwnStr) -> usize {
    let mut gone = Vec::new();
    let now = key.now_us / 1000 / TICK_MS;
    let seq = key.change(|roster, acting| {
        while gone.len() < BATCH {
            let (holder, why) = match task {
                Task::Lease(lease) => (Holder::Lease(lease), Why::Lease),
                Task::Deadlines => match roster.first_deadline().filter(|tick| *tick <= now) {
                    Some(tick) => (Holder::Deadline(tick), Why::Expired),
                    None => break,
                },
            };
            let Some(slot) = roster.held_by(holder) else { break };
            if let Some(parts) = roster.parts(slot) {
                gone.push(String::from(parts.client.text(&mut [0; 36])));
            }
            change::end(roster, slot, why, acting);
        }
        roster.seq
    });
    if let (Some(seq), false) = (seq, gone.is_empty()) {
        let clients: Vec<&str> = gone.iter().map(String::as_str).collect();
        ctx.replicate_cut(name.as_str(), seq, &clients);
    }
    gone.len()
}
