//! The claims of both kinds of token.

use std::collections::BTreeMap;

use super::{
    ConnectionClaims, Outcome, Overrides, Reason, SubscriptionClaims, SubscriptionOptions,
    object::Object,
};
use crate::payload::Payload;

/// Claims that mean the same in both kinds.
#[derive(Debug)]
pub(crate) struct Registered {
    pub(crate) audience: Vec<String>,
    pub(crate) issuer: String,
    user: String,
    /// Unix seconds with their fraction.
    expires: Option<f64>,
    not_before: Option<f64>,
    /// When what the token grants expires.
    expire_at: Option<i64>,
}

/// One kind of claims.
pub(crate) trait Claims: Sized {
    /// What stays to be judged after the signature.
    fn judge(&self) -> Result<(), Reason>;

    /// Reads what is more than registered.
    fn read(object: &Object<'_>, registered: &mut Registered) -> Result<Self, Reason>;
}

/// Claims of a connection token, and the name of a channel, which it must not have.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) claims: ConnectionClaims,
    channel: String,
}

// === impl Registered ===

impl Registered {
    pub(crate) fn read(object: &Object<'_>) -> Result<Self, Reason> {
        object.time("iat")?;
        object.string("jti")?;
        let expires = object.time("exp")?;
        Ok(Self {
            audience: object.string_or_strings("aud")?,
            issuer: object.string("iss")?,
            user: object.string("sub")?,
            expires,
            not_before: object.time("nbf")?,
            expire_at: match object.integer("expire_at")? {
                Some(at) => Some(at).filter(|at| *at > 0),
                None => expires.map(whole_seconds),
            },
        })
    }

    /// Valid only while `exp` is after now and `nbf` before it, to the millisecond, no leeway.
    pub(crate) fn is_of_its_time(&self, now_ms: i64) -> bool {
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of this age fit 53 bits")]
        let now = now_ms as f64 / 1000.0;
        self.expires.is_none_or(|at| at > now) && self.not_before.is_none_or(|at| at < now)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a cast from f64 saturates, which is right")]
fn whole_seconds(seconds: f64) -> i64 {
    seconds.floor() as i64
}

impl Claims for Connection {
    fn judge(&self) -> Result<(), Reason> {
        if self.channel.is_empty() { Ok(()) } else { Err(Reason::ForSubscription) }
    }

    fn read(object: &Object<'_>, registered: &mut Registered) -> Result<Self, Reason> {
        let mut subs = object
            .objects("subs")?
            .into_iter()
            .map(|(channel, object)| Ok((channel, subscription_options(&object)?)))
            .collect::<Result<BTreeMap<_, _>, _>>()?;
        let channels = object.strings("channels")?;
        if subs.is_empty() {
            subs.extend(
                channels.into_iter().map(|channel| (channel, SubscriptionOptions::default())),
            );
        }
        let claims = ConnectionClaims {
            user: std::mem::take(&mut registered.user),
            expire_at: registered.expire_at,
            info: object.payload("info", "b64info")?,
            meta: object.raw("meta"),
            subs,
        };
        Ok(Self { claims, channel: object.string("channel")? })
    }
}

impl Claims for SubscriptionClaims {
    fn judge(&self) -> Result<(), Reason> {
        Ok(())
    }

    fn read(object: &Object<'_>, registered: &mut Registered) -> Result<Self, Reason> {
        Ok(Self {
            user: std::mem::take(&mut registered.user),
            channel: object.string("channel")?,
            client: object.string("client")?,
            expire_at: registered.expire_at,
            options: subscription_options(object)?,
        })
    }
}

fn subscription_options(object: &Object<'_>) -> Result<SubscriptionOptions, Reason> {
    let overrides = object.object("override")?;
    // Read for their types alone: there is no history to recover from.
    overrides.switch("force_recovery")?;
    overrides.switch("force_positioning")?;
    Ok(SubscriptionOptions {
        info: object.payload("info", "b64info")?,
        data: Payload::check(&object.payload("data", "b64data")?),
        overrides: Overrides {
            presence: overrides.switch("presence")?,
            join_leave: overrides.switch("join_leave")?,
            force_push_join_leave: overrides.switch("force_push_join_leave")?,
        },
    })
}

// === impl Outcome ===

impl<T> Outcome<T> {
    pub(crate) fn map<U>(self, valid: impl FnOnce(T) -> U) -> Outcome<U> {
        match self {
            Self::Valid(claims) => Outcome::Valid(valid(claims)),
            Self::Expired => Outcome::Expired,
            Self::Invalid(reason) => Outcome::Invalid(reason),
        }
    }
}
