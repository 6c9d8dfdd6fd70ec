//! What the server API answers when it cannot.

use crate::protocol::write::Object;
use crate::store::StoreError;

/// Most channels or users that one call may name.
pub(super) const NAMES: usize = 100_000;

/// An error of the server API. Numbers are public; some texts differ from those of the client
/// protocol's codes with the same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    #[error("internal server error")]
    Internal,
    #[error("unknown channel")]
    UnknownChannel,
    #[error("not found")]
    NotFound,
    #[error("bad request")]
    BadRequest,
    #[error("bad request: {0}: expected at most {NAMES} in one call")]
    TooMany(&'static str),
    /// The replies to the commands before it are so large that this one was not carried out.
    #[error("bad request: the replies to one body are over {0} MiB: send fewer commands in one")]
    TooLarge(usize),
    #[error("not available")]
    NotAvailable,
}

/// Why a method did not do what it should.
#[derive(Debug)]
pub(super) enum Failure {
    /// The caller is told so.
    Answer(ApiError),
    /// The caller is told that it failed, and the log why.
    Store(StoreError),
}

// === impl ApiError ===

impl ApiError {
    pub fn code(self) -> u32 {
        match self {
            Self::Internal => 100,
            Self::UnknownChannel => 102,
            Self::NotFound => 104,
            Self::BadRequest | Self::TooMany(_) | Self::TooLarge(_) => 107,
            Self::NotAvailable => 108,
        }
    }

    /// Writes the member `error` of an answer.
    pub fn write(self, body: &mut Object<'_>) {
        body.object("error", |body| self.write_bare(body));
    }

    /// Writes the code and the message alone.
    pub fn write_bare(self, body: &mut Object<'_>) {
        body.number("code", u64::from(self.code()));
        body.string("message", &self.to_string());
    }
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        Self::Answer(error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}
