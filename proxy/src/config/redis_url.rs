//! The forms of `engine.redis.address`: one entry stands for one shard, with what its URL says
//! about logging in, times and TLS.

use std::time::Duration;

use super::{
    Secret, duration,
    list::Entry,
    redis_address::{PORT, RedisAddress, SENTINEL_PORT},
};

/// One entry of a list of addresses. What it does not say stands in the options beside it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RedisUrl {
    pub(crate) kind: UrlKind,
    /// At least one.
    pub(crate) addresses: Vec<RedisAddress>,
    /// The user and the password in the URL, or empty.
    pub(crate) user: String,
    pub(crate) password: Secret,
    pub(crate) db: Option<u8>,
    /// Whether connections to its servers are encrypted, where the URL says so or says not.
    pub(crate) tls: Option<bool>,
    /// The same for its Sentinels.
    pub(crate) sentinel_tls: Option<bool>,
    pub(crate) connect_timeout: Option<Duration>,
    pub(crate) io_timeout: Option<Duration>,
    pub(crate) sentinel_user: String,
    pub(crate) sentinel_password: Secret,
    pub(crate) sentinel_master_name: String,
    /// What it asks for and does not get, a sentence each.
    pub(crate) ignored: Vec<&'static str>,
}

/// What an address leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum UrlKind {
    /// A server; several are nodes of one cluster.
    #[default]
    Server,
    Socket,
    Sentinel,
    Cluster,
}

const FORMS: &str = "expected host:port, or a URL that starts with redis://, rediss://, tcp://, \
                     unix://, redis+sentinel://, rediss+sentinel:// or redis+cluster://";
const HOST: &str = "expected [[user]:password@]host:port[/db] after the scheme";
const SEVERAL: &str = "expected one host: several shards are entries of a list, several nodes of \
                       one cluster stand in cluster_address or in parameters addr=host:port";
const ESCAPES: &str = "a \"/\", \"?\", \"#\", \"@\" or \"%\" in a user, a password or a parameter \
                       is written %2F, %3F, %23, %40 or %25";
const SWITCH: &str = "expected true or false";

// === impl RedisUrl ===

impl Entry for RedisUrl {
    const WHAT: &'static str = "an address";

    /// Reads one address. The error never shows it: it may hold a password.
    fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let (scheme, rest) = text.split_once("://").unwrap_or(("redis", text));
        let bare = rest == text;
        let (kind, tls) = match scheme.to_ascii_lowercase().as_str() {
            "tcp" | "redis" => (UrlKind::Server, false),
            "rediss" => (UrlKind::Server, true),
            "unix" => (UrlKind::Socket, false),
            "redis+sentinel" => (UrlKind::Sentinel, false),
            "rediss+sentinel" => (UrlKind::Sentinel, true),
            "redis+cluster" => (UrlKind::Cluster, false),
            "rediss+cluster" => (UrlKind::Cluster, true),
            _ => return Err(FORMS.to_owned()),
        };
        let tls = tls.then_some(true);
        let mut url = Self { kind, tls, sentinel_tls: tls, ..Self::default() };
        if rest.contains('#') {
            return Err(ESCAPES.to_owned());
        }
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let more = url.take_parameters(query)?;
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let host = url.take_login(authority)?;
        if kind == UrlKind::Socket {
            url.take_socket(host, path)?;
        } else {
            url.take_db(path)?;
            url.take_hosts(host, &more)
                .map_err(|what| if bare && what == HOST { FORMS } else { what })?;
        }
        Ok(url)
    }
}

