//! What the Redis module and the server must agree on, and nothing else.
//!
//! Command words, key and channel names, caps, error words, the encodings of events and
//! publications, the partition of a user's status, and the forms that are stored in RDB and
//! replicated. Pure functions over plain values; neither Redis nor sockets are known here.
//!
//! A change here is a change of a contract: see `CONTRIBUTING.md` ("Changing `wire`").
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod caps;
pub mod control;
pub mod error_words;
pub mod event;
pub mod info;
pub mod names;
pub mod partition;
pub mod publication;
pub mod replicated;
pub mod stored;
pub mod varint;
pub mod words;

mod base64;
mod json;

pub use event::{Change, Event, Head, Why};
pub use info::{Info, Member};
pub use json::{is_json, push_string};
pub use names::Names;
