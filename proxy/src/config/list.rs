//! Options that hold several entries of one kind, each read and refused on its own.

use std::fmt::Debug;

use serde_json::Value;

use super::{
    section::{Findings, Kind, Opt, Place, Setting, a_kind},
    value::text,
};

/// One entry of such a list, written as text.
pub(crate) trait Entry: Sized + Debug + Clone {
    /// What an entry is, for messages: "an address".
    const WHAT: &'static str;

    /// Reads it. The error is the rest of a sentence and must not show what is secret.
    fn parse(text: &str) -> Result<Self, String>;
}

/// Entries in the order in which they were written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List<T>(Vec<T>);

// === impl List ===

impl<T> List<T> {
    /// The entries.
    pub fn entries(&self) -> &[T] {
        &self.0
    }

    /// Whether nothing is given.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Entry> Setting for List<T> {
    fn read(&mut self, value: &Value, place: &Place, findings: &mut Findings) {
        let texts: Vec<Option<String>> = match value {
            Value::Array(items) => items.iter().map(text).collect(),
            Value::String(text) if findings.words => {
                text.split_whitespace().map(|word| Some(word.to_owned())).collect()
            }
            Value::String(text) if text.trim().is_empty() => Vec::new(),
            other => vec![text(other)],
        };
        let several = texts.len() > 1;
        self.0.clear();
        for (at, text) in texts.into_iter().enumerate() {
            let parsed = text
                .ok_or_else(|| format!("expected {}, got {}", T::WHAT, what_is_at(value, at)))
                .and_then(|text| T::parse(&text));
            match parsed {
                Ok(entry) => self.0.push(entry),
                Err(what) if several => findings.error(&place.element(at), &what),
                Err(what) => findings.error(place, &what),
            }
        }
    }

    fn stands_for_default(&self, _value: &Value) -> bool {
        self.is_empty()
    }

    fn list(&self, path: &str, doc: &'static str, out: &mut Vec<Opt>) {
        let (path, default) = (path.to_owned(), String::new());
        out.push(Opt { path, kind: Kind::Value, default, doc: doc.trim() });
    }
}

fn what_is_at(value: &Value, at: usize) -> &'static str {
    a_kind(value.get(at).unwrap_or(value))
}
