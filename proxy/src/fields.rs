//! The one decoder for client frames, API bodies and token claims: an object's members, by Go's rules.
//!
//! Existing clients and issuers rely on them: `null` for a scalar is absent, the last duplicate wins, keys match
//! ASCII case-insensitively, unknown keys are ignored. Payloads stay raw bytes.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer as _};
use serde_json::value::RawValue;

/// Most members of one object: no frame has more, and no call needs more.
const MEMBERS: usize = 16_384;

/// What is not an object of the expected shape.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub String);

/// The members of one JSON object, borrowed from its text.
#[derive(Debug, Default, Clone)]
pub struct Fields<'a> {
    members: Vec<(Cow<'a, str>, &'a RawValue)>,
}

/// A string that borrows from the input where it has no escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

// === impl Fields ===

impl<'a> Fields<'a> {
    /// Reads exactly one object (or `null`, an empty one); anything after it is an error.
    pub fn parse(text: &'a str) -> Result<Self, Malformed> {
        serde_json::from_str(text).map_err(|error| Malformed(error.to_string()))
    }

    /// Reads the first value of `text` as an object; what follows is ignored.
    pub fn parse_first(text: &'a str) -> Result<Self, Malformed> {
        match Self::parse_stream(text).next() {
            Some(fields) => fields,
            None => Err(Malformed("expected an object, got nothing".to_owned())),
        }
    }

    /// Reads concatenated objects.
    pub fn parse_stream(text: &'a str) -> impl Iterator<Item = Result<Self, Malformed>> {
        serde_json::Deserializer::from_str(text)
            .into_iter()
            .map(|fields| fields.map_err(|error| Malformed(error.to_string())))
    }

    /// A member's raw bytes; `null` is a value.
    pub fn raw(&self, name: &str) -> Option<&'a str> {
        self.values(name).next_back().map(RawValue::get)
    }

    /// A string, empty when absent.
    pub fn string(&self, name: &str) -> Result<Cow<'a, str>, Malformed> {
        match self.present(name) {
            None => Ok(Cow::Borrowed("")),
            Some(raw) => text(raw).ok_or_else(|| wrong(name, "a string")),
        }
    }

    /// A whole number from 0 to 2^32-1, 0 when absent.
    pub fn number(&self, name: &str) -> Result<u32, Malformed> {
        match self.present(name) {
            None => Ok(0),
            Some(raw) => {
                raw.get().parse().map_err(|_| wrong(name, "a whole number from 0 to 4294967295"))
            }
        }
    }

    /// A whole number from 0 to 2^64-1, 0 when absent.
    pub fn big_number(&self, name: &str) -> Result<u64, Malformed> {
        match self.present(name) {
            None => Ok(0),
            Some(raw) => raw.get().parse().map_err(|_| wrong(name, "a whole number")),
        }
    }

    /// `true` or `false`, false when absent.
    pub fn flag(&self, name: &str) -> Result<bool, Malformed> {
        match self.scalar(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(wrong(name, "true or false")),
        }
    }

    /// A list of strings, empty when absent; `null` elements are empty strings.
    pub fn strings(&self, name: &str) -> Result<Vec<String>, Malformed> {
        let Some(raw) = self.present(name) else { return Ok(Vec::new()) };
        serde_json::from_str::<Vec<Option<String>>>(raw.get())
            .map(|list| list.into_iter().map(Option::unwrap_or_default).collect())
            .map_err(|_| wrong(name, "a list of strings"))
    }

    /// The same for a list that may be long: `None` when it has more than `most`, none of which is
    /// kept then.
    pub fn strings_up_to(&self, name: &str, most: usize) -> Result<Option<Vec<String>>, Malformed> {
        let Some(raw) = self.present(name) else { return Ok(Some(Vec::new())) };
        let mut read = serde_json::Deserializer::from_str(raw.get());
        read.deserialize_seq(UpTo(most)).map_err(|_| wrong(name, "a list of strings"))
    }

    /// Whether `text` begins with at most `most` values. The rest is not looked at, nor is any of
    /// them kept.
    pub fn are_at_most(text: &str, most: usize) -> bool {
        let values = serde_json::Deserializer::from_str(text).into_iter::<IgnoredAny>();
        values.take_while(Result::is_ok).take(most + 1).count() <= most
    }

    /// A nested object; `None` when absent or `null`.
    pub fn object(&self, name: &str) -> Result<Option<Fields<'a>>, Malformed> {
        match self.present(name) {
            None => Ok(None),
            Some(raw) => {
                serde_json::from_str(raw.get()).map(Some).map_err(|_| wrong(name, "an object"))
            }
        }
    }

    /// Nested objects by their names, which are data and so kept as they are: of duplicates the last
    /// counts, and `null` is an empty object.
    pub fn objects(&self, name: &str) -> Result<BTreeMap<String, Fields<'a>>, Malformed> {
        let members = self.object(name)?.unwrap_or_default().members.into_iter();
        members
            .map(|(key, raw)| {
                let fields = Self::parse(raw.get()).map_err(|_| wrong(name, "a map of objects"))?;
                Ok((key.into_owned(), fields))
            })
            .collect()
    }

    /// Whether a member is a list without elements.
    pub fn is_empty_list(&self, name: &str) -> bool {
        self.has(name) && self.strings_up_to(name, 0).is_ok_and(|list| list.is_some())
    }

    /// Whether a member is there and is not `null`.
    pub fn has(&self, name: &str) -> bool {
        self.present(name).is_some()
    }

    /// A member's raw bytes unless they are `null`.
    pub fn scalar(&self, name: &str) -> Option<&'a str> {
        self.present(name).map(RawValue::get)
    }

    fn values(&self, name: &str) -> impl DoubleEndedIterator<Item = &'a RawValue> {
        self.members
            .iter()
            .filter(move |(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| *value)
    }

    /// The last value that is not `null`: for a scalar, `null` changes nothing.
    fn present(&self, name: &str) -> Option<&'a RawValue> {
        self.values(name).rfind(|value| value.get() != "null")
    }
}

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Members)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Fields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Fields::default())
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let mut members = Vec::new();
        while let Some((Text(key), value)) = map.next_entry::<Text<'de>, &'de RawValue>()? {
            if members.len() >= MEMBERS {
                return Err(M::Error::custom(format!("expected at most {MEMBERS} members")));
            }
            members.push((key, value));
        }
        Ok(Fields { members })
    }
}

