//! What a single option may hold, and how loosely it may be written.

use std::{fmt::Debug, path::PathBuf, time::Duration};

use serde_json::Value;

use super::{
    duration,
    section::{Findings, Kind, Opt, Place, Setting, a_kind},
};

/// One option. Keys, passwords and the like are [`super::Secret`].
pub(crate) trait Leaf: Sized + Debug {
    const KIND: Kind = Kind::Value;

    /// Reads it; `words` when several values are separated by spaces. The error is the rest of a
    /// sentence and must not show what is secret.
    fn from_value(value: &Value, words: bool) -> Result<Self, String>;

    fn is_zero(&self) -> bool;

    /// Whether what was read from `value` stands for the default. Numbers and durations of zero do
    /// not: they are zero, or refused.
    fn stands_for_default(&self, _value: &Value) -> bool {
        self.is_zero()
    }

    /// As it is written in a configuration; empty for nothing.
    fn shown(&self) -> String {
        if self.is_zero() { String::new() } else { format!("{self:?}") }
    }
}

impl<T: Leaf> Setting for T {
    fn read(&mut self, value: &Value, place: &Place, findings: &mut Findings) {
        match T::from_value(value, findings.words) {
            Ok(read) => *self = read,
            Err(what) => findings.error(place, &what),
        }
    }

    fn stands_for_default(&self, value: &Value) -> bool {
        Leaf::stands_for_default(self, value)
    }

    fn list(&self, path: &str, doc: &'static str, out: &mut Vec<Opt>) {
        // What is off needs no words.
        let default = Some(self.shown()).filter(|shown| shown != "false").unwrap_or_default();
        out.push(Opt { path: path.to_owned(), kind: T::KIND, default, doc: doc.trim() });
    }
}

/// "expected …, got …"; only for options that hold nothing secret.
pub(crate) fn expected(what: &str, got: &Value) -> String {
    match got {
        Value::Array(_) | Value::Object(_) => format!("expected {what}, got {}", a_kind(got)),
        plain => format!("expected {what}, got {plain}"),
    }
}

/// Text, however it is written: a number is taken for its digits.
pub(crate) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

impl Leaf for bool {
    const KIND: Kind = Kind::Switch;

    fn from_value(value: &Value, _words: bool) -> Result<Self, String> {
        match text(value).as_deref() {
            Some("1" | "t" | "T" | "true" | "TRUE" | "True") => Ok(true),
            Some("0" | "f" | "F" | "false" | "FALSE" | "False" | "") => Ok(false),
            None if value.is_boolean() => Ok(value == &Value::Bool(true)),
            _ => Err(expected("true or false", value)),
        }
    }

    /// Never: a switch that is on by default must be possible to switch off.
    fn is_zero(&self) -> bool {
        false
    }
}

macro_rules! whole_numbers {
    ($($type:ty)*) => {$(
        impl Leaf for $type {
            fn from_value(value: &Value, _words: bool) -> Result<Self, String> {
                whole(value)
                    .and_then(|number| Self::try_from(number).ok())
                    .ok_or_else(|| {
                        let range = format!("a whole number from {} to {}", Self::MIN, Self::MAX);
                        expected(&range, value)
                    })
            }

            fn is_zero(&self) -> bool {
                *self == 0
            }

            fn stands_for_default(&self, value: &Value) -> bool {
                is_empty(value)
            }
        }
    )*};
}
whole_numbers!(u8 u16 u32 i64 usize);

/// How a template writes what it does not fill in.
fn is_empty(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.trim().is_empty())
}

/// The text itself, unless there is whitespace around it: such a value never equals what it is
/// compared with, and mostly comes from a line break at the end of a file.
pub(crate) fn trimmed(text: String) -> Result<String, String> {
    if text.trim() == text && !text.contains(['\n', '\r']) {
        return Ok(text);
    }
    Err("expected no line break and no whitespace around the value".to_owned())
}

