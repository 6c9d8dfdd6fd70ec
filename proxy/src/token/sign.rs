//! Making tokens, for development and for tests.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::config::Secret;

/// A connection token for `user`, made at `now` (Unix seconds) and valid for `ttl`, or for ever
/// without one.
pub fn sign_connection_token(key: &Secret, user: &str, now: i64, ttl: Option<Duration>) -> String {
    let mut claims = json!({"sub": user, "iat": now});
    if let Some(ttl) = ttl {
        let seconds = i64::try_from(ttl.as_secs()).unwrap_or(i64::MAX);
        claims["exp"] = Value::from(now.saturating_add(seconds));
    }
    sign(key, &claims.to_string())
}

/// `claims`, whatever they are, signed with HS256.
pub(crate) fn sign(key: &Secret, claims: &str) -> String {
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
    let message = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims));
    let signature = Hmac::<Sha256>::new_from_slice(key.expose().as_bytes())
        .map(|mac| mac.chain_update(&message).finalize().into_bytes())
        .unwrap_or_default();
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}
