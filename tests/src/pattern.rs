//! Comparing what came with what is expected, where not every byte can be known beforehand.

use std::collections::BTreeMap;

use serde_json::Value;

/// What placeholders stood for so far, such as `<A>` for a client id.
#[derive(Debug, Default, Clone)]
pub struct Names {
    known: BTreeMap<String, Value>,
}

/// Whether `text` is `pattern`, in which `<n>` stands for a number and `<*>` for anything.
pub fn matches(pattern: &str, text: &str) -> bool {
    let Some(start) = pattern.find("<n>").into_iter().chain(pattern.find("<*>")).min() else {
        return pattern == text;
    };
    let Some(rest) = text.strip_prefix(&pattern[..start]) else { return false };
    let pattern = &pattern[start..];
    if let Some(after) = pattern.strip_prefix("<n>") {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        digits > 0 && matches(after, &rest[digits..])
    } else {
        let after = &pattern["<*>".len()..];
        (0..=rest.len()).any(|end| rest.is_char_boundary(end) && matches(after, &rest[end..]))
    }
}

// === impl Names ===

impl Names {
    /// Gives a name a meaning.
    pub fn set(&mut self, name: &str, meaning: &str) {
        self.known.insert(format!("<{name}>"), meaning.into());
    }

    /// What a name stands for.
    pub fn get(&self, name: &str) -> &Value {
        let name = format!("<{name}>");
        self.known.get(&name).unwrap_or_else(|| panic!("{name} is not known yet"))
    }

    /// Puts meanings in the place of names; a quoted name that means a number loses its quotes.
    pub fn fill(&self, text: &str) -> String {
        self.known.iter().fold(text.to_owned(), |text, (name, meaning)| match meaning {
            Value::String(meaning) => text.replace(name.as_str(), meaning),
            meaning => text.replace(&format!("\"{name}\""), &meaning.to_string()),
        })
    }

    /// Whether `actual` is the JSON value that `expected` describes. A string `"<X>"` that is not
    /// known yet stands for any string or number, which it then means.
    pub fn describe(&mut self, expected: &str, actual: &Value) -> bool {
        let expected = self.fill(expected);
        let expected = serde_json::from_str(&expected)
            .unwrap_or_else(|error| panic!("expected text is not JSON ({error}): {expected}"));
        self.same(&expected, actual)
    }

    fn same(&mut self, expected: &Value, actual: &Value) -> bool {
        match (expected, actual) {
            (Value::String(name), Value::String(_) | Value::Number(_)) if is_name(name) => {
                self.known.entry(name.clone()).or_insert_with(|| actual.clone()) == actual
            }
            (Value::Array(left), Value::Array(right)) => {
                left.len() == right.len() && left.iter().zip(right).all(|(l, r)| self.same(l, r))
            }
            (Value::Object(left), Value::Object(right)) => {
                left.len() == right.len()
                    && left.iter().all(|(key, l)| right.get(key).is_some_and(|r| self.same(l, r)))
            }
            _ => expected == actual,
        }
    }
}

fn is_name(text: &str) -> bool {
    text.starts_with('<') && text.ends_with('>')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_anything_match_where_the_pattern_says_so() {
        assert!(matches("[<n>, 1]", "[17, 1]"));
        assert!(!matches("[<n>, 1]", "[x, 1]"));
        assert!(matches("!ERR <*>node<*>", "!ERR bad node name"));
        assert!(!matches("!ERR <*>node<*>", "!ERR bad client"));
    }

    #[test]
    fn a_name_means_the_same_everywhere() {
        let mut names = Names::default();
        assert!(names.describe(r#"{"a":"<A>"}"#, &serde_json::json!({"a": "x"})));
        assert!(names.describe(r#"{"<A>":1}"#, &serde_json::json!({"x": 1})));
        assert!(!names.describe(r#"["<A>"]"#, &serde_json::json!(["y"])));
    }
}
