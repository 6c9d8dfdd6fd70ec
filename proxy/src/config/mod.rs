//! Configuration: what can be set, where it is read from, and what is refused.
//!
//! Each section is one file that declares its options once; reading, defaults, warnings about
//! unknown options, variables, flags and the list of options all derive from that declaration.

mod channel;
mod client;
#[cfg(test)]
mod documented;
mod duration;
mod engine;
mod env;
mod file;
mod flags;
mod health;
mod http_api;
mod http_server;
mod legacy;
mod list;
mod load;
mod log;
mod namespaces;
mod node;
mod origins;
mod paths;
mod pattern;
mod redis_address;
mod redis_connection;
mod redis_shard;
mod redis_tls;
mod redis_url;
mod refused;
mod secret;
mod section;
mod shutdown;
mod token;
mod unsupported;
#[cfg(test)]
mod useless;
mod user_status;
mod value;
mod websocket;

pub use channel::{Channel, ChannelOptions, DataFormat, Namespace};
pub use client::{Client, ClientProxy, PersonalChannel};
pub use engine::{Embedded, Engine, EngineType, Redis};
pub use health::Health;
pub use http_api::{ErrorMode, HttpApi};
pub use http_server::HttpServer;
pub use list::List;
pub use load::{ConfigError, Invocation, Loaded, load};
pub use log::{Log, LogFormat, LogLevel};
pub use namespaces::Namespaces;
pub use node::Node;
pub use pattern::Pattern;
pub use redis_address::{ClusterNodes, RedisAddress, SentinelNodes};
pub use redis_connection::RedisConnection;
pub use redis_shard::{Login, RedisPlace, RedisShard, Sentinels, Tls};
pub use redis_tls::{Pem, TlsError, TlsOptions};
pub use redis_url::RedisUrl;
pub use refused::{NoHistory, NotYet};
pub use secret::Secret;
pub use section::{Kind, Opt};
pub use shutdown::Shutdown;
pub use token::{SubscriptionToken, Token};
pub use user_status::{UserStatus, UserStatusRedis};
pub use websocket::WebSocket;

use section::{Findings, Setting, section};

section! {
    /// Everything that can be set.
    pub struct Config {
        /// Where the server listens.
        http_server: HttpServer = HttpServer::default(),
        /// The server API over HTTP.
        http_api: HttpApi = HttpApi::default(),
        /// What connections may do.
        client: Client = Client::default(),
        /// How channels are named and what holds for them.
        channel: Channel = Channel::default(),
        /// The Redis that holds everything.
        engine: Engine = Engine::default(),
        /// When users were last online and active.
        user_status: UserStatus = UserStatus::default(),
        /// The WebSocket endpoint.
        websocket: WebSocket = WebSocket::default(),
        /// The health endpoint.
        health: Health = Health::default(),
        /// This server among others.
        node: Node = Node::default(),
        /// How the server ends.
        shutdown: Shutdown = Shutdown::default(),
        /// What is written about what happens.
        log: Log = Log::default(),
    }
}

/// Every option there is, in the order of the sections.
pub fn options() -> Vec<Opt> {
    let mut out = Vec::new();
    Config::default().list("", "", &mut out);
    out
}

// === impl Config ===

impl Config {
    /// What no option can see alone.
    fn check(&self, findings: &mut Findings) {
        self.http_api.check(findings);
        self.client.check(findings);
        self.channel.check(findings);
        self.engine.check(self.channel.max_length, findings);
        self.user_status.check(&self.engine, findings);
        self.websocket.check(findings);
        self.health.check(findings);
        self.check_paths(findings);
    }

    /// Every endpoint has a plain path, and one of its own.
    fn check_paths(&self, findings: &mut Findings) {
        let ready = self.health.ready();
        let paths = [
            ("websocket.handler_prefix", self.websocket.handler_prefix.as_str()),
            ("http_api.handler_prefix", &self.http_api.handler_prefix),
            ("health.handler_prefix", &self.health.handler_prefix),
            ("the path of readiness", &ready),
        ];
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte);
        for (option, path) in paths {
            findings.check(
                path.bytes().all(plain),
                &format!("{option}: expected a path of a-z, A-Z, 0-9 and \"/-_.~\", got {path:?}"),
            );
        }
        let api = self.http_api.handler_prefix.trim_matches('/');
        for (at, (option, path)) in paths.iter().enumerate() {
            let path = path.trim_matches('/');
            let taken = paths[..at].iter().find(|(_, other)| other.trim_matches('/') == path);
            let below_api = path.strip_prefix(api).is_some_and(|rest| rest.starts_with('/'));
            let taken = taken.map(|(other, _)| *other).or(below_api.then_some(paths[1].0));
            if let Some(other) = taken {
                findings.check(false, &format!("{option}: is that of {other} already"));
            }
        }
    }
}
