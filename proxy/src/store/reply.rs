//! Replies of Redis as plain values, and what can go wrong with a call.

use bytes::Bytes;
use fred::error::{Error, ErrorKind};
use fred::types::{Resp3Frame, Value};

use super::tls::{self, TlsError};

/// What comes before the words of a Redis that is there and does not serve.
pub(super) const NOT_READY: &str = "redis is not ready: ";

/// Why a call did not do what it should.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Redis is away, slow or not ready; whether the call was carried out is not known.
    #[error("{0}")]
    Away(String),
    /// Our lease is gone; the keepalive is on its way to mend that.
    #[error("the lease is lost")]
    NoLease,
    /// Redis answered with an error: the call changed nothing.
    #[error("redis refused: {0}")]
    Refused(String),
    /// Redis answered with something else than the contract says.
    #[error("unexpected reply from redis to {0}")]
    Unexpected(&'static str),
}

/// A reply.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Reply {
    Null,
    Number(i64),
    Bytes(Bytes),
    Array(Vec<Reply>),
}

// === impl StoreError ===

impl From<fred::error::Error> for StoreError {
    fn from(error: fred::error::Error) -> Self {
        Self::Away(format!("redis is away: {}", plain(error.details())))
    }
}

impl From<TlsError> for StoreError {
    fn from(error: TlsError) -> Self {
        Self::Away(error.to_string())
    }
}

/// The part of an error's text that is for people: fred shows system errors as Rust writes them.
pub(super) fn plain(details: &str) -> String {
    if let Some(why) = tls::plain(details).or_else(|| of_fred(details)) {
        return why.to_owned();
    }
    if is_reply(details) {
        return of_reply(details);
    }
    if let Some((_, why)) = details.split_once("failed to lookup address information: ") {
        let why = why.trim_end_matches(['"', ' ', '}', ')']);
        return format!("its name cannot be looked up ({})", why.to_ascii_lowercase());
    }
    let message = details.split_once("message: \"").and_then(|(_, rest)| rest.split_once('"'));
    let text = message.map_or(details, |(message, _)| message);
    text.trim_end_matches('.').to_ascii_lowercase()
}

/// What fred says of a connection in its own terms.
fn of_fred(details: &str) -> Option<&'static str> {
    match details {
        "Request timed out." | "Unresponsive connection." => Some("no answer in time"),
        "Failed to route command."
        | "Too many failed write attempts."
        | "Connection closed unexpectedly."
        | "Canceled." => Some("the connection was lost"),
        _ => None,
    }
}

/// What Redis itself answered, in its own words, and which option it is about.
fn of_reply(text: &str) -> String {
    let about = |words: &str| text.contains(words);
    let option = if about("NOAUTH") {
        return "it wants a password (NOAUTH)".to_owned();
    } else if about("DENIED ") {
        // What it says is half a page.
        return "it is in protected mode and takes nobody from another machine (DENIED): give it a \
                password, or protected-mode no where its network is closed"
            .to_owned();
    } else if about("WRONGPASS") {
        "user and password, or those in the address"
    } else if about("DB index is out of range") || about("SELECT is not allowed") {
        "db, or the number in the address"
    } else {
        return text.to_owned();
    };
    format!("{} (see {option})", text.trim_end_matches('.'))
}

// === impl Reply ===

impl Reply {
    pub(super) fn read(frame: Resp3Frame) -> Result<Self, StoreError> {
        Ok(match frame {
            Resp3Frame::SimpleError { data, .. } => return Err(refused(&data)),
            Resp3Frame::BlobError { data, .. } => {
                return Err(refused(&String::from_utf8_lossy(&data)));
            }
            Resp3Frame::Null => Self::Null,
            Resp3Frame::Number { data, .. } => Self::Number(data),
            Resp3Frame::BlobString { data, .. }
            | Resp3Frame::SimpleString { data, .. }
            | Resp3Frame::VerbatimString { data, .. } => Self::Bytes(data),
            Resp3Frame::Array { data, .. } => {
                Self::Array(data.into_iter().map(Self::read).collect::<Result<_, _>>()?)
            }
            _ => return Err(StoreError::Unexpected("a command")),
        })
    }

