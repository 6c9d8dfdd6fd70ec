//! The command line.

use std::path::PathBuf;

/// What `--help` prints.
pub(crate) const USAGE: &str = "\
rollcall-bench [module] [--redis-server PATH] [--module PATH] [--only PART] [--quick]
rollcall-bench kill [--quick]

  module               the Redis module next to the same presence kept by scripts
  kill                 how soon the clients of a killed server are shown leaving; with the binaries
                       that TEST_ROLLCALL_BIN and TEST_ROLLCALL_MODULE name
  --redis-server PATH  which redis-server to start; otherwise the one on the PATH
  --module PATH        which module to load; otherwise $ROLLCALL_MODULE, or the one beside this program
  --only PART          one part of it: time, status, memory or stalls
  --quick              a small part of the work: shows that everything runs, not how fast it is";

/// What to measure of the module, and with what.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) redis_server: PathBuf,
    pub(crate) module: PathBuf,
    pub(crate) only: Option<String>,
    pub(crate) quick: bool,
}

/// What the parts are called.
const PARTS: [&str; 4] = ["time", "status", "memory", "stalls"];

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Parsed {
    Module(Options),
    Kill { quick: bool },
    Help,
}

// === impl Options ===

impl Options {
    /// Reads the arguments, without the program's name.
    pub(crate) fn parse(args: impl Iterator<Item = String>) -> Result<Parsed, String> {
        let mut options = Self {
            redis_server: PathBuf::from("redis-server"),
            module: default_module(),
            only: None,
            quick: false,
        };
        let mut args = args.peekable();
        if args.next_if(|word| word == "kill").is_some() {
            return kill(args);
        }
        args.next_if(|word| word == "module");
        while let Some(word) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("{word} needs a value"));
            match word.as_str() {
                "--redis-server" => options.redis_server = value()?.into(),
                "--module" => options.module = value()?.into(),
                "--only" => options.only = Some(part(value()?)?),
                "--quick" => options.quick = true,
                "--help" | "-h" => return Ok(Parsed::Help),
                other => return Err(format!("unknown argument: {other}")),
            }
        }
        Ok(Parsed::Module(options))
    }

    /// Whether a part is to be measured.
    pub(crate) fn wants(&self, part: &str) -> bool {
        self.only.as_deref().is_none_or(|only| only == part)
    }
}

/// The arguments after `kill`.
fn kill(args: impl Iterator<Item = String>) -> Result<Parsed, String> {
    let mut quick = false;
    for word in args {
        match word.as_str() {
            "--quick" => quick = true,
            "--help" | "-h" => return Ok(Parsed::Help),
            other => return Err(format!("unknown argument: {other}")),
        }
    }
    Ok(Parsed::Kill { quick })
}

fn part(word: String) -> Result<String, String> {
    if PARTS.contains(&word.as_str()) { Ok(word) } else { Err(format!("no part: {word}")) }
}

fn default_module() -> PathBuf {
    const FILE: &str = "librollcall_module.so";
    if let Some(path) = std::env::var_os("ROLLCALL_MODULE") {
        return path.into();
    }
    let beside = std::env::current_exe().ok().and_then(|exe| Some(exe.parent()?.join(FILE)));
    beside.unwrap_or_else(|| PathBuf::from(FILE))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Parsed, String> {
        Options::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn the_word_may_be_left_out() {
        assert_eq!(parse("module --quick"), parse("--quick"));
        assert_eq!(parse("--quick --help"), Ok(Parsed::Help));
    }

    #[test]
    fn a_kill_is_quick_or_not() {
        assert_eq!(parse("kill"), Ok(Parsed::Kill { quick: false }));
        assert_eq!(parse("kill --quick"), Ok(Parsed::Kill { quick: true }));
        assert_eq!(parse("kill --only time"), Err("unknown argument: --only".to_owned()));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        assert_eq!(parse("--fast"), Err("unknown argument: --fast".to_owned()));
        assert_eq!(parse("--only all"), Err("no part: all".to_owned()));
        assert_eq!(parse("--module"), Err("--module needs a value".to_owned()));
    }
}
