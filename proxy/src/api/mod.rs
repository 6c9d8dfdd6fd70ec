//! The server API: one file per method, one list of them, and everything else derived from it.

mod broadcast;
mod delete_user_status;
mod error;
mod get_user_status;
mod info;
mod presence;
mod presence_stats;
mod publish;
mod update_user_status;

use std::future::Future;
use std::sync::Arc;

use crate::channel_name::{self, Resolved};
use crate::config::Config;
use crate::hub::Hub;
use crate::protocol::write::Object;
use crate::protocol::{Fields, Malformed, write};
use crate::store::Store;

pub use error::ApiError;

/// Longest channel that a call may name: its key needs a prefix.
const LONGEST_CHANNEL: usize = rollcall_wire::caps::KEY / 2;

/// What the methods work with.
#[derive(Debug)]
pub struct Api {
    pub config: Arc<Config>,
    pub hub: Hub,
    pub store: Store,
}

/// A method: its parameters, and what it does.
trait Method: Sized + Send {
    type Output: Output;

    /// Takes the parameters; an error is a parameter of the wrong type.
    fn parse(params: &Fields<'_>) -> Result<Self, Malformed>;

    fn call(self, api: &Api) -> impl Future<Output = Result<Self::Output, ApiError>> + Send;
}

/// A result as the members of a JSON object.
trait Output {
    fn write(&self, body: &mut Object<'_>);
}

/// A method that answers `{}`.
struct Empty;

/// How a call ended: the `result` object, or an error.
pub type Answer = Result<Vec<u8>, ApiError>;

/// The list: each method's word and its number in the older form of the API.
macro_rules! for_each_method {
    ($with:ident) => {
        $with! {
            publish 0
            broadcast 1
            presence 4
            presence_stats 5
            info 9
            update_user_status 15
            get_user_status 16
            delete_user_status 17
        }
    };
}

macro_rules! methods {
    ($($method:ident $number:literal)*) => {
        /// The methods by name.
        pub const METHODS: &[&str] = &[$(stringify!($method)),*];

        /// The name of the method with a number of the older form.
        pub fn by_number(number: u32) -> Option<&'static str> {
            match number {
                $($number => Some(stringify!($method)),)*
                _ => None,
            }
        }

        impl Api {
            /// Calls a method; parameters of the wrong type are for the caller to answer.
            pub async fn call(&self, method: &str, params: &Fields<'_>) -> Result<Answer, Malformed> {
                match method {
                    $(stringify!($method) => {
                        let request = <$method::Request as Method>::parse(params)?;
                        Ok(self.answer(request).await)
                    })*
                    _ => Ok(Err(ApiError::NotFound)),
                }
            }
        }
    };
}

for_each_method!(methods);

// === impl Api ===

impl Api {
    async fn answer<M: Method>(&self, request: M) -> Answer {
        let output = request.call(self).await?;
        let mut result = Vec::new();
        write::object(&mut result, |body| output.write(body));
        Ok(result)
    }

    /// The channel that a call names. The server API is trusted: of its form only the length is
    /// looked at, since Redis would refuse longer keys.
    fn resolve<'a>(&'a self, channel: &'a str) -> Result<Resolved<'a>, ApiError> {
        if channel.is_empty() || channel.len() > LONGEST_CHANNEL {
            return Err(ApiError::BadRequest);
        }
        channel_name::resolve(&self.config.channel, channel).ok_or(ApiError::UnknownChannel)
    }

    /// Checks a call for the presence of a channel.
    fn has_presence(&self, channel: &str) -> Result<(), ApiError> {
        if self.resolve(channel)?.options.presence { Ok(()) } else { Err(ApiError::NotAvailable) }
    }

    /// Checks a call about users' statuses.
    fn users(&self, users: &[String]) -> Result<(), ApiError> {
        if !self.config.user_status.enabled {
            return Err(ApiError::NotAvailable);
        }
        let too_long = |user: &String| user.is_empty() || user.len() > rollcall_wire::caps::USER;
        if users.is_empty() || users.iter().any(too_long) {
            return Err(ApiError::BadRequest);
        }
        Ok(())
    }
}

// === impl Empty ===

impl Output for Empty {
    fn write(&self, _: &mut Object<'_>) {}
}
