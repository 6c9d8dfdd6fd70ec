//! `user_status`: when users were last online and active.

use std::time::Duration;

use super::{
    engine::{Engine, EngineType},
    redis_connection::RedisConnection,
    redis_shard::RedisShard,
    refused::NotYet,
    section::{Findings, section},
};

section! {
    /// When users were last online and active.
    pub struct UserStatus {
        /// Switches it on.
        enabled: bool = false,
        /// Which Redis keeps it.
        redis: UserStatusRedis = UserStatusRedis::default(),
        /// How long a user is remembered after the last update.
        expire_interval: Duration = Duration::from_secs(720 * 3600),
        /// Keeps clients from saying that they are active.
        disable_for_client: NotYet = NotYet,
        /// A pattern for what clients say of their state.
        state_regex: NotYet = NotYet,
        /// Into how many keys users are spread; must never change over stored data.
        partitions: u32 = 256,
    }
}

section! {
    /// Which Redis keeps user status.
    pub struct UserStatusRedis {
        /// Where it is, and how to connect.
        connection(""): RedisConnection = RedisConnection::default(),
        /// What the names of keys start with; it can only be that of the engine.
        prefix: String = String::new(),
        /// Uses that of the engine whatever the options beside it say.
        reuse_from_engine: bool = false,
    }
}

const MOST_PARTITIONS: u32 = 65_536;

/// The module takes no longer times.
const LONGEST: Duration = Duration::from_secs(rollcall_wire::caps::SECONDS);

// === impl UserStatus ===

impl UserStatus {
    pub(crate) fn check(&self, engine: &Engine, findings: &mut Findings) {
        let partitions = self.partitions;
        findings.check(
            (1..=MOST_PARTITIONS).contains(&partitions),
            &format!("user_status.partitions: expected 1 to {MOST_PARTITIONS}, got {partitions}"),
        );
        findings.check(
            (Duration::from_secs(1)..=LONGEST).contains(&self.expire_interval),
            "user_status.expire_interval: expected 1s to 87600h",
        );
        if self.enabled {
            self.redis.check(engine, findings);
        }
    }

    /// The shards that keep it; `None` for those of the engine.
    pub fn shards(&self, engine: &Engine) -> Option<Vec<RedisShard>> {
        if !self.enabled || self.redis.reuse_from_engine || !self.redis.connection.is_placed() {
            return None;
        }
        let shards = self.redis.connection.shards();
        let is_engines = engine.kind == EngineType::Redis && same(&shards, &engine.redis.shards());
        (!is_engines).then_some(shards)
    }
}

/// Whether nothing but names and times differs.
fn same(own: &[RedisShard], engines: &[RedisShard]) -> bool {
    let alike = |(own, engines): (&RedisShard, &RedisShard)| {
        own.place_is_same(engines) && own.login == engines.login && own.tls == engines.tls
    };
    own.len() == engines.len() && own.iter().zip(engines).all(alike)
}

// === impl UserStatusRedis ===

impl UserStatusRedis {
    fn check(&self, engine: &Engine, findings: &mut Findings) {
        let good = self.prefix.is_empty() || self.prefix == engine.redis.prefix;
        findings.check(good, "user_status.redis.prefix: can only be that of engine.redis.prefix");
        if self.reuse_from_engine {
            if self.connection != RedisConnection::default() {
                findings.warnings.push(
                    "user_status.redis: has no effect beside user_status.redis.reuse_from_engine"
                        .to_owned(),
                );
            }
        } else if self.connection.is_placed() {
            self.connection.check("user_status.redis", findings);
        } else {
            findings.check(
                self.connection == RedisConnection::default(),
                "user_status.redis: says how to connect and not where: set \
                 user_status.redis.address, or leave it out for the Redis of the engine",
            );
        }
    }
}

#[cfg(test)]
mod tests;
