//! `engine`: the Redis that holds everything, started by us or already there.

use std::{path::PathBuf, time::Duration};

use super::{
    NotYet, Secret,
    redis_address::{RedisAddress, RedisUrl},
    redis_shard::{Login, RedisPlace, RedisShard},
    section::{Findings, section},
    value::words,
};

section! {
    /// The Redis that holds everything.
    pub struct Engine {
        /// Whether the server starts its own Redis or uses one that is there.
        kind("type"): EngineType = EngineType::Embedded,
        /// The Redis that the server starts.
        embedded: Embedded = Embedded::default(),
        /// The Redis that is there.
        redis: Redis = Redis::default(),
    }
}

words! {
    /// Where Redis comes from.
    pub enum EngineType {
        /// The server starts its own; `memory`, as Centrifugo calls a node alone, is the same.
        #[default]
        Embedded = "embedded" | "memory",
        /// It is there.
        Redis = "redis",
    }
}

section! {
    /// The Redis that the server starts.
    pub struct Embedded {
        /// Folder where its data stays; empty for data that ends with the server.
        dir: PathBuf = PathBuf::new(),
        /// Path of the module; empty to look beside the server.
        module: PathBuf = PathBuf::new(),
        /// Path of the redis-server binary; empty to look where programs are.
        redis_server: PathBuf = PathBuf::new(),
    }
}

section! {
    /// The Redis that is there, and how it is used; prefix, times and lease hold for both types.
    pub struct Redis {
        /// Where it is: `host:port`, `redis://…`, `tcp://…` or `unix://…`.
        address: RedisUrl = RedisUrl::default(),
        /// What the names of keys and channels start with.
        prefix: String = "rollcall".to_owned(),
        /// User to log in as; one in the address goes first.
        user: String = String::new(),
        /// Password to log in with; one in the address goes first.
        password: Secret = Secret::default(),
        /// Number of the database; one in the address goes first.
        db: u8 = 0,
        /// How long connecting may take.
        connect_timeout: Duration = Duration::from_secs(1),
        /// How long a command may take.
        io_timeout: Duration = Duration::from_secs(4),
        /// How long Redis keeps what this node holds without hearing from it.
        lease: Duration = Duration::from_millis(2500),
        /// Addresses of clusters.
        cluster_address: NotYet = NotYet,
        /// Addresses of Sentinels.
        sentinel_address: NotYet = NotYet,
        /// TLS to Redis.
        tls: NotYet = NotYet,
    }
}

/// Where one Redis is and how to log in to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisEndpoint {
    /// The socket.
    pub address: RedisAddress,
    /// Empty for the default user.
    pub user: String,
    /// Empty for no login.
    pub password: Secret,
    /// Number of the database.
    pub db: u8,
}

/// The module refuses longer keys; see `rollcall_wire::caps`.
const LONGEST_KEY: usize = rollcall_wire::caps::KEY;

// === impl Engine ===

impl Engine {
    pub(crate) fn check(&self, longest_channel: usize, findings: &mut Findings) {
        let redis = &self.redis;
        // `wire` puts ":p:" between the two.
        findings.check(
            redis.prefix.len().saturating_add(3).saturating_add(longest_channel) <= LONGEST_KEY,
            &format!(
                "engine.redis.prefix: with channel.max_length makes keys longer than {LONGEST_KEY} bytes"
            ),
        );
        let lease = redis.lease;
        findings.check(
            (Duration::from_secs(1)..=Duration::from_secs(60)).contains(&lease),
            &format!("engine.redis.lease: expected 1s to 60s, got {lease:?}"),
        );
    }
}

// === impl Redis ===

impl Redis {
    /// Where it is and how to log in, the address going before the other options.
    pub fn endpoint(&self) -> RedisEndpoint {
        let Self { address: url, user, password, db, .. } = self;
        let login =
            if url.password.is_empty() { (user, password) } else { (&url.user, &url.password) };
        RedisEndpoint {
            address: url.address.clone(),
            user: login.0.clone(),
            password: login.1.clone(),
            db: url.db.unwrap_or(*db),
        }
    }
    /// Every shard, in the order in which they are configured: the order decides which channel is
    /// where.
    pub fn shards(&self) -> Vec<RedisShard> {
        let endpoint = self.endpoint();
        vec![RedisShard {
            place: RedisPlace::Server(endpoint.address),
            login: Login { user: endpoint.user, password: endpoint.password },
            db: endpoint.db,
            tls: None,
            client_name: String::new(),
            connect_timeout: self.connect_timeout,
            io_timeout: self.io_timeout,
        }]
    }
}
