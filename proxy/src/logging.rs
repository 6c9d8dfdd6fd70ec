//! The log: to standard error, or to a file that can be opened anew when it was renamed.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tracing_subscriber::filter::LevelFilter;

use crate::config::{Log, LogFormat, LogLevel};

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
#[error("log.file: cannot open {}", path.display())]
pub struct LogError {
    path: PathBuf,
    source: io::Error,
}

/// A file for lines. Each is written whole to one file, also while that is opened anew.
#[derive(Debug)]
pub struct LogFile {
    path: PathBuf,
    file: Mutex<File>,
}

/// Begins to log as configured; the file, if there is one.
pub fn start(log: &Log) -> Result<Option<Arc<LogFile>>, LogError> {
    let level = match log.level {
        LogLevel::Trace => LevelFilter::TRACE,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::None => LevelFilter::OFF,
    };
    let to_file = !log.file.as_os_str().is_empty();
    let file = to_file.then(|| LogFile::open(log.file.clone())).transpose()?.map(Arc::new);
    let colours = !to_file && io::stderr().is_terminal();
    let builder = tracing_subscriber::fmt().with_max_level(level).with_target(false);
    // A log that cannot be written must not end what it is about, nor try to say so on standard
    // error, which may be what is gone.
    let builder = builder.with_ansi(colours).log_internal_errors(false);
    match (&file, log.format) {
        (Some(file), LogFormat::Text) => builder.with_writer(file.clone()).init(),
        (Some(file), LogFormat::Json) => builder.json().with_writer(file.clone()).init(),
        (None, LogFormat::Text) => builder.with_writer(io::stderr).init(),
        (None, LogFormat::Json) => builder.json().with_writer(io::stderr).init(),
    }
    Ok(file)
}

// === impl LogFile ===

impl LogFile {
    fn open(path: PathBuf) -> Result<Self, LogError> {
        match open(&path) {
            Ok(file) => Ok(Self { path, file: Mutex::new(file) }),
            Err(source) => Err(LogError { path, source }),
        }
    }

    /// Goes on in the file that has its path now, which is made if there is none. Where that fails,
    /// it goes on in the old one.
    pub fn reopen(&self) -> io::Result<()> {
        let file = open(&self.path)?;
        *self.file.lock().unwrap_or_else(PoisonError::into_inner) = file;
        Ok(())
    }
}

impl Write for &LogFile {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(line)?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner).flush()
    }
}

/// Lines name users and channels: others have no business there.
fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).mode(0o640).open(path)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn after_a_rename_lines_go_on_in_a_new_file() {
        let dir = std::env::temp_dir().join(format!("log-test-{}", uuid::Uuid::new_v4()));
        fs::create_dir(&dir).unwrap();
        let (path, old) = (dir.join("log"), dir.join("log.1"));
        let file = LogFile::open(path.clone()).unwrap();
        let line = |text: &str| (&file).write_all(text.as_bytes()).unwrap();
        line("one\n");
        fs::rename(&path, &old).unwrap();
        line("two\n");
        file.reopen().unwrap();
        line("three\n");
        assert_eq!(fs::read_to_string(&old).unwrap(), "one\ntwo\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), "three\n");
        fs::remove_dir_all(&dir).unwrap();
        file.reopen().unwrap_err();
        line("four\n");
    }
}
