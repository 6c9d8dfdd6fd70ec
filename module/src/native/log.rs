//! Lines in the server's log. The server takes them in any context; nothing is cut off or read as a
//! format. Of what clients send, only [`printable`] text may stand in them.

use std::ffi::{CStr, CString};

use redis_module::raw;

use super::context::Ctx;

/// Something that happened, which an operator may want to know of.
pub(crate) fn notice(ctx: &Ctx, text: &str) {
    write(ctx, c"notice", text);
}

/// Something that an operator should look into.
pub(crate) fn warning(ctx: &Ctx, text: &str) {
    write(ctx, c"warning", text);
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
