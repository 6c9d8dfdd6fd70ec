//! `publish`: sends data to everyone in a channel.

use std::sync::Arc;

use rollcall_wire::Info;
use rollcall_wire::publication::Publication;

use super::{Done, channel};
use crate::permission;
use crate::protocol::{Fields, write};
use crate::session::client::Client;

pub(super) async fn run(client: &Arc<Client>, id: u32, params: &Fields<'_>) -> Done {
    let channel = channel(params)?;
    let data = Info::classify(params.raw("data").unwrap_or_default().as_bytes());
    let resolved = permission::find(&client.context.config.channel, &channel)?;
    let subscription = client.subscription(&channel);
    let subscribed = subscription.is_some();
    client.ask(|asker| permission::may_publish(asker, &resolved, subscribed, &data))?;

    let info = client.info_json(&subscription.unwrap_or_default().chan_info);
    let mut message = Vec::with_capacity(data.bytes().len() + info.len() + 32);
    Publication { data, info: Some(&info), tags: None }.push_json(&mut message);
    client.context.store.publish(&channel, message.into()).await?;
    client.outbox.reply(write::reply(id, "publish", |_| ()));
    Ok(())
}
