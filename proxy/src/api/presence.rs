//! `presence`: everyone in a channel.

use bytes::Bytes;

use super::{Api, Failure, Method, Output, Subject};
use crate::protocol::write::Object;
use crate::protocol::{Fields, Malformed};

/// What `presence` takes.
#[derive(Debug)]
pub(super) struct Request {
    channel: String,
}

/// The `presence` object, ready.
#[derive(Debug)]
pub(super) struct Presence(Bytes);

// === impl Request ===

impl Method for Request {
    type Output = Presence;

    fn parse(params: &Fields<'_>) -> Result<Self, Malformed> {
        Ok(Self { channel: params.string("channel")?.into_owned() })
    }

    fn subject(&self) -> Subject<'_> {
        Subject::Channel(&self.channel)
    }

    async fn call(&self, api: &Api) -> Result<Presence, Failure> {
        api.has_presence(&self.channel)?;
        Ok(Presence(api.store.presence(&self.channel).await?.json))
    }
}

// === impl Presence ===

impl Output for Presence {
    fn write(&self, body: &mut Object<'_>) {
        body.written("presence", &self.0);
    }
}
