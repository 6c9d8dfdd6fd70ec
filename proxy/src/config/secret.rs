//! Text that must not be shown.

use std::fmt;

use serde_json::Value;

use super::{
    section::a_kind,
    value::{Leaf, trimmed},
};

/// A key or a password. It prints as `***`, and no message of ours ever holds it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

// === impl Secret ===

impl Secret {
    /// Keeps `text` from being printed.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, to be compared or sent, never printed.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether it was not set.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_empty() { "unset" } else { "***" })
    }
}

impl Leaf for Secret {
    fn from_value(value: &Value, _words: bool) -> Result<Self, String> {
        match value {
            Value::String(text) => trimmed(text.clone()).map(Self::new),
            Value::Number(number) if number.is_u64() => Ok(Self::new(number.to_string())),
            // Not other numbers: their digits may not be those that were written.
            other => Err(format!("expected a string, got {}", a_kind(other))),
        }
    }

    fn is_zero(&self) -> bool {
        self.is_empty()
    }
}
