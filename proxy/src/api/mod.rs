//! The server API: one file per method, one list of them, and everything else derived from it.

mod broadcast;
mod delete_user_status;
mod error;
mod get_user_status;
mod info;
mod presence;
mod presence_stats;
mod publish;
mod subject;
mod update_user_status;

use std::future::Future;
use std::sync::Arc;

use crate::channel_name::{self, Resolved};
use crate::config::Config;
use crate::hub::Hub;
use crate::log_limit::LogLimit;
use crate::protocol::write::Object;
use crate::protocol::{Fields, Malformed, write};
use crate::store::{Store, StoreError};

pub use error::ApiError;

use error::{Failure, NAMES};
use subject::Subject;

/// Longest channel that a call may name: its key needs a prefix.
const LONGEST_CHANNEL: usize = rollcall_wire::caps::KEY / 2;

/// What the methods work with.
#[derive(Debug)]
pub struct Api {
    pub config: Arc<Config>,
    pub hub: Hub,
    pub store: Store,
    failed: LogLimit,
}

/// Lines a minute about calls that failed.
const LINES: u32 = 10;

/// A method: its parameters, and what it does.
trait Method: Sized + Send {
    type Output: Output;

    /// Takes the parameters; an error is a parameter of the wrong type.
    fn parse(params: &Fields<'_>) -> Result<Self, Malformed>;

    /// What it is about, for the log.
    fn subject(&self) -> Subject<'_>;

    fn call(&self, api: &Api) -> impl Future<Output = Result<Self::Output, Failure>> + Send;
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
                        Ok(self.answer(stringify!($method), request).await)
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
    pub fn new(config: Arc<Config>, hub: Hub, store: Store) -> Self {
        Self { config, hub, store, failed: LogLimit::a_minute(LINES) }
    }

    async fn answer<M: Method>(&self, method: &'static str, request: M) -> Answer {
        let output = match request.call(self).await {
            Ok(output) => output,
            Err(Failure::Answer(error)) => return Err(error),
            Err(Failure::Store(error)) => {
                return Err(self.failed(method, request.subject(), &error));
            }
        };
        let mut result = Vec::new();
        write::object(&mut result, |body| output.write(body));
        Ok(result)
    }

    /// Says why a call failed; the caller learns no more than that it did.
    fn failed(&self, method: &'static str, subject: Subject<'_>, error: &StoreError) -> ApiError {
        let channel = subject.channel().map(tracing::field::display);
        let user = subject.user().map(tracing::field::display);
        if matches!(error, StoreError::Away(_)) {
            // That Redis is away is logged once.
            tracing::debug!(method, channel, user, %error, "an api call failed");
        } else {
            self.failed.say(|left_out| {
                tracing::warn!(method, channel, user, %error, left_out, "an api call failed");
            });
        }
        ApiError::Internal
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
    fn users<'a>(&self, users: &'a Names) -> Result<&'a [String], ApiError> {
        if !self.config.user_status.enabled {
            return Err(ApiError::NotAvailable);
        }
        let users = users.as_ref().map_err(|error| *error)?;
        let too_long = |user: &String| user.is_empty() || user.len() > rollcall_wire::caps::USER;
        if users.is_empty() || users.iter().any(too_long) {
            return Err(ApiError::BadRequest);
        }
        Ok(users)
    }
}

// === impl Empty ===

/// The names in a list of a call, unless there are too many.
fn names(params: &Fields<'_>, name: &'static str) -> Result<Names, Malformed> {
    Ok(params.strings_up_to(name, NAMES)?.ok_or(ApiError::TooMany(name)))
}

/// Channels or users that a call names.
type Names = Result<Vec<String>, ApiError>;

impl Output for Empty {
    fn write(&self, _: &mut Object<'_>) {}
}
