//! Redis with the module, and servers in front of it.

use std::ops::Deref;

use serde_json::{Value, json};

use crate::config::{self, over};
use crate::redis::Redis;
use crate::server::Server;

/// One server on one Redis.
#[derive(Debug)]
pub struct Stack {
    /// The server.
    pub server: Server,
    /// The Redis it uses.
    pub redis: Redis,
}

// === impl Stack ===

impl Stack {
    /// With [`config::base`].
    pub fn start() -> Self {
        Self::with(json!({}))
    }

    /// With [`config::base`] and `changes` over it.
    pub fn with(changes: Value) -> Self {
        let redis = Redis::start();
        let server = Server::start(on(&redis, changes));
        Self { server, redis }
    }

    /// One more server on the same Redis.
    pub fn another_server(&self) -> Server {
        Server::start(on(&self.redis, json!({})))
    }
}

/// What a test does with a stack it mostly does with its server.
impl Deref for Stack {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

/// [`config::base`] on this Redis, with `changes` over it.
pub fn on(redis: &Redis, changes: Value) -> Value {
    let engine = json!({"engine": {"type": "redis", "redis": {"address": redis.address()}}});
    over(config::with(engine), changes)
}
