//! Strings of the server, borrowed.

use redis_module::raw;

/// An argument of the running command. Laid out as the server's pointer, so that the argument
/// vector is used as it is.
#[repr(transparent)]
pub(crate) struct Str {
    pub(super) inner: *mut raw::RedisModuleString,
}

// === impl Str ===

impl Str {
    #[cfg(not(test))]
    pub(crate) fn bytes(&self) -> &[u8] {
        let mut length = 0;
        // SAFETY: a `Str` is only ever made of a live string of the server, which outlives the
        // borrow of the argument vector it stands in.
        unsafe {
            let Some(string_ptr_len) = raw::RedisModule_StringPtrLen else { return &[] };
            let start = string_ptr_len(self.inner, &raw mut length);
            std::slice::from_raw_parts(start.cast(), length)
        }
    }

    #[cfg(test)]
    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: in tests every `Str` is made below, of a `Vec` that outlives it.
        unsafe { &*self.inner.cast::<Vec<u8>>() }
    }

    /// The text of an argument that was checked; nothing when it is none.
    pub(crate) fn text(&self) -> &str {
        text(self.bytes()).unwrap_or_default()
    }

    /// Options are words in either case.
    pub(crate) fn is_word(&self, word: &str) -> bool {
        is_word(self.bytes(), word)
    }
}

/// Bytes as text, if they are UTF-8. What is ASCII, as nearly all ids are, is known at a glance.
pub(crate) fn text(bytes: &[u8]) -> Option<&str> {
    if bytes.is_ascii() {
        // SAFETY: ASCII is UTF-8.
        return Some(unsafe { std::str::from_utf8_unchecked(bytes) });
    }
    std::str::from_utf8(bytes).ok()
}

/// Whether bytes that were asked for before are such a word.
pub(crate) fn is_word(bytes: &[u8], word: &str) -> bool {
    bytes.len() == word.len() && bytes.eq_ignore_ascii_case(word.as_bytes())
}

impl std::fmt::Debug for Str {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Str").field(&String::from_utf8_lossy(self.bytes())).finish()
    }
}

#[cfg(test)]
impl From<&[u8]> for Str {
    fn from(bytes: &[u8]) -> Self {
        Self::lent(Box::leak(Box::new(bytes.to_vec())))
    }
}

#[cfg(test)]
impl Str {
    /// Of bytes that outlive it.
    pub(crate) fn lent(bytes: &Vec<u8>) -> Self {
        Self { inner: std::ptr::from_ref(bytes).cast_mut().cast() }
    }
}

#[cfg(test)]
impl From<&str> for Str {
    fn from(text: &str) -> Self {
        Self::from(text.as_bytes())
    }
}
