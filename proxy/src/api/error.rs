//! What the server API answers when it cannot.

use crate::protocol::write::Object;
use crate::store::StoreError;

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
    #[error("not available")]
    NotAvailable,
}

// === impl ApiError ===

impl ApiError {
    pub fn code(self) -> u32 {
        match self {
            Self::Internal => 100,
            Self::UnknownChannel => 102,
            Self::NotFound => 104,
            Self::BadRequest => 107,
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

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        // Handled here: the caller learns no more than that. That Redis is away is logged once.
        if matches!(error, StoreError::Away(_)) {
            tracing::debug!(%error, "an api call failed");
        } else {
            tracing::warn!(%error, "an api call failed");
        }
        Self::Internal
    }
}
