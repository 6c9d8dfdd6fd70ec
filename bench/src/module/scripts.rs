//! Presence kept by Lua scripts: a hash of entries and a sorted set of their ends per channel,
//! and with the user map a sorted set and a hash of the users as well.
//!
//! Written for this benchmark after the description of the layout that Centrifugo's Redis engine
//! uses. Each variant has scripts of its own, without a branch on what is switched on: the
//! comparison is with the best the layout can do.

use std::io;

use crate::resp::Connection;

/// KEYS entries, ends; ARGV ttl, end, client, entry.
const JOIN: &str = "
redis.call('HSET', KEYS[1], ARGV[3], ARGV[4])
redis.call('EXPIRE', KEYS[1], ARGV[1])
redis.call('ZADD', KEYS[2], ARGV[2], ARGV[3])
redis.call('EXPIRE', KEYS[2], ARGV[1])
return 1";

/// KEYS entries, ends, user ends, clients of users; ARGV ttl, end, client, entry, user.
const JOIN_MAPPED: &str = "
local known = redis.call('HEXISTS', KEYS[1], ARGV[3])
redis.call('HSET', KEYS[1], ARGV[3], ARGV[4])
redis.call('EXPIRE', KEYS[1], ARGV[1])
redis.call('ZADD', KEYS[2], ARGV[2], ARGV[3])
redis.call('EXPIRE', KEYS[2], ARGV[1])
if known == 0 then
  redis.call('HINCRBY', KEYS[4], ARGV[5], 1)
end
redis.call('EXPIRE', KEYS[4], ARGV[1])
redis.call('ZADD', KEYS[3], ARGV[2], ARGV[5])
redis.call('EXPIRE', KEYS[3], ARGV[1])
return 1";

/// KEYS entries, ends; ARGV client.
const LEAVE: &str = "
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[1])
return 1";

/// KEYS entries, ends, user ends, clients of users; ARGV client, user.
const LEAVE_MAPPED: &str = "
local known = redis.call('HEXISTS', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[1])
if known == 1 and redis.call('HINCRBY', KEYS[4], ARGV[2], -1) <= 0 then
  redis.call('ZREM', KEYS[3], ARGV[2])
  redis.call('HDEL', KEYS[4], ARGV[2])
end
return 1";

/// KEYS entries, ends; ARGV now.
const GET: &str = "
local ended = redis.call('ZRANGEBYSCORE', KEYS[2], '0', ARGV[1])
if #ended > 0 then
  for _, client in ipairs(ended) do redis.call('HDEL', KEYS[1], client) end
  redis.call('ZREMRANGEBYSCORE', KEYS[2], '0', ARGV[1])
end
return redis.call('HGETALL', KEYS[1])";

/// KEYS entries, ends, user ends, clients of users; ARGV now.
const COUNTS: &str = "
local function sweep(hash, ends)
  local ended = redis.call('ZRANGEBYSCORE', ends, '0', ARGV[1])
  if #ended > 0 then
    for _, id in ipairs(ended) do redis.call('HDEL', hash, id) end
    redis.call('ZREMRANGEBYSCORE', ends, '0', ARGV[1])
  end
end
sweep(KEYS[1], KEYS[2])
sweep(KEYS[4], KEYS[3])
return {redis.call('HLEN', KEYS[1]), redis.call('HLEN', KEYS[4])}";

/// KEYS one hash per user.
const STATUSES: &str = "
local found = {}
for n, key in ipairs(KEYS) do
  found[n] = redis.call('HMGET', key, 'active', 'online')
end
return found";

/// The scripts of one layout as the server knows them.
#[derive(Debug, Clone)]
pub(super) struct Scripts {
    pub(super) join: String,
    pub(super) leave: String,
    pub(super) get: String,
    /// Without the user map there is none: whoever asks must read everybody and count.
    pub(super) counts: Option<String>,
}

// === impl Scripts ===

impl Scripts {
    /// Loads those with the user map, or those without.
    pub(super) fn load(redis: &mut Connection, user_map: bool) -> io::Result<Self> {
        let (join, leave) = if user_map { (JOIN_MAPPED, LEAVE_MAPPED) } else { (JOIN, LEAVE) };
        Ok(Self {
            join: load(redis, join)?,
            leave: load(redis, leave)?,
            get: load(redis, GET)?,
            counts: user_map.then(|| load(redis, COUNTS)).transpose()?,
        })
    }
}

/// Loads the script that reads the status of many users.
pub(super) fn load_statuses(redis: &mut Connection) -> io::Result<String> {
    load(redis, STATUSES)
}

fn load(redis: &mut Connection, script: &str) -> io::Result<String> {
    redis.call(&["SCRIPT", "LOAD", script])
}
