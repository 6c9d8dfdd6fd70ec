//! Claims, read from a JSON object by the rules of [`Fields`], which are those issuers test against.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;

use super::Reason;
use crate::fields::Fields;

/// One JSON object of a token; what is wrong in it is told by the claim's name.
#[derive(Debug)]
pub(crate) struct Object<'a>(Fields<'a>);

type Claim<T> = Result<T, Reason>;

// === impl Object ===

impl<'a> Object<'a> {
    /// Reads an object; `None` if `text` is none. `null` is an empty one.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        Fields::parse(text).ok().map(Self)
    }

    /// Reads one claim as `read` does.
    fn claim<T, E>(
        &self,
        name: &'static str,
        read: impl FnOnce(&Fields<'a>, &str) -> Result<T, E>,
    ) -> Claim<T> {
        read(&self.0, name).map_err(|_| Reason::Claim(name))
    }

    pub(crate) fn string(&self, name: &'static str) -> Claim<String> {
        self.claim(name, Fields::string).map(Into::into)
    }

    pub(crate) fn integer(&self, name: &'static str) -> Claim<Option<i64>> {
        self.claim(name, |fields, name| fields.scalar(name).map(serde_json::from_str).transpose())
    }

    /// Strings of a list; `null` among them is an empty one.
    pub(crate) fn strings(&self, name: &'static str) -> Claim<Vec<String>> {
        self.claim(name, Fields::strings)
    }

    /// `aud`: one string, or a list of them.
    pub(crate) fn string_or_strings(&self, name: &'static str) -> Claim<Vec<String>> {
        match self.0.scalar(name) {
            Some(text) if text.starts_with('"') => Ok(vec![self.string(name)?]),
            _ => self.strings(name),
        }
    }

    /// A time in seconds, with a fraction or in quotes if need be.
    pub(crate) fn time(&self, name: &'static str) -> Claim<Option<f64>> {
        let Some(text) = self.0.scalar(name) else { return Ok(None) };
        let quoted = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
        let number = quoted.unwrap_or(text);
        let seconds = serde_json::from_str::<f64>(number).ok();
        let tight = number.trim().len() == number.len();
        seconds.filter(|_| tight).map(Some).ok_or(Reason::Claim(name))
    }

    /// The object under `name`; an empty one if there is none.
    pub(crate) fn object(&self, name: &'static str) -> Claim<Self> {
        self.claim(name, Fields::object).map(|object| Self(object.unwrap_or_default()))
    }

    /// Objects by their names, which are data and so kept as they are.
    pub(crate) fn objects(&self, name: &'static str) -> Claim<BTreeMap<String, Self>> {
        let objects = self.claim(name, Fields::objects)?.into_iter();
        Ok(objects.map(|(key, fields)| (key, Self(fields))).collect())
    }

    /// JSON as it was written, `null` included; empty if there is none.
    pub(crate) fn raw(&self, name: &str) -> Bytes {
        self.0.raw(name).map(|text| Bytes::copy_from_slice(text.as_bytes())).unwrap_or_default()
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
        let object = self.claim(name, Fields::object)?;
        let value = object.map(|object| object.flag("value")).transpose();
        value.map_err(|_| Reason::Claim(name))
    }
}
