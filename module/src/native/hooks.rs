//! What the server tells us unasked: timer, cron, flushes, loads, changed roles, changed keys.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use redis_module::raw;

use super::context::{Ctx, OwnStr, avoid_replica_traffic};
use super::key::Key;
use super::string::Str;
use super::{cell, clock, config, followers, guarded, log, resets};
use crate::book::Book;
use crate::keyed::{self, attach};
use crate::news::{self, Epoch};
use crate::reaper;
use crate::registry::{KeyId, Space, TICK_MS};
use crate::roster::Roster;
use crate::untold::LeaseNews;

/// Milliseconds between two visits of the timer.
const PERIOD: i64 = 50;
/// The same when work is left.
const PERIOD_BUSY: i64 = 1;
/// The cron event steps in when the timer is later than this, in milliseconds. Less than what
/// leases take for a stall, which the wait for the next cron event is part of.
const TIMER_LATE: u64 = 100;

/// Ended leases that are looked at in one visit, whether they still hold something.
const PRUNED: usize = 100;
/// Changes of leases that replicas are told at a time, ends apart.
const TOLD: usize = 64;

/// The timer that is pending.
static TIMER: AtomicU64 = AtomicU64::new(0);
/// A replica began to follow that was not told yet what was seen.
static NEW_REPLICA: AtomicBool = AtomicBool::new(false);

/// Subscribes to everything, and starts the timer.
pub(super) fn install(ctx: *mut raw::RedisModuleCtx) -> bool {
    let events: [(u64, raw::RedisModuleEventCallback); 8] = [
        (raw::REDISMODULE_EVENT_FORK_CHILD, Some(on_fork)),
        (raw::REDISMODULE_EVENT_FLUSHDB, Some(on_flush)),
        (raw::REDISMODULE_EVENT_LOADING, Some(on_loading)),
        (raw::REDISMODULE_EVENT_REPLICATION_ROLE_CHANGED, Some(on_role)),
        (raw::REDISMODULE_EVENT_SWAPDB, Some(on_swap)),
        (raw::REDISMODULE_EVENT_CRON_LOOP, Some(on_cron)),
        (raw::REDISMODULE_EVENT_SHUTDOWN, Some(on_shutdown)),
        (raw::REDISMODULE_EVENT_REPLICA_CHANGE, Some(on_replica)),
    ];
    let keys = raw::REDISMODULE_NOTIFY_GENERIC | raw::REDISMODULE_NOTIFY_LOADED;
    // SAFETY: called during load with the server's context; the callbacks are static.
    unsafe {
        for (id, callback) in events {
            let event = raw::RedisModuleEvent { id, dataver: 1 };
            if api!(RedisModule_SubscribeToServerEvent(ctx, event, callback)) != 0 {
                return false;
            }
        }
        if api!(RedisModule_SubscribeToKeyspaceEvents(ctx, keys, Some(on_key))) != 0 {
            return false;
        }
    }
    begin_sequences(&Ctx::new(ctx));
    start_timer(ctx, PERIOD);
    true
}

/// Of names that no data tells of, a master's clock tells until when they may have had events.
fn begin_sequences(ctx: &Ctx) {
    let now = ctx.is_master().then(clock::wall_us);
    cell::with(|state| state.sequences.begin(now));
}

// === timer ===

unsafe extern "C" fn on_timer(ctx: *mut raw::RedisModuleCtx, _: *mut c_void) {
    let busy = guarded(true, || visit(&Ctx::new(ctx)));
    start_timer(ctx, if busy { PERIOD_BUSY } else { PERIOD });
}

/// One timer follows the other.
fn start_timer(ctx: *mut raw::RedisModuleCtx, period: i64) {
    // SAFETY: the context is live; the callback is static and has no data.
    let timer =
        unsafe { api!(RedisModule_CreateTimer(ctx, period, Some(on_timer), std::ptr::null_mut())) };
    TIMER.store(timer, Ordering::Relaxed);
}

unsafe extern "C" fn on_cron(
    ctx: *mut raw::RedisModuleCtx,
    _: raw::RedisModuleEvent,
    _: u64,
    _: *mut c_void,
) {
    guarded((), || {
        let late = clock::monotonic_ms().saturating_sub(cell::with(|state| state.visited_ms));
        if late > TIMER_LATE {
            visit(&Ctx::new(ctx));
            // Timers go by the wall clock: after it was stepped back, ours would be late by as
            // much. A new one is in time, and wakes those of the server too.
            // SAFETY: the context is live; a timer is never stopped by its own callback, and one
            // that is not pending any more is refused.
            unsafe {
                let timer = TIMER.load(Ordering::Relaxed);
                api!(RedisModule_StopTimer(ctx, timer, std::ptr::null_mut()));
            }
            start_timer(ctx, PERIOD);
        }
    });
}

