//! Error, disconnect and unsubscribe codes of the client protocol. Numbers are public: never give
//! one a second meaning.

/// An error in a reply: the command failed, the connection goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientError {
    Internal,
    UnknownChannel,
    PermissionDenied,
    MethodNotFound,
    AlreadySubscribed,
    LimitExceeded,
    BadRequest,
    NotAvailable,
    TokenExpired,
    Expired,
}

/// The end of a connection: a close code and the reason beside it.
///
/// The reason is never empty and never JSON: SDKs ignore the code's meaning otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disconnect {
    pub code: u16,
    pub reason: &'static str,
}

/// A server-side end of one subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unsubscribe {
    pub code: u16,
    pub reason: &'static str,
}

// === impl ClientError ===

impl ClientError {
    pub fn code(self) -> u32 {
        match self {
            Self::Internal => 100,
            Self::UnknownChannel => 102,
            Self::PermissionDenied => 103,
            Self::MethodNotFound => 104,
            Self::AlreadySubscribed => 105,
            Self::LimitExceeded => 106,
            Self::BadRequest => 107,
            Self::NotAvailable => 108,
            Self::TokenExpired => 109,
            Self::Expired => 110,
        }
    }

    pub fn message(self) -> &'static str {
        match self {
            Self::Internal => "internal server error",
            Self::UnknownChannel => "unknown channel",
            Self::PermissionDenied => "permission denied",
            Self::MethodNotFound => "method not found",
            Self::AlreadySubscribed => "already subscribed",
            Self::LimitExceeded => "limit exceeded",
            Self::BadRequest => "bad request",
            Self::NotAvailable => "not available",
            Self::TokenExpired => "token expired",
            Self::Expired => "expired",
        }
    }

    /// Whether the client may simply try again.
    pub fn temporary(self) -> bool {
        self == Self::Internal
    }
}

// === impl Disconnect ===

impl Disconnect {
    pub const SHUTDOWN: Self = Self::new(3001, "shutdown");
    pub const EXPIRED: Self = Self::new(3005, "connection expired");
    pub const SLOW: Self = Self::new(3008, "slow");
    /// What the client is subscribed to is no longer what its token says: SDKs connect anew.
    pub const INSUFFICIENT_STATE: Self = Self::new(3010, "insufficient state");
    pub const NO_PONG: Self = Self::new(3012, "no pong");
    pub const INVALID_TOKEN: Self = Self::new(3500, "invalid token");
    pub const BAD_REQUEST: Self = Self::new(3501, "bad request");
    pub const STALE: Self = Self::new(3502, "stale");
    pub const CONNECTION_LIMIT: Self = Self::new(3504, "connection limit");
    pub const CHANNEL_LIMIT: Self = Self::new(3505, "channel limit");
    pub const PERMISSION_DENIED: Self = Self::new(3507, "permission denied");
    pub const NOT_AVAILABLE: Self = Self::new(3508, "not available");

    const fn new(code: u16, reason: &'static str) -> Self {
        Self { code, reason }
    }
}

// === impl Unsubscribe ===

impl Unsubscribe {
    /// The listener missed something that cannot be read again: SDKs subscribe anew.
    pub const INSUFFICIENT_STATE: Self = Self { code: 2500, reason: "insufficient state" };
    /// The subscription's token is over: SDKs subscribe anew, with a new token.
    pub const EXPIRED: Self = Self { code: 2501, reason: "subscription expired" };
}
