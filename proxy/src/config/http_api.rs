//! `http_api`: the server API over HTTP.

use super::{
    Secret,
    section::{Findings, section},
    value::words,
};

section! {
    /// The server API over HTTP.
    pub struct HttpApi {
        /// Switches the API off.
        disabled: bool = false,
        /// Path under which the methods are.
        handler_prefix: String = "/api".to_owned(),
        /// Key that callers must present; without one nobody gets in.
        key: Secret = Secret::default(),
        /// How errors are told: in the body of a 200, or with `transport` as HTTP statuses.
        error_mode: ErrorMode = ErrorMode::Body,
        /// Serves the API on the main port even if there is an internal one.
        external: bool = false,
        /// Lets everybody in without a key; for development.
        insecure: bool = false,
    }
}

words! {
    /// How API errors are told.
    pub enum ErrorMode {
        /// Status 200 and an `error` in the body.
        #[default]
        Body = "",
        /// An HTTP status for each error.
        Transport = "transport",
    }
}

// === impl HttpApi ===

impl HttpApi {
    pub(crate) fn check(&self, findings: &mut Findings) {
        findings.check(
            self.handler_prefix.starts_with('/'),
            "http_api.handler_prefix: expected a path that starts with \"/\"",
        );
        findings.insecure(
            self.insecure && !self.disabled,
            "http_api.insecure",
            "whoever reaches the API may use it without a key",
        );
    }
}