/// One step of everything that runs by itself; whether work is left.
fn visit(ctx: &Ctx) -> bool {
    let now = clock::monotonic_ms();
    let paused = avoid_replica_traffic();
    let (judge, grace) = cell::with(|state| {
        state.visited_ms = now;
        if paused {
            state.paused = true;
            state.leases.clock.stand_still(now);
            return (false, None);
        }
        let mut grace = None;
        if std::mem::take(&mut state.paused) {
            state.leases.grace(config::lease_grace_ms());
            grace = Some(Epoch::of(state));
        }
        (state.leases.clock.advance(now), grace)
    });
    cell::with(|state| {
        state.prune(PRUNED);
        keyed::recent(state).expire(now);
    });
    if paused || !ctx.is_acting_master() {
        cell::with(|state| state.postpone(clock::wall_ms() / TICK_MS));
        return false;
    }
    if let Some(leases) = grace.filter(|leases| leases.concerns_somebody()) {
        let grace = leases.grace(config::lease_grace_ms());
        log::notice(ctx, &format!("clients are paused no more: {grace}"));
    }
    followers::look(ctx, now);
    let db = ctx.db();
    // Each has its slice, whatever the others have to do.
    let mut busy = resets::flush(ctx, Instant::now() + reaper::SLICE);
    if judge {
        busy |= reaper::end_leases(ctx);
    }
    busy |= tell_leases(ctx);
    tell_seen(ctx);
    busy |= reaper::slice(ctx);
    reaper::log_lapses(ctx, now);
    ctx.select(db);
    busy
}

/// Tells replicas of leases, when that is allowed; else the timer does later. Whether it has more
/// to tell.
pub(crate) fn tell_leases(ctx: &Ctx) -> bool {
    if avoid_replica_traffic() {
        return false;
    }
    tell_leases_now(ctx);
    cell::with(|state| !state.untold.is_empty())
}

/// The same for a command that writes: where it may run, what it does may be told.
pub(crate) fn tell_leases_now(ctx: &Ctx) {
    for news in cell::with(|state| state.untold.take(TOLD)) {
        match news {
            LeaseNews::Set { node, px } => ctx.replicate_lease_set(&node, px),
            LeaseNews::End { node, at } => ctx.replicate_lease_end(&node, at),
        }
    }
}

/// Tells a replica that is new what the data does not: how far names have got that are gone.
fn tell_seen(ctx: &Ctx) {
    if NEW_REPLICA.swap(false, Ordering::Relaxed) {
        ctx.replicate_seen(cell::with(|state| state.sequences.highest()));
    }
}

// === keys ===

/// Values get their key's name here: `rdb_load` and `copy` cannot know whether the key will be.
unsafe extern "C" fn on_key(
    ctx: *mut raw::RedisModuleCtx,
    _: c_int,
    event: *const c_char,
    name: *mut raw::RedisModuleString,
) -> c_int {
    guarded((), || {
        // SAFETY: the server passes a C string and a live string.
        let (event, name) = unsafe { (CStr::from_ptr(event).to_bytes(), Str { inner: name }) };
        let appeared =
            matches!(event, b"loaded" | b"restore" | b"rename_to" | b"move_to" | b"copy_to");
        if appeared {
            // A loaded key's name stands on the server's stack, where nobody may keep it.
            let name = OwnStr::new(name.bytes());
            adopt(&Ctx::new(ctx), name.as_str(), event);
        }
    });
    0
}

/// Registers a value of ours that appeared under a key.
fn adopt(ctx: &Ctx, name: &Str, event: &[u8]) {
    let db = ctx.db();
    let mut key = Key::open_quietly_for_read(ctx, name);
    if let Ok(Some(value)) = key.value::<Book>()
        && value.id == KeyId::NONE
    {
        attach(value, db, name.bytes());
    }
    if let Ok(Some(value)) = key.value::<Roster>() {
        if value.id == KeyId::NONE {
            attach(value, db, name.bytes());
        }
        let it = &mut value.it;
        if event == b"loaded" {
            cell::with(|state| state.sequences.saw(it.seq()));
        } else {
            let restored = Some(it.seq()).filter(|_| event == b"restore");
            it.set_seq(resets::begin(ctx, (db, name.bytes()), restored));
        }
    }
}

// === server events ===

