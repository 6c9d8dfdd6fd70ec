//! Who may do what with a channel: the rules alone, as functions over plain values.

use rollcall_wire::Info;

use crate::{
    channel_name::{self, Resolved},
    config::{Channel, DataFormat},
    token::{Outcome, Overrides, SubscriptionClaims},
};

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub struct Asker<'a> {
    /// The user; empty for an anonymous one.
    pub user: &'a str,
    /// The client id.
    pub client: &'a str,
    /// `client.insecure`
    pub insecure: bool,
}

/// Why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// The namespace is not configured.
    #[error("unknown channel")]
    UnknownChannel,
    /// Nothing allows it.
    #[error("permission denied")]
    PermissionDenied,
    /// The name or the data is not acceptable.
    #[error("bad request")]
    BadRequest,
    /// The feature is off for the channel.
    #[error("not available")]
    NotAvailable,
    /// The token was right once, or will be.
    #[error("token expired")]
    TokenExpired,
    /// What the token grants is over.
    #[error("expired")]
    Expired,
    /// The token is for somebody or something else; ends the connection.
    #[error("invalid token")]
    InvalidToken,
    /// The channel is empty; ends the connection.
    #[error("bad request")]
    EmptyChannel,
}

/// What allows a subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grant {
    /// A subscription token, with all that it says.
    Token(SubscriptionClaims),
    /// The user is listed in the channel's name.
    UserLimited,
    /// `allow_subscribe_for_client`
    Client,
    /// `client.insecure`
    Insecure,
}

/// What holds for one subscription after overrides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effective {
    /// Whether it is kept in the roster for presence calls.
    pub presence: bool,
    /// Whether its join and leave are announced.
    pub join_leave: bool,
    /// Whether it is shown joins and leaves without asking.
    pub force_push_join_leave: bool,
}

/// The channel called `name`, for any call of a client.
pub fn find<'a>(config: &'a Channel, name: &'a str) -> Result<Resolved<'a>, Denied> {
    if name.is_empty() {
        return Err(Denied::EmptyChannel);
    }
    channel_name::resolve(config, name).ok_or(Denied::UnknownChannel)
}

/// Whether a subscription is allowed, and by what. `token` is what came of the token in the
/// request, if it had one; `now` is in Unix seconds.
pub fn may_subscribe(
    asker: &Asker<'_>,
    channel: &Resolved<'_>,
    token: Option<Outcome<SubscriptionClaims>>,
    now: i64,
) -> Result<Grant, Denied> {
    well_formed(channel)?;
    match token {
        Some(token) => return by_token(asker, channel, token, now).map(Grant::Token),
        None if channel.private => return Err(Denied::PermissionDenied),
        None => {}
    }
    let options = channel.options;
    match channel.lists(asker.user) {
        Some(true) => return Ok(Grant::UserLimited),
        None if options.allow_subscribe_for_client
            && asker.counts(options.allow_subscribe_for_anonymous) =>
        {
            return Ok(Grant::Client);
        }
        // What lets clients in does not count in a channel for some users.
        Some(false) | None => {}
    }
    if asker.insecure { Ok(Grant::Insecure) } else { Err(Denied::PermissionDenied) }
}

fn by_token(
    asker: &Asker<'_>,
    channel: &Resolved<'_>,
    token: Outcome<SubscriptionClaims>,
    now: i64,
) -> Result<SubscriptionClaims, Denied> {
    let claims = match token {
        Outcome::Valid(claims) => claims,
        Outcome::Expired => return Err(Denied::TokenExpired),
        Outcome::Invalid(_) => return Err(Denied::PermissionDenied),
    };
    let for_this_client = claims.client.is_empty() || claims.client == asker.client;
    if claims.user != asker.user || claims.channel != channel.name || !for_this_client {
        return Err(Denied::InvalidToken);
    }
    if claims.expire_at.is_some_and(|at| at <= now) {
        return Err(Denied::Expired);
    }
    Ok(claims)
}

/// Whether presence and presence stats may be asked for.
pub fn may_presence(
    asker: &Asker<'_>,
    channel: &Resolved<'_>,
    subscribed: bool,
) -> Result<(), Denied> {
    well_formed(channel)?;
    if !channel.options.presence {
        return Err(Denied::NotAvailable);
    }
    if sees_others(asker, channel, subscribed) { Ok(()) } else { Err(Denied::PermissionDenied) }
}

/// Whether data may be published.
pub fn may_publish(
    asker: &Asker<'_>,
    channel: &Resolved<'_>,
    subscribed: bool,
    data: &Info<'_>,
) -> Result<(), Denied> {
    well_formed(channel)?;
    if !may_hold(channel.data_format(), data) {
        return Err(Denied::BadRequest);
    }
    let options = channel.options;
    let allowed =
        options.allow_publish_for_client || (options.allow_publish_for_subscriber && subscribed);
    if asker.insecure || (allowed && asker.counts(options.allow_publish_for_anonymous)) {
        Ok(())
    } else {
        Err(Denied::PermissionDenied)
    }
}

/// Whether a publication in this format may hold `data`.
pub fn may_hold(format: DataFormat, data: &Info<'_>) -> bool {
    match (format, data) {
        (DataFormat::NotEmpty, data) => *data != Info::None,
        (DataFormat::Json, data) => matches!(data, Info::Json(_)),
        (DataFormat::JsonObject, Info::Json(json)) => json.trim_ascii_start().starts_with(b"{"),
        (DataFormat::JsonObject, _) => false,
        (DataFormat::Binary, _) => true,
    }
}

/// What holds for a subscription to `channel` under `overrides`.
pub fn effective(channel: &Resolved<'_>, overrides: Overrides) -> Effective {
    let options = channel.options;
    Effective {
        presence: overrides.presence.unwrap_or(options.presence),
        join_leave: overrides.join_leave.unwrap_or(options.join_leave),
        force_push_join_leave: overrides
            .force_push_join_leave
            .unwrap_or(options.force_push_join_leave),
    }
}

/// Whether a subscriber is shown joins and leaves; `requested` is the flag of its subscribe
/// command. For server-side subscriptions, which cannot ask, only the forced push counts.
pub fn shows_joins(
    asker: &Asker<'_>,
    channel: &Resolved<'_>,
    effective: Effective,
    requested: bool,
) -> bool {
    effective.force_push_join_leave
        || (requested && effective.join_leave && sees_others(asker, channel, true))
}

fn sees_others(asker: &Asker<'_>, channel: &Resolved<'_>, subscribed: bool) -> bool {
    let options = channel.options;
    let allowed =
        options.allow_presence_for_client || (options.allow_presence_for_subscriber && subscribed);
    asker.insecure || (allowed && asker.counts(options.allow_presence_for_anonymous))
}

fn well_formed(channel: &Resolved<'_>) -> Result<(), Denied> {
    if channel.is_well_formed() { Ok(()) } else { Err(Denied::BadRequest) }
}

// === impl Asker ===

impl Asker<'_> {
    /// Whether a permission for clients is one for this client.
    fn counts(&self, anonymous_too: bool) -> bool {
        anonymous_too || !self.user.is_empty()
    }
}

#[cfg(test)]
mod tests;
