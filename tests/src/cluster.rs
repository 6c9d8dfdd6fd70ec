//! A Redis Cluster on loopback.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::config;
use crate::port;
use crate::redis::Redis;
use crate::resp::{Reply, Resp};
use crate::stopwatch::Stopwatch;
use crate::wait::{eventually, within};

/// Where the slots of each node begin, and the end.
const BOUNDS: [u16; 4] = [0, 5_461, 10_923, 16_384];

/// How nodes of most tests are: patient, so that nothing fails over by itself.
const PATIENT: &[&str] = &["cluster-node-timeout 5000"];

/// How nodes are that are to be killed: others notice soon, and serve their own slots meanwhile.
pub const BRITTLE: &[&str] = &["cluster-node-timeout 2500", "cluster-require-full-coverage no"];

/// How long nodes may take to get to know each other, before they are introduced again.
const HANDSHAKE: Duration = Duration::from_secs(2);

/// Until others have taken over, or slots have moved.
const CHANGE: Duration = Duration::from_secs(60);

/// Three masters with all slots.
#[derive(Debug)]
pub struct Cluster {
    nodes: Vec<Redis>,
    options: &'static [&'static str],
    /// Starts a server with options.
    server: fn(&[&str]) -> Redis,
    /// Where each hears of others.
    bus: Vec<u16>,
}

// === impl Cluster ===

impl Cluster {
    /// Starts three masters that know each other and have agreed on who has what.
    pub fn start() -> Self {
        Self::with(PATIENT)
    }