unsafe extern "C" fn on_flush(
    ctx: *mut raw::RedisModuleCtx,
    _: raw::RedisModuleEvent,
    sub: u64,
    data: *mut c_void,
) {
    guarded((), || {
        if sub != raw::REDISMODULE_SUBEVENT_FLUSHDB_START || data.is_null() {
            return;
        }
        // SAFETY: the server passes this struct with this event.
        let db = unsafe { (*data.cast::<raw::RedisModuleFlushInfo>()).dbnum };
        let db = u32::try_from(db).ok();
        let (old, epoch) = cell::with(|state| (state.flush(db), Epoch::of(state)));
        let sum = |of: fn(&Space) -> u64| old.iter().map(of).sum::<u64>();
        let (rosters, books) = (sum(|space| space.rosters), sum(|space| space.books));
        // What is flushed to be loaded anew is told when it is loaded.
        let ctx = Ctx::new(ctx);
        if ctx.is_acting_master() && (rosters + books > 0 || epoch.concerns_somebody()) {
            log::notice(&ctx, &epoch.is_new(&news::of_flush(db, rosters, books)));
        }
        super::reclaim::later(Box::new(old));
    });
}

unsafe extern "C" fn on_loading(
    ctx: *mut raw::RedisModuleCtx,
    _: raw::RedisModuleEvent,
    sub: u64,
    _: *mut c_void,
) {
    followers::may_begin();
    guarded((), || {
        let why = match sub {
            raw::REDISMODULE_SUBEVENT_LOADING_RDB_START
            | raw::REDISMODULE_SUBEVENT_LOADING_AOF_START => {
                return cell::with(|state| state.before_load(false));
            }
            raw::REDISMODULE_SUBEVENT_LOADING_REPL_START => {
                return cell::with(|state| state.before_load(true));
            }
            raw::REDISMODULE_SUBEVENT_LOADING_ENDED => "data was loaded",
            _ => "loading failed",
        };
        let (ctx, grace) = (Ctx::new(ctx), config::lease_grace_ms());
        let now = ctx.is_master().then(clock::wall_us);
        let epoch = cell::with(|state| {
            state.after_load(grace, now);
            Epoch::of(state)
        });
        tell_epoch(&ctx, epoch, why);
    });
}

unsafe extern "C" fn on_role(
    ctx: *mut raw::RedisModuleCtx,
    _: raw::RedisModuleEvent,
    sub: u64,
    _: *mut c_void,
) {
    followers::may_begin();
    guarded((), || {
        let promoted = sub == raw::REDISMODULE_EVENT_REPLROLECHANGED_NOW_MASTER;
        let epoch = cell::with(|state| {
            state.draw_epoch();
            state.untold.clear();
            if promoted {
                state.sequences.begin(Some(clock::wall_us()));
            } else {
                state.resets.lose(|_| true);
            }
            state.leases.grace(config::lease_grace_ms());
            Epoch::of(state)
        });
        let why = if promoted { "this is a master now" } else { "this is a replica now" };
        tell_epoch(&Ctx::new(ctx), epoch, why);
    });
}

/// On a replica no lease ends, so none has time.
fn tell_epoch(ctx: &Ctx, epoch: Epoch, why: &str) {
    let text = if ctx.is_master() && epoch.concerns_somebody() {
        epoch.is_new_with_grace(why, config::lease_grace_ms())
    } else {
        epoch.is_new(why)
    };
    log::notice(ctx, &text);
}

/// A child writes a snapshot, maybe for a replica or an AOF that goes on from there.
unsafe extern "C" fn on_fork(
    _: *mut raw::RedisModuleCtx,
    _: raw::RedisModuleEvent,
    _: u64,
    _: *mut c_void,
) {
    followers::may_begin();
}

/// A replica follows from now on.
unsafe extern "C" fn on_replica(
    _: *mut raw::RedisModuleCtx,
    _: raw::RedisModuleEvent,
    sub: u64,
    _: *mut c_void,
) {
    if sub == raw::REDISMODULE_SUBEVENT_REPLICA_CHANGE_ONLINE {
        followers::may_begin();
        NEW_REPLICA.store(true, Ordering::Relaxed);
    }
}

unsafe extern "C" fn on_swap(
    ctx: *mut raw::RedisModuleCtx,
    _: raw::RedisModuleEvent,
    _: u64,
    data: *mut c_void,
) {
    guarded((), || {
        if data.is_null() {
            return;
        }
        // SAFETY: the server passes this struct with this event.
        let (a, b) = unsafe {
            let info = &*data.cast::<raw::RedisModuleSwapDbInfo>();
            (info.dbnum_first, info.dbnum_second)
        };
        if let (Ok(a), Ok(b)) = (u32::try_from(a), u32::try_from(b)) {
            let epoch = cell::with(|state| {
                state.swap(a, b);
                Epoch::of(state)
            });
            let ctx = Ctx::new(ctx);
            if ctx.is_acting_master() && epoch.concerns_somebody() {
                log::notice(&ctx, &epoch.is_new(&format!("databases {a} and {b} were swapped")));
            }
        }
    });
}

unsafe extern "C" fn on_shutdown(
    _: *mut raw::RedisModuleCtx,
    _: raw::RedisModuleEvent,
    _: u64,
    _: *mut c_void,
) {
    guarded((), super::reclaim::finish);
}
