//! The only unsafe code: the binding to the server. Everything above it is plain Rust.
//!
//! Every callback catches panics, as none may cross into C. The server calls all of them on its
//! main thread (`free` apart, which touches nothing but its value), or in a forked child.
#![expect(unsafe_code, reason = "the binding to a C interface")]

/// Calls a function of the module API. It must stand in an unsafe block.
macro_rules! api {
    ($name:ident($($arg:expr),* $(,)?)) => {
        raw::$name.expect(concat!(stringify!($name), " is missing"))($($arg),*)
    };
}

pub(crate) mod alloc;
pub(crate) mod cell;
pub(crate) mod clock;
pub(crate) mod command;
pub(crate) mod config;
pub(crate) mod context;
pub(crate) mod defrag;
pub(crate) mod followers;
pub(crate) mod hooks;
pub(crate) mod info;
pub(crate) mod key;
pub(crate) mod load;
pub(crate) mod log;
#[cfg(test)]
pub(crate) mod meter;
pub(crate) mod notify;
pub(crate) mod prefetch;
pub(crate) mod reclaim;
pub(crate) mod replicate;
pub(crate) mod resets;
pub(crate) mod server;
pub(crate) mod string;
pub(crate) mod thin;
pub(crate) mod value_type;

/// What the API's functions return when they worked.
const OK: std::ffi::c_int = 0;

/// Runs a callback's body; a panic becomes `fallback`.
pub(crate) fn guarded<R>(fallback: R, body: impl FnOnce() -> R) -> R {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(body)).unwrap_or(fallback)
}