/// A whole number, also as a string and as `8000.0`; an empty string is zero.
fn whole(value: &Value) -> Option<i128> {
    let text = text(value)?;
    let digits = text.trim().strip_suffix(".0").unwrap_or(text.trim());
    if digits.is_empty() { Some(0) } else { digits.parse().ok() }
}

impl Leaf for String {
    fn from_value(value: &Value, _words: bool) -> Result<Self, String> {
        text(value).ok_or_else(|| expected("a string", value)).and_then(trimmed)
    }

    fn is_zero(&self) -> bool {
        self.is_empty()
    }
}

impl Leaf for PathBuf {
    fn from_value(value: &Value, _words: bool) -> Result<Self, String> {
        let path = text(value).ok_or_else(|| expected("a path", value))?;
        trimmed(path).map(Self::from)
    }

    fn is_zero(&self) -> bool {
        self.as_os_str().is_empty()
    }
}

impl Leaf for Vec<String> {
    fn from_value(value: &Value, words: bool) -> Result<Self, String> {
        match value {
            Value::String(text) if words => {
                Ok(text.split_whitespace().map(str::to_owned).collect())
            }
            Value::String(text) if text.is_empty() => Ok(Self::new()),
            Value::Array(items) => items
                .iter()
                .map(|item| text(item).ok_or_else(|| expected("a list of strings", item)))
                .collect(),
            lone => Ok(vec![text(lone).ok_or_else(|| expected("a list of strings", lone))?]),
        }
    }

    fn is_zero(&self) -> bool {
        self.is_empty()
    }
}

impl Leaf for Duration {
    fn from_value(value: &Value, _words: bool) -> Result<Self, String> {
        match value {
            // Zero needs no unit.
            Value::Number(number) if number.as_f64() == Some(0.0) => Ok(Self::ZERO),
            Value::String(text) => duration::parse(text),
            // Centrifugo takes it for nanoseconds, so that `60` silently means nothing at all.
            Value::Number(number) => Err(duration::without_unit(&number.to_string())),
            other => Err(expected("a duration such as \"60s\"", other)),
        }
    }

    fn is_zero(&self) -> bool {
        Duration::is_zero(self)
    }

    fn stands_for_default(&self, value: &Value) -> bool {
        is_empty(value)
    }

    fn shown(&self) -> String {
        match (self.as_secs(), self.subsec_nanos()) {
            (0, 0) => String::new(),
            (seconds, 0) if seconds % 3600 == 0 => format!("{}h", seconds / 3600),
            _ => format!("{self:?}"),
        }
    }
}

/// An option that is one of a few words; the first word of each is its name, others are read too.
macro_rules! words {
    (
        $(#[doc = $about:literal])*
        pub enum $name:ident {
            $($(#[$meta:meta])* $variant:ident = $word:literal $(| $other:literal)*,)*
        }
    ) => {
        $(#[doc = $about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        pub enum $name {
            $($(#[$meta])* $variant,)*
        }

        impl $name {
            /// The word in the configuration.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }
        }

        impl $crate::config::value::Leaf for $name {
            fn from_value(value: &serde_json::Value, _words: bool) -> Result<Self, String> {
                let text = $crate::config::value::text(value);
                let named = match text.as_deref() {
                    $(Some($word $(| $other)*) => Some(Self::$variant),)*
                    _ => None,
                };
                // Empty stands for the default, as every empty value does.
                let default = text.as_deref().filter(|text| text.is_empty());
                named.or(default.map(|_| Self::default())).ok_or_else(|| {
                    let words = [$($word),*].map(|word| format!("{word:?}")).join(", ");
                    $crate::config::value::expected(&format!("one of {words}"), value)
                })
            }

            fn is_zero(&self) -> bool {
                *self == Self::default()
            }

            fn shown(&self) -> String {
                self.as_str().to_owned()
            }
        }
    };
}
pub(crate) use words;
