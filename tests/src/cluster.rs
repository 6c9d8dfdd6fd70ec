//! A Redis Cluster on loopback.

use crate::port;
use crate::redis::Redis;
use crate::resp::{Reply, Resp};
use crate::wait::eventually;

/// Where the slots of each node begin, and the end.
const BOUNDS: [u16; 4] = [0, 5_461, 10_923, 16_384];

/// Three masters with all slots.
#[derive(Debug)]
pub struct Cluster {
    nodes: Vec<Redis>,
    /// Where each hears of others.
    bus: Vec<u16>,
}

// === impl Cluster ===

impl Cluster {
    /// Starts three masters that know each other and have agreed on who has what.
    pub fn start() -> Self {
        let bus: Vec<u16> = (0..3).map(|_| port::free()).collect();
        let cluster = Self { nodes: bus.iter().map(|&bus| node(bus)).collect(), bus };
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
        let replica = node(port::free());
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
        eventually("everybody knows whose replica it is", || {
            let knows = |node: &Redis| {
                let replicas = node.cli().ask(&format!("CLUSTER REPLICAS {id}")).to_string();
                replicas.contains(&own)
            };
            self.nodes.iter().all(knows).then_some(())
        });
        replica
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
        eventually("the nodes form a cluster", || {
            let views: Vec<String> =
                self.nodes.iter().map(|node| node.cli().ask("CLUSTER INFO").text()).collect();
            let known = ["cluster_state:ok", "cluster_known_nodes:3", "cluster_size:3"];
            let whole = |view: &String| known.iter().all(|line| view.contains(line));
            views.iter().all(whole).then_some(())
        });
    }
}

/// A node that knows nobody, with this port for its talk with others.
fn node(bus: u16) -> Redis {
    let bus = format!("cluster-port {bus}");
    let debug = "enable-debug-command yes";
    Redis::with(&["cluster-enabled yes", "cluster-node-timeout 5000", debug, &bus])
}

fn ok(reply: Reply) {
    assert_eq!(reply.to_string(), "OK");
}
