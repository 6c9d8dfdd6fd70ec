//! Lines in the server's log. The server takes them in any context; nothing is cut off or read as a
//! format. Of what clients send, only [`printable`] text may stand in them.

use std::ffi::{CStr, CString};

use redis_module::raw;

use super::context::Ctx;
use super::{cell, clock, config};

/// Milliseconds between two lines about leases that were refused.
const REFUSALS_MS: u64 = 60_000;

/// Something that happened, which an operator may want to know of.
pub(crate) fn notice(ctx: &Ctx, text: &str) {
    write(ctx, c"notice", text);
}

/// Something that an operator should look into.
pub(crate) fn warning(ctx: &Ctx, text: &str) {
    write(ctx, c"warning", text);
}

/// That a lease was refused: the first time, and then at most once a minute.
pub(crate) fn refused_leases(ctx: &Ctx) {
    let now = clock::monotonic_ms();
    let told = cell::with(|state| {
        state.counters.leases_refused += 1;
        let told = state.refusal_told_ms.is_some_and(|told| now - told < REFUSALS_MS);
        if !told {
            state.refusal_told_ms = Some(now);
        }
        told
    });
    if !told {
        let most = config::max_leases();
        warning(
            ctx,
            &format!("a lease was refused, as there are too many: rollcall.max-leases is {most}"),
        );
    }
}

/// Text from outside in one line of text, without anything that a terminal would act on.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

fn write(ctx: &Ctx, level: &CStr, text: &str) {
    let text = CString::new(text).unwrap_or_default();
    // SAFETY: the context is live or null, which is allowed; the format takes one string.
    unsafe {
        api!(RedisModule_Log(ctx.inner, level.as_ptr(), c"%s".as_ptr(), text.as_ptr()));
    }
}
