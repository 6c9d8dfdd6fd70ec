//! A master is replaced, or dies with its replica: whoever is there stays in every picture, and who
//! leaves or comes meanwhile is shown so once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rollcall_tests::chaos::between;
use rollcall_tests::cluster::{BRITTLE, Cluster};
use rollcall_tests::process::{self, Signal};
use rollcall_tests::sentinel::Sentinels;
use rollcall_tests::{Audience, Ending, Random, crowd, within};

/// How soon somebody who left while Redis lost data is shown leaving: 5 s, and what a busy machine
/// takes.
const SHOWN: Duration = Duration::from_secs(8);

/// Until a replica has taken over.
const REPLACED: Duration = Duration::from_secs(60);

/// Names of channels in the slots of the first node.
fn channels(cluster: &Cluster, count: usize) -> Vec<String> {
    let mut cli = cluster.nodes()[0].cli();
    let names = (0..).map(|n| format!("room{n}"));
    let here = |name: &String| cluster.home(&mut cli, &format!("rollcall:p:{name}")) == 0;
    names.filter(here).take(count).collect()
}

/// The old master runs what waited in its sockets, and its events travel by the cluster's bus to
/// those who listen at the new one.
#[test]
fn a_stopped_master_that_wakes_after_its_replacement_shows_nobody_leaving() {
    let mut cluster = Cluster::with(BRITTLE);
    cluster.keep_replica(0);
    let channels = channels(&cluster, 6);
    let mut audience = Audience::start(vec![cluster.config(); 2], channels, 8);
    let old = cluster.nodes()[0].id();
    process::signal(old, Signal::STOP);
    // What they say waits there.
    let left: Vec<(usize, usize, String)> = (0..2)
        .flat_map(|server| (0..4).map(move |member| (server, member)))
        .map(|(server, member)| (server, member, audience.leaves(server, member)))
        .collect();
    within(REPLACED, "the replica takes over", || {
        cluster.masters_but(0).contains(&3).then_some(())
    });
    for (server, member, channel) in &left {
        audience.comes(*server, *member, channel);
    }
    audience.newcomers_come(0, Duration::from_millis(50), Duration::from_secs(1));
    audience.newcomers_come(1, Duration::from_millis(50), Duration::from_secs(1));
    audience.agrees_for_good();
    process::signal(old, Signal::CONT);
    audience.newcomers_come(0, Duration::from_millis(100), Duration::from_secs(3));
    audience.newcomers_come(1, Duration::from_millis(100), Duration::from_secs(3));
    cluster.is_whole();
    audience.agrees_for_good();
}

/// Nothing is left but what the servers know.
#[test]
fn who_leaves_while_a_master_and_its_replica_are_dead_is_shown_leaving_soon() {
    let mut cluster = Cluster::with(BRITTLE);
    cluster.keep_replica(0);
    let channels = channels(&cluster, 6);
    let mut audience = Audience::start(vec![cluster.config(); 2], channels, 8);
    let mut random = Random::new(1);
    for _ in 0..6 {
        let [master, replica] = if cluster.masters().contains(&0) { [0, 3] } else { [3, 0] };
        let order = [[master, replica], [replica, master]][random.below(2)];
        cluster.kill(master);
        cluster.kill(replica);
        let both = (0..2).flat_map(|server| (0..3).map(move |member| (server, member)));
        let left: Vec<_> = both.map(|(s, m)| (s, m, audience.leaves(s, m))).collect();
        for node in order {
            thread::sleep(between(&mut random, 0, 400));
            cluster.run(node);
        }
        cluster.is_whole();
        audience.agrees_within(SHOWN);
        audience.agrees_for_good();
        for (server, member, channel) in left {
            audience.comes(server, member, &channel);
        }
        audience.agrees_for_good();
    }
}

/// Each leaves and comes back once in the switch, at some moment of it. What the old master is told
/// last is lost with it: a server that follows the new one already may show neither.
#[test]
fn clients_that_leave_and_come_back_while_a_master_is_replaced_are_in_every_picture() {
    const MEMBERS: usize = 120;
    let group = Sentinels::start(1);
    let mut audience = Audience::start(vec![group.config(); 2], crowd::channels(10), MEMBERS);
    for _ in 0..3 {
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                let _ending = Ending(&over);
                group.fail_over();
                group.follow();
            });
            for member in (0..MEMBERS).cycle() {
                let round = Instant::now();
                let channel = audience.leaves_perhaps_unseen(1, member);
                audience.comes(1, member, &channel);
                if over.load(Ordering::Relaxed) {
                    break;
                }
                thread::sleep(Duration::from_millis(15).saturating_sub(round.elapsed()));
            }
        });
        audience.newcomers_come(0, Duration::from_millis(200), Duration::from_secs(5));
        audience.agrees_for_good();
    }
}
