//! The type of status books as the server handles it: RDB, AOF, copy, digest, memory, unlinking.

use std::ffi::{c_int, c_uchar, c_void};
use std::sync::atomic::AtomicPtr;

use redis_module::raw;
use rollcall_wire::stored::{StoredStatus, VERSION};

use super::defrag::{self, Defrag, Pieces};
use super::key::{Native, Value};
use super::types::{Loading, Saving, Unbooked, borrowed, db_of, free, hand_over, register};
use super::{cell, guarded};
use crate::book::{Book, Means};
use crate::footprint;
use crate::keyed::detach;
use crate::lease::LeaseId;

static REGISTERED: AtomicPtr<raw::RedisModuleType> = AtomicPtr::new(std::ptr::null_mut());

impl Native for Book {
    fn registered() -> &'static AtomicPtr<raw::RedisModuleType> {
        &REGISTERED
    }
}

pub(super) fn register_type(ctx: *mut raw::RedisModuleCtx) -> bool {
    // SAFETY: plain C data, for which zero means that a method is absent.
    let none: raw::RedisModuleTypeMethods = unsafe { std::mem::zeroed() };
    let methods = raw::RedisModuleTypeMethods {
        version: 4,
        rdb_load: Some(rdb_load),
        rdb_save: Some(rdb_save),
        aof_rewrite: Some(aof_rewrite),
        digest: Some(digest),
        free: Some(free_value),
        mem_usage2: Some(mem_usage),
        free_effort2: Some(free_effort),
        unlink2: Some(unlink),
        copy2: Some(copy),
        defrag: Some(defrag::callback::<Book>),
        ..none
    };
    register::<Book>(ctx, c"rollcallS", methods)
}

impl Pieces for Book {
    fn move_piece(&mut self, number: usize, defrag: &Defrag) -> bool {
        Book::move_piece(self, number, defrag)
    }
}

unsafe extern "C" fn rdb_load(io: *mut raw::RedisModuleIO, version: c_int) -> *mut c_void {
    guarded(std::ptr::null_mut(), || {
        if version != VERSION.cast_signed() {
            return std::ptr::null_mut();
        }
        hand_over(load(&Loading(io)))
    })
}

fn load(io: &Loading) -> Option<Book> {
    let mut book = Book::new();
    // The count comes from anywhere: it ends a loop, it sizes nothing.
    for _ in 0..io.number()? {
        io.bytes(|bytes| {
            let stored = StoredStatus::parse(bytes)?;
            cell::with(|state| {
                let names = stored.holders.iter();
                let holders: Vec<LeaseId> =
                    names.map(|lease| state.leases.ensure(lease.node, lease.px)).collect();
                let mut means = Means { leases: &state.leases, ledger: &mut Unbooked };
                book.put_stored(&stored, &holders, &mut means);
            });
            Some(())
        })?;
    }
    (!book.is_empty()).then_some(book)
}

unsafe extern "C" fn rdb_save(io: *mut raw::RedisModuleIO, value: *mut c_void) {
    guarded((), || {
        // SAFETY: the server passes a value of this type.
        let book = &unsafe { borrowed::<Book>(value) }.it;
        let io = Saving(io);
        io.number(u64::from(book.len()));
        cell::with(|state| book.for_each_stored(&state.leases, |bytes| io.bytes(bytes)));
    });
}

unsafe extern "C" fn aof_rewrite(
    io: *mut raw::RedisModuleIO,
    key: *mut raw::RedisModuleString,
    value: *mut c_void,
) {
    guarded((), || {
        // SAFETY: the server passes a value of this type.
        let book = &unsafe { borrowed::<Book>(value) }.it;
        cell::with(|state| {
            book.for_each_stored(&state.leases, |bytes| {
                // SAFETY: the stream and the key are live; arguments are as the format says.
                unsafe {
                    api!(RedisModule_EmitAOF(
                        io,
                        c"USERSTATUS.APPLY".as_ptr(),
                        c"sccb".as_ptr(),
                        key,
                        c"1".as_ptr(),
                        c"PUT".as_ptr(),
                        bytes.as_ptr(),
                        bytes.len()
                    ));
                }
            });
        });
    });
}

unsafe extern "C" fn digest(md: *mut raw::RedisModuleDigest, value: *mut c_void) {
    guarded((), || {
        // SAFETY: the server passes a value of this type.
        let book = &unsafe { borrowed::<Book>(value) }.it;
        cell::with(|state| {
            book.for_each_stored(&state.leases, |bytes| {
                // SAFETY: the digest is live; the buffer is read at once. Records have no order,
                // so each is a sequence of its own.
                unsafe {
                    let start = bytes.as_ptr().cast_mut().cast::<c_uchar>();
                    api!(RedisModule_DigestAddStringBuffer(md, start.cast(), bytes.len()));
                    api!(RedisModule_DigestEndSequence(md));
                }
            });
        });
    });
}

unsafe extern "C" fn free_value(value: *mut c_void) {
    // SAFETY: the server passes a value of this type for the last time.
    guarded((), || unsafe { free(value, Book::parts_to_free) });
}

unsafe extern "C" fn mem_usage(
    _: *mut raw::RedisModuleKeyOptCtx,
    value: *const c_void,
    _: usize,
) -> usize {
    guarded(0, || {
        // SAFETY: the server passes a value of this type.
        let value = unsafe { borrowed::<Book>(value) };
        footprint::of(size_of::<Value<Book>>()) + value.it.heap()
    })
}

/// Small values are freed on the main thread, large ones on ours: the server need not help.
unsafe extern "C" fn free_effort(_: *mut raw::RedisModuleKeyOptCtx, value: *const c_void) -> usize {
    // SAFETY: the server passes a value of this type.
    guarded(1, || unsafe { borrowed::<Book>(value) }.it.parts_to_free() / 8 + 1)
}

unsafe extern "C" fn unlink(ctx: *mut raw::RedisModuleKeyOptCtx, value: *const c_void) {
    guarded((), || {
        // SAFETY: the server passes a value of this type; it runs on the main thread, and nobody
        // else looks at the value now.
        let value = unsafe { &mut *value.cast_mut().cast::<Value<Book>>() };
        detach(value, db_of(ctx));
    });
}

unsafe extern "C" fn copy(_: *mut raw::RedisModuleKeyOptCtx, value: *const c_void) -> *mut c_void {
    guarded(std::ptr::null_mut(), || {
        // SAFETY: the server passes a value of this type.
        let book = &unsafe { borrowed::<Book>(value) }.it;
        let copied = cell::with(|state| {
            book.copied(&mut Means { leases: &state.leases, ledger: &mut Unbooked })
        });
        hand_over(Some(copied))
    })
}
