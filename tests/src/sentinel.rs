//! A master, its replicas, and the Sentinels that watch over them.

use std::fs;
use std::ops::Range;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::config;
use crate::port;
use crate::process::{Process, Signal};
use crate::redis::{self, Redis, USERS, user};
use crate::relay::{Line, Relay};
use crate::resp::{Reply, Resp};
use crate::wait::{eventually, within};

/// The name of the master.
pub const MASTER: &str = "presence";

/// How many Sentinels there are; two have to agree.
const SENTINELS: usize = 3;

/// How long a server does not answer before Sentinels take it for dead: as the documentation says.
/// With a second, which is also how often they try to connect, they were seen to replace a master
/// that they had just promoted.
const DOWN_AFTER: Duration = Duration::from_secs(2);

/// The same where nobody is to be replaced because the machine is busy.
const UNHURRIED: Duration = Duration::from_millis(3500);

/// What a Sentinel is told, and where it notes what it learns.
const CONFIG: &str = "sentinel.conf";

/// A failover, with all that comes before it.
const FAILOVER: Duration = Duration::from_secs(60);

/// Redis servers that Sentinels watch over.
#[derive(Debug)]
pub struct Sentinels {
    /// The servers; which is the master, the Sentinels decide.
    pub redis: Vec<Redis>,
    sentinels: Vec<Sentinel>,
}

#[derive(Debug)]
struct Sentinel {
    process: Option<Process>,
    /// Where others find it.
    port: u16,
    /// What others come through, if anything.
    relay: Option<Relay>,
    dir: TempDir,
}

// === impl Sentinels ===

impl Sentinels {
    /// A master with this many replicas, everybody known to everybody.
    pub fn start(replicas: usize) -> Self {
        // As operators do: a replica that has to load anew keeps what it has until it can.
        let first = Redis::with(&["enable-debug-command yes"]);
        let followers = (0..replicas).map(|_| first.replica()).collect();
        Self::over(first, followers, |port| {
            vec![format!("sentinel monitor {MASTER} 127.0.0.1 {port} 2")]
        })
    }

    /// The same, each Redis and each Sentinel behind a relay, as [`Redis::relayed`] says.
    pub fn relayed(replicas: usize) -> Self {
        let debug = "enable-debug-command yes";
        let first = Redis::relayed(&[debug]);
        let follow = format!("replicaof 127.0.0.1 {}", first.port());
        let followers = (0..replicas).map(|_| Redis::relayed(&[debug, &follow])).collect();
        Self::started(first, followers, |monitored| {
            let port = port::free();
            let relay = Relay::for_users(port, &USERS);
            let mut monitor = vec![
                "sentinel announce-ip 127.0.0.1".to_owned(),
                format!("sentinel announce-port {}", relay.port()),
                format!("sentinel monitor {MASTER} 127.0.0.1 {monitored} 2"),
            ];
            monitor.extend(USERS.map(user));
            Sentinel::start(port, monitor, UNHURRIED, Some(relay))
        })
    }

    /// The same where everybody is called by a host name, and the Sentinels name the master so.
    pub fn by_name(replicas: usize) -> Self {
        let announce = ["enable-debug-command yes", "replica-announce-ip localhost"];
        let first = Redis::with(&announce);
        let follow = format!("replicaof localhost {}", first.port());
        let follower = || Redis::with(&[&announce[..], &[&follow]].concat());
        let followers = (0..replicas).map(|_| follower()).collect();
        Self::over(first, followers, |port| {
            vec![
                "sentinel resolve-hostnames yes".to_owned(),
                "sentinel announce-hostnames yes".to_owned(),
                "sentinel announce-ip localhost".to_owned(),
                format!("sentinel monitor {MASTER} localhost {port} 2"),
            ]
        })
    }

    fn over(first: Redis, followers: Vec<Redis>, monitor: impl Fn(u16) -> Vec<String>) -> Self {
        Self::started(first, followers, |port| {
            Sentinel::start(port::free(), monitor(port), DOWN_AFTER, None)
        })
    }

