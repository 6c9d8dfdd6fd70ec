//! `get_user_status`: when users were last active and last online.

use super::{Api, Failure, Method, Names, Output, Subject, names};
use crate::protocol::write::Object;
use crate::protocol::{Fields, Malformed};
use crate::store::Status;

/// What `get_user_status` takes.
#[derive(Debug)]
pub(super) struct Request {
    users: Names,
}

/// The users of the request, in order, and what is known of each.
#[derive(Debug)]
pub(super) struct Statuses(Vec<(String, Status)>);

// === impl Request ===

impl Method for Request {
    type Output = Statuses;

    fn parse(params: &Fields<'_>) -> Result<Self, Malformed> {
        Ok(Self { users: names(params, "users")? })
    }

    fn subject(&self) -> Subject<'_> {
        Subject::of_users(&self.users)
    }

    async fn call(&self, api: &Api) -> Result<Statuses, Failure> {
        let users = api.users(&self.users)?;
        let statuses = api.store.statuses(users).await?;
        Ok(Statuses(users.iter().cloned().zip(statuses).collect()))
    }
}

// === impl Statuses ===

impl Output for Statuses {
    fn write(&self, body: &mut Object<'_>) {
        body.list("statuses", &self.0, |body, (user, status)| {
            body.string("user", user);
            for (name, time) in [("active", status.active), ("online", status.online)] {
                if let Some(time) = time {
                    body.number(name, time);
                }
            }
        });
    }
}
