//! `broadcast`: sends the same data to many channels.

use futures_util::future::join_all;

use super::publish::Payload;
use super::{Api, ApiError, Method, Output};
use crate::protocol::write::Object;
use crate::protocol::{Fields, Malformed};

/// Channels published to at once.
const AT_ONCE: usize = 256;

/// What `broadcast` takes.
#[derive(Debug)]
pub(super) struct Request {
    channels: Vec<String>,
    payload: Payload,
}

/// What became of each channel, in the order of the request.
#[derive(Debug)]
pub(super) struct Responses(Vec<Result<(), ApiError>>);

// === impl Request ===

impl Method for Request {
    type Output = Responses;

    fn parse(params: &Fields<'_>) -> Result<Self, Malformed> {
        Ok(Self { channels: params.strings("channels")?, payload: Payload::parse(params)? })
    }

    async fn call(self, api: &Api) -> Result<Responses, ApiError> {
        if self.channels.is_empty() || self.payload.is_nothing() {
            return Err(ApiError::BadRequest);
        }
        let payload = &self.payload;
        let mut responses = Vec::with_capacity(self.channels.len());
        for some in self.channels.chunks(AT_ONCE) {
            responses.extend(join_all(some.iter().map(|one| publish(api, one, payload))).await);
        }
        Ok(Responses(responses))
    }
}

async fn publish(api: &Api, channel: &str, payload: &Payload) -> Result<(), ApiError> {
    let message = payload.message(&api.resolve(channel)?)?;
    Ok(api.store.publish(channel, message).await?)
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
