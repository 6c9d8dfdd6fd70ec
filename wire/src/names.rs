//! Names of keys and pub/sub channels in Redis.

/// Names under one prefix (`engine.redis.prefix`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    prefix: String,
}

// === impl Names ===

impl Names {
    /// Names under `prefix`. The caller has checked that it is not empty.
    pub fn new(prefix: impl Into<String>) -> Self {
        Self { prefix: prefix.into() }
    }

    /// The roster of `channel`, and the sharded channel of its events and publications.
    pub fn roster(&self, channel: &str) -> String {
        format!("{}:p:{channel}", self.prefix)
    }

    /// The channel whose roster is `key`; `None` when the key is not one of ours.
    pub fn channel<'a>(&self, key: &'a str) -> Option<&'a str> {
        key.strip_prefix(self.prefix.as_str())?.strip_prefix(":p:")
    }

    /// The status book of partition `n`.
    pub fn book(&self, n: u32) -> String {
        format!("{}:s:{n}", self.prefix)
    }

    /// The channel of control messages to every node.
    pub fn control(&self) -> String {
        format!("{}:control", self.prefix)
    }

    /// The channel of control messages to one node.
    pub fn node(&self, id: &str) -> String {
        format!("{}:node:{id}", self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_survives_the_way_to_its_key_and_back() {
        let names = Names::new("rollcall");
        for channel in ["news", "public:a:b", ":p:", ""] {
            assert_eq!(names.channel(&names.roster(channel)), Some(channel));
        }
        assert_eq!(names.channel("rollcall:s:1"), None);
        assert_eq!(names.channel("other:p:news"), None);
    }
}