    /// With Sentinels that are started for the master at this port.
    fn started(first: Redis, followers: Vec<Redis>, start: impl Fn(u16) -> Sentinel) -> Self {
        let replicas = followers.len();
        let sentinels = (0..SENTINELS).map(|_| start(first.port())).collect();
        let mut redis = vec![first];
        redis.extend(followers);
        let group = Self { redis, sentinels };
        group.know_each_other(replicas);
        group
    }

    /// The Sentinels end, and others begin at the same ports, which know nothing but the master.
    pub fn begin_anew(&mut self) {
        let master = eventually("the Sentinels agree", || self.master());
        let port = self.redis[master].port();
        let ports: Vec<u16> = self.sentinels.iter().map(|sentinel| sentinel.port).collect();
        self.sentinels.clear();
        let monitor = || vec![format!("sentinel monitor {MASTER} 127.0.0.1 {port} 2")];
        self.sentinels = ports
            .into_iter()
            .map(|port| Sentinel::start(port, monitor(), DOWN_AFTER, None))
            .collect();
        self.know_each_other(self.redis.len() - 1);
    }

    fn know_each_other(&self, replicas: usize) {
        for sentinel in &self.sentinels {
            eventually("the Sentinels know each other and the replicas", || {
                let state = sentinel.cli().ask(&format!("SENTINEL MASTER {MASTER}")).to_string();
                let others = format!("\"num-other-sentinels\", \"{}\"", SENTINELS - 1);
                let slaves = format!("\"num-slaves\", \"{replicas}\"");
                (state.contains(&others) && state.contains(&slaves)).then_some(())
            });
        }
    }

    /// The configuration of a server that asks these Sentinels.
    pub fn config(&self) -> Value {
        let ports: Vec<u16> = self.sentinels.iter().map(|sentinel| sentinel.port).collect();
        let others: Vec<String> =
            ports[1..].iter().map(|port| format!("&addr=127.0.0.1:{port}")).collect();
        let address = format!(
            "redis+sentinel://127.0.0.1:{}?sentinel_master_name={MASTER}{}",
            ports[0],
            others.concat()
        );
        let redis = json!({"address": [address], "io_timeout": "2s"});
        config::with(json!({"engine": {"type": "redis", "redis": redis}}))
    }

    /// What connects each of [`USERS`] with each Sentinel, where they are behind relays.
    pub fn lines(&self) -> Vec<[&Line; 2]> {
        let relays = self.sentinels.iter().filter_map(|sentinel| sentinel.relay.as_ref());
        relays.map(|relay| [0, 1].map(|user| relay.line(user))).collect()
    }

    /// What the first Sentinel says the host of the master is called.
    pub fn host(&self) -> String {
        let command = format!("SENTINEL GET-MASTER-ADDR-BY-NAME {MASTER}");
        self.sentinels[0].cli().ask(&command).array()[0].text()
    }

    /// How many Sentinels there are.
    pub fn count(&self) -> usize {
        self.sentinels.len()
    }

    /// Sends a signal to one of the Sentinels.
    pub fn signal(&self, sentinel: usize, signal: Signal) {
        let process = self.sentinels[sentinel].process.as_ref();
        process.expect("the Sentinel runs").signal(signal);
    }

    /// Kills one of the Sentinels, as `kill -9`. Nobody may be asked for all of them then.
    pub fn kill_sentinel(&mut self, sentinel: usize) {
        self.sentinels[sentinel].process = None;
    }

    /// It is back with what it knew.
    pub fn run_sentinel(&mut self, sentinel: usize) {
        self.sentinels[sentinel].run();
    }

    /// Which of the servers the Sentinels say is the master; `None` while they do not agree.
    pub fn master(&self) -> Option<usize> {
        self.master_by(0..SENTINELS)
    }

    /// The same by some of the Sentinels.
    pub fn master_by(&self, sentinels: Range<usize>) -> Option<usize> {
        let mut said = self.sentinels[sentinels].iter().map(|sentinel| {
            let command = format!("SENTINEL GET-MASTER-ADDR-BY-NAME {MASTER}");
            sentinel.cli().ask(&command).array()[1].text()
        });
        let first = said.next()?;
        if said.any(|port| port != first) {
            return None;
        }
        self.redis.iter().position(|redis| redis.port().to_string() == first)
    }

