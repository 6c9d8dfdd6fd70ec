//! `channel_regex`: a regular expression as Go understands it.

use regex::Regex;
use serde_json::Value;

use super::value::{Leaf, expected};

/// A compiled pattern, or none.
#[derive(Debug, Clone, Default)]
pub struct Pattern(Option<Regex>);

// === impl Pattern ===

impl Pattern {
    /// The expression, if one is set.
    pub fn regex(&self) -> Option<&Regex> {
        self.0.as_ref()
    }

    /// Compiles `text`; the error is the rest of a sentence.
    pub fn new(text: &str) -> Result<Self, String> {
        match Regex::new(&with_ascii_classes(text)) {
            Ok(regex) => Ok(Self(Some(regex))),
            Err(error) => {
                // The lines before it point into a picture of the pattern.
                let error = error.to_string();
                let why = error.lines().last().unwrap_or_default();
                let why = why.trim_start_matches("error: ");
                Err(format!("expected a regular expression, got {text:?}: {why}"))
            }
        }
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_ref().map(Regex::as_str) == other.0.as_ref().map(Regex::as_str)
    }
}

impl Leaf for Pattern {
    fn from_value(value: &Value, _words: bool) -> Result<Self, String> {
        match value {
            Value::String(text) if text.is_empty() => Ok(Self::default()),
            Value::String(text) => Self::new(text),
            other => Err(expected("a regular expression", other)),
        }
    }

    fn is_zero(&self) -> bool {
        self.0.is_none()
    }
}

/// Writes `\d`, `\w`, `\s`, `\b` and their opposites out as the ASCII sets that they are in Go: a
/// namespace that allows `^\d+$` must not meet other scripts' digits here.
fn with_ascii_classes(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('d') => out.push_str("[0-9]"),
            Some('D') => out.push_str("[^0-9]"),
            Some('w') => out.push_str("[0-9A-Za-z_]"),
            Some('W') => out.push_str("[^0-9A-Za-z_]"),
            Some('s') => out.push_str(r"[\t\n\f\r ]"),
            Some('S') => out.push_str(r"[^\t\n\f\r ]"),
            Some('b') => out.push_str(r"(?-u:\b)"),
            Some('B') => out.push_str(r"(?-u:\B)"),
            Some(other) => out.extend(['\\', other]),
            None => out.push('\\'),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, text: &str) -> bool {
        Pattern::new(pattern).unwrap().regex().unwrap().is_match(text)
    }

    #[test]
    fn classes_are_ascii_and_the_rest_is_not() {
        assert!(matches(r"^\d+$", "42") && !matches(r"^\d+$", "٤٢"));
        assert!(matches(r"^[\w-]+$", "a-b_c") && !matches(r"^[\w-]+$", "é"));
        assert!(matches(r"^[^\d]$", "x") && !matches(r"^[^\d]$", "1"));
        assert!(matches(r"\bb\b", "a b c") && !matches(r"\bb\b", "abc"));
        assert!(matches(r"^\\d$", r"\d"));
        assert!(matches(r"^\p{L}+$", "é") && matches("(?i)^é$", "É"));
        assert!(matches("^.$", "é"));
    }

    #[test]
    fn a_bad_pattern_is_named() {
        let error = Pattern::new("(").unwrap_err();
        assert!(error.starts_with("expected a regular expression, got \"(\""), "{error}");
        assert!(Pattern::new("\\").is_err());
    }

    proptest::proptest! {
        #[test]
        fn no_pattern_panics(text: String) {
            let _ = Pattern::new(&text);
        }
    }
}
