//! Servers whose wall clock a test steps.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::redis::{Redis, program};

/// A wall clock for servers: the machine's, and so many seconds.
#[derive(Debug)]
pub struct StepClock {
    dir: TempDir,
}

// === impl StepClock ===

impl StepClock {
    /// Goes with the machine's until it is stepped. Builds what is preloaded with `cc`.
    #[expect(clippy::new_without_default, reason = "it starts a compiler")]
    pub fn new() -> Self {
        let dir = TempDir::with_prefix("rollcall-clock-").expect("a temporary directory");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("servers/step_clock.c");
        let library = dir.path().join("step_clock.so");
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .args([&library, &source])
            .status()
            .expect("cc starts");
        assert!(built.success(), "the clock is built");
        let clock = Self { dir };
        clock.write(0);
        let script = format!(
            "#!/bin/sh\nSTEP_CLOCK={} LD_PRELOAD={} exec {} \"$@\"\n",
            clock.step_file().display(),
            library.display(),
            program().display(),
        );
        let draft = clock.dir.path().join("draft");
        fs::write(&draft, script).expect("the script is written");
        // Had it ever been open for writing here, a process that another thread is just starting
        // might have it open as well: it would be busy.
        let copy =
            Command::new("install").args(["-m", "700"]).args([draft, clock.server()]).status();
        assert!(copy.expect("install starts").success(), "the script can be run");
        clock
    }

    /// A server with the module that lives by this clock.
    pub fn redis(&self, options: &[&str]) -> Redis {
        Redis::by(self.server().into(), options)
    }

    /// From now on so many seconds are added to the machine's clock.
    pub fn step(&self, seconds: i64) {
        self.write(seconds);
    }

    fn write(&self, seconds: i64) {
        // Servers have it mapped: it is never cut.
        let mut file = File::options()
            .write(true)
            .create(true)
            .truncate(false)
            .open(self.step_file())
            .expect("the file opens");
        file.write_all(&seconds.to_ne_bytes()).expect("the file is written");
    }

    fn step_file(&self) -> std::path::PathBuf {
        self.dir.path().join("step")
    }

    fn server(&self) -> std::path::PathBuf {
        self.dir.path().join("redis-server")
    }
}