    /// Kills the master, as `kill -9`; which it was.
    pub fn kill_master(&mut self) -> usize {
        let master = eventually("the Sentinels agree", || self.master());
        self.kill(master);
        master
    }

    /// Kills one of the servers, which comes back as what it was.
    pub fn kill(&mut self, server: usize) {
        self.redis[server].remember_role();
        self.redis[server].kill();
    }

    /// Waits until another server than `old` is the master in everybody's eyes.
    pub fn fails_over_from(&self, old: usize) {
        within(FAILOVER, "a replica is promoted", || {
            let master = self.master().filter(|&master| master != old)?;
            let role = self.redis[master].try_ask("ROLE")?.array().remove(0);
            (role.text() == "master").then_some(())
        });
    }

    /// Has the Sentinels promote a replica of a master that is well.
    pub fn fail_over(&self) {
        let old = eventually("the Sentinels agree", || self.master());
        // What a Sentinel last saw as a master, before it became a replica, it makes a replica
        // again the moment it is promoted, and the failover comes to nothing.
        within(FAILOVER, "the Sentinels see the replicas as such", || {
            self.sentinels.iter().all(Sentinel::sees_replicas).then_some(())
        });
        let command = format!("SENTINEL FAILOVER {MASTER}");
        eventually("a Sentinel starts a failover", || {
            (self.sentinels[0].cli().ask(&command).to_string() == "OK").then_some(())
        });
        self.fails_over_from(old);
    }

    /// Waits until every server but the master follows it.
    pub fn follow(&self) {
        within(FAILOVER, "everybody follows the master", || {
            let master = self.master()?;
            let mut others = self.redis.iter().enumerate().filter(|(n, _)| *n != master);
            others.all(|(_, redis)| redis.follows(&self.redis[master])).then_some(())
        });
    }
}

// === impl Sentinel ===

impl Sentinel {
    /// At this port, or found where its relay is.
    fn start(port: u16, monitor: Vec<String>, down_after: Duration, relay: Option<Relay>) -> Self {
        let dir = TempDir::with_prefix("rollcall-sentinel-").expect("a temporary directory");
        let own = [
            format!("port {port}"),
            "bind 127.0.0.1".to_owned(),
            format!("unixsocket {}", dir.path().join("redis.sock").display()),
        ];
        let times = [
            format!("sentinel down-after-milliseconds {MASTER} {}", down_after.as_millis()),
            format!("sentinel failover-timeout {MASTER} 10000"),
            String::new(),
        ];
        let config = [&own[..], &monitor, &times].concat().join("\n");
        fs::write(dir.path().join(CONFIG), config).expect("the configuration is written");
        let port = relay.as_ref().map_or(port, Relay::port);
        let mut sentinel = Self { process: None, port, relay, dir };
        sentinel.run();
        sentinel
    }

    fn run(&mut self) {
        let dir = self.dir.path();
        let args = [CONFIG, "--sentinel"];
        self.process = Some(Process::start("sentinel", redis::program(), args, dir));
        eventually("a Sentinel answers", || {
            Resp::connect(&dir.join("redis.sock")).ok()?.try_call(&["PING"]).ok()
        });
        // After two seconds in which the machine stood still, Sentinels do nothing for this long:
        // 30 s otherwise.
        assert_eq!(self.cli().ask("SENTINEL DEBUG TILT-PERIOD 1000").to_string(), "OK");
    }

    /// Whether the replicas that it can ask have told it that this is what they are: it asks each
    /// ten seconds.
    fn sees_replicas(&self) -> bool {
        let replicas = self.cli().ask(&format!("SENTINEL REPLICAS {MASTER}")).array();
        replicas.into_iter().all(|replica| {
            let replica: Vec<String> = replica.array().iter().map(Reply::text).collect();
            let field = |name: &str| {
                let field = replica.chunks(2).find(|field| field[0] == name);
                &field.expect("a field that Sentinels give")[1]
            };
            let gone = ["s_down", "disconnected"].iter().any(|gone| field("flags").contains(gone));
            gone || field("role-reported") == "slave"
        })
    }

    fn cli(&self) -> Resp {
        Resp::connect(&self.dir.path().join("redis.sock")).expect("a Sentinel accepts connections")
    }
}
