//! What one entry of a list of Redis addresses stands for, with everything needed to talk to it.

use std::fmt;
use std::time::Duration;

use super::{RedisAddress, Secret};

/// One Redis of those over which channels are spread: a server, a Sentinel group or a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisShard {
    /// Where its servers are found.
    pub place: RedisPlace,
    /// How to log in to its servers.
    pub login: Login,
    /// Number of the database; 0 in a cluster.
    pub db: u8,
    /// How to encrypt connections to its servers; `None` for plain ones.
    pub tls: Option<Tls>,
    /// The name connections give themselves; empty for none.
    pub client_name: String,
    /// How long connecting may take.
    pub connect_timeout: Duration,
    /// How long a command may take.
    pub io_timeout: Duration,
}

/// Where the servers of one shard are found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RedisPlace {
    /// One server; one that answers as a node of a cluster stands for the cluster.
    Server(RedisAddress),
    /// The master of a Sentinel group.
    Sentinel(Sentinels),
    /// The cluster to which these nodes belong; at least one.
    Cluster(Vec<RedisAddress>),
}

/// The Sentinels that know where a master is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sentinels {
    /// At least one.
    pub addresses: Vec<RedisAddress>,
    /// The name under which they watch the master.
    pub master: String,
    /// How to log in to the Sentinels themselves.
    pub login: Login,
    /// How to encrypt connections to the Sentinels themselves.
    pub tls: Option<Tls>,
    /// The name connections to Sentinels give themselves; empty for none.
    pub client_name: String,
}

/// A user and a password.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Login {
    /// Empty for the default user.
    pub user: String,
    /// Empty for no login.
    pub password: Secret,
}

/// How a connection is encrypted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tls {
    /// Certificates (PEM) of who may sign the server's; empty for those of the system.
    pub server_ca_pem: String,
    /// Our certificate (PEM); empty for none.
    pub cert_pem: String,
    /// The key of our certificate (PEM).
    pub key_pem: Secret,
    /// The name the server's certificate must have; empty for the host of the address.
    pub server_name: String,
    /// Takes any certificate: encrypted, but anyone can be at the other end.
    pub insecure_skip_verify: bool,
}

// === impl RedisPlace ===

impl fmt::Display for RedisPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, addresses) = match self {
            Self::Server(address) => return address.fmt(f),
            Self::Sentinel(sentinels) => ("sentinels", &sentinels.addresses),
            Self::Cluster(seeds) => ("cluster", seeds),
        };
        write!(f, "{what}")?;
        addresses.iter().try_for_each(|address| write!(f, " {address}"))
    }
}
