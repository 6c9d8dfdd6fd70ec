//! Active defragmentation: values are moved piece by piece, for as long as the server allows.

use std::ffi::{c_int, c_void};

use redis_module::raw;

use super::guarded;
use super::key::Value;

/// The server's defragmenter, during a callback.
pub(crate) struct Defrag(*mut raw::RedisModuleDefragCtx);

/// A value in pieces that are moved one at a time.
pub(super) trait Pieces {
    /// Moves a piece; whether there was one with this number.
    fn move_piece(&mut self, number: usize, defrag: &Defrag) -> bool;
}

// === impl Defrag ===

impl Defrag {
    /// The new place of an allocation, whose contents moved there; null when it stays.
    ///
    /// # Safety
    /// The allocation is the caller's alone, and it forgets the old place.
    pub(super) unsafe fn moved<T>(&self, start: *mut T) -> *mut T {
        // SAFETY: promised by the caller; all our memory is the server's allocator's.
        unsafe { api!(RedisModule_DefragAlloc(self.0, start.cast())).cast() }
    }

    /// Moves what a vector has allocated.
    pub(crate) fn vec<T>(&self, vec: &mut Vec<T>) {
        if vec.capacity() == 0 || size_of::<T>() == 0 {
            return;
        }
        let mut old = std::mem::ManuallyDrop::new(std::mem::take(vec));
        let (length, capacity) = (old.len(), old.capacity());
        // SAFETY: the parts are those of the vector taken, which is not dropped; only the place
        // of its memory may be another.
        unsafe {
            let new = self.moved(old.as_mut_ptr());
            let start = if new.is_null() { old.as_mut_ptr() } else { new };
            *vec = Vec::from_raw_parts(start, length, capacity);
        }
    }

    fn should_stop(&self) -> bool {
        // SAFETY: the context is live during the callback.
        unsafe { api!(RedisModule_DefragShouldStop(self.0)) != 0 }
    }

    /// Where to go on; `None` for a small value, which is moved at once.
    fn cursor(&self) -> Option<usize> {
        let mut cursor = 0;
        // SAFETY: as above.
        let late = unsafe { api!(RedisModule_DefragCursorGet(self.0, &raw mut cursor)) };
        (late == super::OK).then(|| usize::try_from(cursor).unwrap_or_default())
    }

    fn set_cursor(&self, cursor: usize) {
        // SAFETY: as above.
        unsafe { api!(RedisModule_DefragCursorSet(self.0, cursor as u64)) };
    }
}

/// The callback of a type; 1 when there is more to do.
pub(super) unsafe extern "C" fn callback<T: Pieces>(
    ctx: *mut raw::RedisModuleDefragCtx,
    _: *mut raw::RedisModuleString,
    value: *mut *mut c_void,
) -> c_int {
    guarded(0, || {
        let defrag = Defrag(ctx);
        let cursor = defrag.cursor();
        // SAFETY: the server passes the place of a value of this type, and nobody else looks at
        // the value now.
        let value = unsafe {
            if cursor.unwrap_or_default() == 0 {
                let new = defrag.moved(*value);
                if !new.is_null() {
                    *value = new;
                }
            }
            &mut *(*value).cast::<Value<T>>()
        };
        let mut number = cursor.unwrap_or_default();
        while value.it.move_piece(number, &defrag) {
            number += 1;
            if cursor.is_some() && defrag.should_stop() {
                defrag.set_cursor(number);
                return 1;
            }
        }
        0
    })
}
