//! Connection tokens, signed as an application's backend would.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

/// The secret in [`crate::config::base`].
pub const SECRET: &str = "a secret of these tests";

/// A token of these claims.
pub fn token(claims: Value) -> String {
    sign(claims, SECRET)
}

/// A token of a user with nothing else in it.
pub fn of(user: &str) -> String {
    token(json!({"sub": user}))
}

/// A token of these claims with a secret of the caller's.
pub fn sign(claims: Value, secret: &str) -> String {
    sign_text(&claims.to_string(), secret)
}

/// A token of claims as they are written, line breaks and depth included.
pub fn of_text(claims: &str) -> String {
    sign_text(claims, SECRET)
}

fn sign_text(claims: &str, secret: &str) -> String {
    let header = URL_SAFE_NO_PAD.encode(json!({"alg": "HS256", "typ": "JWT"}).to_string());
    let claims = URL_SAFE_NO_PAD.encode(claims);
    let signed = format!("{header}.{claims}");
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any key length will do");
    mac.update(signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

/// Now, in Unix seconds.
#[expect(clippy::disallowed_methods, reason = "tests live in real time")]
pub fn now() -> u64 {
    let now = std::time::SystemTime::now();
    now.duration_since(std::time::UNIX_EPOCH).expect("the clock is right").as_secs()
}
