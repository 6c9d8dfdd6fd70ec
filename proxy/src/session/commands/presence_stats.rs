//! `presence_stats`: how many clients and users are in a channel.

use std::sync::Arc;

use super::{Done, channel, presence};
use crate::protocol::{Fields, write};
use crate::session::client::Client;

pub(super) async fn run(client: &Arc<Client>, id: u32, params: &Fields<'_>) -> Done {
    let channel = channel(params)?;
    presence::decide(client, &channel)?;
    let reply = |clients, users| {
        write::reply(id, "presence_stats", |body| {
            body.number("num_clients", clients);
            body.number("num_users", users);
        })
    };
    if client.is_shown_members(&channel) {
        return Ok(client.context.hub.tell_stats(&client.questioner(&channel), reply).await?);
    }
    let stats = client.context.store.stats(&channel).await?;
    client.outbox.reply(reply(stats.clients, stats.users));
    Ok(())
}
