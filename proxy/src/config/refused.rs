//! Options of Centrifugo that must not be ignored: they are read only to be refused.

use serde_json::Value;

use super::{section::Kind, value::Leaf};

/// An option that only means something where history is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NoHistory;

/// An option that makes a server stricter, or changes who a client is, and is not supported yet:
/// going on without it would let in whom it keeps out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NotYet;

impl Leaf for NoHistory {
    const KIND: Kind = Kind::Refused;

    fn from_value(value: &Value, _words: bool) -> Result<Self, String> {
        if sets_nothing(value) {
            return Ok(Self);
        }
        Err("Rollcall keeps no history and recovers none: remove this option".to_owned())
    }

    fn is_zero(&self) -> bool {
        true
    }
}

impl Leaf for NotYet {
    const KIND: Kind = Kind::Refused;

    fn from_value(value: &Value, _words: bool) -> Result<Self, String> {
        if sets_nothing(value) {
            return Ok(Self);
        }
        Err("this option is not supported yet and cannot safely be ignored: remove it".to_owned())
    }

    fn is_zero(&self) -> bool {
        true
    }
}

/// Whether `value` leaves a feature off: zero, empty, or an object that is not enabled.
fn sets_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(on) => !on,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => matches!(text.as_str(), "" | "0" | "0s" | "false"),
        Value::Array(items) => items.iter().all(sets_nothing),
        Value::Object(fields) => fields.get("enabled").is_none_or(sets_nothing),
    }
}
