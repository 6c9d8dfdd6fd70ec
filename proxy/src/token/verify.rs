//! Looking at a token: form, claims, signature, audience and issuer, and the time last.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac, digest::KeyInit};
use sha2::{Sha256, Sha384, Sha512};

use super::{
    ConnectionClaims, Outcome, Reason, SubscriptionClaims,
    claims::{Claims, Connection, Registered},
    object::Object,
};
use crate::config;

/// Keys and expectations that tokens are held against.
#[derive(Debug, Clone)]
pub struct Verifier {
    token: config::Token,
}

/// A token taken apart, nothing of it judged yet.
struct Parts<'a> {
    /// What the signature is over.
    message: &'a str,
    header: String,
    payload: String,
    signature: Vec<u8>,
}

/// Every token starts with the base64 of `{"`.
const START: &str = "eyJ";

// === impl Verifier ===

impl Verifier {
    /// For connection tokens.
    pub fn for_connections(client: &config::Client) -> Self {
        Self { token: client.token.clone() }
    }

    /// For subscription tokens, which may have keys of their own.
    pub fn for_subscriptions(client: &config::Client) -> Self {
        let own = &client.subscription_token;
        Self { token: if own.enabled { own.token.clone() } else { client.token.clone() } }
    }

    /// Looks at a connection token at `now_ms`, in Unix milliseconds.
    pub fn connection(&self, token: &str, now_ms: i64) -> Outcome<ConnectionClaims> {
        self.verify::<Connection>(token, now_ms).map(|it| it.claims)
    }

    /// Looks at a subscription token at `now_ms`, in Unix milliseconds.
    pub fn subscription(&self, token: &str, now_ms: i64) -> Outcome<SubscriptionClaims> {
        self.verify(token, now_ms)
    }

    fn verify<C: Claims>(&self, token: &str, now_ms: i64) -> Outcome<C> {
        match self.genuine::<C>(token, now_ms) {
            Ok((claims, registered)) if registered.is_of_its_time(now_ms) => Outcome::Valid(claims),
            Ok(_) => Outcome::Expired,
            Err(reason) => Outcome::Invalid(reason),
        }
    }

    /// Everything but the time.
    fn genuine<C: Claims>(&self, token: &str, now_ms: i64) -> Result<(C, Registered), Reason> {
        let parts = Parts::of(token).ok_or(Reason::Malformed)?;
        let object = Object::parse(&parts.payload).ok_or(Reason::Malformed)?;
        let mut registered = Registered::read(&object)?;
        let claims = C::read(&object, &mut registered)?;
        self.check_signature(&parts, now_ms.div_euclid(1000))?;
        let config::Token { audience, issuer, .. } = &self.token;
        if !audience.is_empty() && !registered.audience.contains(audience) {
            return Err(Reason::Audience);
        }
        if !issuer.is_empty() && registered.issuer != *issuer {
            return Err(Reason::Issuer);
        }
        claims.judge()?;
        Ok((claims, registered))
    }

    fn check_signature(&self, parts: &Parts<'_>, now: i64) -> Result<(), Reason> {
        let config::Token { hmac_secret_key: key, hmac_previous_secret_key: previous, .. } =
            &self.token;
        let header = Object::parse(&parts.header).ok_or(Reason::Malformed)?;
        let signed_by: fn(&str, &Parts<'_>) -> bool = match header.string("alg")?.as_str() {
            "HS256" => signed_by::<Hmac<Sha256>>,
            "HS384" => signed_by::<Hmac<Sha384>>,
            "HS512" => signed_by::<Hmac<Sha512>>,
            _ => return Err(Reason::Algorithm),
        };
        // Without this, everybody would know the key.
        if key.is_empty() {
            return Err(Reason::Algorithm);
        }
        let until = self.token.hmac_previous_secret_key_valid_until;
        let previous_counts = !previous.is_empty() && (until == 0 || now <= until);
        let genuine = signed_by(key.expose(), parts)
            || (previous_counts && signed_by(previous.expose(), parts));
        if genuine { Ok(()) } else { Err(Reason::Signature) }
    }
}

fn signed_by<M: Mac + KeyInit>(key: &str, parts: &Parts<'_>) -> bool {
    // HMAC takes keys of any length, so that this never fails.
    let Ok(mac) = <M as KeyInit>::new_from_slice(key.as_bytes()) else { return false };
    mac.chain_update(parts.message).verify_slice(&parts.signature).is_ok()
}

// === impl Parts ===

impl<'a> Parts<'a> {
    fn of(token: &'a str) -> Option<Self> {
        let (message, signature) = token.rsplit_once('.')?;
        let (header, payload) = message.split_once('.')?;
        if !token.starts_with(START) || payload.contains('.') {
            return None;
        }
        let text = |part| String::from_utf8(URL_SAFE_NO_PAD.decode(part).ok()?).ok();
        Some(Self {
            message,
            header: text(header)?,
            payload: text(payload)?,
            signature: URL_SAFE_NO_PAD.decode(signature).ok()?,
        })
    }
}

#[cfg(test)]
mod tests;