impl RedisUrl {
    /// Takes `[user][:password]@` off.
    fn take_login<'a>(&mut self, authority: &'a str) -> Result<&'a str, String> {
        let Some((login, host)) = authority.rsplit_once('@') else { return Ok(authority) };
        let (user, password) = login.split_once(':').unwrap_or((login, ""));
        self.user = decoded(user).ok_or(ESCAPES)?;
        self.password = Secret::new(decoded(password).ok_or(ESCAPES)?);
        Ok(host)
    }

    fn take_socket(&mut self, host: &str, path: &str) -> Result<(), String> {
        let path = decoded(path).ok_or(ESCAPES)?;
        if !host.is_empty() || path.len() < 2 {
            return Err("expected unix://[user:password@]/path[?db=n]".to_owned());
        }
        self.addresses = vec![RedisAddress::Unix { path: path.into() }];
        Ok(())
    }

    fn take_hosts(&mut self, host: &str, more: &[String]) -> Result<(), &'static str> {
        let port = if self.kind == UrlKind::Sentinel { SENTINEL_PORT } else { PORT };
        let wrong = if host.contains(',') { SEVERAL } else { HOST };
        let first = RedisAddress::tcp(host, port).ok_or(wrong)?;
        let more = more.iter().map(|text| RedisAddress::tcp(text, port));
        self.addresses = std::iter::once(Some(first))
            .chain(more)
            .collect::<Option<_>>()
            .ok_or("parameter addr: expected host:port")?;
        if self.kind == UrlKind::Server && self.addresses.len() > 1 {
            self.kind = UrlKind::Cluster;
        }
        Ok(())
    }

    /// `/n` after the host.
    fn take_db(&mut self, path: &str) -> Result<(), String> {
        let number = path.strip_prefix('/').unwrap_or_default();
        if path.contains('@') {
            return Err(ESCAPES.to_owned());
        }
        if !number.is_empty() {
            let number = number.parse().map_err(|_| "expected the number of a database after /")?;
            if self.db.replace(number).is_some() {
                return Err("the database is given twice".to_owned());
            }
        }
        Ok(())
    }

    /// Reads what stands after the question mark; gives the further hosts.
    fn take_parameters(&mut self, query: &str) -> Result<Vec<String>, String> {
        let mut seen = Vec::new();
        let mut more = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            // As in the query of any URL.
            let value = decoded(&value.replace('+', " ")).ok_or(ESCAPES)?;
            if name == "addr" {
                more.push(value);
                continue;
            }
            if seen.contains(&name) {
                return Err(about(name, query, "is given twice"));
            }
            seen.push(name);
            self.take_parameter(name, value).map_err(|what| about(name, query, what))?;
        }
        if !self.sentinel_master_name.is_empty() && self.kind == UrlKind::Server {
            // As in Centrifugo.
            self.kind = UrlKind::Sentinel;
        }
        let of_sentinel = seen.iter().find(|name| name.starts_with("sentinel_"));
        match (self.kind, of_sentinel) {
            (UrlKind::Sentinel, _) | (_, None) => {}
            (_, Some(name)) => {
                return Err(format!("parameter {name}: has no use without redis+sentinel://"));
            }
        }
        let encrypted = self.tls == Some(true);
        if self.kind == UrlKind::Socket && (encrypted || !more.is_empty()) {
            let name = if encrypted { "tls_enabled" } else { "addr" };
            return Err(format!("parameter {name}: has no use with unix://"));
        }
        Ok(more)
    }

    fn take_parameter(&mut self, name: &str, value: String) -> Result<(), &'static str> {
        match name {
            "db" => self.db = Some(value.parse().map_err(|_| "expected a number from 0 to 255")?),
            "connect_timeout" => self.connect_timeout = time(&value)?,
            "io_timeout" => self.io_timeout = time(&value)?,
            "tls_enabled" => say(&mut self.tls, switch(&value)?)?,
            "sentinel_tls_enabled" => say(&mut self.sentinel_tls, switch(&value)?)?,
            "sentinel_user" => self.sentinel_user = value,
            "sentinel_password" => self.sentinel_password = Secret::new(value),
            "sentinel_master_name" => self.sentinel_master_name = value,
            "force_resp2" if switch(&value)? => {
                self.ignored.push("parameter force_resp2: has no effect, RESP3 is always used");
            }
            "replica_client_enabled" if switch(&value)? => {
                self.ignored.push("parameter replica_client_enabled: has no effect");
            }
            "force_resp2" | "replica_client_enabled" => {}
            _ => return Err("is unknown"),
        }
        Ok(())
    }
}

/// What is wrong with a parameter; its name is shown only where it cannot be a piece of a
/// password whose question mark is not escaped.
fn about(name: &str, query: &str, what: &str) -> String {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if query.contains('@') || !name.chars().all(plain) {
        return format!("a parameter after \"?\" is unknown or wrong; {ESCAPES}");
    }
    format!("parameter {name}: {what}")
}

/// Sets what the scheme may have set.
fn say(slot: &mut Option<bool>, on: bool) -> Result<(), &'static str> {
    match slot.replace(on) {
        Some(true) if !on => Err("contradicts the scheme rediss, which means TLS"),
        _ => Ok(()),
    }
}

fn switch(value: &str) -> Result<bool, &'static str> {
    match value {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(SWITCH),
    }
}

/// Zero stands for the default, as everywhere.
fn time(value: &str) -> Result<Option<Duration>, &'static str> {
    let time = duration::parse(value).map_err(|_| "expected a duration such as 500ms or 2s")?;
    match value {
        "" => Ok(None),
        _ if time.is_zero() => Err("expected more than 0"),
        _ => Ok(Some(time)),
    }
}

/// Undoes percent-encoding; `None` where it is broken or no UTF-8.
fn decoded(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut out = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let digits = part.get(..2).filter(|it| it.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
        out.push(u8::from_str_radix(digits, 16).ok()?);
        out.extend_from_slice(part.get(2..)?.as_bytes());
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests;
