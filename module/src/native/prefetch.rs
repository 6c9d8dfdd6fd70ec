//! A word to the processor that some memory will soon be read.

/// Has what stands at `at` fetched, without waiting for it. Where that is not known, nothing.
pub(crate) fn soon<T>(at: &T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: fetching ahead changes nothing and fails silently; the address is a live one.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(at).cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = at;
}
