//! What both native types share: registration, reading and writing RDB.

use std::ffi::{CStr, c_void};
use std::sync::atomic::Ordering;

use redis_module::raw;

use super::context::Ctx;
use super::key::{Native, Value};
use super::{cell, reclaim};
use crate::lease::LeaseId;
use crate::registry::KeyId;
use crate::roster::Ledger;

/// A stream that is loaded. Every read may fail: the bytes come from anywhere.
pub(super) struct Loading(pub(super) *mut raw::RedisModuleIO);

/// A stream that is saved, in a child of the server or on its main thread.
pub(super) struct Saving(pub(super) *mut raw::RedisModuleIO);

/// Books nothing: the value has no key yet.
pub(super) struct Unbooked;

impl Ledger for Unbooked {
    fn gained(&mut self, _: LeaseId, _: bool) {}
    fn lost(&mut self, _: LeaseId, _: bool) {}
}

// === impl Loading ===

impl Loading {
    pub(super) fn number(&self) -> Option<u64> {
        // SAFETY: the stream is live during the callback.
        let value = unsafe { api!(RedisModule_LoadUnsigned(self.0)) };
        self.sound().then_some(value)
    }

    /// One byte string, lent to `f`.
    pub(super) fn bytes<R>(&self, f: impl FnOnce(&[u8]) -> Option<R>) -> Option<R> {
        let mut length = 0;
        // SAFETY: the stream is live; the buffer is ours, of the length told, until it is freed.
        unsafe {
            let start = api!(RedisModule_LoadStringBuffer(self.0, &raw mut length));
            if start.is_null() {
                return None;
            }
            let result = if self.sound() {
                f(std::slice::from_raw_parts(start.cast(), length))
            } else {
                None
            };
            api!(RedisModule_Free(start.cast()));
            result
        }
    }

    fn sound(&self) -> bool {
        // SAFETY: the stream is live.
        unsafe { api!(RedisModule_IsIOError(self.0)) == 0 }
    }
}

// === impl Saving ===

impl Saving {
    pub(super) fn number(&self, value: u64) {
        // SAFETY: the stream is live during the callback.
        unsafe { api!(RedisModule_SaveUnsigned(self.0, value)) };
    }

    pub(super) fn bytes(&self, bytes: &[u8]) {
        // SAFETY: as above; the bytes are copied.
        unsafe {
            api!(RedisModule_SaveStringBuffer(self.0, bytes.as_ptr().cast(), bytes.len()));
        }
    }
}

/// Registers a type with its methods.
pub(super) fn register<T: Native>(
    ctx: *mut raw::RedisModuleCtx,
    name: &CStr,
    mut methods: raw::RedisModuleTypeMethods,
) -> bool {
    // SAFETY: called during load; the server copies the table.
    let registered = unsafe {
        let version = rollcall_wire::stored::VERSION.cast_signed();
        api!(RedisModule_CreateDataType(ctx, name.as_ptr(), version, &raw mut methods))
    };
    T::registered().store(registered, Ordering::Relaxed);
    !registered.is_null()
}

/// A loaded or copied value as the server holds it. It has no key yet: a notification tells.
pub(super) fn hand_over<T>(it: Option<T>) -> *mut c_void {
    match it {
        Some(it) => Box::into_raw(Box::new(Value { id: KeyId::NONE, it })).cast(),
        None => std::ptr::null_mut(),
    }
}

/// The value behind a callback's pointer.
///
/// # Safety
/// `value` is what [`hand_over`] or [`super::key::Key::set`] made of a `T`, and is not changed
/// while the result lives.
pub(super) unsafe fn borrowed<'a, T>(value: *const c_void) -> &'a Value<T> {
    // SAFETY: promised by the caller.
    unsafe { &*value.cast::<Value<T>>() }
}

/// Frees a value, elsewhere if it has many parts.
///
/// # Safety
/// As [`borrowed`], and nobody uses the value any more.
pub(super) unsafe fn free<T: Send + 'static>(value: *mut c_void, parts: impl Fn(&T) -> usize) {
    // SAFETY: promised by the caller.
    let value = unsafe { Box::from_raw(value.cast::<Value<T>>()) };
    if parts(&value.it) > reclaim::LARGE {
        reclaim::later(value);
    }
}

/// The database of a key that a callback is about.
pub(super) fn db_of(ctx: *mut raw::RedisModuleKeyOptCtx) -> u32 {
    // SAFETY: the context is live during the callback.
    let db = unsafe { api!(RedisModule_GetDbIdFromOptCtx(ctx)) };
    u32::try_from(db).unwrap_or_default()
}

/// A key was unlinked, whatever did it: its listeners must read again, unless it was us.
pub(super) fn note_unlinked(ctx: *mut raw::RedisModuleKeyOptCtx, db: u32) {
    // SAFETY: the context and its key name are live during the callback.
    let name = unsafe {
        let name = api!(RedisModule_GetKeyNameFromOptCtx(ctx));
        if name.is_null() {
            return;
        }
        super::string::Str { inner: name.cast_mut() }.bytes().to_vec()
    };
    if Ctx::none().is_acting_master() {
        cell::with(|state| {
            if !state.own_delete {
                state.resets.insert((db, name));
            }
        });
    }
}
