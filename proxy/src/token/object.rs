//! Reading claims as Go does, since that is what issuers test against: names match in any case,
//! `null` is as absent, the last of duplicates counts, what is unknown is ignored.

use std::{collections::BTreeMap, fmt};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::{
    Deserialize,
    de::{DeserializeOwned, Deserializer, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::Reason;

/// One JSON object, its values still as they were written.
#[derive(Debug)]
pub(crate) struct Object<'a>(Vec<(String, &'a RawValue)>);

type Claim<T> = Result<T, Reason>;

// === impl Object ===

impl<'a> Object<'a> {
    /// Reads an object; `None` if `text` is none. `null` is an empty one.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        serde_json::from_str::<Option<Self>>(text).ok().map(|object| object.unwrap_or(Self(vec![])))
    }

    /// The last value of `name`, `null` included.
    fn last(&self, name: &str) -> Option<&'a str> {
        let mut values = self.0.iter().rev();
        let found = values.find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.get())
    }

    /// The last value of `name` that is not `null`.
    fn last_set(&self, name: &str) -> Option<&'a str> {
        let mut values = self.0.iter().rev();
        let found =
            values.find(|(key, value)| key.eq_ignore_ascii_case(name) && value.get() != "null");
        found.map(|(_, value)| value.get())
    }

    fn typed<T: DeserializeOwned>(&self, name: &'static str) -> Claim<Option<T>> {
        let Some(text) = self.last_set(name) else { return Ok(None) };
        serde_json::from_str(text).map(Some).map_err(|_| Reason::Claim(name))
    }

    pub(crate) fn string(&self, name: &'static str) -> Claim<String> {
        Ok(self.typed(name)?.unwrap_or_default())
    }

    pub(crate) fn integer(&self, name: &'static str) -> Claim<Option<i64>> {
        self.typed(name)
    }

    /// Strings of a list; `null` among them is an empty one.
    pub(crate) fn strings(&self, name: &'static str) -> Claim<Vec<String>> {
        let items: Vec<Option<String>> = self.typed(name)?.unwrap_or_default();
        Ok(items.into_iter().map(Option::unwrap_or_default).collect())
    }

    /// `aud`: one string, or a list of them.
    pub(crate) fn string_or_strings(&self, name: &'static str) -> Claim<Vec<String>> {
        match self.last_set(name) {
            Some(text) if text.starts_with('"') => Ok(vec![self.string(name)?]),
            _ => self.strings(name),
        }
    }

    /// A time in seconds, with a fraction or in quotes if need be.
    pub(crate) fn time(&self, name: &'static str) -> Claim<Option<f64>> {
        let Some(text) = self.last_set(name) else { return Ok(None) };
        let quoted = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
        let number = quoted.unwrap_or(text);
        let seconds = serde_json::from_str::<f64>(number).ok();
        let tight = number.trim().len() == number.len();
        seconds.filter(|_| tight).map(Some).ok_or(Reason::Claim(name))
    }

    /// The object under `name`; an empty one if there is none.
    pub(crate) fn object(&self, name: &'static str) -> Claim<Self> {
        match self.last_set(name) {
            Some(text) => Self::parse(text).ok_or(Reason::Claim(name)),
            None => Ok(Self(vec![])),
        }
    }

    /// Objects by their names, which are data and so kept as they are.
    pub(crate) fn objects(&self, name: &'static str) -> Claim<BTreeMap<String, Self>> {
        let entries = self.object(name)?.0.into_iter();
        entries
            .map(|(key, value)| Ok((key, Self::parse(value.get()).ok_or(Reason::Claim(name))?)))
            .collect()
    }

    /// JSON as it was written, `null` included; empty if there is none.
    pub(crate) fn raw(&self, name: &str) -> Bytes {
        self.last(name).map(|text| Bytes::copy_from_slice(text.as_bytes())).unwrap_or_default()
    }

    /// A payload: the bytes in base64 under one name, if any, or the JSON under the other.
    pub(crate) fn payload(&self, json: &str, b64: &'static str) -> Claim<Bytes> {
        let encoded = self.string(b64)?;
        if encoded.is_empty() {
            return Ok(self.raw(json));
        }
        STANDARD.decode(encoded).map(Bytes::from).map_err(|_| Reason::Claim(b64))
    }

    /// `{"value": true}` under `name`.
    pub(crate) fn switch(&self, name: &'static str) -> Claim<Option<bool>> {
        if self.last_set(name).is_none() {
            return Ok(None);
        }
        let value = self.object(name)?.typed("value").map_err(|_| Reason::Claim(name))?;
        Ok(Some(value.unwrap_or(false)))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;

        impl<'de> Visitor<'de> for Fields {
            type Value = Vec<(String, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(fields)
            }
        }

        deserializer.deserialize_map(Fields).map(Object)
    }
}
