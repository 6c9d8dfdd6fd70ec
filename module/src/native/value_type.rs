//! The two native types as the server handles them: RDB, AOF, copy, digest, memory, unlinking.

use std::ffi::{CStr, c_char, c_int, c_uchar, c_void};
use std::sync::atomic::{AtomicPtr, Ordering};

use redis_module::raw;
use rollcall_wire::stored::VERSION;

use super::context::Ctx;
use super::defrag::{self, Defrag, Pieces};
use super::key::{Native, Value};
use super::{cell, config, guarded, log, reclaim};
use crate::book::Book;
use crate::footprint;
use crate::keyed::{Subject, detach};
use crate::lease::Leases;
use crate::registry::{KeyId, Kind};
use crate::roster::Roster;
use crate::stored::{Source, Stored};

/// A type that the server keeps under keys.
pub(super) trait Kept: Subject + Stored + Pieces + Send + 'static {
    /// Its name in dumps: nine characters.
    const NAME: &'static CStr;
    /// The internal command that puts a record back.
    const APPLY: &'static CStr;
}

/// A stream that is loaded.
struct Loading(*mut raw::RedisModuleIO);

/// A stream that is saved, in a child of the server or on its main thread.
struct Saving(*mut raw::RedisModuleIO);

static ROSTERS: AtomicPtr<raw::RedisModuleType> = AtomicPtr::new(std::ptr::null_mut());
static BOOKS: AtomicPtr<raw::RedisModuleType> = AtomicPtr::new(std::ptr::null_mut());

// === the two types ===

impl Native for Roster {
    fn registered() -> &'static AtomicPtr<raw::RedisModuleType> {
        &ROSTERS
    }
}

impl Kept for Roster {
    const NAME: &'static CStr = c"rollcallP";
    const APPLY: &'static CStr = c"PRESENCE.APPLY";
}

impl Pieces for Roster {
    fn move_piece(&mut self, number: usize, defrag: &Defrag) -> bool {
        Roster::move_piece(self, number, defrag)
    }
}

impl Native for Book {
    fn registered() -> &'static AtomicPtr<raw::RedisModuleType> {
        &BOOKS
    }
}

impl Kept for Book {
    const NAME: &'static CStr = c"rollcallS";
    const APPLY: &'static CStr = c"USERSTATUS.APPLY";
}

impl Pieces for Book {
    fn move_piece(&mut self, number: usize, defrag: &Defrag) -> bool {
        Book::move_piece(self, number, defrag)
    }
}

/// Registers a type with its methods.
pub(super) fn register<T: Kept>(ctx: *mut raw::RedisModuleCtx) -> bool {
    // SAFETY: plain C data, for which zero means that a method is absent.
    let none: raw::RedisModuleTypeMethods = unsafe { std::mem::zeroed() };
    let mut methods = raw::RedisModuleTypeMethods {
        version: 4,
        rdb_load: Some(rdb_load::<T>),
        rdb_save: Some(rdb_save::<T>),
        aof_rewrite: Some(aof_rewrite::<T>),
        digest: Some(digest::<T>),
        free: Some(free::<T>),
        mem_usage2: Some(mem_usage::<T>),
        free_effort2: Some(free_effort::<T>),
        unlink2: Some(unlink::<T>),
        copy2: Some(copy::<T>),
        defrag: Some(defrag::callback::<T>),
        ..none
    };
    // SAFETY: called during load; the server copies the table.
    let registered = unsafe {
        let version = VERSION.cast_signed();
        api!(RedisModule_CreateDataType(ctx, T::NAME.as_ptr(), version, &raw mut methods))
    };
    T::registered().store(registered, Ordering::Relaxed);
    !registered.is_null()
}

// === saving and loading ===