    /// As [`Self::start`], with these options for every node.
    pub fn with(options: &'static [&'static str]) -> Self {
        Self::of(Redis::with, options)
    }

    /// The same, each behind a relay, as [`Redis::relayed`] says.
    pub fn relayed(options: &'static [&'static str]) -> Self {
        Self::of(Redis::relayed, options)
    }

    fn of(server: fn(&[&str]) -> Redis, options: &'static [&'static str]) -> Self {
        let bus: Vec<u16> = (0..3).map(|_| port::free()).collect();
        let nodes = bus.iter().map(|&bus| node(server, bus, options)).collect();
        let cluster = Self { nodes, options, server, bus };
        for (n, node) in cluster.nodes.iter().enumerate() {
            let (first, last) = (BOUNDS[n], BOUNDS[n + 1] - 1);
            let mut cli = node.cli();
            ok(cli.ask(&format!("CLUSTER SET-CONFIG-EPOCH {}", n + 1)));
            ok(cli.ask(&format!("CLUSTER ADDSLOTSRANGE {first} {last}")));
            cluster.introduce(&mut cli, n);
        }
        cluster.agreed();
        cluster
    }

    /// A replica of one of the masters that has caught up once.
    #[must_use]
    pub fn replica(&self, master: usize) -> Redis {
        let replica = self.stranger();
        let mut cli = replica.cli();
        self.introduce(&mut cli, self.nodes.len());
        let id = self.id(master);
        eventually("the replica finds its master", || {
            (cli.ask(&format!("CLUSTER REPLICATE {id}")).to_string() == "OK").then_some(())
        });
        eventually("the replica is connected", || {
            let up = replica.info("master_link_status") == "up";
            let state = cli.ask("CLUSTER INFO").text();
            (up && state.contains("cluster_state:ok")).then_some(())
        });
        let own = cli.ask("CLUSTER MYID").text();
        let mut introduced = Instant::now();
        within(CHANGE, "everybody knows whose replica it is", || {
            // A handshake that takes longer than a node's patience is forgotten.
            if introduced.elapsed() > HANDSHAKE {
                self.introduce(&mut cli, self.nodes.len());
                introduced = Instant::now();
            }
            // Who has no link to it yet cannot answer when it asks for votes.
            let knows = |node: &Redis| {
                let replicas = node.cli().ask(&format!("CLUSTER REPLICAS {id}")).array();
                let mut lines = replicas.iter().map(Reply::text);
                lines.any(|line| line.starts_with(&own) && line.trim_end().ends_with(" connected"))
            };
            self.nodes.iter().all(knows).then_some(())
        });
        replica
    }

    /// As [`Self::replica`], for a replica that lives as long as the cluster: one more node.
    pub fn keep_replica(&mut self, master: usize) {
        let replica = self.replica(master);
        self.nodes.push(replica);
    }

    /// Which of the nodes are masters now and have slots.
    pub fn masters(&self) -> Vec<usize> {
        (0..self.nodes.len()).filter(|&node| is_master(&self.nodes[node])).collect()
    }

    /// The same without asking one, which stands still.
    pub fn masters_but(&self, still: usize) -> Vec<usize> {
        let others = (0..self.nodes.len()).filter(|&node| node != still);
        others.filter(|&node| is_master(&self.nodes[node])).collect()
    }

    /// Has a replica of this master take over.
    pub fn fail_over(&self, master: usize) {
        let id = self.id(master);
        let replicas = self.nodes.iter().filter(|node| {
            let own = node.cli().ask("CLUSTER NODES").text();
            own.lines().any(|line| line.contains("myself,slave") && line.contains(&id))
        });
        for replica in replicas {
            within(CHANGE, "a replica takes over", || {
                // It answers before it has done so, and refuses while its master is away.
                replica.try_ask("CLUSTER FAILOVER")?;
                is_master(replica).then_some(())
            });
        }
    }

    /// Waits until every slot is served and everybody who has none follows somebody who has.
    pub fn is_whole(&self) {
        self.serves_all_slots(self.nodes.iter());
        within(CHANGE, "every node is a master or follows one", || {
            let well = |node: &Redis| {
                let up = || Some(node.try_ask("INFO replication")?.text());
                is_master(node) || up().is_some_and(|info| info.contains("master_link_status:up"))
            };
            self.nodes.iter().all(well).then_some(())
        });
    }

    /// A node of the same options that knows nobody.
    pub fn stranger(&self) -> Redis {
        node(self.server, port::free(), self.options)
    }

    /// Kills a node, as `kill -9`.
    pub fn kill(&mut self, node: usize) {
        self.nodes[node].kill();
    }

    /// Starts a node again that was killed; it remembers the others.
    pub fn run(&mut self, node: usize) {
        self.nodes[node].run();
    }

    /// Waits until every slot is served, in the eyes of all that are asked.
    pub fn serves_all_slots<'a>(&self, nodes: impl Iterator<Item = &'a Redis> + Clone) {
        within(CHANGE, "the cluster serves all slots", || {
            let serves = |node: &Redis| {
                node.try_ask("CLUSTER INFO").is_some_and(|state| {
                    let state = state.text();
                    state.contains("cluster_state:ok") && state.contains("slots_ok:16384")
                })
            };
            nodes.clone().all(serves).then_some(())
        });
    }

    /// Moves so many slots from one node to another, while they are in use.
    pub fn reshard(&self, from: &Redis, to: &Redis, slots: usize) {
        let id = |node: &Redis| node.cli().ask("CLUSTER MYID").text();
        let (from, to, slots) = (id(from), id(to), slots.to_string());
        let options = ["--cluster-from", &from, "--cluster-to", &to, "--cluster-slots", &slots];
        let entrance = self.entrance();
        let args = [&["reshard", &entrance], &options[..], &["--cluster-yes"]].concat();
        manage(&args, &entrance);
    }

    /// Moves every slot from one node to another.
    pub fn empty(&self, from: &Redis, to: &Redis) {
        within(2 * CHANGE, "all slots have moved", || {
            let slots = slots(from);
            if slots > 0 {
                self.reshard(from, to, slots);
            }
            (slots == 0).then_some(())
        });
    }

    /// Takes in a node that knows nobody, without slots.
    pub fn add(&self, node: &Redis) {
        self.introduce(&mut node.cli(), self.nodes.len());
        within(CHANGE, "the node is known to everybody", || {
            let id = node.cli().ask("CLUSTER MYID").text();
            let knows = |other: &Redis| other.cli().ask("CLUSTER NODES").text().contains(&id);
            self.nodes.iter().all(knows).then_some(())
        });
    }

    /// Lets go of a node without slots, which forgets the others.
    pub fn remove(&self, node: &Redis) {
        let id = node.cli().ask("CLUSTER MYID").text();
        let entrance = self.entrance();
        manage(&["del-node", &entrance, &id], &entrance);
    }

    /// The configuration of a server that knows of all nodes.
    pub fn config(&self) -> Value {
        let ports: Vec<String> =
            self.nodes[1..].iter().map(|node| format!("addr=127.0.0.1:{}", node.port())).collect();
        let address = format!("redis+cluster://{}?{}", self.entrance(), ports.join("&"));
        let redis = json!({"address": [address], "io_timeout": "2s"});
        config::with(json!({"engine": {"type": "redis", "redis": redis}}))
    }

    fn entrance(&self) -> String {
        format!("127.0.0.1:{}", self.nodes[0].port())
    }

    /// To each of the first `count` masters: hearsay alone may take long on a busy machine.
    fn introduce(&self, cli: &mut Resp, count: usize) {
        for (node, bus) in self.nodes.iter().zip(&self.bus).take(count) {
            let port = node.port();
            ok(cli.ask(&format!("CLUSTER MEET 127.0.0.1 {port} {bus}")));
        }
    }

    /// The masters.
    pub fn nodes(&self) -> &[Redis] {
        &self.nodes
    }

    /// One of them, to stop and start.
    pub fn node_mut(&mut self, node: usize) -> &mut Redis {
        &mut self.nodes[node]
    }

    /// Which node has the slot of a key, by the bounds above.
    pub fn home(&self, cli: &mut Resp, key: &str) -> usize {
        let slot = cli.ask(&format!("CLUSTER KEYSLOT {key}")).number();
        BOUNDS[1..].iter().position(|&end| slot < i64::from(end)).expect("a slot")
    }

    /// The id of a node.
    pub fn id(&self, node: usize) -> String {
        self.nodes[node].cli().ask("CLUSTER MYID").text()
    }

    fn agreed(&self) {
        within(CHANGE, "the nodes form a cluster", || {
            let views: Vec<String> =
                self.nodes.iter().map(|node| node.cli().ask("CLUSTER INFO").text()).collect();
            let known = ["cluster_state:ok", "cluster_known_nodes:3", "cluster_size:3"];
            let whole = |view: &String| known.iter().all(|line| view.contains(line));
            views.iter().all(whole).then_some(())
        });
    }
}

