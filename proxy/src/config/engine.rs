//! `engine`: the Redis that holds everything, started by us or already there.

use std::{path::PathBuf, time::Duration};

use super::{
    redis_connection::RedisConnection,
    redis_shard::RedisShard,
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
    /// The Redis that is there, and how it is used; prefix and lease hold for both types.
    pub struct Redis {
        /// Where it is, and how to connect.
        connection(""): RedisConnection = RedisConnection::default(),
        /// What the names of keys and channels start with.
        prefix: String = "rollcall".to_owned(),
        /// How long this node may stand still, or be cut off from Redis, and keep what it holds.
        lease: Duration = Duration::from_millis(2500),
    }
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
        match self.kind {
            EngineType::Redis => redis.connection.check("engine.redis", findings),
            EngineType::Embedded if redis.connection.is_placed() => findings.warnings.push(
                "engine.redis: says where Redis is and has no effect, engine.type is not \"redis\""
                    .to_owned(),
            ),
            EngineType::Embedded => {}
        }
        if self.kind == EngineType::Embedded {
            // These hold for it, too.
            redis.connection.check_times("engine.redis", findings);
        }
        let lease = redis.lease;
        findings.check(
            (Duration::from_secs(1)..=Duration::from_secs(60)).contains(&lease),
            &format!("engine.redis.lease: expected 1s to 60s, got {lease:?}"),
        );
    }
}

// === impl Redis ===

impl Redis {
    /// Every shard, in the order in which they are configured: the order decides which channel is
    /// where.
    pub fn shards(&self) -> Vec<RedisShard> {
        self.connection.shards()
    }
}
