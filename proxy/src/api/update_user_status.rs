//! `update_user_status`: says that users are active now.

use super::{Api, ApiError, Empty, Method};
use crate::protocol::{Fields, Malformed};

/// What `update_user_status` takes.
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
        api.store.touch(&self.users).await?;
        Ok(Empty)
    }
}
