//! Puts the parts together, runs them until they are told to stop, and lets them finish.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::api::Api;
use crate::clock::Clock;
use crate::config::{Config, EngineType, Login, RedisAddress, RedisPlace, RedisShard};
use crate::embedded_redis::{Embedded, EmbeddedError, Running};
use crate::hub::{Hub, Identity};
use crate::log_limit::LogLimit;
use crate::notify::Manager;
use crate::session::Context;
use crate::store::{Readiness, Settings, Store};
use crate::token::Verifier;
use crate::transport::{self, Admission, Logs, Port, Server, State};

/// How long what is held in Redis may take to be let go, however long clients may take to leave:
/// leases that are left run out by themselves.
const GOODBYE: Duration = Duration::from_secs(2);

/// Shown to clients and in `info`.
pub const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " Rollcall");

/// File name of the module, beside the server.
const MODULE: &str = "librollcall_module.so";

/// Connection tokens that are refused and told of in the log, a minute.
const REFUSED_TOKENS: u32 = 10;
/// How long clients wait for the embedded Redis at the start; SDKs wait that long for an answer.
const EMBEDDED_WAIT: Duration = Duration::from_secs(5);

/// Why the server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("{option}: {address} cannot be listened on")]
    Bind { option: &'static str, address: String, source: io::Error },
    #[error("cannot write to standard output")]
    Welcome(#[source] io::Error),
    #[error("the embedded redis cannot run")]
    Embedded(#[from] EmbeddedError),
}

/// Tasks around the embedded Redis, if there is one.
struct Redis {
    running: Option<JoinHandle<()>>,
    /// How long it took to serve, or why it never will.
    first: Option<oneshot::Receiver<Result<Duration, EmbeddedError>>>,
}

/// A server that has bound its ports and is ready to run.
#[derive(Debug)]
pub struct App {
    config: Arc<Config>,
    main: Server,
    internal: Option<Server>,
    redis: Option<Running>,
    settings: Settings,
}

// === impl App ===

impl App {
    /// Binds the ports, and makes sure that the embedded Redis, if there is to be one, may start.
    pub async fn build(mut config: Config) -> Result<Self, StartError> {
        let http = &mut config.http_server;
        let limit = http.connection_limit;
        let internal = match http.internal() {
            Some(place) => Some(bind("http_server.internal_port", place, limit).await?),
            None => None,
        };
        let main = bind("http_server.port", (&http.address, http.port), limit).await?;
        // Where it was 0: node names hold it.
        http.port = main.address().map_or(http.port, |address| address.port());
        let redis = match config.engine.kind {
            EngineType::Embedded => Some(embedded(&config).prepare()?),
            EngineType::Redis => None,
        };
        let settings = settings(&config, redis.as_ref());
        Ok(Self { config: Arc::new(config), main, internal, redis, settings })
    }

    /// Where clients connect.
    pub fn address(&self) -> io::Result<std::net::SocketAddr> {
        self.main.address()
    }

    /// Where backends call.
    pub fn api_address(&self) -> io::Result<std::net::SocketAddr> {
        match &self.internal {
            Some(internal) if !self.config.http_api.external => internal.address(),
            _ => self.main.address(),
        }
    }

    /// The socket of the embedded Redis.
    pub fn redis_socket(&self) -> Option<PathBuf> {
        self.redis.as_ref().map(Running::socket)
    }

    /// Serves until `stop`; sessions say goodbye and calls under way finish within
    /// `shutdown.timeout`, and then what is held in Redis is let go. Calls `on_ready` when it can serve, with the time that
    /// the embedded Redis took. An embedded Redis that cannot be started is an error.
    pub async fn run(
        self,
        stop: CancellationToken,
        on_ready: impl FnOnce(Option<Duration>) -> io::Result<()>,
    ) -> Result<(), StartError> {
        let (redis_runs, redis_stop) = (CancellationToken::new(), CancellationToken::new());
        let (store, events) = Store::start(self.settings, redis_runs.clone());
        let limit = self.config.channel.join_leave_mirror_limit as u64;
        let own = identity(&self.config);
        let hub = Hub::start(store.clone(), events, own, limit);
        tell_manager(store.clone(), stop.clone());
        let state = state(self.config.clone(), store.clone(), hub.clone(), stop.clone());
        let sessions = state.sessions.clone();
        let servers = serve(self.main, self.internal, &state, &stop);
        // Set when Redis does not answer the goodbye.
        let silent = Arc::new(AtomicBool::new(false));
        let mut redis = Redis::start(self.redis, &store, &redis_stop, silent.clone());

        let ready = async {
            let took = redis.first().await?;
            redis_runs.cancel();
            store.ready().await;
            Ok::<_, EmbeddedError>(took)
        };
        let began = match stop.run_until_cancelled(ready).await {
            Some(Ok(took)) => on_ready(took).map_err(StartError::Welcome),
            Some(Err(error)) => Err(error.into()),
            None => Ok(()),
        };
        if began.is_err() {
            redis.end(&redis_stop).await;
            return began;
        }
        stop.cancelled().await;
        store.begin_to_stop();
        sessions.close();
        let drained = async {
            sessions.wait().await;
            for server in servers {
                if let Err(error) = server.await {
                    tracing::error!(%error, "a port ended badly");
                }
            }
        };
        if tokio::time::timeout(self.config.shutdown.timeout, drained).await.is_err() {
            tracing::warn!("clients were still there when the time to stop was up");
        }
        let goodbye = async {
            hub.say_bye().await;
            store.stop().await;
        };
        if !within(GOODBYE, goodbye).await {
            silent.store(true, Ordering::Relaxed);
        }
        redis.end(&redis_stop).await;
        Ok(())
    }
}

// === impl Redis ===

impl Redis {
    fn start(
        redis: Option<Running>,
        store: &Store,
        stop: &CancellationToken,
        silent: Arc<AtomicBool>,
    ) -> Self {
        let Some(redis) = redis else { return Self { running: None, first: None } };
        let (first, is_first) = oneshot::channel();
        let store = store.clone();
        let is_cut_off = move || silent.load(Ordering::Relaxed) || !store.readiness().ready;
        let running = tokio::spawn(redis.run(first, stop.clone(), is_cut_off));
        Self { running: Some(running), first: Some(is_first) }
    }

    /// Waits until it serves for the first time; how long that took.
    async fn first(&mut self) -> Result<Option<Duration>, EmbeddedError> {
        let Some(first) = self.first.take() else { return Ok(None) };
        match first.await {
            Ok(first) => first.map(Some),
            // Its task has panicked; that is said when it is waited for.
            Err(_) => Err(EmbeddedError::Unwatched),
        }
    }

    async fn end(self, stop: &CancellationToken) {
        stop.cancel();
        if let Some(running) = self.running
            && let Err(error) = running.await
        {
            tracing::error!(%error, "the embedded redis ended badly");
        }
    }
}

fn serve(
    main: Server,
    internal: Option<Server>,
    state: &State,
    stop: &CancellationToken,
) -> Vec<JoinHandle<()>> {
    let port = if internal.is_some() { Port::External } else { Port::Both };
    let mut servers =
        vec![tokio::spawn(main.serve(transport::router(state.clone(), port), stop.clone()))];
    if let Some(internal) = internal {
        let router = transport::router(state.clone(), Port::Internal);
        servers.push(tokio::spawn(internal.serve(router, stop.clone())));
    }
    servers
}

fn state(config: Arc<Config>, store: Store, hub: Hub, stop: CancellationToken) -> State {
    let context = Arc::new(Context {
        connection_tokens: Verifier::for_connections(&config.client),
        subscription_tokens: Verifier::for_subscriptions(&config.client),
        refused_tokens: LogLimit::a_minute(REFUSED_TOKENS),
        config: config.clone(),
        hub: hub.clone(),
        store: store.clone(),
        clock: Clock::system(),
        version: VERSION,
    });
    let api = Arc::new(Api::new(config, hub, store));
    let client = &context.config.client;
    let admission = Admission::new(client.connection_limit, client.connection_rate_limit);
    State {
        context,
        api,
        stop,
        sessions: TaskTracker::new(),
        admission: Arc::new(admission),
        logs: Arc::new(Logs::default()),
    }
}

/// Tells the service manager that started this server, if there is one, how it is.
fn tell_manager(store: Store, stop: CancellationToken) {
    match Manager::from_environment(|name| std::env::var_os(name)) {
        Ok(None) => {}
        Ok(Some(manager)) => {
            let look = move || {
                let Readiness { ready, trouble } = store.readiness();
                (ready, trouble)
            };
            tokio::spawn(manager.tell(look, stop));
        }
        Err(error) => tracing::warn!(%error, "NOTIFY_SOCKET cannot be used"),
    }
}

fn identity(config: &Config) -> Identity {
    Identity {
        uid: uuid::Uuid::new_v4().to_string(),
        name: node_name(config),
        version: VERSION,
        started: Instant::now(),
    }
}

/// Whether this was done in time.
async fn within(limit: Duration, work: impl Future<Output = ()>) -> bool {
    let in_time = tokio::time::timeout(limit, work).await.is_ok();
    if !in_time {
        tracing::warn!("redis did not answer when the time to stop was up");
    }
    in_time
}

async fn bind(
    option: &'static str,
    (address, port): (&str, u16),
    limit: usize,
) -> Result<Server, StartError> {
    Server::bind(address, port, limit).await.map_err(|source| StartError::Bind {
        option,
        address: format!("{address}:{port}"),
        source,
    })
}

/// `hostname_port`, as the original names its nodes, unless a name is configured.
fn node_name(config: &Config) -> String {
    if !config.node.name.is_empty() {
        return config.node.name.clone();
    }
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    format!("{host}_{}", config.http_server.port)
}

fn embedded(config: &Config) -> Embedded {
    let options = &config.engine.embedded;
    let given = |path: &PathBuf| Some(path.clone()).filter(|path| !path.as_os_str().is_empty());
    let beside = || {
        let own = std::env::current_exe().unwrap_or_default();
        own.with_file_name(MODULE)
    };
    Embedded {
        dir: given(&options.dir),
        module: given(&options.module).unwrap_or_else(beside),
        redis_server: given(&options.redis_server).unwrap_or_else(|| "redis-server".into()),
    }
}

fn settings(config: &Config, redis: Option<&Running>) -> Settings {
    let options = &config.engine.redis;
    let rosters = match redis {
        Some(redis) => vec![RedisShard {
            place: RedisPlace::Server(RedisAddress::Unix { path: redis.socket() }),
            login: Login::default(),
            db: 0,
            tls: None,
            client_name: String::new(),
            connect_timeout: options.connection.connect_timeout,
            io_timeout: options.connection.io_timeout,
        }],
        None => options.shards(),
    };
    let status = &config.user_status;
    // We have started the embedded one: waiting for it ends, one way or the other.
    let first_wait = match redis {
        Some(_) => options.connection.connect_timeout.max(EMBEDDED_WAIT),
        None => options.connection.connect_timeout,
    };
    Settings {
        rosters,
        first_wait,
        books: status.shards(&config.engine).unwrap_or_default(),
        lease: options.lease,
        prefix: options.prefix.clone(),
        partitions: status.partitions,
        status_ttl: status.enabled.then_some(status.expire_interval),
    }
}
