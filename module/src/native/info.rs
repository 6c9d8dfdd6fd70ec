//! `INFO rollcall`.

use std::ffi::{CStr, CString, c_int};

use redis_module::raw;

use super::{cell, clock, guarded, log};
use crate::state::State;

/// Leases that have a field, at most.
const LISTED: usize = 100;

pub(super) fn register(ctx: *mut raw::RedisModuleCtx) -> bool {
    // SAFETY: called during load with the server's context; the callback is static.
    unsafe { api!(RedisModule_RegisterInfoFunc(ctx, Some(on_info))) == 0 }
}

unsafe extern "C" fn on_info(ctx: *mut raw::RedisModuleInfoCtx, for_crash_report: c_int) {
    guarded((), || {
        // SAFETY: the context is live during the callback; all texts are copied.
        unsafe {
            // An empty name makes the section that is called like the module.
            if api!(RedisModule_InfoAddSection(ctx, c"".as_ptr())) != 0 {
                return;
            }
        }
        // A crash may have interrupted whoever uses the state.
        if for_crash_report != 0 {
            return;
        }
        cell::with(|state| {
            for (name, value) in numbers(state) {
                // SAFETY: as above.
                unsafe { api!(RedisModule_InfoAddFieldULongLong(ctx, name.as_ptr(), value)) };
            }
            leases(ctx, state);
        });
    });
}

fn numbers(state: &State) -> Vec<(&'static CStr, u64)> {
    let spaces = state.spaces();
    let sum = |of: fn(&crate::registry::Space) -> u64| spaces.iter().map(of).sum();
    let counters = &state.counters;
    vec![
        (c"rosters", sum(|space| space.rosters)),
        (c"members", sum(|space| space.sizes.members)),
        (c"users", sum(|space| space.sizes.users)),
        (c"books", sum(|space| space.books)),
        (c"statuses", sum(|space| space.sizes.statuses)),
        (c"leases", state.leases.alive_count() as u64),
        (c"leases_ended", counters.leases_ended),
        (c"leases_refused", counters.leases_refused),
        (c"joins", counters.joins),
        (c"leaves_removed", counters.leaves_removed),
        (c"leaves_expired", counters.leaves_expired),
        (c"leaves_lease", counters.leaves_lease),
        (c"resets", counters.resets),
        (c"events_published", counters.events),
        (c"entries_due", state.due_entries()),
        (c"slices", counters.slices),
        (c"slice_max_us", counters.slice_max_us),
        (c"slice_max_cpu_us", counters.slice_max_cpu_us),
        (c"recent_events", state.recent.events()),
        (c"recent_bytes", state.recent.bytes() as u64),
        (c"seq", state.sequences.highest()),
        (c"epoch", state.epoch),
    ]
}

/// One field per lease, by number, for the oldest of many: a node's name may hold anything, so it stands inside quotes
/// with everything else made visible.
fn leases(ctx: *mut raw::RedisModuleInfoCtx, state: &State) {
    let list = state.leases.list(LISTED, clock::monotonic_ms());
    for (at, (id, lease, left)) in list.into_iter().enumerate() {
        let (entries, users) = state.held(id);
        let node = log::printable(lease.node()).replace(',', "?");
        let name = CString::new(format!("lease_{at}")).unwrap_or_default();
        let age = lease.age_ms(&state.leases.clock);
        let px = lease.px();
        let text = format!(
            "node={node},px={px},left_ms={left},age_ms={age},entries={entries},users={users}"
        );
        let text = CString::new(text).unwrap_or_default();
        // SAFETY: the context is live; both texts are copied.
        unsafe {
            api!(RedisModule_InfoAddFieldCString(ctx, name.as_ptr(), text.as_ptr()));
        }
    }
}
