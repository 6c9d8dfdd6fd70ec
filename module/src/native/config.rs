//! `CONFIG GET/SET rollcall.…`.

use std::ffi::{c_char, c_int, c_longlong, c_void};
use std::sync::atomic::{AtomicU64, Ordering};

use redis_module::raw;

/// What a lease has at least after a load or a promotion: default, least, most.
const GRACE: [u64; 3] = [10_000, 0, 600_000];

static LEASE_GRACE_MS: AtomicU64 = AtomicU64::new(GRACE[0]);

pub(crate) fn lease_grace_ms() -> u64 {
    LEASE_GRACE_MS.load(Ordering::Relaxed)
}

pub(super) fn register(ctx: *mut raw::RedisModuleCtx) -> bool {
    let [default, least, most] = GRACE.map(u64::cast_signed);
    // SAFETY: called during load with the server's context; name and callbacks are static.
    unsafe {
        let done = api!(RedisModule_RegisterNumericConfig(
            ctx,
            c"lease-grace-ms".as_ptr(),
            default,
            raw::REDISMODULE_CONFIG_DEFAULT,
            least,
            most,
            Some(get),
            Some(set),
            None,
            std::ptr::null_mut()
        ));
        done == 0 && api!(RedisModule_LoadConfigs(ctx)) == 0
    }
}

unsafe extern "C" fn get(_: *const c_char, _: *mut c_void) -> c_longlong {
    lease_grace_ms().cast_signed()
}

unsafe extern "C" fn set(
    _: *const c_char,
    value: c_longlong,
    _: *mut c_void,
    _: *mut *mut raw::RedisModuleString,
) -> c_int {
    LEASE_GRACE_MS.store(u64::try_from(value).unwrap_or_default(), Ordering::Relaxed);
    0
}
