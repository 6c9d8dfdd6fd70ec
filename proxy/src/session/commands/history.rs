//! `history`: there is none here.

use std::sync::Arc;

use super::{Done, channel};
use crate::permission;
use crate::protocol::{ClientError, Fields};
use crate::session::client::Client;

pub(super) fn run(client: &Arc<Client>, params: &Fields<'_>) -> Done {
    permission::find(&client.context.config.channel, &channel(params)?)?;
    Err(ClientError::NotAvailable.into())
}
