//! Sockets on which Redis listens, and the forms in which they are written.

use std::{fmt, net::Ipv6Addr, path::PathBuf};

use super::list::Entry;

/// A socket on which Redis listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RedisAddress {
    /// `host:port`.
    Tcp {
        /// A name or an address; IPv6 without brackets.
        host: String,
        /// The port.
        port: u16,
    },
    /// A Unix socket.
    Unix {
        /// Path of the socket.
        path: PathBuf,
    },
}

/// Nodes of one cluster: `host:port`, separated by commas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterNodes(pub Vec<RedisAddress>);

/// The Sentinels that watch one master: `host:port`, separated by commas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentinelNodes(pub Vec<RedisAddress>);

/// Where Redis listens when nobody says otherwise.
pub(crate) const PORT: u16 = 6379;
/// Where Sentinels do.
pub(crate) const SENTINEL_PORT: u16 = 26379;

// === impl RedisAddress ===

impl RedisAddress {
    /// Reads `host`, `host:port`, `[v6]`, `[v6]:port` or `:port`; a host that is left out is this
    /// machine.
    pub(crate) fn tcp(text: &str, default_port: u16) -> Option<Self> {
        let bracketed = text.strip_prefix('[').map(|v6| v6.split_once(']'));
        let (host, port) = match bracketed {
            Some(parts) => parts?,
            None => text.split_at(text.rfind(':').unwrap_or(text.len())),
        };
        let plain = |c: char| c.is_alphanumeric() || "-._".contains(c);
        let host = match bracketed {
            Some(_) => host.parse::<Ipv6Addr>().ok()?.to_string(),
            None if text.is_empty() || !host.chars().all(plain) => return None,
            None if host.is_empty() => "127.0.0.1".to_owned(),
            None => host.to_owned(),
        };
        let port = match port {
            "" => default_port,
            port => port.strip_prefix(':')?.parse().ok().filter(|port| *port != 0)?,
        };
        Some(Self::Tcp { host, port })
    }

    /// Whether both lead to one socket, as far as can be seen without asking anyone.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let plain = |host: &str| match host.to_lowercase().as_str() {
            "localhost" | "::1" => "127.0.0.1".to_owned(),
            other => other.to_owned(),
        };
        match (self, other) {
            (Self::Tcp { host, port }, Self::Tcp { host: others, port: other }) => {
                port == other && plain(host) == plain(others)
            }
            (one, other) => one == other,
        }
    }
}

impl fmt::Display for RedisAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix { path } => write!(f, "{}", path.display()),
        }
    }
}

// === impl ClusterNodes, SentinelNodes ===

impl Entry for ClusterNodes {
    const WHAT: &'static str = "nodes of a cluster as host:port,host:port";

    fn parse(text: &str) -> Result<Self, String> {
        nodes(text, PORT).map(Self)
    }
}

impl Entry for SentinelNodes {
    const WHAT: &'static str = "Sentinels as host:port,host:port";

    fn parse(text: &str) -> Result<Self, String> {
        nodes(text, SENTINEL_PORT).map(Self)
    }
}

/// The error never shows the text: somebody may have put a URL with a password there.
fn nodes(text: &str, default_port: u16) -> Result<Vec<RedisAddress>, String> {
    if text.contains("://") || text.contains('@') {
        return Err("expected host:port,host:port without a scheme; user, password and TLS have \
                    options of their own"
            .to_owned());
    }
    let nodes = text.split(',').map(|node| RedisAddress::tcp(node.trim(), default_port));
    nodes.collect::<Option<_>>().ok_or_else(|| "expected host:port,host:port".to_owned())
}
