//! The server's allocator, so that our memory is counted and freed like its own.

use std::alloc::{GlobalAlloc, Layout, System};

use redis_module::raw;

/// Before the server has handed over its functions, the system's allocator serves.
pub(crate) struct ServerAlloc;

/// What every allocator of the server guarantees.
const ALIGN: usize = 16;

/// The size to ask for: a multiple of a larger alignment lands on it in jemalloc.
fn size(layout: Layout) -> usize {
    if layout.align() <= ALIGN { layout.size() } else { layout.pad_to_align().size() }
}

// SAFETY: every method hands on to one allocator, the same for the life of an allocation: the API
// is bound at the start of `RedisModule_OnLoad`, before which nothing allocates.
unsafe impl GlobalAlloc for ServerAlloc {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise is handed on.
        unsafe {
            match raw::RedisModule_Alloc {
                Some(alloc) => alloc(size(layout)).cast(),
                None => System.alloc(layout),
            }
        }
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is handed on.
        unsafe {
            match raw::RedisModule_Free {
                Some(free) => free(start.cast()),
                None => System.dealloc(start, layout),
            }
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise is handed on.
        unsafe {
            match raw::RedisModule_Calloc {
                Some(calloc) => calloc(1, size(layout)).cast(),
                None => System.alloc_zeroed(layout),
            }
        }
    }

    unsafe fn realloc(&self, start: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller's promise is handed on; the size is valid for the alignment.
        unsafe {
            let new = Layout::from_size_align_unchecked(new_size, layout.align());
            match raw::RedisModule_Realloc {
                Some(realloc) => realloc(start.cast(), size(new)).cast(),
                None => System.realloc(start, layout, new_size),
            }
        }
    }
}