unsafe extern "C" fn rdb_load<T: Kept>(io: *mut raw::RedisModuleIO, version: c_int) -> *mut c_void {
    guarded(std::ptr::null_mut(), || {
        if version != VERSION.cast_signed() {
            return std::ptr::null_mut();
        }
        // A file and a master say what is; a client's payload may bring only so many leases.
        let most = Ctx::none().is_acting_master().then(config::max_leases);
        let before = cell::with(|state| state.leases.begin_load(most));
        let it = T::load(&Loading(io));
        if cell::with(|state| state.leases.end_load(before, it.is_some())) {
            log::refused_leases(&Ctx::none());
        }
        let Some(it) = it else { return std::ptr::null_mut() };
        hand_over(it)
    })
}

unsafe extern "C" fn rdb_save<T: Kept>(io: *mut raw::RedisModuleIO, value: *mut c_void) {
    guarded((), || {
        // SAFETY: the server passes a value of this type.
        let it = &unsafe { borrowed::<T>(value) }.it;
        let io = Saving(io);
        if let Some(head) = it.head() {
            io.number(head);
        }
        io.number(u64::from(it.records()));
        cell::with(|state| it.for_each_stored(&state.leases, |bytes| io.bytes(bytes)));
    });
}

unsafe extern "C" fn aof_rewrite<T: Kept>(
    io: *mut raw::RedisModuleIO,
    key: *mut raw::RedisModuleString,
    value: *mut c_void,
) {
    guarded((), || {
        // SAFETY: the server passes a value of this type.
        let it = &unsafe { borrowed::<T>(value) }.it;
        let (name, one, put) = (T::APPLY.as_ptr(), c"1".as_ptr(), c"PUT".as_ptr());
        cell::with(|state| {
            it.for_each_stored(&state.leases, |bytes| {
                let (start, length) = (bytes.as_ptr().cast::<c_char>(), bytes.len());
                // SAFETY: the stream and the key are live; arguments are as the formats say.
                unsafe {
                    match it.head().map(u64::cast_signed) {
                        Some(seq) => api!(RedisModule_EmitAOF(
                            io,
                            name,
                            c"scclb".as_ptr(),
                            key,
                            one,
                            put,
                            seq,
                            start,
                            length
                        )),
                        None => api!(RedisModule_EmitAOF(
                            io,
                            name,
                            c"sccb".as_ptr(),
                            key,
                            one,
                            put,
                            start,
                            length
                        )),
                    }
                }
            });
        });
    });
}

unsafe extern "C" fn digest<T: Kept>(md: *mut raw::RedisModuleDigest, value: *mut c_void) {
    guarded((), || {
        // SAFETY: the server passes a value of this type.
        let it = &unsafe { borrowed::<T>(value) }.it;
        // SAFETY: the digest is live; the buffers are read at once. Records have no order, so
        // each is a sequence of its own.
        unsafe {
            if let Some(head) = it.head() {
                api!(RedisModule_DigestAddLongLong(md, head.cast_signed()));
                api!(RedisModule_DigestEndSequence(md));
            }
        }
        cell::with(|state| {
            it.for_each_stored(&state.leases, |bytes| {
                // SAFETY: as above.
                unsafe {
                    let start = bytes.as_ptr().cast_mut().cast::<c_uchar>();
                    api!(RedisModule_DigestAddStringBuffer(md, start.cast(), bytes.len()));
                    api!(RedisModule_DigestEndSequence(md));
                }
            });
        });
    });
}

unsafe extern "C" fn copy<T: Kept>(
    _: *mut raw::RedisModuleKeyOptCtx,
    value: *const c_void,
) -> *mut c_void {
    guarded(std::ptr::null_mut(), || {
        // SAFETY: the server passes a value of this type.
        let it = &unsafe { borrowed::<T>(value) }.it;
        hand_over(cell::with(|state| it.copied(&state.leases)))
    })
}

// === memory ===

/// Frees a value, elsewhere if it has many parts.
unsafe extern "C" fn free<T: Kept>(value: *mut c_void) {
    guarded((), || {
        // SAFETY: the server passes a value of this type for the last time.
        let value = unsafe { Box::from_raw(value.cast::<Value<T>>()) };
        if value.it.parts_to_free() > reclaim::LARGE {
            reclaim::later(value);
        }
    });
}

