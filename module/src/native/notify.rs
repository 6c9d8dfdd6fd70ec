//! Keyspace notifications of what the module itself changes, for whom `notify-keyspace-events`
//! asks. Other changes of keys are the server's to tell.

use std::ffi::CStr;

use redis_module::raw;

use super::context::Ctx;
use super::string::Str;

/// What happened to a key, as its event is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Change(&'static CStr);

/// The key itself is gone, as of every type.
const DELETED: &CStr = c"del";

// === impl Change ===

impl Change {
    pub(crate) const ADD: Self = Self(c"presence.add");
    pub(crate) const REM: Self = Self(c"presence.rem");
    /// Deadlines passed.
    pub(crate) const EXPIRED: Self = Self(c"presence.expired");
    /// What an ended lease held has left.
    pub(crate) const LEASE: Self = Self(c"presence.lease");

    pub(crate) const TOUCH: Self = Self(c"userstatus.touch");
    pub(crate) const ONLINE: Self = Self(c"userstatus.online");
    pub(crate) const OFFLINE: Self = Self(c"userstatus.offline");
    pub(crate) const DEL: Self = Self(c"userstatus.del");
    pub(crate) const STATUS_EXPIRED: Self = Self(c"userstatus.expired");
    pub(crate) const STATUS_LEASE: Self = Self(c"userstatus.lease");
}

/// Whether anything is asked for. This is all that a change costs when nothing is.
pub(crate) fn is_asked() -> bool {
    let classes = raw::REDISMODULE_NOTIFY_MODULE | raw::REDISMODULE_NOTIFY_GENERIC;
    // SAFETY: no arguments.
    let asked = unsafe { api!(RedisModule_GetNotifyKeyspaceEvents()) };
    asked & classes != 0
}

/// Tells of a change of a key, and that it is gone. Other modules listen too, and may change the key
/// in turn: it must not be open.
pub(crate) fn tell(ctx: &Ctx, name: &Str, change: Option<Change>, deleted: bool) {
    // A file, and a slot that comes from another master, tell what is there and no news.
    if !is_asked() || ctx.is_loading() || ctx.is_importing() {
        return;
    }
    if let Some(Change(event)) = change {
        send(ctx, raw::REDISMODULE_NOTIFY_MODULE, event, name);
    }
    if deleted {
        // Our own callback hears it too, and takes no `del` for a foreign change.
        send(ctx, raw::REDISMODULE_NOTIFY_GENERIC, DELETED, name);
    }
}

fn send(ctx: &Ctx, class: i32, event: &CStr, name: &Str) {
    // SAFETY: context and name are live; the event is a static C string.
    unsafe { api!(RedisModule_NotifyKeyspaceEvent(ctx.inner, class, event.as_ptr(), name.inner)) };
}
