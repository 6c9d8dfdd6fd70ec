//! `log`: what is written about what happens.

use std::path::PathBuf;

use super::{section::section, value::words};

section! {
    /// What is written about what happens.
    pub struct Log {
        /// The least important lines that are written.
        level: LogLevel = LogLevel::Info,
        /// How a line looks.
        format: LogFormat = LogFormat::Text,
        /// File to write to; empty for standard error.
        file: PathBuf = PathBuf::new(),
    }
}

words! {
    /// How important a line must be.
    pub enum LogLevel {
        /// Everything.
        Trace = "trace",
        /// What a developer looks for.
        Debug = "debug",
        /// What an operator acts on.
        #[default]
        Info = "info",
        /// What may go wrong.
        Warn = "warn" | "warning",
        /// What went wrong.
        Error = "error" | "fatal",
        /// Nothing.
        None = "none",
    }
}

words! {
    /// How a line looks.
    pub enum LogFormat {
        /// For eyes.
        #[default]
        Text = "text",
        /// For programs.
        Json = "json",
    }
}
