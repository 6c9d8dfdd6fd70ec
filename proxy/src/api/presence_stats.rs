//! `presence_stats`: how many clients and users are in a channel.

use super::{Api, Failure, Method, Output, Subject};
use crate::protocol::write::Object;
use crate::protocol::{Fields, Malformed};
use crate::store::Stats;

/// What `presence_stats` takes.
#[derive(Debug)]
pub(super) struct Request {
    channel: String,
}

// === impl Request ===

impl Method for Request {
    type Output = Stats;

    fn parse(params: &Fields<'_>) -> Result<Self, Malformed> {
        Ok(Self { channel: params.string("channel")?.into_owned() })
    }

    fn subject(&self) -> Subject<'_> {
        Subject::Channel(&self.channel)
    }

    async fn call(&self, api: &Api) -> Result<Stats, Failure> {
        api.has_presence(&self.channel)?;
        Ok(api.store.stats(&self.channel).await?)
    }
}

// === impl Stats ===

impl Output for Stats {
    fn write(&self, body: &mut Object<'_>) {
        body.number("num_clients", self.clients);
        body.number("num_users", self.users);
    }
}
