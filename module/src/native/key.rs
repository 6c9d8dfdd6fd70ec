//! Opened keys and the values of our types in them.

use std::ffi::c_int;
use std::sync::atomic::{AtomicPtr, Ordering};

use redis_module::raw;

use super::context::Ctx;
use super::string::Str;
use crate::error::CommandError;
use crate::registry::KeyId;

/// What the server says of a key that is not there.
const KEYTYPE_EMPTY: c_int = 0;

/// What is stored under a key: the plain value and its number in the registry.
#[derive(Debug)]
pub(crate) struct Value<T> {
    pub(crate) id: KeyId,
    pub(crate) it: T,
}

/// One of the two native types.
pub(crate) trait Native: Sized {
    /// The type as the server knows it, set at load.
    fn registered() -> &'static AtomicPtr<raw::RedisModuleType>;
}

/// An opened key; closed when dropped. Never kept beyond the callback.
#[derive(Debug)]
pub(crate) struct Key {
    inner: *mut raw::RedisModuleKey,
    ctx: Ctx,
}

// === impl Key ===

impl Key {
    pub(crate) fn open_read(ctx: &Ctx, name: &Str) -> Self {
        Self::open(ctx, name, raw::REDISMODULE_READ)
    }

    pub(crate) fn open_write(ctx: &Ctx, name: &Str) -> Self {
        Self::open(ctx, name, raw::REDISMODULE_READ | raw::REDISMODULE_WRITE)
    }

    /// For visits that are no use of the key.
    pub(crate) fn open_quietly(ctx: &Ctx, name: &Str) -> Self {
        let mode = raw::REDISMODULE_READ | raw::REDISMODULE_WRITE;
        Self::open(ctx, name, mode | raw::REDISMODULE_OPEN_KEY_NOTOUCH)
    }

    /// As above, without the right to change the key; its value may be registered all the same.
    pub(crate) fn open_quietly_for_read(ctx: &Ctx, name: &Str) -> Self {
        Self::open(ctx, name, raw::REDISMODULE_READ | raw::REDISMODULE_OPEN_KEY_NOTOUCH)
    }

    fn open(ctx: &Ctx, name: &Str, mode: u32) -> Self {
        // SAFETY: context and name are live.
        let inner = unsafe { api!(RedisModule_OpenKey(ctx.inner, name.inner, mode.cast_signed())) };
        Self { inner, ctx: Ctx::new(ctx.inner) }
    }

    /// The value; `None` when there is no key, an error when it is of another type.
    pub(crate) fn value<T: Native>(&mut self) -> Result<Option<&mut Value<T>>, CommandError> {
        // SAFETY: the key is open. A value of our type is always a boxed `Value<T>`, and the
        // borrow of the key makes the access exclusive: nothing else holds references to values.
        unsafe {
            let found = api!(RedisModule_ModuleTypeGetType(self.inner));
            if !found.is_null() && found == T::registered().load(Ordering::Relaxed) {
                return Ok(api!(RedisModule_ModuleTypeGetValue(self.inner))
                    .cast::<Value<T>>()
                    .as_mut());
            }
        }
        if self.is_empty() { Ok(None) } else { Err(CommandError::WrongType) }
    }

    /// Stores a value in the empty key, which is open for writing.
    pub(crate) fn set<T: Native>(&mut self, value: Value<T>) {
        let value = Box::into_raw(Box::new(value));
        // SAFETY: the key is open for writing; the value is the box that the callbacks expect.
        unsafe {
            let registered = T::registered().load(Ordering::Relaxed);
            let done = api!(RedisModule_ModuleTypeSetValue(self.inner, registered, value.cast()));
            if done != super::OK {
                drop(Box::from_raw(value));
            }
        }
    }

    /// Deletes the key, which is open for writing.
    pub(crate) fn delete(&mut self) {
        // SAFETY: the key is open for writing; its value is not touched afterwards.
        unsafe { api!(RedisModule_DeleteKey(self.inner)) };
    }

    /// Closes the key; where it was opened.
    pub(crate) fn close(self) -> Ctx {
        Ctx::new(self.ctx.inner)
    }

    fn is_empty(&self) -> bool {
        // SAFETY: a null key is allowed and empty.
        let kind = unsafe { api!(RedisModule_KeyType(self.inner)) };
        kind == KEYTYPE_EMPTY
    }

    pub(crate) fn ctx(&self) -> &Ctx {
        &self.ctx
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        // SAFETY: opened once, closed once; null is allowed.
        unsafe { api!(RedisModule_CloseKey(self.inner)) };
    }
}
