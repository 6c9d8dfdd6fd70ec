//! `health`: whether the server lives and is ready.

use super::section::{Findings, section};

section! {
    /// The health endpoint.
    pub struct Health {
        /// Switches it on.
        enabled: bool = true,
        /// Its path; readiness is beside it, at `ready` in place of its last part.
        handler_prefix: String = "/health".to_owned(),
    }
}

// === impl Health ===

impl Health {
    /// The path of readiness: `/ready` for `/health`, `/x/ready` for `/x/health`.
    pub fn ready(&self) -> String {
        let path = self.handler_prefix.trim_matches('/');
        let above = path.rsplit_once('/').map_or("", |(above, _)| above).trim_end_matches('/');
        if above.is_empty() { "/ready".to_owned() } else { format!("/{above}/ready") }
    }

    pub(crate) fn check(&self, findings: &mut Findings) {
        findings.check(
            self.handler_prefix.starts_with('/'),
            "health.handler_prefix: expected a path that starts with \"/\"",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readiness_is_beside_health() {
        for (health, ready) in [
            ("/health", "/ready"),
            ("/", "/ready"),
            ("/x/health", "/x/ready"),
            ("/x//health/", "/x/ready"),
            ("/a/b/live", "/a/b/ready"),
        ] {
            let section = Health { handler_prefix: health.to_owned(), ..Health::default() };
            assert_eq!(section.ready(), ready, "{health}");
        }
    }
}
