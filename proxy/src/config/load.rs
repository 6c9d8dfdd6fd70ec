//! Reading the configuration from its sources: defaults, then the file, then the environment, then
//! flags, each going over the one before.

use std::{
    collections::BTreeMap,
    fmt, io,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value};

use super::{
    Config, env, file, flags, legacy,
    section::{Findings, Place, Setting},
};

/// What the command line asks for.
#[derive(Debug)]
pub enum Invocation {
    /// Run the server.
    Run(Box<Loaded>),
    /// Print a text, a help or a version, and end.
    Print(String),
}

/// A configuration that has passed every check.
#[derive(Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// What an operator should know, a sentence each: ignored options, a missing file.
    pub warnings: Vec<String>,
    /// Whether `--dev` was given.
    pub dev: bool,
    /// The file that was read, if there was one.
    pub file: Option<PathBuf>,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The command line makes no sense.
    #[error("{0}; see rollcall --help")]
    Flag(String),
    /// The file is there but cannot be read.
    #[error("{}: cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file is in another format.
    #[error("{}: only JSON is read yet, not YAML or TOML", .0.display())]
    Format(PathBuf),
    /// The file is not JSON.
    #[error("{}: not valid JSON", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where and what.
        source: serde_json::Error,
    },
    /// Options hold what they cannot; all of them are named.
    #[error("{}", Lines(.0))]
    Invalid(Vec<String>),
}

/// Used when nothing names another file.
const DEFAULT_FILE: &str = "config.json";

/// Reads everything. `args` are without the name of the program; `read_file` is given the path as
/// it was written.
pub fn load(
    args: &[String],
    env: &BTreeMap<String, String>,
    read_file: &dyn Fn(&Path) -> io::Result<String>,
) -> Result<Invocation, ConfigError> {
    let flags = match flags::parse(args).map_err(ConfigError::Flag)? {
        flags::Parsed::Print(text) => return Ok(Invocation::Print(text)),
        flags::Parsed::Run(flags) => flags,
    };
    let mut findings = Findings::default();
    let mut config = Config::default();
    let named = flags.config.as_deref().or_else(|| env::config_file(env));
    let path = Path::new(named.unwrap_or(DEFAULT_FILE));
    let tree = file::read(path, read_file)?;
    match &tree {
        Some(tree) => {
            let tree = legacy::modern(tree);
            config.read(&tree, &Place::file(&path.display().to_string()), &mut findings);
        }
        // Development needs no file, so the lack of one is no news.
        None if flags.dev && named.is_none() => {}
        None => findings.warnings.push(format!("{}: not found, going on without", path.display())),
    }
    findings.words = true;
    env::apply(env, &mut config, &mut findings);
    for flag in &flags.options {
        set(&mut config, flag, &mut findings);
    }
    if findings.errors.is_empty() {
        config.check(&mut findings);
        config.make_paths_absolute(&mut findings);
    }
    if !findings.errors.is_empty() {
        return Err(ConfigError::Invalid(findings.errors));
    }
    let file = tree.map(|_| path.to_owned());
    Ok(Invocation::Run(Box::new(Loaded {
        config,
        warnings: findings.warnings,
        dev: flags.dev,
        file,
    })))
}

/// One option given as text.
#[derive(Debug)]
pub(crate) struct Given {
    /// The variable or flag, as messages call it.
    pub(crate) label: String,
    /// The option below what it is set on.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// Sets one option of `target`.
pub(crate) fn set<S: Setting>(target: &mut S, given: &Given, findings: &mut Findings) {
    let Given { label, path, text } = given;
    let tree = path.rsplit('.').fold(Value::String(text.clone()), |below, key| {
        Value::Object(Map::from_iter([(key.to_owned(), below)]))
    });
    target.read(&tree, &Place::option(label, path), findings);
}

struct Lines<'a>(&'a [String]);

// === impl Lines ===

impl fmt::Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

#[cfg(test)]
mod tests;
