//! `rpc`: the one method that is built in, `update_user_status`.

use std::sync::Arc;

use super::{Done, Refusal};
use crate::protocol::{ClientError, Fields, write};
use crate::session::client::Client;

const UPDATE_USER_STATUS: &str = "update_user_status";

pub(super) async fn run(client: &Arc<Client>, id: u32, params: &Fields<'_>) -> Done {
    let method = params.string("method")?;
    let user = client.identity().map(|identity| identity.user.clone()).unwrap_or_default();
    decide(&method, client.context.config.user_status.enabled, &user)?;
    client.context.store.touch(&[&user]).await?;
    client.outbox.reply(write::reply(id, "rpc", |_| ()));
    Ok(())
}

/// Without any method at all RPC is off; a user's status needs a user.
fn decide(method: &str, user_status: bool, user: &str) -> Result<(), Refusal> {
    match (method, user_status) {
        (_, false) => Err(ClientError::NotAvailable.into()),
        (UPDATE_USER_STATUS, true) if user.is_empty() => Err(ClientError::PermissionDenied.into()),
        (UPDATE_USER_STATUS, true) => Ok(()),
        (_, true) => Err(ClientError::MethodNotFound.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_call_what() {
        let error = |error: ClientError| Err(Refusal::Error(error));
        assert_eq!(decide("update_user_status", true, "42"), Ok(()));
        assert_eq!(decide("update_user_status", true, ""), error(ClientError::PermissionDenied));
        assert_eq!(decide("update_user_status", false, "42"), error(ClientError::NotAvailable));
        assert_eq!(decide("nope", true, "42"), error(ClientError::MethodNotFound));
        assert_eq!(decide("nope", false, "42"), error(ClientError::NotAvailable));
        assert_eq!(decide("", true, "42"), error(ClientError::MethodNotFound));
    }
}
