//! `user_status`: when users were last online and active.

use std::time::Duration;

use super::{
    engine::{Engine, EngineType},
    redis_address::RedisUrl,
    section::{Findings, section},
    value::Leaf,
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
        /// Into how many keys users are spread; must never change over stored data.
        partitions: u32 = 256,
    }
}

section! {
    /// Which Redis keeps user status: that of the engine, for now.
    pub struct UserStatusRedis {
        /// Where it is; empty for that of the engine.
        address: RedisUrl = RedisUrl::default(),
        /// Uses that of the engine whatever the address says.
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
        let own = &self.redis.address;
        let engines = engine.redis.endpoint();
        let same = engine.kind == EngineType::Redis
            && own.address == engines.address
            && own.db.unwrap_or_default() == engines.db;
        findings.check(
            !self.enabled || self.redis.reuse_from_engine || own.is_zero() || same,
            "user_status.redis.address: a separate Redis for user status is not supported yet, \
             use user_status.redis.reuse_from_engine",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_engine_s_redis_keeps_user_status() {
        let check = |kind, own: &str, of_engine: &str| {
            let mut status = UserStatus { enabled: true, ..UserStatus::default() };
            let mut engine = Engine { kind, ..Engine::default() };
            let read = |address: &str| RedisUrl::from_value(&address.into(), false).unwrap();
            (status.redis.address, engine.redis.address) = (read(own), read(of_engine));
            let mut findings = Findings::default();
            status.check(&engine, &mut findings);
            findings.errors.is_empty()
        };
        assert!(check(EngineType::Embedded, "", "") && check(EngineType::Redis, "", "h:1"));
        assert!(check(EngineType::Redis, "redis://127.0.0.1:6379", ""));
        assert!(check(EngineType::Redis, "h:1", "redis://h:1"));
        assert!(!check(EngineType::Redis, "h:1", "redis://h:1/2"));
        assert!(!check(EngineType::Redis, "h:1", "h:2"));
        assert!(!check(EngineType::Embedded, "127.0.0.1:6379", ""));
    }
}