unsafe extern "C" fn mem_usage<T: Kept>(
    _: *mut raw::RedisModuleKeyOptCtx,
    value: *const c_void,
    _: usize,
) -> usize {
    guarded(0, || {
        // SAFETY: the server passes a value of this type.
        let value = unsafe { borrowed::<T>(value) };
        footprint::of(size_of::<Value<T>>()) + value.it.heap()
    })
}

/// Small values are freed on the main thread, large ones on ours: the server need not help.
unsafe extern "C" fn free_effort<T: Kept>(
    _: *mut raw::RedisModuleKeyOptCtx,
    value: *const c_void,
) -> usize {
    // SAFETY: the server passes a value of this type.
    guarded(1, || unsafe { borrowed::<T>(value) }.it.free_effort())
}

unsafe extern "C" fn unlink<T: Kept>(ctx: *mut raw::RedisModuleKeyOptCtx, value: *const c_void) {
    guarded((), || {
        // SAFETY: the context is live during the callback.
        let db = unsafe { api!(RedisModule_GetDbIdFromOptCtx(ctx)) };
        let db = u32::try_from(db).unwrap_or_default();
        // SAFETY: the server passes a value of this type; it runs on the main thread, and nobody
        // else looks at the value now.
        let value = unsafe { &mut *value.cast_mut().cast::<Value<T>>() };
        detach(value, db);
        if T::KIND == Kind::Roster {
            note_unlinked(ctx, db);
        }
    });
}

/// A roster was unlinked, whatever did it: its listeners must read again, unless it was emptied.
fn note_unlinked(ctx: *mut raw::RedisModuleKeyOptCtx, db: u32) {
    // SAFETY: the context and its key name are live during the callback.
    let name = unsafe {
        let name = api!(RedisModule_GetKeyNameFromOptCtx(ctx));
        if name.is_null() {
            return;
        }
        super::string::Str { inner: name.cast_mut() }.bytes().to_vec()
    };
    let ctx = Ctx::none();
    if !ctx.is_loading() {
        cell::with(|state| {
            if !state.own_delete {
                state.note_reset(db, &name, !ctx.is_master());
            }
        });
    }
}

/// A loaded or copied value as the server holds it. It has no key yet: a notification tells.
fn hand_over<T>(it: T) -> *mut c_void {
    Box::into_raw(Box::new(Value { id: KeyId::NONE, it })).cast()
}

/// The value behind a callback's pointer.
///
/// # Safety
/// `value` is what [`hand_over`] or [`super::key::Key::set`] made of a `T`, and is not changed
/// while the result lives.
unsafe fn borrowed<'a, T>(value: *const c_void) -> &'a Value<T> {
    // SAFETY: promised by the caller.
    unsafe { &*value.cast::<Value<T>>() }
}

// === impl Loading ===

impl Loading {
    fn sound(&self) -> bool {
        // SAFETY: the stream is live.
        unsafe { api!(RedisModule_IsIOError(self.0)) == 0 }
    }
}

impl Source for Loading {
    fn number(&self) -> Option<u64> {
        // SAFETY: the stream is live during the callback.
        let value = unsafe { api!(RedisModule_LoadUnsigned(self.0)) };
        self.sound().then_some(value)
    }

    fn bytes<R>(&self, f: impl FnOnce(&[u8]) -> Option<R>) -> Option<R> {
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
            result.filter(|_| cell::with(|state| state.leases.may_go_on()))
        }
    }

    fn with_leases<R>(&self, f: impl FnOnce(&mut Leases) -> R) -> R {
        cell::with(|state| f(&mut state.leases))
    }
}

// === impl Saving ===

impl Saving {
    fn number(&self, value: u64) {
        // SAFETY: the stream is live during the callback.
        unsafe { api!(RedisModule_SaveUnsigned(self.0, value)) };
    }

    fn bytes(&self, bytes: &[u8]) {
        // SAFETY: as above; the bytes are copied.
        unsafe {
            api!(RedisModule_SaveStringBuffer(self.0, bytes.as_ptr().cast(), bytes.len()));
        }
    }
}
