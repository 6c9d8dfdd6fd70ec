//! `shutdown`: how the server ends.

use std::time::Duration;

use super::section::section;

section! {
    /// How the server ends.
    pub struct Shutdown {
        /// How long clients and calls are waited for; 0s for not at all.
        timeout: Duration = Duration::from_secs(30),
    }
}
