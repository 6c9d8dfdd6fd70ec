//! Redis servers with the module.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use tempfile::TempDir;

use crate::listener::Listener;
use crate::port;
use crate::process::{Process, Signal, module_library};
use crate::relay::{Line, Relay};
use crate::resp::{self, Reply, Resp};
use crate::wait::eventually;

/// As whom servers log in where relays tell them apart, and the password of all.
pub const USERS: [&str; 2] = ["server0", "server1"];
pub const PASSWORD: &str = "secret";

/// The file of a snapshot, and the directory of those that say what it was told since.
const SNAPSHOT: &str = "dump.rdb";
const AOF: &str = "appendonlydir";

/// A redis-server of its own, with the module unless said otherwise, on a Unix socket and a port.
#[derive(Debug)]
pub struct Redis {
    // Before the directory, so that the server is gone when its files go.
    process: Option<Process>,
    program: OsString,
    options: Vec<String>,
    port: u16,
    /// What others come through.
    relay: Option<Relay>,
    /// When it was killed last.
    died: Option<Instant>,
    dir: TempDir,
}

// === impl Redis ===

impl Redis {
    /// With the module and without persistence.
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// With the module and options as on redis-server's command line, without the dashes:
    /// `["appendonly yes"]`.
    pub fn with(options: &[&str]) -> Self {
        Self::by(program(), options)
    }

    /// The same behind a relay with a line for each of [`USERS`]. Everybody comes through it, also
    /// whoever is told of this server by others.
    pub fn relayed(options: &[&str]) -> Self {
        let port = port::free();
        let relay = Relay::for_users(port, &USERS);
        let announce =
            ["replica", "cluster"].map(|as_| format!("{as_}-announce-port {}", relay.port()));
        let users = USERS.map(user);
        let module = format!("loadmodule {}", module_library().display());
        let own = [&announce[..], &users, &[module]].concat();
        let all: Vec<&str> =
            own.iter().map(String::as_str).chain(options.iter().copied()).collect();
        Self::started(program(), &all, port, Some(relay))
    }

    /// The same, run by a program that takes the arguments of redis-server.
    pub fn by(program: OsString, options: &[&str]) -> Self {
        let module = format!("loadmodule {}", module_library().display());
        let mut all = vec![module.as_str()];
        all.extend_from_slice(options);
        Self::started(program, &all, port::free(), None)
    }

    /// Without the module.
    pub fn plain(options: &[&str]) -> Self {
        Self::started(program(), options, port::free(), None)
    }

    fn started(program: OsString, options: &[&str], port: u16, relay: Option<Relay>) -> Self {
        let dir = TempDir::with_prefix("rollcall-redis-").expect("a temporary directory");
        let options = options.iter().map(|&option| option.to_owned()).collect();
        let mut redis = Self { process: None, program, options, port, relay, died: None, dir };
        redis.run();
        redis
    }

    /// A replica of this server that has caught up once.
    #[must_use]
    pub fn replica(&self) -> Self {
        let replica = Self::with(&[
            "enable-debug-command yes",
            &format!("replicaof 127.0.0.1 {}", self.port()),
        ]);
        eventually("the replica is connected", || {
            let info = replica.cli().ask("INFO replication").text();
            info.contains("master_link_status:up").then_some(())
        });
        replica
    }

    /// Whether it is a replica of this master, and connected to it.
    pub fn follows(&self, master: &Self) -> bool {
        // A server that changes its master ends its connections.
        let Some(info) = self.try_ask("INFO replication") else { return false };
        let info = info.text();
        let port = format!("master_port:{}", master.port());
        let lines = ["role:slave", &port, "master_link_status:up"];
        lines.into_iter().all(|line| info.lines().any(|said| said == line))
    }

    /// The version of Redis it is: `[7, 0, 15]`. Every Valkey says `[7, 2, 4]`.
    pub fn version(&self) -> [u32; 3] {
        numbers(&self.info("redis_version"))
    }

    /// The version of Valkey it is, if it is one.
    pub fn valkey(&self) -> Option<[u32; 3]> {
        self.try_info("valkey_version").as_deref().map(numbers)
    }

    /// A field of `INFO everything`.
    pub fn info(&self, field: &str) -> String {
        self.try_info(field).unwrap_or_else(|| panic!("no {field} in INFO"))
    }

    /// The same, if there is one.
    pub fn try_info(&self, field: &str) -> Option<String> {
        let info = self.cli().ask("INFO everything").text();
        let value = info.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        value.map(|value| value.trim().to_owned())
    }

    /// A new connection.
    pub fn cli(&self) -> Resp {
        Resp::connect(&self.socket()).expect("redis-server accepts connections")
    }

    /// One command on a connection of its own, for servers that may be away or end connections.
    pub fn try_ask(&self, line: &str) -> Option<Reply> {
        Resp::connect(&self.socket()).ok()?.try_call(&resp::words(line)).ok()
    }

    /// Listens to the events of a roster, on a connection of its own.
    pub fn listener(&self, key: &str) -> Listener {
        Listener::of(self.cli(), key)
    }

    /// Deletes every key whose name is like this, as an operator would.
    pub fn delete(&self, pattern: &str) {
        let mut cli = self.cli();
        for key in cli.ask(&format!("KEYS {pattern}")).array() {
            cli.ask(&format!("DEL {}", key.text()));
        }
    }

