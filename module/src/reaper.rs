//! Ends: leases whose time is up, entries whose lease ended or whose deadline passed. In slices,
//! so that nothing waits longer than a millisecond for it.

use std::time::{Duration, Instant};

use rollcall_wire::{Why, replicated as words};

use crate::book::Book;
use crate::keyed::{OpenKey, Subject};
use crate::lease::LeaseId;
use crate::native::context::{Ctx, OwnStr};
use crate::native::notify::Change;
use crate::native::string::Str;
use crate::native::{cell, clock, hooks, log, server};
use crate::registry::{KeyId, Kind, TICK_MS};
use crate::roster::{Holder, Roster, change};

/// A slice stops here, so that it ends within a millisecond.
pub(crate) const SLICE: Duration = Duration::from_micros(300);

/// Time is looked at, and replicas are told, once per so many entries.
const BATCH: usize = 16;

/// Something to do in one key.
#[derive(Debug, Clone, Copy)]
enum Task {
    /// Everything an ended lease holds there.
    Lease(LeaseId),
    /// Everything whose deadline passed.
    Deadlines,
}

/// One visit of a key.
#[derive(Debug, Clone, Copy)]
struct Visit {
    db: u32,
    id: KeyId,
    task: Task,
    start: Instant,
}

/// Ends leases whose time is up, for at most a slice, and tells replicas; whether some are left.
pub(crate) fn end_leases(ctx: &Ctx) -> bool {
    let start = Instant::now();
    loop {
        let more = cell::with(|state| {
            let (lapsed, more) = state.end_overdue(BATCH, clock::wall_s());
            state.lapses.add(lapsed);
            more
        });
        hooks::tell_leases(ctx);
        if !more || start.elapsed() >= SLICE {
            return more;
        }
    }
}

/// Writes of leases that ended into the log.
pub(crate) fn log_lapses(ctx: &Ctx, now_ms: u64) {
    for line in cell::with(|state| state.lapses.due(now_ms)) {
        log::warning(ctx, &line);
    }
}

/// One slice of whatever is due; whether there is more.
pub(crate) fn slice(ctx: &Ctx) -> bool {
    let (start, start_cpu) = (Instant::now(), clock::thread_us());
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
        let cpu = clock::thread_us() - start_cpu;
        cell::with(|state| {
            let counters = &mut state.counters;
            counters.slices += 1;
            counters.slice_max_us = counters.slice_max_us.max(us);
            counters.slice_max_cpu_us = counters.slice_max_cpu_us.max(cpu);
        });
    }
    more
}

/// The next key to visit, ended leases first.
fn next_task() -> Option<(u32, KeyId, Task)> {
    let tick = clock::wall_ms() / TICK_MS;
    cell::with(|state| {
        if let Some((db, key, lease)) = state.next_unswept() {
            return Some((db, key, Task::Lease(lease)));
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
    let at = Visit { db, id, task, start };
    match kind {
        Kind::Roster => at.run(ctx, name.as_str(), end_entries),
        Kind::Book => at.run(ctx, name.as_str(), end_statuses),
    }
}

/// A hint led nowhere: it must not be followed for ever.
fn forget(db: u32, id: KeyId, task: Task) {
    if let Task::Lease(lease) = task {
        cell::with(|state| state.space(db).drop_hint(lease, id));
    }
}

// === impl Task ===

impl Task {
    /// What it does to a key.
    fn change(self, kind: Kind) -> Change {
        match (self, kind) {
            (Self::Lease(_), Kind::Roster) => Change::LEASE,
            (Self::Lease(_), Kind::Book) => Change::STATUS_LEASE,
            (Self::Deadlines, Kind::Roster) => Change::EXPIRED,
            (Self::Deadlines, Kind::Book) => Change::STATUS_EXPIRED,
        }
    }
}

// === impl Visit ===

impl Visit {
    /// Ends batch after batch; whether nothing is left to do here.
    fn run<T: Subject>(
        self,
        ctx: &Ctx,
        name: &Str,
        batch: fn(&Ctx, &mut OpenKey<'_, T>, Task) -> usize,
    ) -> bool {
        let mut key = OpenKey::<T>::open_quietly(ctx, name).ok();
        let found = key.as_mut().and_then(OpenKey::id) == Some(self.id);
        let Some(mut key) = key.filter(|_| found) else {
            forget(self.db, self.id, self.task);
            return true;
        };
        let mut changed = false;
        let done = loop {
            match batch(ctx, &mut key, self.task) {
                0 => break true,
                _ => changed = true,
            }
            if self.start.elapsed() >= SLICE {
                break false;
            }
        };
        match self.task {
            Task::Lease(_) if done => forget(self.db, self.id, self.task),
            Task::Deadlines if !done => {
                cell::with(|state| state.space(self.db).queue(self.id, Some(0)));
            }
            _ => {}
        }
        key.done_maybe_empty(changed.then(|| self.task.change(T::KIND)));
        done
    }
}

/// Ends up to a batch of entries, and tells replicas; how many.
fn end_entries(ctx: &Ctx, key: &mut OpenKey<'_, Roster>, task: Task) -> usize {
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
                gone.push(OwnStr::new(parts.client.bytes(&mut [0; 36])));
            }
            change::end(roster, slot, why, acting);
        }
        roster.seq()
    });
    if let (Some(seq), false) = (seq, gone.is_empty()) {
        ctx.replicate_cut(key.name(), seq, gone.iter().map(OwnStr::as_str));
    }
    gone.len()
}

