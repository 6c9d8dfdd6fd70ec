//! `refresh`: a new token before the old one ends the connection.

use std::sync::Arc;

use super::{Done, Refusal};
use crate::protocol::{ClientError, Disconnect, Fields, write};
use crate::session::client::{Client, Identity, LONGEST_TTL};
use crate::token::{ConnectionClaims, Outcome};

pub(super) async fn run(client: &Arc<Client>, id: u32, params: &Fields<'_>) -> Done {
    let token = params.string("token")?;
    let Some(identity) = client.identity().filter(|_| !token.is_empty()) else {
        return Err(Refusal::Disconnect(Disconnect::BAD_REQUEST));
    };
    let now = client.context.clock.now_unix();
    let outcome =
        client.context.connection_tokens.connection(&token, client.context.clock.now_ms());
    let claims = decide(&identity, outcome, now)?;
    let renewed = Identity {
        user: identity.user.clone(),
        conn_info: claims.info,
        expires_at: claims.expire_at,
    };
    if renewed.conn_info != identity.conn_info {
        client.show_anew(&renewed).await?;
    }
    // Only now: a refresh that failed half-way is done again in full.
    client.identify(renewed);
    client.outbox.reply(write::reply(id, "refresh", |body| {
        if let Some(at) = claims.expire_at {
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
        Outcome::Valid(claims) if *claims.user != *identity.user => {
            Err(Refusal::Disconnect(Disconnect::INVALID_TOKEN))
        }
        Outcome::Valid(claims) if claims.expire_at.is_some_and(|at| at <= now) => {
            Err(ClientError::Expired.into())
        }
        Outcome::Valid(claims) => Ok(claims),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::Reason;

    #[test]
    fn which_tokens_refresh() {
        let identity =
            Identity { user: "42".into(), conn_info: bytes::Bytes::new(), expires_at: Some(10) };
        let valid = |user: &str, expire_at| {
            Outcome::Valid(ConnectionClaims {
                user: user.to_owned(),
                expire_at,
                ..ConnectionClaims::default()
            })
        };
        let disconnect = |disconnect| Err(Refusal::Disconnect(disconnect));
        let cases = [
            (valid("42", Some(11)), Ok(())),
            (valid("42", None), Ok(())),
            (valid("42", Some(10)), Err(Refusal::Error(ClientError::Expired))),
            (valid("43", Some(11)), disconnect(Disconnect::INVALID_TOKEN)),
            (Outcome::Expired, disconnect(Disconnect::EXPIRED)),
            (Outcome::Invalid(Reason::Malformed), disconnect(Disconnect::INVALID_TOKEN)),
        ];
        for (at, (token, expected)) in cases.into_iter().enumerate() {
            assert_eq!(decide(&identity, token, 10).map(|_| ()), expected, "case {at}");
        }
    }
}