    /// The address by TCP, as the server's configuration takes it.
    pub fn address(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port())
    }

    /// The port where others find it.
    pub fn port(&self) -> u16 {
        self.relay.as_ref().map_or(self.port, Relay::port)
    }

    /// What connects each of [`USERS`] with it, where it is behind a relay.
    pub fn lines(&self) -> [&Line; 2] {
        let relay = self.relay.as_ref().expect("it is behind a relay");
        [0, 1].map(|user| relay.line(user))
    }

    /// The Unix socket.
    pub fn socket(&self) -> PathBuf {
        self.dir.path().join("redis.sock")
    }

    /// Where its files are.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.process.as_ref().expect("it runs").id()
    }

    /// Everything it logged.
    pub fn log(&self) -> String {
        self.process.as_ref().map(Process::log).unwrap_or_default()
    }

    /// A copy of its files as they are now, all of them whole.
    pub fn keep_files(&self) -> TempDir {
        if self.info("aof_enabled") == "0" {
            assert_eq!(self.cli().ask("SAVE").to_string(), "OK");
        }
        let kept = TempDir::with_prefix("rollcall-files-").expect("a temporary directory");
        copy(self.dir(), kept.path());
        kept
    }

    /// Before it is started again: its files become what they were then.
    pub fn bring_back(&self, kept: &TempDir) {
        let _ = fs::remove_dir_all(self.dir().join(AOF));
        copy(kept.path(), self.dir());
    }

    /// Whenever it is started again, it is the master or the replica that it is now: whoever changes
    /// that in earnest has it written into its configuration file.
    pub fn remember_role(&mut self) {
        let master = self.cli().ask("CONFIG GET replicaof").array()[1].text();
        self.options.retain(|option| !option.starts_with("replicaof "));
        if !master.is_empty() {
            self.options.push(format!("replicaof {master}"));
        }
    }

    /// Ends it at once, as `kill -9`.
    pub fn kill(&mut self) {
        self.process.take().expect("it runs").kill();
        self.died = Some(Instant::now());
    }

    /// When it was killed last.
    pub fn died(&self) -> Option<Instant> {
        self.died
    }

    /// Ends it as an operator would; it saves what it is configured to save.
    pub fn stop(&mut self) {
        let mut process = self.process.take().expect("it runs");
        process.signal(Signal::TERM);
        process.ended();
    }

    /// Stops it and starts it with the same files, options and addresses.
    pub fn restart(&mut self) {
        self.stop();
        self.run();
    }

    /// As [`Self::run`], with more options for this time.
    pub fn run_with(&mut self, options: &[String]) {
        let own = self.options.len();
        self.options.extend_from_slice(options);
        self.run();
        self.options.truncate(own);
    }

    /// Starts it, after [`Self::kill`] or [`Self::stop`].
    pub fn run(&mut self) {
        if let Err(log) = self.try_run() {
            panic!("redis-server ended:\n{log}");
        }
    }

    /// The same for a server that may refuse its files; then its log.
    pub fn try_run(&mut self) -> Result<(), String> {
        let port = self.port.to_string();
        let socket = self.socket();
        let socket = socket.to_str().expect("temporary directories have plain names");
        let mut args = Vec::new();
        let fixed = [
            ("port", port.as_str()),
            ("unixsocket", socket),
            ("bind", "127.0.0.1"),
            ("save", ""),
            ("repl-diskless-sync-delay", "0"),
            // A crash is reported without minutes of testing memory.
            ("crash-memcheck-enabled", "no"),
        ];
        for (name, value) in fixed {
            args.extend([format!("--{name}"), value.to_owned()]);
        }
        for option in &self.options {
            let (name, value) = option.split_once(' ').expect("an option has a value");
            args.push(format!("--{name}"));
            args.extend(value.split(' ').map(str::to_owned));
        }
        let mut process = Process::start("redis-server", &self.program, args, self.dir.path());
        eventually("redis-server answers", || {
            if process.has_ended().is_some() {
                return Some(Err(process.log()));
            }
            let mut cli = Resp::connect(&self.socket()).ok()?;
            (cli.try_call(&["PING"]).ok()?.to_string() == "PONG").then_some(Ok(()))
        })?;
        self.process = Some(process);
        Ok(())
    }
}

/// Copies the files that hold data.
fn copy(from: &Path, to: &Path) {
    let base = from.join(SNAPSHOT);
    if base.exists() {
        fs::copy(base, to.join(SNAPSHOT)).expect("a file is copied");
    }
    let Ok(parts) = fs::read_dir(from.join(AOF)) else { return };
    fs::create_dir_all(to.join(AOF)).expect("a directory is made");
    for part in parts {
        let part = part.expect("a directory is read");
        fs::copy(part.path(), to.join(AOF).join(part.file_name())).expect("a file is copied");
    }
}

fn numbers(version: &str) -> [u32; 3] {
    let numbers: Vec<u32> = version.split('.').filter_map(|part| part.parse().ok()).collect();
    numbers.try_into().unwrap_or_else(|_| panic!("not a version: {version}"))
}

/// The line of a configuration that lets one of [`USERS`] do everything.
pub(crate) fn user(name: &str) -> String {
    format!("user {name} on >{PASSWORD} ~* &* +@all")
}

/// The server under test: `TEST_REDIS_SERVER`, or the one that is installed.
pub(crate) fn program() -> OsString {
    std::env::var_os("TEST_REDIS_SERVER").unwrap_or_else(|| "redis-server".into())
}
