//! `publish`: sends data to one channel.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use rollcall_wire::Info;
use rollcall_wire::publication::Publication;

use super::{Api, ApiError, Empty, Method};
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
pub(super) struct Payload {
    data: Result<Vec<u8>, ApiError>,
    tags: Option<String>,
}

// === impl Request ===

impl Method for Request {
    type Output = Empty;

    fn parse(params: &Fields<'_>) -> Result<Self, Malformed> {
        let channel = params.string("channel")?.into_owned();
        Ok(Self { channel, payload: Payload::parse(params)? })
    }

    async fn call(self, api: &Api) -> Result<Empty, ApiError> {
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
        Ok(Self { data, tags: tags(params)? })
    }

    /// Whether no channel would take it but one for anything at all.
    pub(super) fn is_nothing(&self) -> bool {
        self.data.as_ref().is_ok_and(Vec::is_empty) || self.data.is_err()
    }

    /// The message to send to a channel.
    pub(super) fn message(&self, channel: &Resolved<'_>) -> Result<Bytes, ApiError> {
        let data = self.data.as_ref().map_err(|error| *error)?;
        if !permission::may_hold(channel.data_format(), data) {
            return Err(ApiError::BadRequest);
        }
        let mut message = Vec::with_capacity(data.len() + 32);
        let tags = self.tags.as_deref();
        Publication { data: Info::classify(data), info: None, tags }.push_json(&mut message);
        Ok(message.into())
    }
}

fn tags(params: &Fields<'_>) -> Result<Option<String>, Malformed> {
    let Some(raw) = params.raw("tags").filter(|raw| *raw != "null") else { return Ok(None) };
    let wrong = |_| Malformed("tags: expected an object of strings".to_owned());
    let tags: BTreeMap<String, String> = serde_json::from_str(raw).map_err(wrong)?;
    if tags.is_empty() {
        return Ok(None);
    }
    serde_json::to_string(&tags).map(Some).map_err(wrong)
}
