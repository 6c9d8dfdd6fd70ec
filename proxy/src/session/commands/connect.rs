//! `connect`: says who the client is; the first command, and the only one of its kind.

use std::collections::HashSet;
use std::sync::Arc;

use futures_util::future::join_all;
use rollcall_wire::caps;

use super::{Done, Refusal};
use crate::channel_name;
use crate::config;
use crate::log_limit::LogLimit;
use crate::permission;
use crate::protocol::{ClientError, Disconnect, Fields, write};
use crate::session::client::{Client, Identity, LONGEST_TTL, Subscription};
use crate::store::StoreError;
use crate::token::{ConnectionClaims, Outcome, SubscriptionOptions};

/// A server-side subscription to make.
struct Grant {
    channel: Arc<str>,
    options: SubscriptionOptions,
    subscription: Subscription,
}

pub(super) async fn run(client: &Arc<Client>, id: u32, params: &Fields<'_>) -> Done {
    let claims = authenticate(client, &params.string("token")?)?;
    let config = &client.context.config;
    let grants = grants(client, &claims)?;
    if grants.len() > config.client.channel_limit {
        return Err(Refusal::Disconnect(Disconnect::CHANNEL_LIMIT));
    }
    let now = client.context.clock.now_unix();
    if claims.expire_at.is_some_and(|at| at <= now) {
        return Err(Refusal::Unusable(ClientError::Expired));
    }
    let recovering = recovering(params)?;
    let identity = Identity::of(claims);
    enter(client, &identity)?;
    match begin(client, &identity, &grants).await {
        Ok(sequences) => {
            let ttl = identity.expires_at.map(|at| at.saturating_sub(now));
            reply(client, id, ttl, &grants, &recovering);
            client.connected();
            for (grant, seq) in grants.iter().zip(sequences) {
                client.commit(&grant.channel, None, seq);
            }
            Ok(())
        }
        Err(error) => {
            tracing::debug!(%error, "a connect failed");
            client.clean_up().await;
            Err(Refusal::Unusable(ClientError::Internal))
        }
    }
}

/// Who the token says the client is.
fn authenticate(client: &Client, token: &str) -> Result<ConnectionClaims, Refusal> {
    let context = &client.context;
    let outcome = (!token.is_empty())
        .then(|| context.connection_tokens.connection(token, context.clock.now_ms()));
    decide(&context.config.client, &context.refused_tokens, outcome)
}

fn decide(
    config: &config::Client,
    refused: &LogLimit,
    token: Option<Outcome<ConnectionClaims>>,
) -> Result<ConnectionClaims, Refusal> {
    match token {
        None if config.insecure || config.allow_anonymous_connect_without_token => {
            Ok(ConnectionClaims::default())
        }
        None => Err(Refusal::Disconnect(Disconnect::BAD_REQUEST)),
        Some(Outcome::Expired) => Err(Refusal::Unusable(ClientError::TokenExpired)),
        Some(Outcome::Invalid(reason)) => {
            refused.say(|left_out| {
                tracing::info!(%reason, left_out, "a connection token was refused");
            });
            Err(Refusal::Disconnect(Disconnect::INVALID_TOKEN))
        }
        // Redis would refuse them each time anew, and the client would try for ever.
        Some(Outcome::Valid(claims)) if !fits(&claims) => {
            refused.say(|left_out| {
                let reason = "its user or an info is too long";
                tracing::info!(reason, left_out, "a connection token was refused");
            });
            Err(Refusal::Disconnect(Disconnect::INVALID_TOKEN))
        }
        Some(Outcome::Valid(claims))
            if claims.user.is_empty() && config.disallow_anonymous_connection_tokens =>
        {
            Err(Refusal::Disconnect(Disconnect::PERMISSION_DENIED))
        }
        // Insecure connections last: there may be nobody to ask for a new token.
        Some(Outcome::Valid(claims)) if config.insecure => {
            Ok(ConnectionClaims { expire_at: None, ..claims })
        }
        Some(Outcome::Valid(claims)) => Ok(claims),
    }
}

/// Whether the rosters can take what a token says.
pub(super) fn fits(claims: &ConnectionClaims) -> bool {
    claims.user.len() <= caps::USER
        && claims.info.len() <= caps::INFO
        && claims.subs.values().all(|options| options.info.len() <= caps::INFO)
}

