//! `publish`: sends data to one channel.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use rollcall_wire::Info;
use rollcall_wire::publication::Publication;
use serde::Deserializer as _;
use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{Api, ApiError, Empty, Failure, Method, Subject};
use crate::channel_name::Resolved;
use crate::permission;
use crate::protocol::{Fields, Malformed};

/// What `publish` takes.
#[derive(Debug)]
pub(super) struct Request {
    channel: String,
    payload: Payload,
}

/// What is published, as `publish` and `broadcast` take it. Fields that need history are accepted
/// and ignored.
#[derive(Debug)]
pub(super) struct Payload(Result<Content, ApiError>);

/// The data, looked at once, and the message that carries it.
#[derive(Debug)]
struct Content {
    data: Vec<u8>,
    is_json: bool,
    message: Bytes,
}

// === impl Request ===

impl Method for Request {
    type Output = Empty;

    fn parse(params: &Fields<'_>) -> Result<Self, Malformed> {
        let channel = params.string("channel")?.into_owned();
        Ok(Self { channel, payload: Payload::parse(params)? })
    }

    fn subject(&self) -> Subject<'_> {
        Subject::Channel(&self.channel)
    }

    async fn call(&self, api: &Api) -> Result<Empty, Failure> {
        let message = self.payload.message(&api.resolve(&self.channel)?)?;
        api.store.publish(&self.channel, message).await?;
        Ok(Empty)
    }
}

// === impl Payload ===

impl Payload {
    pub(super) fn parse(params: &Fields<'_>) -> Result<Self, Malformed> {
        let base64 = params.string("b64data")?;
        let data = if base64.is_empty() {
            Ok(params.raw("data").unwrap_or_default().as_bytes().to_vec())
        } else {
            STANDARD.decode(base64.as_bytes()).map_err(|_| ApiError::BadRequest)
        };
        // They mean nothing without history, but what is no such value is a mistake.
        params.flag("skip_history")?;
        params.flag("delta")?;
        params.string("idempotency_key")?;
        params.string("version_epoch")?;
        params.big_number("version")?;
        let tags = tags(params)?;
        Ok(Self(data.map(|data| Content::new(data, tags))))
    }

    /// Whether no channel would take it but one for anything at all.
    pub(super) fn is_nothing(&self) -> bool {
        self.0.as_ref().map_or(true, |content| content.data.is_empty())
    }

    /// Bytes of the message.
    pub(super) fn size(&self) -> usize {
        self.0.as_ref().map_or(0, |content| content.message.len())
    }

    /// The message to send to a channel; all channels share it.
    pub(super) fn message(&self, channel: &Resolved<'_>) -> Result<Bytes, ApiError> {
        let content = self.0.as_ref().map_err(|error| *error)?;
        if permission::may_hold(channel.data_format(), &content.info()) {
            Ok(content.message.clone())
        } else {
            Err(ApiError::BadRequest)
        }
    }
}

// === impl Content ===

impl Content {
    fn new(data: Vec<u8>, tags: Option<&str>) -> Self {
        let info = Info::classify(&data);
        let mut message = Vec::with_capacity(data.len() + tags.map_or(0, str::len) + 32);
        Publication { data: info, info: None, tags }.push_json(&mut message);
        let is_json = matches!(info, Info::Json(_));
        Self { is_json, message: message.into(), data }
    }

    fn info(&self) -> Info<'_> {
        match &self.data[..] {
            [] => Info::None,
            data if self.is_json => Info::Json(data),
            data => Info::Bytes(data),
        }
    }
}

/// The tags as they were written; PHP writes an empty list when there are none.
fn tags<'a>(params: &Fields<'a>) -> Result<Option<&'a str>, Malformed> {
    let Some(raw) = params.raw("tags").filter(|raw| *raw != "null") else { return Ok(None) };
    let mut read = serde_json::Deserializer::from_str(raw);
    let wrong = |_| Malformed("tags: expected an object of strings".to_owned());
    let any = read.deserialize_any(Tags).map_err(wrong)?;
    Ok(any.then_some(raw))
}

/// Looks whether there are tags, and that all are strings; none is kept.
struct Tags;

impl<'de> Visitor<'de> for Tags {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of strings")
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut list: S) -> Result<bool, S::Error> {
        match list.next_element::<IgnoredAny>()? {
            None => Ok(false),
            Some(_) => Err(serde::de::Error::invalid_length(1, &self)),
        }
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<bool, M::Error> {
        let mut any = false;
        while map.next_entry::<String, String>()?.is_some() {
            any = true;
        }
        Ok(any)
    }
}
