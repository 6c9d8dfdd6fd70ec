//! The module next to the script layout: time per call, memory per member and per user. And how
//! long the server keeps others waiting while something large happens.

mod layout;
mod member;
mod memory;
mod meter;
mod ping;
mod scripts;
mod speed;
mod stall;
mod status;

use std::io;

use crate::options::Options;
use crate::server::Server;
use crate::table::{render, thousands};
use crate::{host, note, say};

/// How much is done.
#[derive(Debug, Clone, Copy)]
struct Scale {
    /// Members of the large channel.
    channel: usize,
    /// Channels, where there are many.
    channels: usize,
    /// Members of the largest channel.
    huge: usize,
    /// Calls of a cheap command in one round.
    calls: usize,
    /// Calls of a command that reads a whole large channel.
    heavy_calls: usize,
    rounds: usize,
    /// Into how many large channels the members are divided when their memory is measured.
    shapes: &'static [usize],
}

// === impl Scale ===

impl Scale {
    const FULL: Self = Self {
        channel: 100_000,
        channels: 100_000,
        huge: 1_000_000,
        calls: 100_000,
        heavy_calls: 2,
        rounds: 5,
        shapes: &[1, 100, 1000],
    };
    const QUICK: Self = Self {
        channel: 10_000,
        channels: 10_000,
        huge: 20_000,
        calls: 5_000,
        heavy_calls: 2,
        rounds: 2,
        shapes: &[1],
    };
}

/// Measures everything and prints the table.
pub(crate) fn run(options: &Options) -> io::Result<()> {
    let scale = if options.quick { Scale::QUICK } else { Scale::FULL };
    let host = host::describe();

    let version = {
        let server = Server::start(options)?;
        let info = server.connect()?.call(&["INFO", "server"])?;
        meter::field(&info, "redis_version")?.to_owned()
    };
    say(&format!("Host: {host}. Redis {version}. Median of {} rounds.\n", scale.rounds))?;
    let mut rows = Vec::new();
    if options.wants("time") {
        note("time of each call …");
        rows.extend(speed::rows(options, scale)?);
    }
    if options.wants("status") {
        note("user status …");
        rows.extend(status::rows(options, scale)?);
    }
    if options.wants("memory") {
        note("memory …");
        rows.extend(memory::rows(options, scale)?);
        rows.extend(status::memory_rows(options, scale)?);
    }
    if !rows.is_empty() {
        say(&render(&rows))?;
    }
    if options.wants("stalls") {
        note("stalls …");
        let stalls = stall::report(options, scale)?;
        say(&format!("What somebody sees who sends a PING every millisecond.\n\n{stalls}"))?;
    }
    Ok(())
}

/// A number in the name of a row.
fn count(n: usize) -> String {
    thousands(&n.to_string())
}
