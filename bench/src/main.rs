//! Benchmarks of Rollcall. The first argument says of what: `module` (the default) measures the
//! Redis module next to the same presence kept by Lua scripts, on one private redis-server; `kill`
//! measures how soon the clients of a killed server are shown leaving.
#![forbid(unsafe_code)]

mod host;
mod kill;
mod module;
mod options;
mod resp;
mod server;
mod table;

use std::io::{self, Write};
use std::process::ExitCode;

use options::{Options, Parsed};

fn main() -> ExitCode {
    let done = match Options::parse(std::env::args().skip(1)) {
        Ok(Parsed::Module(options)) => module::run(&options),
        Ok(Parsed::Kill { quick }) => kill::run(quick),
        Ok(Parsed::Help) => say(options::USAGE),
        Err(problem) => Err(io::Error::other(format!("{problem}\n{}", options::USAGE))),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            note(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

/// A line of the result, on standard output.
fn say(text: &str) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{text}")
}

/// A line about the progress, on standard error. Nobody needs to be listening.
fn note(text: &str) {
    let _ignored = writeln!(io::stderr().lock(), "{text}");
}
