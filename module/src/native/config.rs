//! `CONFIG GET/SET rollcall.…`.

use std::ffi::{CStr, c_char, c_int, c_longlong, c_void};
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU64, Ordering};

use redis_module::raw;

use crate::recent::Limits;

/// A number that an operator may set.
struct Setting {
    name: &'static CStr,
    flags: u32,
    default: u64,
    range: RangeInclusive<u64>,
    value: AtomicU64,
}

/// What a lease has at least after a load or a promotion.
static LEASE_GRACE_MS: Setting =
    Setting::new(c"lease-grace-ms", raw::REDISMODULE_CONFIG_DEFAULT, 10_000, 0..=600_000);
/// How many leases may live at a time, as far as clients have a say in it.
static MAX_LEASES: Setting =
    Setting::new(c"max-leases", raw::REDISMODULE_CONFIG_DEFAULT, 10_000, 1..=100_000);
/// How long events are remembered at least, if they are not too many; 0 for no memory.
static RECENT_MS: Setting =
    Setting::new(c"recent-events-ms", raw::REDISMODULE_CONFIG_DEFAULT, 15_000, 0..=600_000);
/// What remembered events may take; 0 for no memory.
static RECENT_BYTES: Setting =
    Setting::new(c"recent-events-bytes", raw::REDISMODULE_CONFIG_MEMORY, 4 << 20, 0..=1 << 30);

pub(crate) fn lease_grace_ms() -> u64 {
    LEASE_GRACE_MS.get()
}

pub(crate) fn max_leases() -> usize {
    usize::try_from(MAX_LEASES.get()).unwrap_or(usize::MAX)
}

/// What the memory of recent events may take.
pub(crate) fn recent_limits() -> Limits {
    let bytes = usize::try_from(RECENT_BYTES.get()).unwrap_or(usize::MAX);
    Limits { bytes, ms: RECENT_MS.get() }
}

pub(super) fn register(ctx: *mut raw::RedisModuleCtx) -> bool {
    let all = [&LEASE_GRACE_MS, &MAX_LEASES, &RECENT_MS, &RECENT_BYTES];
    // SAFETY: called during load with the server's context.
    all.into_iter().all(|setting| setting.register(ctx))
        && unsafe { api!(RedisModule_LoadConfigs(ctx)) == 0 }
}

// === impl Setting ===

impl Setting {
    const fn new(
        name: &'static CStr,
        flags: u32,
        default: u64,
        range: RangeInclusive<u64>,
    ) -> Self {
        Self { name, flags, default, range, value: AtomicU64::new(default) }
    }

    fn get(&self) -> u64 {
        self.value.load(Ordering::Relaxed)
    }

    fn register(&'static self, ctx: *mut raw::RedisModuleCtx) -> bool {
        let [default, least, most] =
            [self.default, *self.range.start(), *self.range.end()].map(u64::cast_signed);
        // SAFETY: called during load with the server's context; name, callbacks and what they are
        // given are static.
        unsafe {
            let done = api!(RedisModule_RegisterNumericConfig(
                ctx,
                self.name.as_ptr(),
                default,
                self.flags,
                least,
                most,
                Some(get),
                Some(set),
                None,
                std::ptr::from_ref(self).cast_mut().cast()
            ));
            done == 0
        }
    }
}

unsafe extern "C" fn get(_: *const c_char, setting: *mut c_void) -> c_longlong {
    // SAFETY: what it was registered with, which is static and never written to but atomically.
    let setting = unsafe { &*setting.cast_const().cast::<Setting>() };
    setting.get().cast_signed()
}

unsafe extern "C" fn set(
    _: *const c_char,
    value: c_longlong,
    setting: *mut c_void,
    _: *mut *mut raw::RedisModuleString,
) -> c_int {
    // SAFETY: as above.
    let setting = unsafe { &*setting.cast_const().cast::<Setting>() };
    setting.value.store(u64::try_from(value).unwrap_or_default(), Ordering::Relaxed);
    0
}
