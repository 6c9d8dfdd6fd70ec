//! JSON Web Tokens: who a client is, and what it may subscribe to.
//!
//! Only HMAC is known. A token is judged against a time that is given, never against a clock.

mod claims;
mod object;
mod sign;
mod verify;

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::payload::Payload;

pub use sign::sign_connection_token;
pub use verify::Verifier;

/// What came of looking at a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome<T> {
    /// It is genuine and of this time.
    Valid(T),
    /// It is genuine, but no longer or not yet valid: the client may get another.
    Expired,
    /// It is worth nothing.
    Invalid(Reason),
}

/// Why a token is worth nothing; for logs, clients are told no more than that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// It does not have the form of a token.
    #[error("token is malformed")]
    Malformed,
    /// It is signed in a way that is not accepted, or no key is configured.
    #[error("token algorithm is not accepted")]
    Algorithm,
    /// A claim is not what it should be.
    #[error("token claim {0:?} has a wrong type or encoding")]
    Claim(&'static str),
    /// Nobody who has a key signed it.
    #[error("token signature is wrong")]
    Signature,
    /// It is meant for somebody else.
    #[error("token audience is another")]
    Audience,
    /// It comes from somebody else.
    #[error("token issuer is another")]
    Issuer,
    /// It is a subscription token where a connection token is needed.
    #[error("token is for a subscription")]
    ForSubscription,
}

/// What a connection token says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConnectionClaims {
    /// The user; empty for an anonymous one.
    pub user: String,
    /// When the connection expires, in Unix seconds, maybe already past; `None` for never.
    pub expire_at: Option<i64>,
    /// `conn_info`, as it was written or decoded; empty for none.
    pub info: Bytes,
    /// What the application may get back and clients never; JSON, or empty.
    pub meta: Bytes,
    /// Server-side subscriptions, whether they came as `subs` or as `channels`.
    pub subs: BTreeMap<String, SubscriptionOptions>,
}

/// What a subscription token says. Whether it is for this user, channel and client is for the
/// caller to compare: `permission::may_subscribe` does.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SubscriptionClaims {
    /// The user it is for.
    pub user: String,
    /// The channel it is for.
    pub channel: String,
    /// The client it is for; empty for any.
    pub client: String,
    /// When the subscription expires, in Unix seconds, maybe already past; `None` for never.
    pub expire_at: Option<i64>,
    /// What holds for the subscription.
    pub options: SubscriptionOptions,
}

/// What a token says about one subscription.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SubscriptionOptions {
    /// `chan_info`, as it was written or decoded; empty for none.
    pub info: Bytes,
    /// Data for the subscribe reply.
    pub data: Payload,
    /// What differs from the namespace.
    pub overrides: Overrides,
}

/// Options of the namespace that are different for one subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Overrides {
    /// `presence`
    pub presence: Option<bool>,
    /// `join_leave`
    pub join_leave: Option<bool>,
    /// `force_push_join_leave`
    pub force_push_join_leave: Option<bool>,
}
