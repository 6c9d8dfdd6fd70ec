//! `subscribe`: listens to a channel, and joins its roster.

use std::sync::Arc;

use rollcall_wire::caps;

use super::{Done, Refusal, channel};
use crate::channel_name;
use crate::permission::{self, Grant};
use crate::protocol::{ClientError, Disconnect, Fields, write};
use crate::session::client::{Client, Subscription};
use crate::token::SubscriptionOptions;

/// The delta algorithm that clients may offer; it is never used without history.
const FOSSIL: &str = "fossil";

pub(super) async fn run(client: &Arc<Client>, id: u32, params: &Fields<'_>) -> Done {
    let channel = channel(params)?;
    preconditions(client, &channel, params)?;
    let (subscription, options) = decide(client, &channel, params)?;
    let recovering = params.flag("recover")?;
    let seq = client.attach(&channel, subscription).await?;
    let reply = write::reply(id, "subscribe", |body| {
        body.data(&options.data);
        // Without history nothing is ever `recovered`: a client that asks must load anew.
        if recovering {
            body.flag("was_recovering", true);
        }
    });
    client.commit(&channel, Some(reply), seq);
    Ok(())
}

/// What is checked before anybody is asked, in the original's order.
fn preconditions(client: &Client, channel: &str, params: &Fields<'_>) -> Result<(), Refusal> {
    let delta = params.string("delta")?;
    if !delta.is_empty() && delta != FOSSIL {
        return Err(Refusal::Disconnect(Disconnect::BAD_REQUEST));
    }
    let config = &client.context.config;
    if !channel_name::is_short_enough(&config.channel, channel) {
        return Err(ClientError::BadRequest.into());
    }
    if client.subscription(channel).is_some() {
        return Err(ClientError::AlreadySubscribed.into());
    }
    if client.subscription_count() >= config.client.channel_limit {
        return Err(ClientError::LimitExceeded.into());
    }
    Ok(())
}

/// Whether the client may subscribe, and how it then takes part.
fn decide(
    client: &Client,
    channel: &str,
    params: &Fields<'_>,
) -> Result<(Subscription, SubscriptionOptions), Refusal> {
    let context = &client.context;
    let resolved = permission::find(&context.config.channel, channel)?;
    if params.has("tf") {
        return Err(ClientError::BadRequest.into());
    }
    if params.number("type")? != 0 {
        return Err(ClientError::NotAvailable.into());
    }
    let token = params.string("token")?;
    let now_ms = context.clock.now_ms();
    let token =
        (!token.is_empty()).then(|| context.subscription_tokens.subscription(&token, now_ms));
    let now = context.clock.now_unix();
    let grant = client.ask(|asker| permission::may_subscribe(asker, &resolved, token, now))?;
    let (options, expires_at) = match grant {
        // Redis would refuse it each time anew.
        Grant::Token(claims) if claims.options.info.len() > caps::INFO => {
            return Err(ClientError::BadRequest.into());
        }
        Grant::Token(claims) => (claims.options, claims.expire_at),
        Grant::UserLimited | Grant::Client | Grant::Insecure => {
            (SubscriptionOptions::default(), None)
        }
    };
    let effective = permission::effective(&resolved, options.overrides);
    let asked = params.flag("join_leave")?;
    let wants_members =
        client.ask(|asker| permission::shows_joins(asker, &resolved, effective, asked));
    let subscription = Subscription {
        chan_info: options.info.clone(),
        in_roster: effective.presence || effective.join_leave,
        announce: effective.join_leave,
        wants_members,
        expires_at,
    };
    Ok((subscription, options))
}
