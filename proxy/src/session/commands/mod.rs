//! The client's commands, one file each.
//!
//! Each first decides (a pure function over token, namespace and session state) and then acts. A
//! command answers through the client's outbox, so that its reply and the pushes around it are in
//! order.

mod connect;
mod history;
mod presence;
mod presence_stats;
mod publish;
mod refresh;
mod rpc;
mod send;
mod sub_refresh;
mod subscribe;
mod unsubscribe;

use std::sync::Arc;

use super::Outcome;
use super::client::Client;
use crate::permission::Denied;
use crate::protocol::codes::{ClientError, Disconnect};
use crate::protocol::frame::{Kind, Request};
use crate::protocol::{Malformed, write};
use crate::store::StoreError;

/// Why a command is not carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// An error reply; the connection goes on.
    Error(ClientError),
    /// No reply: the connection ends.
    Disconnect(Disconnect),
    /// An error reply, after which the connection is of no use.
    Unusable(ClientError),
}

type Done = Result<(), Refusal>;

/// Executes one command.
pub(super) async fn execute(client: Arc<Client>, request: Request) -> Outcome {
    let connected = client.identity().is_some();
    if connected == (request.kind == Kind::Connect) {
        return Outcome::Disconnect(Disconnect::BAD_REQUEST);
    }
    match run(&client, &request).await {
        Ok(()) => Outcome::Done,
        Err(Refusal::Error(error)) => {
            client.outbox.reply(write::error(request.id, error));
            Outcome::Done
        }
        Err(Refusal::Unusable(error)) => {
            client.outbox.reply(write::error(request.id, error));
            Outcome::Unusable
        }
        Err(Refusal::Disconnect(disconnect)) => Outcome::Disconnect(disconnect),
    }
}

/// Leaves a channel whose subscription the server has ended.
pub(super) async fn detach(client: Arc<Client>, channel: Arc<str>) -> Outcome {
    client.detach(&channel).await;
    Outcome::Done
}

async fn run(client: &Arc<Client>, request: &Request) -> Done {
    let params = request.params()?;
    let id = request.id;
    match request.kind {
        Kind::Connect => connect::run(client, id, &params).await,
        Kind::Subscribe => subscribe::run(client, id, &params).await,
        Kind::Unsubscribe => unsubscribe::run(client, id, &params).await,
        Kind::Publish => publish::run(client, id, &params).await,
        Kind::Presence => presence::run(client, id, &params).await,
        Kind::PresenceStats => presence_stats::run(client, id, &params).await,
        Kind::History => history::run(client, &params),
        Kind::Rpc => rpc::run(client, id, &params).await,
        Kind::Send => send::run(),
        Kind::Refresh => refresh::run(client, id, &params).await,
        Kind::SubRefresh => sub_refresh::run(client, &params),
    }
}

/// The channel a command names; a command without one ends the connection.
fn channel(params: &crate::protocol::Fields<'_>) -> Result<Arc<str>, Refusal> {
    let channel = params.string("channel")?;
    if channel.is_empty() {
        return Err(Refusal::Disconnect(Disconnect::BAD_REQUEST));
    }
    Ok(channel.into())
}

impl From<Malformed> for Refusal {
    fn from(_: Malformed) -> Self {
        Self::Disconnect(Disconnect::BAD_REQUEST)
    }
}

impl From<ClientError> for Refusal {
    fn from(error: ClientError) -> Self {
        Self::Error(error)
    }
}

impl From<Denied> for Refusal {
    fn from(denied: Denied) -> Self {
        Self::Error(match denied {
            Denied::UnknownChannel => ClientError::UnknownChannel,
            Denied::PermissionDenied => ClientError::PermissionDenied,
            Denied::BadRequest => ClientError::BadRequest,
            Denied::NotAvailable => ClientError::NotAvailable,
            Denied::TokenExpired => ClientError::TokenExpired,
            Denied::Expired => ClientError::Expired,
            Denied::InvalidToken => return Self::Disconnect(Disconnect::INVALID_TOKEN),
            Denied::EmptyChannel => return Self::Disconnect(Disconnect::BAD_REQUEST),
        })
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        // Handled here: the client may try again, and learns no more.
        tracing::debug!(%error, "a command failed");
        Self::Error(ClientError::Internal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a client is told.
    fn told(denied: Denied) -> String {
        match Refusal::from(denied) {
            Refusal::Error(error) => format!("error {} {}", error.code(), error.message()),
            Refusal::Disconnect(why) => format!("close {} {}", why.code, why.reason),
            Refusal::Unusable(error) => format!("unusable {}", error.code()),
        }
    }

    #[test]
    fn refusals_have_the_codes_and_texts_of_the_protocol() {
        let all = [
            Denied::UnknownChannel,
            Denied::PermissionDenied,
            Denied::BadRequest,
            Denied::NotAvailable,
            Denied::TokenExpired,
            Denied::Expired,
            Denied::InvalidToken,
            Denied::EmptyChannel,
        ];
        for denied in all {
            assert!(told(denied).ends_with(&denied.to_string()), "{denied:?}");
        }
        insta::assert_snapshot!(all.map(told).join("\n"), @r"
        error 102 unknown channel
        error 103 permission denied
        error 107 bad request
        error 108 not available
        error 109 token expired
        error 110 expired
        close 3500 invalid token
        close 3501 bad request
        ");
    }
}
