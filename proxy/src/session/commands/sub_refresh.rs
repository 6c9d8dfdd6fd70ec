//! `sub_refresh`: a subscription is not told when it ends, but ended then (2501), and subscribed anew
//! with a new token; so there is nothing to refresh.

use std::sync::Arc;

use super::{Done, Refusal, channel};
use crate::protocol::{ClientError, Fields};
use crate::session::client::Client;

pub(super) fn run(client: &Arc<Client>, params: &Fields<'_>) -> Done {
    let channel = channel(params)?;
    Err(decide(client.subscription(&channel).is_some(), &params.string("token")?))
}

fn decide(subscribed: bool, token: &str) -> Refusal {
    Refusal::Error(match (subscribed, token) {
        (false, _) => ClientError::PermissionDenied,
        (true, "") => ClientError::BadRequest,
        (true, _) => ClientError::NotAvailable,
    })
}
