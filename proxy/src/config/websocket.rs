//! `websocket`: the WebSocket endpoint.

use std::time::Duration;

use super::section::{Findings, section};

section! {
    /// The WebSocket endpoint.
    pub struct WebSocket {
        /// Switches it off.
        disabled: bool = false,
        /// Its path.
        handler_prefix: String = "/connection/websocket".to_owned(),
        /// Longest message from a client, in bytes.
        message_size_limit: usize = 65_536,
        /// How long one write to a client may take.
        write_timeout: Duration = Duration::from_secs(1),
    }
}

// === impl WebSocket ===

impl WebSocket {
    pub(crate) fn check(&self, findings: &mut Findings) {
        findings.check(
            self.handler_prefix.starts_with('/'),
            "websocket.handler_prefix: expected a path that starts with \"/\"",
        );
        findings.more_than_zero("websocket.message_size_limit", &self.message_size_limit);
        findings.more_than_zero("websocket.write_timeout", &self.write_timeout);
    }
}