/// A node that knows nobody, with this port for its talk with others.
fn node(server: fn(&[&str]) -> Redis, bus: u16, options: &[&str]) -> Redis {
    let bus = format!("cluster-port {bus}");
    let debug = "enable-debug-command yes";
    server(&[&["cluster-enabled yes", debug, &bus], options].concat())
}

/// Runs `redis-cli --cluster`. It refuses while nodes do not agree yet on the change before, and
/// leaves slots open when a slow machine interrupts it: `fix` is what operators do then.
fn manage(args: &[&str], entrance: &str) {
    let run = |args: &[&str]| {
        let output = Command::new("redis-cli").arg("--cluster").args(args).output();
        output.expect("there is a redis-cli")
    };
    let start = Stopwatch::start();
    loop {
        let done = run(args);
        if done.status.success() {
            return;
        }
        let said = String::from_utf8_lossy(&done.stdout);
        assert!(start.elapsed() < CHANGE, "redis-cli --cluster {args:?}:\n{said}");
        run(&["fix", entrance]);
    }
}

/// Whether a node says that it is a master, with slots.
pub fn is_master(node: &Redis) -> bool {
    let nodes = node.try_ask("CLUSTER NODES").map(|reply| reply.text()).unwrap_or_default();
    nodes.lines().any(|line| line.contains("myself,master") && line.split(' ').count() > 8)
}

/// How many slots a node says it has.
fn slots(node: &Redis) -> usize {
    let nodes = node.cli().ask("CLUSTER NODES").text();
    let own = nodes.lines().find(|line| line.contains("myself")).expect("a node knows itself");
    let count = |range: &str| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        Some(last.parse::<usize>().ok()? + 1 - first.parse::<usize>().ok()?)
    };
    own.split_whitespace().skip(8).filter_map(count).sum()
}

fn ok(reply: Reply) {
    assert_eq!(reply.to_string(), "OK");
}
