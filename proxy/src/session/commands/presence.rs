//! `presence`: everyone in a channel.

use std::sync::Arc;

use super::{Done, Refusal, channel};
use crate::permission;
use crate::protocol::{Fields, write};
use crate::session::client::Client;

pub(super) async fn run(client: &Arc<Client>, id: u32, params: &Fields<'_>) -> Done {
    let channel = channel(params)?;
    decide(client, &channel)?;
    let reply =
        |members: &[u8]| write::reply(id, "presence", |body| body.written("presence", members));
    if client.is_shown_members(&channel) {
        return Ok(client.context.hub.tell_presence(&client.questioner(&channel), reply).await?);
    }
    let members = client.context.store.presence(&channel).await?.json;
    client.outbox.reply(reply(&members));
    Ok(())
}

/// Whether the client may ask who is in a channel.
pub(super) fn decide(client: &Client, channel: &str) -> Result<(), Refusal> {
    let resolved = permission::find(&client.context.config.channel, channel)?;
    let subscribed = client.subscription(channel).is_some();
    Ok(client.ask(|asker| permission::may_presence(asker, &resolved, subscribed))?)
}
