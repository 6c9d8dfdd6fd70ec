//! The client protocol's messages in JSON, and the numbers clients know. No I/O in here.

pub mod codes;
pub mod frame;
pub mod write;

pub use crate::fields::{Fields, Malformed};
pub use crate::payload::{Json, Payload};
pub use codes::{ClientError, Disconnect};