    /// The same for a reply out of several, which fred passes on in another form.
    pub(super) fn of_value(value: Result<Value, Error>) -> Result<Self, StoreError> {
        Ok(match value {
            Ok(Value::Null) => Self::Null,
            Ok(Value::Integer(number)) => Self::Number(number),
            Ok(Value::String(text)) => Self::Bytes(text.into_inner()),
            Ok(Value::Bytes(bytes)) => Self::Bytes(bytes),
            Ok(Value::Array(items)) => {
                let items = items.into_iter().map(|item| Self::of_value(Ok(item)));
                Self::Array(items.collect::<Result<_, _>>()?)
            }
            Ok(_) => return Err(StoreError::Unexpected("a command")),
            Err(error) => match error.kind() {
                ErrorKind::IO
                | ErrorKind::Timeout
                | ErrorKind::Canceled
                | ErrorKind::Backpressure
                | ErrorKind::Routing => return Err(error.into()),
                // An error reply begins with its word; fred's own errors are sentences.
                _ if is_reply(error.details()) => return Err(refused(error.details())),
                _ => return Err(error.into()),
            },
        })
    }

    /// The value of a name in a reply that is a map.
    pub(super) fn field(frame: &Resp3Frame, name: &str) -> Option<String> {
        let Resp3Frame::Map { data, .. } = frame else { return None };
        let text = |frame: &Resp3Frame| Self::read(frame.clone()).ok()?.bytes();
        let (_, value) = data.iter().find(|(key, _)| text(key).is_some_and(|key| key == name))?;
        String::from_utf8(text(value)?.to_vec()).ok()
    }

    pub(super) fn number(&self) -> Option<u64> {
        match self {
            Self::Number(number) => u64::try_from(*number).ok(),
            _ => None,
        }
    }

    pub(super) fn array(self) -> Option<Vec<Reply>> {
        match self {
            Self::Array(items) => Some(items),
            _ => None,
        }
    }

    pub(super) fn bytes(self) -> Option<Bytes> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// An array of exactly `N` replies.
    pub(super) fn fixed<const N: usize>(self) -> Option<[Reply; N]> {
        self.array()?.try_into().ok()
    }
}

fn is_reply(text: &str) -> bool {
    let word = text.split_whitespace().next().unwrap_or_default();
    word.len() > 1 && word.bytes().all(|byte| byte.is_ascii_uppercase())
}

fn refused(text: &str) -> StoreError {
    match text.split_whitespace().next() {
        Some(rollcall_wire::error_words::NOLEASE) => StoreError::NoLease,
        // Redis is there but not ready to serve: the same as away to our callers.
        Some("LOADING" | "BUSY" | "OOM" | "MASTERDOWN" | "READONLY" | "NOREPLICAS" | "MISCONF") => {
            StoreError::Away(format!("{NOT_READY}{text}"))
        }
        _ => StoreError::Refused(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_redis_says_stays_as_it_is_and_what_rust_says_becomes_words() {
        for (details, text) in [
            ("NOAUTH Authentication required.", "it wants a password (NOAUTH)"),
            (
                "ERR DB index is out of range",
                "ERR DB index is out of range (see db, or the number in the address)",
            ),
            (
                "WRONGPASS invalid username-password pair or user is disabled.",
                "WRONGPASS invalid username-password pair or user is disabled (see user and password, or those in the address)",
            ),
            ("Request timed out.", "no answer in time"),
            ("Failed to route command.", "the connection was lost"),
            ("ERR max number of clients reached", "ERR max number of clients reached"),
            (
                "Os { code: 111, kind: ConnectionRefused, message: \"Connection refused\" }",
                "connection refused",
            ),
            (
                "Custom { kind: Uncategorized, error: \"failed to lookup address information: Name or service not known\" }",
                "its name cannot be looked up (name or service not known)",
            ),
        ] {
            assert_eq!(plain(details), text);
        }
        let denied = "DENIED Redis is running in protected mode because protected mode is enabled and no password is set";
        assert!(plain(denied).contains("protected-mode no"));
    }
}