/// The server-side subscriptions that the token grants.
fn grants(client: &Client, claims: &ConnectionClaims) -> Result<Vec<Grant>, Refusal> {
    let config = &client.context.config.channel;
    claims
        .subs
        .iter()
        .map(|(name, options)| {
            let resolved = channel_name::resolve(config, name)
                .ok_or(Refusal::Unusable(ClientError::UnknownChannel))?;
            if name.is_empty() || !channel_name::is_short_enough(config, name) {
                return Err(Refusal::Unusable(ClientError::BadRequest));
            }
            let effective = permission::effective(&resolved, options.overrides);
            Ok(Grant {
                channel: name.as_str().into(),
                options: options.clone(),
                subscription: Subscription {
                    chan_info: options.info.clone(),
                    in_roster: effective.presence || effective.join_leave,
                    announce: effective.join_leave,
                    wants_members: effective.force_push_join_leave,
                    expires_at: None,
                },
            })
        })
        .collect()
}

/// Counts the client among those of its user.
fn enter(client: &Arc<Client>, identity: &Identity) -> Result<(), Refusal> {
    let limit = client.context.config.client.user_connection_limit;
    let handle: Arc<dyn crate::hub::ClientHandle> = client.clone();
    let registry = client.context.hub.registry();
    if !registry.add(&client.id, &identity.user, Arc::downgrade(&handle), limit) {
        return Err(Refusal::Disconnect(Disconnect::CONNECTION_LIMIT));
    }
    client.identify(identity.clone());
    Ok(())
}

/// Puts the user online and makes the server-side subscriptions; their sequences.
async fn begin(
    client: &Arc<Client>,
    identity: &Identity,
    grants: &[Grant],
) -> Result<Vec<u64>, StoreError> {
    client.go_online(&identity.user).await?;
    let attached =
        grants.iter().map(|grant| client.attach(&grant.channel, grant.subscription.clone()));
    // All of them run to their end, so that what succeeded is known when one fails.
    join_all(attached).await.into_iter().collect()
}

/// The channels whose missed publications the client asks for.
fn recovering(params: &Fields<'_>) -> Result<HashSet<String>, Refusal> {
    let mut channels = HashSet::new();
    for (channel, asked) in params.objects("subs")? {
        if asked.flag("recover")? {
            channels.insert(channel);
        }
    }
    Ok(channels)
}

fn reply(
    client: &Client,
    id: u32,
    ttl: Option<i64>,
    grants: &[Grant],
    recovering: &HashSet<String>,
) {
    let config = &client.context.config.client;
    let reply = write::reply(id, "connect", |body| {
        body.string("client", &client.id);
        body.string("version", client.context.version);
        if let Some(ttl) = ttl {
            body.flag("expires", true);
            body.number("ttl", ttl.clamp(1, LONGEST_TTL).unsigned_abs());
        }
        if !grants.is_empty() {
            body.object("subs", |subs| {
                for grant in grants {
                    subs.object(&grant.channel, |sub| {
                        sub.data(&grant.options.data);
                        if recovering.contains(&*grant.channel) {
                            sub.flag("was_recovering", true);
                        }
                    });
                }
            });
        }
        if !config.ping_interval.is_zero() {
            body.number("ping", config.ping_interval.as_secs());
            if !config.pong_timeout.is_zero() {
                body.flag("pong", true);
            }
        }
        if config.connect_include_server_time {
            body.number("time", client.context.clock.now_ms().unsigned_abs());
        }
    });
    client.outbox.reply(reply);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::Reason;

    #[test]
    fn who_may_connect() {
        let closed = config::Client::default();
        let open = config::Client {
            allow_anonymous_connect_without_token: true,
            ..config::Client::default()
        };
        let insecure = config::Client { insecure: true, ..config::Client::default() };
        let strict = config::Client {
            disallow_anonymous_connection_tokens: true,
            ..config::Client::default()
        };
        let valid = || Some(Outcome::Valid(ConnectionClaims::default()));
        let disconnect = |disconnect| Err(Refusal::Disconnect(disconnect));
        let cases = [
            (&closed, None, disconnect(Disconnect::BAD_REQUEST)),
            (&open, None, Ok(())),
            (&insecure, None, Ok(())),
            (&closed, valid(), Ok(())),
            (&strict, valid(), disconnect(Disconnect::PERMISSION_DENIED)),
            (&closed, Some(Outcome::Expired), Err(Refusal::Unusable(ClientError::TokenExpired))),
            (
                &open,
                Some(Outcome::Invalid(Reason::Signature)),
                disconnect(Disconnect::INVALID_TOKEN),
            ),
        ];
        for (at, (config, token, expected)) in cases.into_iter().enumerate() {
            let decided = decide(config, &LogLimit::a_minute(0), token);
            assert_eq!(decided.map(|_| ()), expected, "case {at}");
        }
    }
}
