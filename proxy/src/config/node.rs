//! `node`: this server among others.

use super::section::section;

section! {
    /// This server among others.
    pub struct Node {
        /// Name shown by the `info` call; empty for host name and port.
        name: String = String::new(),
    }
}
