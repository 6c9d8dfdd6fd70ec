//! The server `rollcall`.

use std::ffi::OsString;
use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::Client;
use crate::config::{API_KEY, over};
use crate::http::Http;
use crate::port;
use crate::process::{self, Process, module_library, server_binary};
use crate::wait::eventually;

/// The name of the configuration file in the server's directory.
const CONFIG: &str = "config.json";

/// A running server.
#[derive(Debug)]
pub struct Server {
    // Before the directory, so that the server is gone when its files go.
    process: Process,
    port: u16,
    http: Http,
    launch: Launch,
    dir: TempDir,
}

/// How a server is started.
#[derive(Debug, Clone)]
pub struct Launch {
    /// What stands before its program on the command line, `env NAME=value` say.
    pub before: Vec<String>,
    pub program: PathBuf,
}

// === impl Server ===

impl Server {
    /// Starts with this configuration, on a port of its own, and waits until it is ready.
    pub fn start(config: Value) -> Self {
        let mut server = Self::spawn(config);
        server.is_ready();
        server
    }

    /// Starts, and waits only until it listens.
    pub fn listening(config: Value) -> Self {
        let mut server = Self::spawn(config);
        eventually("the server listens", || {
            server.assert_running();
            TcpStream::connect(("127.0.0.1", server.port)).ok()
        });
        server
    }

    /// Starts, and waits for nothing; for configurations that are refused.
    pub fn spawn(config: Value) -> Self {
        Self::launch(Launch::default(), config)
    }

    /// Starts it in another way, and waits for nothing.
    pub fn launch(launch: Launch, config: Value) -> Self {
        let port = port::free();
        let own = json!({
            "http_server": {"address": "127.0.0.1", "port": port},
            "engine": {"embedded": {"module": module_library()}},
        });
        let dir = TempDir::with_prefix("rollcall-server-").expect("a temporary directory");
        let config = over(own, config).to_string();
        fs::write(dir.path().join(CONFIG), config).expect("the configuration is written");
        let process = launch.run(dir.path());
        let http = Http::new(format!("http://127.0.0.1:{port}"));
        Self { process, port, http, launch, dir }
    }

    /// Starts it with the same configuration on the same port, after [`Self::kill`] or when it has
    /// ended, and waits until it is ready.
    pub fn run_again(&mut self) {
        self.process = self.launch.run(self.dir.path());
        self.is_ready();
    }

    /// Waits until it is ready.
    pub fn is_ready(&mut self) {
        eventually("the server is ready", || {
            self.assert_running();
            let answer = self.http.try_send("GET", "/ready", &[], "").ok()?;
            (answer.status == 200).then_some(())
        });
    }

    /// Calls a method of the server API and hands back its result.
    pub fn api(&self, method: &str, params: Value) -> Value {
        let answer = self.api_answer(method, params);
        answer.get("result").unwrap_or_else(|| panic!("{method}: {answer}")).clone()
    }

    /// Calls a method of the server API and hands back the whole body.
    pub fn api_answer(&self, method: &str, params: Value) -> Value {
        let path = format!("/api/{method}");
        let answer = self.http.post(&path, &[("X-API-Key", API_KEY)], &params.to_string());
        assert_eq!(answer.status, 200, "{method}: {answer}");
        answer.json()
    }

    /// A new WebSocket, before the connect command.
    pub fn websocket(&self) -> Client {
        Client::open(self.port, "/connection/websocket", &[])
    }

    /// A new client of a user, connected.
    pub fn client(&self, user: &str) -> Client {
        self.client_with(&crate::token::of(user))
    }

    /// A new client with a token, connected.
    pub fn client_with(&self, token: &str) -> Client {
        let mut client = self.websocket();
        client.connect(token);
        client
    }

    /// HTTP to this server.
    pub fn http(&self) -> &Http {
        &self.http
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Its resident memory, in bytes.
    pub fn resident(&self) -> u64 {
        self.process.resident()
    }

    /// The process id of the redis-server that it started.
    pub fn embedded_redis(&self) -> u32 {
        eventually("the server has its Redis", || {
            let mut children = process::children(self.process.id()).into_iter();
            Some(children.find(|(_, name)| name.starts_with("redis-server"))?.0)
        })
    }

    /// Where its files are.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Everything it logged.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Ends it at once, as `kill -9`.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    fn assert_running(&mut self) {
        if let Some(status) = self.process.has_ended() {
            panic!("the server ended ({status}):\n{}", self.log());
        }
    }
}

// === impl Launch ===

impl Default for Launch {
    fn default() -> Self {
        Self { before: Vec::new(), program: server_binary() }
    }
}

impl Launch {
    /// The built server, after these words.
    pub fn after<W: Into<String>>(before: impl IntoIterator<Item = W>) -> Self {
        let before = before.into_iter().map(Into::into).collect();
        Self { before, ..Self::default() }
    }

    fn run(&self, dir: &Path) -> Process {
        let mut words: Vec<OsString> = self.before.iter().map(OsString::from).collect();
        words.extend([self.program.clone().into(), "-c".into(), dir.join(CONFIG).into()]);
        let program = words.remove(0);
        Process::start("rollcall", program, words, dir)
    }
}
