//! `delete_user_status`: clears what is known of users.

use super::{Api, Empty, Failure, Method, Names, Subject, names};
use crate::protocol::{Fields, Malformed};

/// What `delete_user_status` takes.
#[derive(Debug)]
pub(super) struct Request {
    users: Names,
}

// === impl Request ===

impl Method for Request {
    type Output = Empty;

    fn parse(params: &Fields<'_>) -> Result<Self, Malformed> {
        Ok(Self { users: names(params, "users")? })
    }

    fn subject(&self) -> Subject<'_> {
        Subject::of_users(&self.users)
    }

    async fn call(&self, api: &Api) -> Result<Empty, Failure> {
        api.store.forget(api.users(&self.users)?).await?;
        Ok(Empty)
    }
}
