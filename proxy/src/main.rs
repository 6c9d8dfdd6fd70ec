//! The server `rollcall`: reads its configuration, runs, and stops when it is told to.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use rollcall::app::App;
use rollcall::config::{self, Config, Invocation, Loaded};
use rollcall::logging::{self, LogFile};
use rollcall::{dev_mode, embedded_redis};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

fn main() -> ExitCode {
    let begun = Instant::now();
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    if let [first, rest @ ..] = arguments.as_slice()
        && first == embedded_redis::GUARD
    {
        let error = embedded_redis::become_redis(rest);
        return fail(&anyhow::Error::new(error).context("redis-server cannot be started"));
    }
    match start(&arguments, begun) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

fn start(arguments: &[OsString], begun: Instant) -> anyhow::Result<()> {
    let arguments: Vec<String> =
        arguments.iter().map(|argument| argument.to_string_lossy().into_owned()).collect();
    let environment: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    match config::load(&arguments, &environment, &|path| fs::read_to_string(path))? {
        Invocation::Print(text) => print(&text).context("cannot write to standard output"),
        Invocation::Run(loaded) => {
            let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
            runtime.block_on(run(*loaded, begun))
        }
    }
}

async fn run(loaded: Loaded, begun: Instant) -> anyhow::Result<()> {
    let Loaded { mut config, warnings, dev, .. } = loaded;
    let log_file = logging::start(&config.log)?;
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    if dev {
        dev_mode::fill(&mut config);
        for place in dev_mode::open_to_others(&config) {
            tracing::warn!(
                "--dev is open to others: {place} is not an address of this machine alone, and the \
                 configuration lets in any page and shows its keys"
            );
        }
    }
    let has_file = log_file.is_some();
    let stop = stop_on_signals(log_file)?;
    let served = serve(config, dev, stop, begun).await;
    if let Err(error) = &served
        && has_file
    {
        // Standard error is told as well, but may lead nowhere.
        tracing::error!("{error:#}");
    }
    served
}

async fn serve(
    config: Config,
    dev: bool,
    stop: CancellationToken,
    begun: Instant,
) -> anyhow::Result<()> {
    let shown = config.clone();
    let app = App::build(config).await?;
    let address = app.address().context("cannot read the bound address")?;
    tracing::info!(%address, version = rollcall::app::VERSION, "listening");
    let welcome = if dev { dev_mode::welcome(&shown, &app)? } else { String::new() };
    let on_ready = move |redis: Option<Duration>| {
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        // Until redis-server answered, and until clients were served.
        let (redis_ms, start_ms) = (redis.map(ms), ms(begun.elapsed()));
        tracing::info!(%address, redis_ms, start_ms, "serving");
        print(&welcome)
    };
    Box::pin(app.run(stop, on_ready)).await?;
    tracing::info!("stopped");
    Ok(())
}

/// A token that the first SIGINT or SIGTERM cancels; the second ends the process at once.
fn stop_on_signals(log_file: Option<Arc<LogFile>>) -> anyhow::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen to SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen to SIGTERM")?;
    let mut hangup = signal(SignalKind::hangup()).context("cannot listen to SIGHUP")?;
    let mut user1 = signal(SignalKind::user_defined1()).context("cannot listen to SIGUSR1")?;
    let mut user2 = signal(SignalKind::user_defined2()).context("cannot listen to SIGUSR2")?;
    let stopping = stop.clone();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                // Elsewhere this reloads the configuration; ending would be the worst answer.
                _ = hangup.recv() => {
                    reopen(log_file.as_deref(), "SIGHUP");
                    tracing::warn!(
                        "SIGHUP does not read the configuration again: for that, restart"
                    );
                    continue;
                }
                // Programs that rotate logs send this one, too.
                _ = user1.recv() => {
                    reopen(log_file.as_deref(), "SIGUSR1");
                    continue;
                }
                // Without this line it would end the process.
                _ = user2.recv() => {
                    tracing::info!("SIGUSR2 is ignored");
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

/// Opens the log file anew: it may have been renamed.
fn reopen(log_file: Option<&LogFile>, signal: &'static str) {
    let Some(log_file) = log_file else {
        return tracing::info!(signal, "there is no log.file to open anew");
    };
    match log_file.reopen() {
        Ok(()) => tracing::info!(signal, "log.file is opened anew"),
        Err(error) => {
            tracing::error!(%error, "log.file cannot be opened anew: going on with the old one");
        }
    }
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
