//! `send`: a message to the server that nobody here takes.

use super::{Done, Refusal};
use crate::protocol::Disconnect;

pub(super) fn run() -> Done {
    Err(Refusal::Disconnect(Disconnect::NOT_AVAILABLE))
}
