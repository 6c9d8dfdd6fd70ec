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
}

// === impl Cluster ===

impl Cluster {
    /// Starts three masters that know each other and have agreed on who has what.
    pub fn start() -> Self {
        let bus: Vec<u16> = (0..3).map(|_| port::free()).collect();
        let start = |bus: &u16| {
            let bus = format!("cluster-port {bus}");
            Redis::with(&["cluster-enabled yes", "cluster-node-timeout 5000", &bus])
        };
        let cluster = Self { nodes: bus.iter().map(start).collect() };
        for (n, node) in cluster.nodes.iter().enumerate() {
            let (first, last) = (BOUNDS[n], BOUNDS[n + 1] - 1);
            let mut cli = node.cli();
            ok(cli.ask(&format!("CLUSTER SET-CONFIG-EPOCH {}", n + 1)));
            ok(cli.ask(&format!("CLUSTER ADDSLOTSRANGE {first} {last}")));
            ok(cli.ask(&format!("CLUSTER MEET 127.0.0.1 {} {}", cluster.nodes[0].port(), bus[0])));
        }
        cluster.agreed();
        cluster
    }

    /// The masters.
    pub fn nodes(&self) -> &[Redis] {
        &self.nodes
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

fn ok(reply: Reply) {
    assert_eq!(reply.to_string(), "OK");
}
