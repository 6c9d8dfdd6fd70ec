//! A user's name in 16 bytes: short ones inline.

use std::num::NonZeroU8;

use crate::footprint;
use crate::native::defrag::Defrag;
use crate::native::string;
use crate::native::thin::ThinBytes;

/// Longest name that needs no allocation.
const SHORT: usize = 15;

/// A non-empty name.
#[derive(Debug)]
pub(super) enum Name {
    Short { len: NonZeroU8, bytes: [u8; SHORT] },
    Long(ThinBytes),
}

// === impl Name ===

impl Name {
    pub(super) fn new(text: &str) -> Self {
        let short = u8::try_from(text.len()).ok().and_then(NonZeroU8::new);
        match short.filter(|len| usize::from(len.get()) <= SHORT) {
            Some(len) => {
                let mut bytes = [0; SHORT];
                bytes[..text.len()].copy_from_slice(text.as_bytes());
                Self::Short { len, bytes }
            }
            None => Self::Long(ThinBytes::new(text.as_bytes())),
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Short { len, bytes } => &bytes[..usize::from(len.get())],
            Self::Long(bytes) => bytes.as_slice(),
        }
    }

    pub(super) fn text(&self) -> &str {
        string::text(self.bytes()).unwrap_or_default()
    }

    pub(super) fn move_by(&mut self, defrag: &Defrag) {
        if let Self::Long(bytes) = self {
            bytes.move_by(defrag);
        }
    }

    /// Bytes beside the 16.
    pub(super) fn heap(&self) -> usize {
        match self {
            Self::Short { .. } => 0,
            Self::Long(bytes) => footprint::of(bytes.bytes()),
        }
    }
}

impl Default for Name {
    fn default() -> Self {
        Self::Short { len: NonZeroU8::MIN, bytes: [0; SHORT] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_and_take_sixteen_bytes() {
        assert_eq!(size_of::<Name>(), 16);
        for length in [1, 14, 15, 16, 255] {
            let text = "x".repeat(length);
            assert_eq!(Name::new(&text).text(), text);
        }
    }
}
