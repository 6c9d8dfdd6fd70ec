//! What one entry of a list of Redis addresses stands for, with everything needed to talk to it.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;

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
    /// What connections need of the rest, made by the first of them; clones share it.
    pub(crate) made: Made,
}

/// TLS settings in the form that connections take; empty until one is made. Authorities of the
/// system alone are some hundred files.
#[derive(Clone, Default)]
pub(crate) struct Made(Arc<OnceLock<Arc<ClientConfig>>>);

// === impl Made ===

impl Made {
    /// Of two that make it at once, one wins.
    pub(crate) fn or_make<E>(
        &self,
        make: impl FnOnce() -> Result<ClientConfig, E>,
    ) -> Result<Arc<ClientConfig>, E> {
        match self.0.get() {
            Some(config) => Ok(config.clone()),
            None => make().map(|config| self.0.get_or_init(|| Arc::new(config)).clone()),
        }
    }
}

/// It says nothing that the settings do not say.
impl PartialEq for Made {
    fn eq(&self, _other: &Self) -> bool {
        true
    }
}

impl Eq for Made {}

impl fmt::Debug for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("_")
    }
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

// === impl RedisShard ===

impl RedisShard {
    /// What cannot stand together in `section`, a sentence each.
    pub(crate) fn wrong(&self, section: &str) -> Vec<String> {
        let mut wrong = Vec::new();
        let lonely = |login: &Login| !login.user.is_empty() && login.password.is_empty();
        if lonely(&self.login) {
            wrong.push("a user needs a password; a password alone is written :password@".into());
        }
        if !self.hosts_have_names() {
            wrong.push(format!("no certificate can name this host: set {section}.tls.server_name"));
        }
        match &self.place {
            RedisPlace::Cluster(_) if self.db != 0 => wrong.push(format!(
                "a cluster has database 0 only: remove {section}.db, or the one in the address"
            )),
            RedisPlace::Sentinel(sentinels) => {
                if sentinels.master.is_empty() {
                    wrong.push(format!("needs {section}.sentinel_master_name"));
                }
                if lonely(&sentinels.login) {
                    wrong.push(format!("{section}.sentinel_user needs a password"));
                }
            }
            RedisPlace::Server(_) | RedisPlace::Cluster(_) => {}
        }
        wrong
    }

    /// Whether TLS can ask every host for its certificate.
    fn hosts_have_names(&self) -> bool {
        let Some(Tls { server_name, .. }) = &self.tls else { return true };
        let named = |address: &RedisAddress| match address {
            RedisAddress::Tcp { host, .. } => ServerName::try_from(host.as_str()).is_ok(),
            RedisAddress::Unix { .. } => true,
        };
        !server_name.is_empty() || self.addresses().iter().all(named)
    }

    fn addresses(&self) -> &[RedisAddress] {
        match &self.place {
            RedisPlace::Server(one) => std::slice::from_ref(one),
            RedisPlace::Cluster(nodes) => nodes,
            // Their masters are only known later.
            RedisPlace::Sentinel(_) => &[],
        }
    }

    /// Whether both keep their data in one place, as far as can be seen without asking anyone.
    pub(crate) fn place_is_same(&self, other: &Self) -> bool {
        let share = |one: &[RedisAddress], other: &[RedisAddress]| {
            one.iter().any(|address| other.iter().any(|other| address.is_same(other)))
        };
        match (&self.place, &other.place) {
            (RedisPlace::Sentinel(ours), RedisPlace::Sentinel(others)) => {
                self.db == other.db
                    && ours.master == others.master
                    && share(&ours.addresses, &others.addresses)
            }
            _ => self.db == other.db && share(self.addresses(), other.addresses()),
        }
    }
}
