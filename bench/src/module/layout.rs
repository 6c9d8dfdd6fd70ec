//! The three ways of keeping presence that are compared, as requests.

use std::io;

use rollcall_wire::Names;

use super::member::Member;
use super::scripts::Scripts;
use crate::resp::{Connection, request};

/// How long everything lives here: longer than any run.
const TTL_S: u64 = 3600;
/// The holder of the module's entries.
pub(super) const NODE: &str = "0b6d4a2e-bench-node";

/// A way of keeping presence.
#[derive(Debug)]
pub(super) struct Layout {
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Module(Names),
    Scripts { scripts: Scripts, prefix: &'static str, now: u64 },
}

/// What one request of a layout counts as in `INFO commandstats`.
#[derive(Debug, Clone, Copy)]
pub(super) enum Verb {
    Join,
    Leave,
    Counts,
    Everyone,
}

// === impl Layout ===

impl Layout {
    /// How many there are.
    pub(super) const COUNT: usize = 3;

    /// All of them on one server: the module, the scripts with the user map, the scripts without.
    /// Their keys differ, their sizes do not.
    pub(super) fn all(redis: &mut Connection) -> io::Result<[Self; Self::COUNT]> {
        Self::keep(redis)?;
        let now = seconds(redis)?;
        let mut scripts = |user_map, prefix| {
            let scripts = Scripts::load(redis, user_map)?;
            Ok::<_, io::Error>(Self { kind: Kind::Scripts { scripts, prefix, now } })
        };
        Ok([
            Self { kind: Kind::Module(Names::new("rollcall")) },
            scripts(true, "centrifugo")?,
            scripts(false, "centrifug2")?,
        ])
    }

    /// Renews the lease that holds the module's members.
    pub(super) fn keep(redis: &mut Connection) -> io::Result<()> {
        let px = (TTL_S * 1000).to_string();
        redis.call(&["PRESENCE.LEASE", "KEEP", NODE, "PX", &px]).map(drop)
    }

    /// The command that carries the verb.
    pub(super) fn command(&self, verb: Verb) -> &'static str {
        match (&self.kind, verb) {
            (Kind::Scripts { .. }, _) => "evalsha",
            (Kind::Module(_), Verb::Join) => "PRESENCE.ADD",
            (Kind::Module(_), Verb::Leave) => "PRESENCE.REM",
            (Kind::Module(_), Verb::Counts) => "PRESENCE.STATS",
            (Kind::Module(_), Verb::Everyone) => "PRESENCE.GET",
        }
    }

    /// A client joins. In the module's case listeners are told in the same call.
    pub(super) fn join(&self, out: &mut Vec<u8>, channel: &str, member: &Member) {
        let Member { client, user, info } = member;
        match &self.kind {
            Kind::Module(names) => {
                let key = names.roster(channel);
                let holder = ["CONNINFO", info, "LEASE", NODE, "NOTIFY"];
                let words = ["PRESENCE.ADD", &key, client, user].into_iter().chain(holder);
                request(out, &words.collect::<Vec<_>>());
            }
            Kind::Scripts { scripts, now, .. } => {
                let (ttl, end) = (TTL_S.to_string(), (now + TTL_S).to_string());
                let entry = member.entry();
                let mut args = vec![ttl.as_bytes(), end.as_bytes(), client.as_bytes(), &entry];
                if scripts.counts.is_some() {
                    args.push(user.as_bytes());
                }
                self.evalsha(out, &scripts.join, channel, &args);
            }
        }
    }

    /// A client leaves. In the module's case listeners are told in the same call.
    pub(super) fn leave(&self, out: &mut Vec<u8>, channel: &str, member: &Member) {
        match &self.kind {
            Kind::Module(names) => {
                request(out, &["PRESENCE.REM", &names.roster(channel), &member.client]);
            }
            Kind::Scripts { scripts, .. } => {
                let mut args = vec![member.client.as_bytes()];
                if scripts.counts.is_some() {
                    args.push(member.user.as_bytes());
                }
                self.evalsha(out, &scripts.leave, channel, &args);
            }
        }
    }

    /// How many clients and users there are.
    pub(super) fn counts(&self, out: &mut Vec<u8>, channel: &str) {
        match &self.kind {
            Kind::Module(names) => request(out, &["PRESENCE.STATS", &names.roster(channel)]),
            Kind::Scripts { scripts, now, .. } => {
                let script = scripts.counts.as_ref().unwrap_or(&scripts.get);
                self.evalsha(out, script, channel, &[now.to_string()]);
            }
        }
    }

    /// Everybody, in the form in which it is sent on: JSON from the module.
    pub(super) fn everyone(&self, out: &mut Vec<u8>, channel: &str) {
        match &self.kind {
            Kind::Module(names) => request(out, &["PRESENCE.GET", &names.roster(channel), "JSON"]),
            Kind::Scripts { scripts, now, .. } => {
                // The script for reading needs the first two keys only, whatever else is kept.
                let [entries, ends, ..] = self.keys(channel);
                let now = now.to_string();
                request(out, &["EVALSHA", &scripts.get, "2", &entries, &ends, &now]);
            }
        }
    }

    /// How many clients the server has stored in a channel: what was measured did happen.
    pub(super) fn stored(&self, redis: &mut Connection, channel: &str) -> io::Result<usize> {
        let text = match &self.kind {
            Kind::Module(names) => {
                let script = "return redis.call('PRESENCE.STATS', KEYS[1])[1][1]";
                redis.call(&["EVAL", script, "1", &names.roster(channel)])?
            }
            Kind::Scripts { .. } => redis.call(&["HLEN", &self.keys(channel)[0]])?,
        };
        text.parse().map_err(io::Error::other)
    }

    /// The four keys of a channel in the script layout. Without the user map the last two are
    /// not used.
    pub(super) fn keys(&self, channel: &str) -> [String; 4] {
        let prefix = match &self.kind {
            Kind::Module(_) => "",
            Kind::Scripts { prefix, .. } => prefix,
        };
        ["data", "expire", "user.expire", "user.clients"]
            .map(|part| format!("{prefix}.presence.{part}.{channel}"))
    }

    fn evalsha<T: AsRef<[u8]>>(&self, out: &mut Vec<u8>, sha: &str, channel: &str, args: &[T]) {
        let user_map =
            matches!(&self.kind, Kind::Scripts { scripts, .. } if scripts.counts.is_some());
        let used = if user_map { 4 } else { 2 };
        let (keys, count) = (self.keys(channel), used.to_string());
        let mut words = vec![b"EVALSHA".as_slice(), sha.as_bytes(), count.as_bytes()];
        words.extend(keys[..used].iter().map(String::as_bytes));
        words.extend(args.iter().map(AsRef::as_ref));
        request(out, &words);
    }
}

/// The server's clock, in seconds.
fn seconds(redis: &mut Connection) -> io::Result<u64> {
    let text = redis.call(&["EVAL", "return redis.call('TIME')[1]", "0"])?;
    text.parse().map_err(io::Error::other)
}
