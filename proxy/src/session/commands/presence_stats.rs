//! `presence_stats`: how many clients and users are in a channel.

use std::sync::Arc;

use super::{Done, channel, presence};
use crate::protocol::{Fields, write};
use crate::session::client::Client;

pub(super) async fn run(client: &Arc<Client>, id: u32, params: &Fields<'_>) -> Done {
    let channel = channel(params)?;
    presence::decide(client, &channel)?;
    let stats = client.context.store.stats(&channel).await?;
    client.outbox.reply(write::reply(id, "presence_stats", |body| {
        body.number("num_clients", stats.clients);
        body.number("num_users", stats.users);
    }));
    Ok(())
}
