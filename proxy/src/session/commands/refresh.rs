//! `refresh`: a new token before the old one ends the connection.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::connect::fits;
use super::{Done, Refusal};
use crate::protocol::{ClientError, Disconnect, Fields, write};
use crate::session::client::{Client, Identity, LONGEST_TTL};
use crate::token::{ConnectionClaims, Outcome, SubscriptionOptions};

pub(super) async fn run(client: &Arc<Client>, id: u32, params: &Fields<'_>) -> Done {
    let token = params.string("token")?;
    let Some(identity) = client.identity().filter(|_| !token.is_empty()) else {
        return Err(Refusal::Disconnect(Disconnect::BAD_REQUEST));
    };
    let now = client.context.clock.now_unix();
    let outcome =
        client.context.connection_tokens.connection(&token, client.context.clock.now_ms());
    let claims = decide(&identity, outcome, now)?;
    let expires_at = claims.expire_at;
    let renewed = Identity::of(claims);
    client.show_anew(&identity, &renewed).await?;
    // Only now: a refresh that failed half-way is done again in full.
    client.identify(renewed);
    client.outbox.reply(write::reply(id, "refresh", |body| {
        if let Some(at) = expires_at {
            body.flag("expires", true);
            body.number("ttl", at.saturating_sub(now).clamp(1, LONGEST_TTL).unsigned_abs());
        }
    }));
    Ok(())
}

fn decide(
    identity: &Identity,
    token: Outcome<ConnectionClaims>,
    now: i64,
) -> Result<ConnectionClaims, Refusal> {
    match token {
        Outcome::Expired => Err(Refusal::Disconnect(Disconnect::EXPIRED)),
        Outcome::Invalid(_) => Err(Refusal::Disconnect(Disconnect::INVALID_TOKEN)),
        // Redis would refuse them each time anew, and the client would try for ever.
        Outcome::Valid(claims) if !fits(&claims) => {
            Err(Refusal::Disconnect(Disconnect::INVALID_TOKEN))
        }
        Outcome::Valid(claims) if *claims.user != *identity.user => {
            Err(Refusal::Disconnect(Disconnect::INVALID_TOKEN))
        }
        Outcome::Valid(claims) if !grants_alike(&identity.granted, &claims.subs) => {
            Err(Refusal::Disconnect(Disconnect::INSUFFICIENT_STATE))
        }
        Outcome::Valid(claims) if claims.expire_at.is_some_and(|at| at <= now) => {
            Err(ClientError::Expired.into())
        }
        Outcome::Valid(claims) => Ok(claims),
    }
}

/// Whether two tokens grant server-side subscriptions to the same channels on the same terms. Infos
/// may differ, they are shown anew; data is for the connect reply alone.
fn grants_alike(
    one: &BTreeMap<String, SubscriptionOptions>,
    other: &BTreeMap<String, SubscriptionOptions>,
) -> bool {
    let terms =
        |(channel, options): (&String, &SubscriptionOptions)| (channel.clone(), options.overrides);
    one.iter().map(terms).eq(other.iter().map(terms))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::{Overrides, Reason};

    #[test]
    fn which_tokens_refresh() {
        let identity = Identity {
            user: "42".into(),
            conn_info: bytes::Bytes::new(),
            expires_at: Some(10),
            granted: [("a".to_owned(), SubscriptionOptions::default())].into(),
        };
        let valid = |user: &str, expire_at| {
            Outcome::Valid(ConnectionClaims {
                user: user.to_owned(),
                expire_at,
                subs: [("a".to_owned(), SubscriptionOptions::default())].into(),
                ..ConnectionClaims::default()
            })
        };
        let granting = |channel: &str, overrides| {
            let options = SubscriptionOptions { overrides, ..SubscriptionOptions::default() };
            Outcome::Valid(ConnectionClaims {
                user: "42".to_owned(),
                subs: [(channel.to_owned(), options)].into(),
                ..ConnectionClaims::default()
            })
        };
        let hidden = Overrides { presence: Some(false), ..Overrides::default() };
        let long = ConnectionClaims {
            info: vec![b'1'; rollcall_wire::caps::INFO + 1].into(),
            user: "42".to_owned(),
            ..ConnectionClaims::default()
        };
        let disconnect = |disconnect| Err(Refusal::Disconnect(disconnect));
        let cases = [
            (valid("42", Some(11)), Ok(())),
            (valid("42", None), Ok(())),
            (valid("42", Some(10)), Err(Refusal::Error(ClientError::Expired))),
            (valid("43", Some(11)), disconnect(Disconnect::INVALID_TOKEN)),
            (granting("a", Overrides::default()), Ok(())),
            (granting("a", hidden), disconnect(Disconnect::INSUFFICIENT_STATE)),
            (granting("b", Overrides::default()), disconnect(Disconnect::INSUFFICIENT_STATE)),
            (Outcome::Valid(long), disconnect(Disconnect::INVALID_TOKEN)),
            (Outcome::Expired, disconnect(Disconnect::EXPIRED)),
            (Outcome::Invalid(Reason::Malformed), disconnect(Disconnect::INVALID_TOKEN)),
        ];
        for (at, (token, expected)) in cases.into_iter().enumerate() {
            assert_eq!(decide(&identity, token, 10).map(|_| ()), expected, "case {at}");
        }
    }
}
