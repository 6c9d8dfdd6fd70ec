//! The forms of a Redis address.

use std::{fmt, path::PathBuf};

use serde_json::Value;

use super::{
    Secret,
    section::a_kind,
    value::{Leaf, text},
};

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

/// An address with what else its URL says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisUrl {
    /// The socket.
    pub address: RedisAddress,
    /// The user in the URL, or empty.
    pub user: String,
    /// The password in the URL, or empty.
    pub password: Secret,
    /// The database in the URL.
    pub db: Option<u8>,
    /// Whether it was configured.
    given: bool,
}

const PORT: u16 = 6379;
const FORMS: &str =
    "expected host:port, redis://[[user]:password@]host:port[/db] or unix:///path[?db=n]";

// === impl RedisAddress ===

impl fmt::Display for RedisAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix { path } => write!(f, "{}", path.display()),
        }
    }
}

// === impl RedisUrl ===

impl RedisUrl {
    /// Reads one address. The error never shows it: it may hold a password.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let (scheme, rest) = text.split_once("://").unwrap_or(("tcp", text));
        if text.contains(',') {
            return Err("several addresses are not supported yet, give one".to_owned());
        }
        match scheme {
            "tcp" | "redis" => Self::tcp(rest),
            "unix" => Self::unix(rest),
            "rediss" => Err("TLS to Redis (rediss://) is not supported yet".to_owned()),
            sentinel if sentinel.ends_with("+sentinel") => {
                Err("Redis Sentinel is not supported yet".to_owned())
            }
            cluster if cluster.ends_with("+cluster") => {
                Err("Redis Cluster is not supported yet".to_owned())
            }
            _ => Err(FORMS.to_owned()),
        }
    }

    /// `[[user]:password@]host[:port][/db]`
    fn tcp(rest: &str) -> Result<Self, String> {
        let (rest, mut db) = query(rest)?;
        let (login, rest) = login(rest)?;
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        if !path.is_empty() {
            db = Some(path.parse().map_err(|_| "expected a database number after the port")?);
        }
        let address = host_and_port(host).ok_or(FORMS)?;
        Ok(Self { address, user: login.0, password: login.1, db, given: true })
    }

    /// `[user:password@]/path[?db=n]`
    fn unix(rest: &str) -> Result<Self, String> {
        let (rest, db) = query(rest)?;
        let ((user, password), path) = login(rest)?;
        if !path.starts_with('/') || path.len() < 2 {
            return Err(FORMS.to_owned());
        }
        let address = RedisAddress::Unix { path: path.into() };
        Ok(Self { address, user, password, db, given: true })
    }
}

/// What stands without an address, and equals no configured one.
impl Default for RedisUrl {
    fn default() -> Self {
        let address = RedisAddress::Tcp { host: "127.0.0.1".to_owned(), port: PORT };
        Self { address, user: String::new(), password: Secret::default(), db: None, given: false }
    }
}

impl Leaf for RedisUrl {
    fn from_value(value: &Value, words: bool) -> Result<Self, String> {
        let several = match value {
            Value::Array(items) => items.iter().map(text).collect::<Option<Vec<_>>>(),
            Value::String(text) if words => {
                Some(text.split_whitespace().map(str::to_owned).collect())
            }
            other => text(other).map(|text| vec![text]),
        };
        match several.as_deref() {
            Some([]) => Ok(Self::default()),
            Some([one]) if one.is_empty() => Ok(Self::default()),
            Some([one]) => Self::parse(one),
            Some(_) => Err("several addresses are not supported yet, give one".to_owned()),
            None => Err(format!("expected an address, got {}", a_kind(value))),
        }
    }

    fn is_zero(&self) -> bool {
        !self.given
    }
}

/// Takes `?db=n` off.
fn query(rest: &str) -> Result<(&str, Option<u8>), String> {
    let Some((rest, query)) = rest.split_once('?') else { return Ok((rest, None)) };
    let mut db = None;
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        match pair.split_once('=') {
            Some(("db", number)) => {
                db = Some(number.parse().map_err(|_| "expected a number after ?db=")?);
            }
            Some(("addr", _)) => {
                return Err("several addresses are not supported yet, give one".to_owned());
            }
            _ => return Err("of parameters after \"?\" only db is supported".to_owned()),
        }
    }
    Ok((rest, db))
}

/// Takes `[user]:password@` off.
fn login(rest: &str) -> Result<((String, Secret), &str), String> {
    let Some((login, rest)) = rest.rsplit_once('@') else {
        return Ok(((String::new(), Secret::default()), rest));
    };
    let (user, password) = login.split_once(':').ok_or("expected user:password before \"@\"")?;
    let bad = || "expected percent-encoded UTF-8 before \"@\"".to_owned();
    let user = percent_decoded(user).ok_or_else(bad)?;
    let password = percent_decoded(password).ok_or_else(bad)?;
    Ok(((user, Secret::new(password)), rest))
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut parts = text.split('%');
    out.extend_from_slice(parts.next()?.as_bytes());
    for part in parts {
        out.push(u8::from_str_radix(part.get(..2)?, 16).ok()?);
        out.extend_from_slice(part.get(2..)?.as_bytes());
    }
    String::from_utf8(out).ok()
}

/// `host`, `host:port`, `[v6]`, `[v6]:port`, `:port`.
fn host_and_port(text: &str) -> Option<RedisAddress> {
    let (host, port) = match text.strip_prefix('[') {
        Some(v6) => v6.split_once(']')?,
        None => text.split_at(text.rfind(':').unwrap_or(text.len())),
    };
    let port = match port {
        "" => PORT,
        port => port.strip_prefix(':')?.parse().ok().filter(|port| *port != 0)?,
    };
    let host = if host.is_empty() { "127.0.0.1" } else { host };
    let bracketed = text.starts_with('[');
    (!text.is_empty() && (bracketed || !host.contains(':')))
        .then(|| RedisAddress::Tcp { host: host.to_owned(), port })
}

#[cfg(test)]
mod tests;
