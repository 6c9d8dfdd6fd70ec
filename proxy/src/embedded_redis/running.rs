//! A redis-server that is kept running: started, started again when it ends, and ended.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::Child;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::EmbeddedError;
use super::data_folder::DataFolder;
use super::failure::explain;
use super::guard;
use super::held::Held;
use super::output::Output;
use super::private_folder::PrivateFolder;
use super::probe::{self, Answer};
use super::spawner::Spawner;

/// How long redis-server may take to write its data and end.
const STOP: Duration = Duration::from_secs(10);
/// The same for one that does not answer: it stands still, or what it would write is out of reach.
const STOP_CUT_OFF: Duration = Duration::from_secs(1);
/// How long to wait before it is started again; doubled while it ends at once, up to the longest.
const RESTART: Duration = Duration::from_millis(100);
const LONGEST_RESTART: Duration = Duration::from_secs(5);
/// One that lived so long did not end at once.
const LIVED: Duration = Duration::from_secs(5);
/// How long it may take to answer anything; it may then say for ever that it is loading.
const SILENCE: Duration = Duration::from_secs(30);
/// How often it is asked whether it serves yet.
const ASK: Duration = Duration::from_millis(5);
/// How often it is looked whether its socket is still there.
const LOOK: Duration = Duration::from_secs(1);

/// An embedded Redis; its process ends with ours, however that ends.
#[derive(Debug)]
pub struct Running {
    program: Held,
    module: Held,
    data: Option<DataFolder>,
    private: PrivateFolder,
    spawner: Spawner,
    process: Option<Process>,
}

/// A redis-server, and what it says.
#[derive(Debug)]
struct Process {
    child: Child,
    output: Output,
}

/// What has been said of ends and failed starts.
#[derive(Debug, Default)]
struct Causes {
    last: String,
}

// === impl Causes ===

impl Causes {
    /// Says a cause unless it is that of the last time; whether it was said.
    fn say(&mut self, cause: &EmbeddedError) -> bool {
        let text = with_sources(cause);
        let new = self.last != text;
        if new {
            tracing::error!("the embedded redis is started again: {text}");
            self.last = text;
        }
        new
    }
}

