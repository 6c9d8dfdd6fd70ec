//! The command line: a few short flags, and every option as a long one.

use std::fmt::Write as _;

use super::{Kind, Opt, load::Given, options};

/// What a command line asks for.
#[derive(Debug)]
pub(crate) enum Parsed {
    Run(Flags),
    Print(String),
}

/// A command line that starts the server.
#[derive(Debug, Default)]
pub(crate) struct Flags {
    pub(crate) config: Option<String>,
    pub(crate) dev: bool,
    pub(crate) options: Vec<Given>,
}

/// Flags with one letter, and the long ones that they stand for.
const SHORT: [(&str, &str); 5] = [
    ("-c", "config"),
    ("-a", "http_server.address"),
    ("-p", "http_server.port"),
    ("-h", "help"),
    ("-V", "version"),
];

const USAGE: &str = "\
Rollcall: presence and user status for real-time applications.

Usage: rollcall [flags]

  -c, --config FILE   configuration file, JSON [config.json]
  -a, --http_server.address ADDRESS
  -p, --http_server.port PORT
      --dev           development mode: no file, no tokens, no keys needed
  -h, --help          show this
  -V, --version       show the version

Every option can stand in the file, in the environment (http_server.port is
ROLLCALL_HTTP_SERVER_PORT) and here; the later of these goes over the earlier. Durations are
written 250ms, 30s or 1m30s, and lists separated by spaces.

Options:
";

/// Reads `args`. The error is a sentence, and never shows a value.
pub(crate) fn parse(args: &[String]) -> Result<Parsed, String> {
    let known = options();
    let mut flags = Flags::default();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let (label, name, inline) = split(arg)?;
        match name {
            "help" => return Ok(Parsed::Print(help(&known))),
            "version" => return Ok(Parsed::Print(version())),
            "dev" if inline.is_none() => {
                flags.dev = true;
                continue;
            }
            _ => {}
        }
        let kind = match known.iter().find(|opt| opt.path == name) {
            _ if name == "config" => Kind::Value,
            Some(opt) => opt.kind,
            None => return Err(format!("{label}: unknown flag")),
        };
        let text = match inline {
            Some(text) => text.to_owned(),
            None if kind == Kind::Switch => "true".to_owned(),
            None => args.next().ok_or_else(|| format!("{label}: needs a value"))?.clone(),
        };
        if name == "config" {
            flags.config = Some(text);
        } else {
            let (label, path) = (label.to_owned(), name.to_owned());
            flags.options.push(Given { label, path, text });
        }
    }
    Ok(Parsed::Run(flags))
}

/// `--name`, `--name=value`, `-n`, `-nvalue`: the flag as written, its long name, its value.
fn split(arg: &str) -> Result<(&str, &str, Option<&str>), String> {
    if let Some(long) = arg.strip_prefix("--") {
        let (name, value) = match long.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (long, None),
        };
        return Ok((&arg[..2 + name.len()], name, value));
    }
    for (short, name) in SHORT {
        if let Some(value) = arg.strip_prefix(short) {
            let value = value.strip_prefix('=').or(Some(value)).filter(|value| !value.is_empty());
            return Ok((short, name, value));
        }
    }
    Err(match arg.strip_prefix('-') {
        Some(_) => format!("{}: unknown flag", arg.chars().take(2).collect::<String>()),
        None => "expected only flags, got an argument without one".to_owned(),
    })
}

fn version() -> String {
    format!("rollcall {}\n", env!("CARGO_PKG_VERSION"))
}

fn help(options: &[Opt]) -> String {
    let mut out = USAGE.to_owned();
    let shown = |opt: &&Opt| opt.kind != Kind::Refused && !opt.path.contains('[');
    for Opt { path, default, doc, .. } in options.iter().filter(shown) {
        let default = if default.is_empty() { String::new() } else { format!(" [{default}]") };
        // Writing to a string cannot fail.
        let _ = writeln!(out, "  --{path}{default}\n        {doc}");
    }
    out
}
