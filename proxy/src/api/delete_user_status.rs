//! `delete_user_status`: clears what is known of users.

use super::{Api, ApiError, Empty, Method};
use crate::protocol::{Fields, Malformed};

/// What `delete_user_status` takes.
#[derive(Debug)]
pub(super) struct Request {
    users: Vec<String>,
}

// === impl Request ===

impl Method for Request {
    type Output = Empty;

    fn parse(params: &Fields<'_>) -> Result<Self, Malformed> {
        Ok(Self { users: params.strings("users")? })
    }

    async fn call(self, api: &Api) -> Result<Empty, ApiError> {
        api.users(&self.users)?;
        api.store.forget(&self.users).await?;
        Ok(Empty)
    }
}
