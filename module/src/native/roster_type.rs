//! The type of rosters as the server handles it: RDB, AOF, copy, digest, memory, unlinking.

use std::ffi::{c_int, c_uchar, c_void};
use std::sync::atomic::AtomicPtr;

use redis_module::raw;
use rollcall_wire::stored::{StoredEntry, VERSION};

use super::defrag::{self, Defrag, Pieces};
use super::key::{Native, Value};
use super::types::{
    Loading, Saving, Unbooked, borrowed, db_of, free, hand_over, note_unlinked, register,
};
use super::{cell, guarded};
use crate::footprint;
use crate::keyed::detach;
use crate::roster::Roster;
use crate::roster::store::live_holder;

static REGISTERED: AtomicPtr<raw::RedisModuleType> = AtomicPtr::new(std::ptr::null_mut());

impl Native for Roster {
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
        defrag: Some(defrag::callback::<Roster>),
        ..none
    };
    register::<Roster>(ctx, c"rollcallP", methods)
}

impl Pieces for Roster {
    fn move_piece(&mut self, number: usize, defrag: &Defrag) -> bool {
        Roster::move_piece(self, number, defrag)
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

fn load(io: &Loading) -> Option<Roster> {
    let mut roster = Roster::new();
    roster.seq = io.number()?;
    // The count comes from anywhere: it ends a loop, it sizes nothing.
    for _ in 0..io.number()? {
        io.bytes(|bytes| {
            let entry = StoredEntry::parse(bytes)?;
            let holder = cell::with(|state| live_holder(entry.holder, &mut state.leases));
            roster.put_stored(&entry, holder, &mut Unbooked);
            Some(())
        })?;
    }
    let highest = roster.seq;
    cell::with(|state| state.saw_seq(highest));
    (!roster.is_empty()).then_some(roster)
}

unsafe extern "C" fn rdb_save(io: *mut raw::RedisModuleIO, value: *mut c_void) {
    guarded((), || {
        // SAFETY: the server passes a value of this type.
        let roster = &unsafe { borrowed::<Roster>(value) }.it;
        let io = Saving(io);
        io.number(roster.seq);
        io.number(u64::from(roster.clients()));
        cell::with(|state| roster.for_each_stored(&state.leases, |bytes| io.bytes(bytes)));
    });
}

unsafe extern "C" fn aof_rewrite(
    io: *mut raw::RedisModuleIO,
    key: *mut raw::RedisModuleString,
    value: *mut c_void,
) {
    guarded((), || {
        // SAFETY: the server passes a value of this type.
        let roster = &unsafe { borrowed::<Roster>(value) }.it;
        cell::with(|state| {
            roster.for_each_stored(&state.leases, |bytes| {
                // SAFETY: the stream and the key are live; arguments are as the format says.
                unsafe {
                    api!(RedisModule_EmitAOF(
                        io,
                        c"PRESENCE.APPLY".as_ptr(),
                        c"scclb".as_ptr(),
                        key,
                        c"1".as_ptr(),
                        c"PUT".as_ptr(),
                        roster.seq.cast_signed(),
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
        let roster = &unsafe { borrowed::<Roster>(value) }.it;
        // SAFETY: the digest is live; the buffers are read at once. Entries have no order, so
        // each is a sequence of its own.
        unsafe {
            api!(RedisModule_DigestAddLongLong(md, roster.seq.cast_signed()));
            api!(RedisModule_DigestEndSequence(md));
        }
        cell::with(|state| {
            roster.for_each_stored(&state.leases, |bytes| {
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

unsafe extern "C" fn free_value(value: *mut c_void) {
    // SAFETY: the server passes a value of this type for the last time.
    guarded((), || unsafe { free(value, Roster::parts_to_free) });
}

unsafe extern "C" fn mem_usage(
    _: *mut raw::RedisModuleKeyOptCtx,
    value: *const c_void,
    _: usize,
) -> usize {
    guarded(0, || {
        // SAFETY: the server passes a value of this type.
        let value = unsafe { borrowed::<Roster>(value) };
        footprint::of(size_of::<Value<Roster>>()) + value.it.heap()
    })
}

/// Small values are freed on the main thread, large ones on ours: the server need not help.
unsafe extern "C" fn free_effort(_: *mut raw::RedisModuleKeyOptCtx, value: *const c_void) -> usize {
    // SAFETY: the server passes a value of this type.
    guarded(1, || unsafe { borrowed::<Roster>(value) }.it.parts_to_free() + 1)
}

unsafe extern "C" fn unlink(ctx: *mut raw::RedisModuleKeyOptCtx, value: *const c_void) {
    guarded((), || {
        let db = db_of(ctx);
        // SAFETY: the server passes a value of this type; it runs on the main thread, and nobody
        // else looks at the value now.
        let value = unsafe { &mut *value.cast_mut().cast::<Value<Roster>>() };
        detach(value, db);
        note_unlinked(ctx, db);
    });
}

unsafe extern "C" fn copy(_: *mut raw::RedisModuleKeyOptCtx, value: *const c_void) -> *mut c_void {
    guarded(std::ptr::null_mut(), || {
        // SAFETY: the server passes a value of this type.
        let roster = &unsafe { borrowed::<Roster>(value) }.it;
        let mut copied = Roster::new();
        copied.seq = roster.seq;
        cell::with(|state| {
            roster.for_each_slot(|slot, holder| {
                let mut bytes = Vec::new();
                roster.push_stored(slot, &state.leases, &mut bytes);
                if let Some(entry) = StoredEntry::parse(&bytes) {
                    copied.put_stored(&entry, holder, &mut Unbooked);
                }
            });
        });
        hand_over(Some(copied))
    })
}
