//! `broadcast`: sends the same data to many channels.

use futures_util::future::join_all;

use super::publish::Payload;
use super::{Api, ApiError, Failure, Method, Names, Output, Subject, names};
use crate::protocol::write::Object;
use crate::protocol::{Fields, Malformed};

/// Channels published to at once.
const AT_ONCE: usize = 256;
/// Bytes that are on their way to Redis at once, unless one message is larger.
const BYTES: usize = 4 * 1024 * 1024;

/// What `broadcast` takes.
#[derive(Debug)]
pub(super) struct Request {
    channels: Names,
    payload: Payload,
}

/// What became of each channel, in the order of the request.
#[derive(Debug)]
pub(super) struct Responses(Vec<Result<(), ApiError>>);

// === impl Request ===

impl Method for Request {
    type Output = Responses;

    fn parse(params: &Fields<'_>) -> Result<Self, Malformed> {
        Ok(Self { channels: names(params, "channels")?, payload: Payload::parse(params)? })
    }

    fn subject(&self) -> Subject<'_> {
        Subject::Nothing
    }

    async fn call(&self, api: &Api) -> Result<Responses, Failure> {
        let channels = self.channels.as_ref().map_err(|error| *error)?;
        if channels.is_empty() || self.payload.is_nothing() {
            return Err(ApiError::BadRequest.into());
        }
        let payload = &self.payload;
        let at_once = (BYTES / payload.size().max(1)).clamp(1, AT_ONCE);
        let mut responses = Vec::with_capacity(channels.len());
        for some in channels.chunks(at_once) {
            responses.extend(join_all(some.iter().map(|one| publish(api, one, payload))).await);
        }
        Ok(Responses(responses))
    }
}

async fn publish(api: &Api, channel: &str, payload: &Payload) -> Result<(), ApiError> {
    let message = payload.message(&api.resolve(channel)?)?;
    let published = api.store.publish(channel, message).await;
    published.map_err(|error| api.failed("broadcast", Subject::Channel(channel), &error))
}

// === impl Responses ===

impl Output for Responses {
    fn write(&self, body: &mut Object<'_>) {
        body.list("responses", &self.0, |body, response| match response {
            Ok(()) => body.object("result", |_| ()),
            Err(error) => error.write(body),
        });
    }
}
