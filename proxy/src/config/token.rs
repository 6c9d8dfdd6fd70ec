//! `client.token` and `client.subscription_token`: how tokens are checked.

use super::{
    NotYet, Secret,
    section::{Findings, section},
};

section! {
    /// How tokens are checked.
    pub struct Token {
        /// Key of HS256, HS384 and HS512; without one such tokens are refused.
        hmac_secret_key: Secret = Secret::default(),
        /// Key that is still accepted while the other one is being replaced.
        hmac_previous_secret_key: Secret = Secret::default(),
        /// Until when the previous key is accepted, in Unix seconds; 0 for no limit.
        hmac_previous_secret_key_valid_until: i64 = 0,
        /// What `aud` must contain; empty for anything.
        audience: String = String::new(),
        /// What `iss` must be; empty for anything.
        issuer: String = String::new(),
        /// A pattern for `aud`.
        audience_regex: NotYet = NotYet,
        /// A pattern for `iss`.
        issuer_regex: NotYet = NotYet,
        /// A claim that names the user instead of `sub`.
        user_id_claim: NotYet = NotYet,
        /// Key of RSA tokens.
        rsa_public_key: NotYet = NotYet,
        /// Key of ECDSA tokens.
        ecdsa_public_key: NotYet = NotYet,
        /// Where the keys are published; it would be the only source of keys.
        jwks_public_endpoint: NotYet = NotYet,
    }
}

section! {
    /// How subscription tokens are checked, when not as connection tokens are.
    pub struct SubscriptionToken {
        /// Uses this section alone for subscription tokens; nothing is taken from `client.token`.
        enabled: bool = false,
        /// The same options as those of `client.token`.
        token(""): Token = Token::default(),
    }
}

// === impl Token ===

impl Token {
    pub(crate) fn check(&self, path: &str, findings: &mut Findings) {
        let has_key = !self.hmac_secret_key.is_empty();
        findings.check(
            has_key || self.hmac_previous_secret_key.is_empty(),
            &format!("{path}.hmac_previous_secret_key: has no use without {path}.hmac_secret_key"),
        );
    }
}
