//! `health`: whether the server lives and is ready.

use super::section::{Findings, section};

section! {
    /// The health endpoint.
    pub struct Health {
        /// Switches it on.
        enabled: bool = true,
        /// Its path.
        handler_prefix: String = "/health".to_owned(),
    }
}

// === impl Health ===

impl Health {
    pub(crate) fn check(&self, findings: &mut Findings) {
        findings.check(
            self.handler_prefix.starts_with('/'),
            "health.handler_prefix: expected a path that starts with \"/\"",
        );
    }
}
