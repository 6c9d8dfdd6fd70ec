//! Relative paths are made absolute while the configuration is read: what is opened later, or by
//! another process, must not depend on the folder in which that happens.

use super::{Config, section::Findings};

// === impl Config ===

impl Config {
    /// Makes relative paths absolute, from the current folder.
    pub(super) fn make_paths_absolute(&mut self, findings: &mut Findings) {
        let embedded = &mut self.engine.embedded;
        for (option, path) in [
            ("engine.embedded.dir", &mut embedded.dir),
            ("engine.embedded.module", &mut embedded.module),
            ("engine.embedded.redis_server", &mut embedded.redis_server),
            ("log.file", &mut self.log.file),
        ] {
            if path.as_os_str().is_empty() {
                continue;
            }
            // A program without a folder is looked up where programs are.
            if option == "engine.embedded.redis_server" && path.components().count() == 1 {
                continue;
            }
            match std::path::absolute(&path) {
                Ok(absolute) => *path = absolute,
                Err(error) => findings.check(
                    false,
                    &format!("{option}: a relative path, and the current folder is gone: {error}"),
                ),
            }
        }
    }
}
