//! The two clocks: wall time for deadlines and sequences, monotonic time for leases.

use std::sync::OnceLock;
use std::time::{Instant, SystemTime};

static START: OnceLock<Instant> = OnceLock::new();

/// Microseconds since the Unix epoch.
#[expect(clippy::disallowed_methods, reason = "this is the module's clock")]
pub(crate) fn wall_us() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or_default()
}

/// Milliseconds since the Unix epoch.
pub(crate) fn wall_ms() -> u64 {
    wall_us() / 1000
}

/// Seconds since the Unix epoch.
pub(crate) fn wall_s() -> u32 {
    u32::try_from(wall_us() / 1_000_000).unwrap_or(u32::MAX)
}

/// Microseconds that the processor has spent on this thread.
pub(crate) fn thread_us() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the struct is ours, and is written to during the call only.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    let us = time.tv_sec * 1_000_000 + time.tv_nsec / 1000;
    u64::try_from(us).unwrap_or_default()
}

/// Milliseconds since the module was loaded.
pub(crate) fn monotonic_ms() -> u64 {
    u64::try_from(START.get_or_init(Instant::now).elapsed().as_millis()).unwrap_or_default()
}