/// Lets an ended lease let go of up to a batch of users, or forgets those that expired.
fn end_statuses(ctx: &Ctx, key: &mut OpenKey<'_, Book>, task: Task) -> usize {
    let mut done = Vec::new();
    let now = key.now_s();
    key.change(|book, acting| {
        while done.len() < BATCH {
            let user = match task {
                Task::Lease(lease) => book.held_by(lease),
                Task::Deadlines => book.expired(now),
            };
            let Some(user) = user.map(String::from) else { break };
            match task {
                Task::Lease(_) => book.settle_user(&user, &mut acting.means()),
                Task::Deadlines => book.expire(&user),
            }
            done.push(user);
        }
    });
    match task {
        _ if done.is_empty() => {}
        Task::Lease(_) if server::slots_migrate() => tell_records(ctx, key, &done),
        Task::Lease(_) => tell_users(ctx, key.name(), words::SETTLE, &done),
        Task::Deadlines => tell_users(ctx, key.name(), words::GONE, &done),
    }
    done.len()
}

/// Before a command changes users whom ended leases hold: it would let those go, and nobody could
/// tell a slot's next master any more, who knows nothing of the ends.
pub(crate) fn settle_first(ctx: &Ctx, key: &mut OpenKey<'_, Book>, users: &[&str]) {
    if !server::slots_migrate() || cell::with(|state| state.is_swept()) {
        return;
    }
    let settled = key.change(|book, acting| {
        let held = users.iter().filter(|user| book.is_unsettled(user, acting.leases()));
        let held: Vec<String> = held.map(|user| (*user).to_owned()).collect();
        for user in &held {
            book.settle_user(user, &mut acting.means());
        }
        held
    });
    tell_records(ctx, key, &settled.unwrap_or_default());
}

fn tell_users(ctx: &Ctx, name: &Str, what: &str, users: &[String]) {
    let own: Vec<OwnStr> = users.iter().map(|user| OwnStr::new(user.as_bytes())).collect();
    ctx.replicate_status(name, &[what], own.iter().map(OwnStr::as_str));
}

/// Tells what users' records are now, which needs no knowledge of leases.
fn tell_records(ctx: &Ctx, key: &mut OpenKey<'_, Book>, users: &[String]) {
    for user in users {
        let mut record = Vec::new();
        let there = key.change(|book, acting| book.push_stored(user, acting.leases(), &mut record));
        if there == Some(true) {
            let record = OwnStr::new(&record);
            ctx.replicate_status(key.name(), &[words::PUT], std::iter::once(record.as_str()));
        }
    }
}