/// Reads strings as long as there are no more than so many; `null` is an empty one.
struct UpTo(usize);

impl<'de> Visitor<'de> for UpTo {
    type Value = Option<Vec<String>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of strings")
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut list: S) -> Result<Self::Value, S::Error> {
        let mut strings = Vec::new();
        while let Some(string) = list.next_element::<Option<String>>()? {
            strings.push(string.unwrap_or_default());
            if strings.len() > self.0 {
                while list.next_element::<IgnoredAny>()?.is_some() {}
                return Ok(None);
            }
        }
        Ok(Some(strings))
    }
}

fn text(raw: &RawValue) -> Option<Cow<'_, str>> {
    serde_json::from_str::<Text<'_>>(raw.get()).ok().map(|Text(text)| text)
}

fn wrong(name: &str, expected: &str) -> Malformed {
    Malformed(format!("{name}: expected {expected}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_rules() {
        let fields = Fields::parse(
            r#"{"Channel":"a","channel":"b","channel":null,"n":null,"data":1,"DATA":null,"x":[{}]}"#,
        )
        .unwrap();
        assert_eq!(fields.string("channel").unwrap(), "b");
        assert_eq!(fields.string("missing").unwrap(), "");
        assert_eq!(fields.number("n").unwrap(), 0);
        assert_eq!(fields.raw("data"), Some("null"));
        assert_eq!(fields.raw("missing"), None);
        assert!(fields.object("missing").unwrap().is_none());
        assert!(Fields::parse("null").unwrap().raw("a").is_none());
    }

    #[test]
    fn names_that_are_data_are_kept_as_they_are() {
        let fields =
            Fields::parse(r#"{"subs":{"a":{"n":1},"A":{"n":2},"b":null,"a":{}},"bad":{"a":1}}"#)
                .unwrap();
        let subs = fields.objects("subs").unwrap();
        let numbers: Vec<_> =
            subs.iter().map(|(name, sub)| (name.as_str(), sub.number("n").unwrap())).collect();
        assert_eq!(numbers, [("A", 2), ("a", 0), ("b", 0)]);
        assert!(fields.objects("missing").unwrap().is_empty());
        assert_eq!(
            fields.objects("bad").unwrap_err().to_string(),
            "bad: expected a map of objects"
        );
    }

    #[test]
    fn wrong_types_name_the_field() {
        let fields =
            Fields::parse(r#"{"id":"2","neg":-2,"float":2.0,"big":4294967296,"users":"42"}"#)
                .unwrap();
        assert_eq!(
            fields.number("id").unwrap_err().to_string(),
            "id: expected a whole number from 0 to 4294967295"
        );
        for name in ["neg", "float", "big"] {
            assert!(fields.number(name).is_err());
        }
        assert_eq!(
            fields.strings("users").unwrap_err().to_string(),
            "users: expected a list of strings"
        );
        assert!(fields.object("users").is_err());
        let up_to = |most: usize| {
            let list = Fields::parse(r#"{"users":["a",null,"c"]}"#).unwrap();
            list.strings_up_to("users", most).unwrap()
        };
        assert_eq!(up_to(3).unwrap(), ["a", "", "c"]);
        assert_eq!(up_to(2), None);
        for bad in [r#"{"users":["a",5]}"#, r#"{"users":"42"}"#] {
            let list = Fields::parse(bad).unwrap();
            assert!(list.strings_up_to("users", 9).is_err(), "{bad}");
        }
        assert!(Fields::are_at_most("{} {} {", 2) && !Fields::are_at_most("{}{}{}", 2));
        assert!(fields.string("neg").is_err());
        assert!(fields.flag("neg").is_err());
    }

    #[test]
    fn trailing_bytes_are_an_error_only_where_the_whole_is_read() {
        let text = "{\"id\":1} garbage";
        assert!(Fields::parse(text).is_err());
        assert_eq!(Fields::parse_first(text).unwrap().number("id").unwrap(), 1);
        for bad in ["", "[]", "1", "{", "{\"a\":}"] {
            assert!(Fields::parse_first(bad).is_err(), "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text: String) {
            if let Ok(fields) = Fields::parse_first(&text) {
                let _ = (fields.number("id"), fields.string("a"), fields.raw("b"));
            }
        }
    }
}
