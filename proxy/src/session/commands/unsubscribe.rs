//! `unsubscribe`: leaves a channel. Never an error: SDKs reconnect on one.

use std::sync::Arc;

use super::{Done, channel};
use crate::protocol::{Fields, write};
use crate::session::client::Client;

pub(super) async fn run(client: &Arc<Client>, id: u32, params: &Fields<'_>) -> Done {
    client.detach(&channel(params)?).await;
    client.outbox.reply(write::reply(id, "unsubscribe", |_| ()));
    Ok(())
}
