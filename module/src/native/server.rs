//! Which server this is, where the API means different things by the same number.

use std::sync::atomic::{AtomicBool, Ordering};

use redis_module::raw;

use super::context::Ctx;

/// Valkey 9: keys may arrive before their slot does. Elsewhere the bit is another's or nobody's.
const HANDLE_ATOMIC_SLOT_MIGRATION: i32 = 1 << 5;
/// Valkey 9: the command comes from the master that a slot migrates from.
const SLOT_IMPORT_CLIENT: u32 = 1 << 25;

static VALKEY: AtomicBool = AtomicBool::new(false);
static SLOTS_MIGRATE: AtomicBool = AtomicBool::new(false);

/// Asks the server, once, at load.
pub(super) fn ask(ctx: *mut raw::RedisModuleCtx) {
    // SAFETY: called during load with the server's context; what it returns is freed below.
    let valkey = unsafe {
        let info = api!(RedisModule_GetServerInfo(ctx, c"server".as_ptr()));
        let field = c"valkey_version".as_ptr();
        let there = !api!(RedisModule_ServerInfoGetFieldC(info, field)).is_null();
        api!(RedisModule_FreeServerInfo(ctx, info));
        there
    };
    VALKEY.store(valkey, Ordering::Relaxed);
    let cluster = Ctx::new(ctx).has(raw::REDISMODULE_CTX_FLAGS_CLUSTER);
    SLOTS_MIGRATE.store(cluster && options() != 0, Ordering::Relaxed);
}

/// Whether a slot's next master may follow this one's commands for that slot: it hears no command
/// without a key, so no end of a lease.
pub(crate) fn slots_migrate() -> bool {
    SLOTS_MIGRATE.load(Ordering::Relaxed)
}

/// Options of the module that only some servers know.
pub(super) fn options() -> i32 {
    // SAFETY: no arguments.
    let known = unsafe { raw::RedisModule_GetModuleOptionsAll.map_or(0, |all| all()) };
    if VALKEY.load(Ordering::Relaxed) { known & HANDLE_ATOMIC_SLOT_MIGRATION } else { 0 }
}

/// Flags of a context that mean: this command is from a master.
pub(super) fn replicated_flags() -> u32 {
    raw::REDISMODULE_CTX_FLAGS_REPLICATED | import_flag()
}

/// The flag of a context that means: this command is from a master that a slot migrates from.
pub(super) fn import_flag() -> u32 {
    if VALKEY.load(Ordering::Relaxed) { SLOT_IMPORT_CLIENT } else { 0 }
}
