//! Whether anybody follows what this server replicates. Building a change for replicas costs about
//! as much as the change itself, so it is worth knowing when nobody will read it.
//!
//! Somebody follows when in doubt. Nobody does after a look has found no AOF, no replica and no
//! backlog from which one could go on, until something happens with which following begins: every
//! replica and every AOF starts from a snapshot that a forked child writes, and what came before
//! the fork is in the snapshot. In a cluster slots are also handed over by other ways: there
//! somebody always follows.

use std::ffi::{CStr, c_int};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use redis_module::raw;

use super::context::Ctx;

/// Milliseconds between two looks, which cost some microseconds each.
const PERIOD: u64 = 1000;

static NOBODY: AtomicBool = AtomicBool::new(false);
static LOOKED_MS: AtomicU64 = AtomicU64::new(0);

/// Whether nobody follows: a command that changes something need not say what. It is replicated
/// verbatim, which reaches nobody, but counts as a change that is to be saved.
pub(crate) fn nobody() -> bool {
    NOBODY.load(Ordering::Relaxed)
}

/// Somebody may follow from now on.
pub(super) fn may_begin() {
    NOBODY.store(false, Ordering::Relaxed);
}

/// Looks, if the last time is long ago.
pub(super) fn look(ctx: &Ctx, now_ms: u64) {
    if now_ms.saturating_sub(LOOKED_MS.load(Ordering::Relaxed)) >= PERIOD {
        LOOKED_MS.store(now_ms, Ordering::Relaxed);
        NOBODY.store(is_alone(ctx), Ordering::Relaxed);
    }
}

fn is_alone(ctx: &Ctx) -> bool {
    let follows = raw::REDISMODULE_CTX_FLAGS_AOF | raw::REDISMODULE_CTX_FLAGS_CLUSTER;
    // A child may be about to hand over to whom it has written for.
    let follows = follows | raw::REDISMODULE_CTX_FLAGS_ACTIVE_CHILD;
    if ctx.has(follows) || !ctx.is_acting_master() {
        return false;
    }
    // SAFETY: the context is live, the section's name static; what is returned is freed here.
    unsafe {
        let info = api!(RedisModule_GetServerInfo(ctx.inner, c"replication".as_ptr()));
        let is_zero = |field: &CStr| {
            let mut error: c_int = 0;
            let value =
                api!(RedisModule_ServerInfoGetFieldUnsigned(info, field.as_ptr(), &raw mut error));
            error == 0 && value == 0
        };
        let alone = is_zero(c"connected_slaves") && is_zero(c"repl_backlog_active");
        api!(RedisModule_FreeServerInfo(ctx.inner, info));
        alone
    }
}
