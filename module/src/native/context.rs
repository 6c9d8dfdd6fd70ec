//! The context of a call: replies, flags, publishing.

use std::ffi::{CStr, CString, c_int};

use redis_module::raw;
use rollcall_wire::event::push_epoch;

use super::string::Str;
use super::{cell, server};

/// Bytes that the epoch of an event takes, at most.
const EPOCH: usize = 32;

/// Valid during the callback it was made for.
#[derive(Debug)]
pub(crate) struct Ctx {
    pub(super) inner: *mut raw::RedisModuleCtx,
}

/// A string of our own making, freed with it.
#[derive(Debug)]
pub(crate) struct OwnStr(Str);

// === impl Ctx ===

impl Ctx {
    pub(super) fn new(inner: *mut raw::RedisModuleCtx) -> Self {
        Self { inner }
    }

    /// Outside of any call: only for asking after the server's flags.
    pub(crate) fn none() -> Self {
        Self { inner: std::ptr::null_mut() }
    }

    /// A master that is not loading: the only one that ends entries and publishes.
    pub(crate) fn is_acting_master(&self) -> bool {
        self.is_master() && !self.is_loading()
    }

    pub(crate) fn db(&self) -> u32 {
        // SAFETY: the context is live.
        let db = unsafe { api!(RedisModule_GetSelectedDb(self.inner)) };
        u32::try_from(db).unwrap_or_default()
    }

    pub(crate) fn select(&self, db: u32) -> bool {
        // SAFETY: the context is live.
        let done = unsafe { api!(RedisModule_SelectDb(self.inner, db.cast_signed())) };
        done == super::OK
    }

    /// Whether any of these context flags is set.
    pub(crate) fn has(&self, flags: u32) -> bool {
        // SAFETY: the context is live.
        let set = unsafe { api!(RedisModule_GetContextFlags(self.inner)) };
        set.cast_unsigned() & flags != 0
    }

    pub(crate) fn is_master(&self) -> bool {
        self.has(raw::REDISMODULE_CTX_FLAGS_MASTER)
    }

    /// Whether a command may be an internal one: it comes from a master or from the AOF.
    pub(crate) fn is_internal(&self) -> bool {
        self.has(server::replicated_flags() | raw::REDISMODULE_CTX_FLAGS_LOADING)
    }

    /// Whether the command is from a master whose slot migrates here.
    pub(crate) fn is_importing(&self) -> bool {
        self.has(server::import_flag())
    }

    pub(crate) fn is_loading(&self) -> bool {
        self.has(raw::REDISMODULE_CTX_FLAGS_LOADING)
    }

    pub(crate) fn reply_number(&self, value: u64) {
        let value = i64::try_from(value).unwrap_or(i64::MAX);
        // SAFETY: the context is live.
        unsafe { api!(RedisModule_ReplyWithLongLong(self.inner, value)) };
    }

    pub(crate) fn reply_array(&self, length: usize) {
        let length = i64::try_from(length).unwrap_or(i64::MAX);
        // SAFETY: the context is live.
        unsafe { api!(RedisModule_ReplyWithArray(self.inner, length)) };
    }

    pub(crate) fn reply_bytes(&self, bytes: &[u8]) {
        // SAFETY: the context is live; the bytes are copied.
        unsafe {
            api!(RedisModule_ReplyWithStringBuffer(self.inner, bytes.as_ptr().cast(), bytes.len()))
        };
    }

    pub(crate) fn reply_simple(&self, text: &CStr) {
        // SAFETY: the context is live; the text is copied.
        unsafe { api!(RedisModule_ReplyWithSimpleString(self.inner, text.as_ptr())) };
    }

    pub(crate) fn reply_null(&self) {
        // SAFETY: the context is live.
        unsafe { api!(RedisModule_ReplyWithNull(self.inner)) };
    }

    pub(crate) fn reply_error(&self, text: &str) {
        // Line breaks would end the reply early, a NUL would cut it.
        let clean: Vec<u8> =
            text.bytes().map(|byte| if byte < b' ' { b' ' } else { byte }).collect();
        let text = CString::new(clean).unwrap_or_default();
        // SAFETY: the context is live; the text is copied.
        unsafe { api!(RedisModule_ReplyWithError(self.inner, text.as_ptr())) };
    }

    pub(crate) fn wrong_arity(&self) {
        // SAFETY: the context is live.
        unsafe { api!(RedisModule_WrongArity(self.inner)) };
    }

    /// Publishes an event on the sharded channel of a key's name, with the epoch of now: a master that
    /// was replaced and goes on is heard over the bus of its cluster.
    pub(crate) fn publish(&self, channel: &Str, event: &[u8]) {
        let epoch = cell::with(|state| state.epoch);
        let mut message = Vec::with_capacity(event.len() + EPOCH);
        message.extend_from_slice(event);
        push_epoch(&mut message, epoch);
        let message = OwnStr::new(&message);
        // SAFETY: the context and both strings are live; the server copies what it keeps.
        unsafe {
            api!(RedisModule_PublishMessageShard(self.inner, channel.inner, message.as_str().inner))
        };
    }
}

/// Whether nothing may be replicated just now: clients are paused, or a failover is under way.
pub(crate) fn avoid_replica_traffic() -> bool {
    // SAFETY: no arguments; present in every supported server.
    unsafe { api!(RedisModule_AvoidReplicaTraffic()) != 0 as c_int }
}

// === impl OwnStr ===

impl OwnStr {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        // SAFETY: a null context means that we free the string; the bytes are copied.
        let inner = unsafe {
            api!(RedisModule_CreateString(std::ptr::null_mut(), bytes.as_ptr().cast(), bytes.len()))
        };
        Self(Str { inner })
    }

    pub(crate) fn as_str(&self) -> &Str {
        &self.0
    }
}

impl Drop for OwnStr {
    fn drop(&mut self) {
        // SAFETY: made in `new`, freed once.
        unsafe { api!(RedisModule_FreeString(std::ptr::null_mut(), self.0.inner)) };
    }
}
