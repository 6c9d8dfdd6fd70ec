//! A byte string behind one thin pointer: its length stands in front of its bytes.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ptr::NonNull;

use rollcall_wire::varint;

use super::defrag::Defrag;

/// Never changes its length; freed with its owner. An `Option` of it is one pointer.
pub(crate) struct ThinBytes(NonNull<u8>);

// SAFETY: it owns its bytes alone, and they are plain data.
unsafe impl Send for ThinBytes {}
// SAFETY: shared access only reads.
unsafe impl Sync for ThinBytes {}

// === impl ThinBytes ===

impl ThinBytes {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        Self::concat(&[bytes])
    }

    /// The pieces, one after the other.
    pub(crate) fn concat(pieces: &[&[u8]]) -> Self {
        let length: usize = pieces.iter().map(|piece| piece.len()).sum();
        let (prefix, prefix_len) = varint::encoded(length as u64);
        let layout = layout(prefix_len + length);
        // SAFETY: the layout is not empty, as every prefix has at least one byte.
        let start = unsafe { alloc(layout) };
        let Some(start) = NonNull::new(start) else { handle_alloc_error(layout) };
        let mut at = 0;
        for piece in std::iter::once(&&prefix[..prefix_len]).chain(pieces) {
            // SAFETY: the allocation has room for the prefix and all pieces, and is ours alone.
            unsafe {
                std::ptr::copy_nonoverlapping(piece.as_ptr(), start.as_ptr().add(at), piece.len());
            }
            at += piece.len();
        }
        Self(start)
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        let (prefix, length) = self.extent();
        // SAFETY: `new` wrote `length` bytes after the prefix, and nobody resizes them.
        unsafe { std::slice::from_raw_parts(self.0.as_ptr().add(prefix), length) }
    }

    pub(crate) fn as_mut_slice(&mut self) -> &mut [u8] {
        let (prefix, length) = self.extent();
        // SAFETY: as above; `&mut self` makes the access exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.0.as_ptr().add(prefix), length) }
    }

    /// Puts the bytes where the defragmenter wants them.
    pub(crate) fn move_by(&mut self, defrag: &Defrag) {
        // SAFETY: the allocation is ours alone, and its new place is the only one from now on.
        if let Some(new) = NonNull::new(unsafe { defrag.moved(self.0.as_ptr()) }) {
            self.0 = new;
        }
    }

    /// Bytes of the allocation.
    pub(crate) fn bytes(&self) -> usize {
        let (prefix, length) = self.extent();
        prefix + length
    }

    /// Length of the prefix, and what it says.
    fn extent(&self) -> (usize, usize) {
        let (mut at, mut length) = (0, 0usize);
        loop {
            // SAFETY: `new` wrote a complete prefix, whose last byte is the first below 0x80.
            let byte = unsafe { *self.0.as_ptr().add(at) };
            length |= usize::from(byte & 0x7f) << (7 * at);
            at += 1;
            if byte < 0x80 {
                return (at, length);
            }
        }
    }
}

impl Drop for ThinBytes {
    fn drop(&mut self) {
        let layout = layout(self.bytes());
        // SAFETY: allocated in `new` with this very layout.
        unsafe { dealloc(self.0.as_ptr(), layout) }
    }
}

impl std::fmt::Debug for ThinBytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ThinBytes({})", self.as_slice().len())
    }
}

fn layout(size: usize) -> Layout {
    // SAFETY: alignment 1 is a power of two; a slice in memory is never longer than `isize::MAX`,
    // and the prefix of such a length leaves the sum below the limit on 64 bits.
    unsafe { Layout::from_size_align_unchecked(size, 1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_whatever_their_length() {
        for length in [0, 1, 127, 128, 16_383, 16_384, 200_000] {
            let bytes: Vec<u8> = (0..=250).cycle().take(length).collect();
            let mut thin = ThinBytes::new(&bytes);
            assert_eq!(thin.as_slice(), bytes);
            if let Some(first) = thin.as_mut_slice().first_mut() {
                *first = 9;
                assert_eq!(thin.as_slice()[0], 9);
            }
        }
        assert_eq!(size_of::<Option<ThinBytes>>(), 8);
    }
}
