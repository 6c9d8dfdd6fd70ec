//! The server `rollcall`: reads its configuration, runs, and stops when it is told to.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use anyhow::Context;
use rollcall::app::App;
use rollcall::config::{self, Invocation, Loaded, LogFormat, LogLevel};
use rollcall::dev_mode;
use rollcall::embedded_redis;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::filter::LevelFilter;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    if let [first, rest @ ..] = arguments.as_slice()
        && first == embedded_redis::GUARD
    {
        let error = embedded_redis::become_redis(rest);
        return fail(&anyhow::Error::new(error).context("redis-server cannot be started"));
    }
    match start(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

fn start(arguments: &[OsString]) -> anyhow::Result<()> {
    let arguments: Vec<String> =
        arguments.iter().map(|argument| argument.to_string_lossy().into_owned()).collect();
    let environment: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    match config::load(&arguments, &environment, &|path| fs::read_to_string(path))? {
        Invocation::Print(text) => print(&text).context("cannot write to standard output"),
        Invocation::Run(loaded) => {
            let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
            runtime.block_on(run(*loaded))
        }
    }
}

async fn run(loaded: Loaded) -> anyhow::Result<()> {
    let Loaded { mut config, warnings, dev, .. } = loaded;
    log_to(&config.log)?;
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    if dev {
        dev_mode::fill(&mut config);
    }
    let stop = stop_on_signals()?;
    let shown = config.clone();
    let app = App::build(config).await?;
    let address = app.address().context("cannot read the bound address")?;
    tracing::info!(%address, version = rollcall::app::VERSION, "serving");
    if dev {
        print(&dev_mode::welcome(&shown, &app)?).context("cannot write to standard output")?;
    }
    Box::pin(app.run(stop)).await;
    tracing::info!("stopped");
    Ok(())
}

/// A token that the first SIGINT or SIGTERM cancels; the second ends the process at once.
fn stop_on_signals() -> anyhow::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen to SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen to SIGTERM")?;
    let mut hangup = signal(SignalKind::hangup()).context("cannot listen to SIGHUP")?;
    let stopping = stop.clone();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                // Elsewhere this reloads the configuration; ending would be the worst answer.
                _ = hangup.recv() => {
                    tracing::warn!("SIGHUP is ignored: to read the configuration again, restart");
                    continue;
                }
            }
            if stopping.is_cancelled() {
                #[expect(clippy::exit, reason = "the user asked twice; the lease ends by itself")]
                std::process::exit(130);
            }
            tracing::info!("stopping");
            stopping.cancel();
        }
    });
    Ok(stop)
}

fn log_to(log: &config::Log) -> anyhow::Result<()> {
    let level = match log.level {
        LogLevel::Trace => LevelFilter::TRACE,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::None => LevelFilter::OFF,
    };
    let to_file = !log.file.as_os_str().is_empty();
    let colours = !to_file && io::stderr().is_terminal();
    let builder = tracing_subscriber::fmt().with_max_level(level).with_target(false);
    // A log that cannot be written must not end what it is about, nor try to say so on standard
    // error, which may be what is gone.
    let builder = builder.with_ansi(colours).log_internal_errors(false);
    if to_file {
        let file = OpenOptions::new().create(true).append(true).open(&log.file);
        let file = file.with_context(|| format!("log.file: cannot open {}", log.file.display()))?;
        match log.format {
            LogFormat::Text => builder.with_writer(std::sync::Mutex::new(file)).init(),
            LogFormat::Json => builder.json().with_writer(std::sync::Mutex::new(file)).init(),
        }
    } else {
        match log.format {
            LogFormat::Text => builder.with_writer(io::stderr).init(),
            LogFormat::Json => builder.json().with_writer(io::stderr).init(),
        }
    }
    Ok(())
}

fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Says why, cause by cause, on one line each.
fn fail(error: &anyhow::Error) -> ExitCode {
    let mut text = format!("rollcall: {error}\n");
    for cause in error.chain().skip(1) {
        text += "  because: ";
        text += &cause.to_string();
        text.push('\n');
    }
    // Nobody is left to tell that standard error is gone.
    let _written = io::stderr().write_all(text.as_bytes());
    ExitCode::FAILURE
}