fn with_sources(error: &EmbeddedError) -> String {
    let first: &dyn std::error::Error = error;
    let causes = std::iter::successors(Some(first), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

// === impl Running ===

impl Running {
    pub(super) fn new(
        program: Held,
        module: Held,
        data: Option<DataFolder>,
        private: PrivateFolder,
    ) -> io::Result<Self> {
        let spawner = Spawner::start()?;
        Ok(Self { program, module, data, private, spawner, process: None })
    }

    /// Where it listens.
    pub fn socket(&self) -> PathBuf {
        self.private.socket()
    }

    /// Starts it, says in `first` how long it took to serve, and starts it again whenever it ends,
    /// until `stop`; then ends it. What fails at the first start is taken for what can never work:
    /// it is said in `first`, and this returns. `is_cut_off` is asked whether Redis cannot be
    /// reached, when its socket is gone.
    pub async fn run(
        mut self,
        first: oneshot::Sender<Result<Duration, EmbeddedError>>,
        stop: CancellationToken,
        is_cut_off: impl Fn() -> bool,
    ) {
        let begun = Instant::now();
        let started = tokio::select! {
            started = self.start_first() => started.map(|()| begun.elapsed()),
            () = stop.cancelled() => return self.end(STOP).await,
        };
        let works = started.is_ok();
        // When the server stops, nothing waits for it any more.
        let _unheard = first.send(started);
        if works {
            let supervised = self.supervise(&is_cut_off);
            stop.run_until_cancelled(supervised).await;
        }
        self.end(if is_cut_off() { STOP_CUT_OFF } else { STOP }).await;
    }

    async fn start_first(&mut self) -> Result<(), EmbeddedError> {
        if let Some(data) = &self.data {
            data.take_over().await?;
        }
        match self.start().await {
            Err(error) => Err(explain(error, &self.program, &self.module).await),
            Ok(()) => Ok(()),
        }
    }

    /// Starts it again whenever it ends.
    async fn supervise(&mut self, is_cut_off: impl Fn() -> bool) {
        let mut causes = Causes::default();
        let mut pause = RESTART;
        loop {
            let ready = Instant::now();
            let mut cause = self.until_unusable(&is_cut_off).await;
            if ready.elapsed() >= LIVED {
                pause = RESTART;
                causes = Causes::default();
            }
            let mut said = false;
            loop {
                said |= causes.say(&cause);
                tokio::time::sleep(pause).await;
                pause = (2 * pause).min(LONGEST_RESTART);
                match self.start().await {
                    Ok(()) => break,
                    Err(error) => cause = error,
                }
            }
            if said {
                tracing::info!("the embedded redis is there again");
            }
        }
    }

    /// Starts a process and waits until it serves. On an error there is none.
    async fn start(&mut self) -> Result<(), EmbeddedError> {
        let failed = |error| EmbeddedError::Spawn(self.program.name().to_owned(), error);
        self.private.restore().map_err(failed)?;
        let program = self.program.program(&self.private).map_err(failed)?;
        let mut command = guard::command(&program, self.program.name(), &self.arguments());
        let input = self.data.as_ref().map(DataFolder::inherited).transpose().map_err(failed)?;
        command.stdin(input.unwrap_or_else(Stdio::null));
        let output = Output::of(&mut command).map_err(failed)?;
        let child = self.spawner.spawn(command).await.map_err(failed)?;
        self.process = Some(Process { child, output });
        let (socket, name) = (self.private.socket(), self.program.name().to_owned());
        let answer = tokio::select! {
            error = self.ended() => return Err(error),
            answer = first_answer(&socket, &name) => answer,
        };
        if answer.is_err() {
            // It would answer a moment later, or is something else.
            self.end(STOP).await;
        }
        answer
    }

    fn arguments(&self) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = Vec::new();
        let mut option = |name: &str, value: OsString| {
            arguments.push(format!("--{name}").into());
            arguments.push(value);
        };
        option("port", "0".into());
        option("unixsocket", self.private.socket().into());
        option("unixsocketperm", "700".into());
        option("loadmodule", self.module.path().into());
        option("save", "".into());
        option("appendonly", if self.data.is_some() { "yes" } else { "no" }.into());
        let dir = self.data.as_ref().map(DataFolder::path);
        option("dir", dir.unwrap_or_else(|| self.private.path().to_owned()).into());
        arguments
    }

    /// Waits until it has ended, and tells how. May be given up and begun again.
    async fn ended(&mut self) -> EmbeddedError {
        let Some(process) = &mut self.process else { return std::future::pending().await };
        let status = process.child.wait().await;
        let status = status.map_or_else(|error| error.to_string(), |status| status.to_string());
        let said = process.output.last_words().await;
        self.process = None;
        let said = self.module.named(&said);
        let said = self.data.as_ref().map_or(said.clone(), |data| data.named(&said));
        EmbeddedError::Ended { program: self.program.name().to_owned(), status, said }
    }

    /// Waits until it has ended, or cannot be reached any more; then it is ended. A cleaner may
    /// remove its socket: connections that are there stay, but no other can be made.
    async fn until_unusable(&mut self, is_cut_off: impl Fn() -> bool) -> EmbeddedError {
        let socket = self.private.socket();
        let mut said = false;
        loop {
            if let Ok(error) = tokio::time::timeout(LOOK, self.ended()).await {
                return error;
            }
            if socket.exists() {
                continue;
            }
            if !std::mem::replace(&mut said, true) {
                let socket = socket.display();
                tracing::warn!(
                    %socket,
                    "the socket of the embedded redis was removed; connections to it go on"
                );
            }
            // The name stays ours.
            if let Err(error) = self.private.restore() {
                tracing::debug!(%error, "the private folder is gone");
            }
            if is_cut_off() {
                self.end(STOP).await;
                return EmbeddedError::SocketGone(socket);
            }
        }
    }

    /// Ends the process, if there is one; it has so long to do so by itself.
    async fn end(&mut self, limit: Duration) {
        let Some(Process { mut child, .. }) = self.process.take() else { return };
        // The group: what was configured may be a script that has started redis-server.
        signal_group(&child, Signal::TERM);
        if tokio::time::timeout(limit, child.wait()).await.is_err() {
            tracing::warn!("the embedded redis did not end in time and is killed");
            signal_group(&child, Signal::KILL);
            if let Err(error) = child.kill().await {
                tracing::warn!(%error, "the embedded redis could not be killed");
            }
        }
    }
}

/// Waits until what listens at `socket` serves. While it loads its data, it says so.
async fn first_answer(socket: &Path, program: &Path) -> Result<(), EmbeddedError> {
    let mut heard = Instant::now();
    let mut said = false;
    while heard.elapsed() < SILENCE {
        match probe::ask(socket).await {
            Ok(Answer::Ready) => return Ok(()),
            Ok(Answer::Loading) => {
                heard = Instant::now();
                if !std::mem::replace(&mut said, true) {
                    tracing::info!("the embedded redis reads its data");
                }
            }
            Ok(Answer::Strange) => {
                let said = "what answers on its socket is not Redis".to_owned();
                return Err(EmbeddedError::NotRedis { program: program.to_owned(), said });
            }
            Err(_) => {}
        }
        tokio::time::sleep(ASK).await;
    }
    Err(EmbeddedError::Silent { program: program.to_owned(), limit: SILENCE })
}

/// Signals a child and what it has started.
pub(super) fn signal_group(child: &Child, signal: Signal) {
    let group = child.id().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
    if let Some(group) = group
        && let Err(error) = kill_process_group(group, signal)
    {
        tracing::debug!(%error, "the process is gone already");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_said_each_time_it_changes() {
        let mut causes = Causes::default();
        let ended = |said: &str| EmbeddedError::Ended {
            program: "redis-server".into(),
            status: "exit status: 1".to_owned(),
            said: said.to_owned(),
        };
        let said = ["full", "full", "memory", "full"].map(|said| causes.say(&ended(said)));
        assert_eq!(said, [true, false, true, true]);
    }
}
