//! Whether the copies of the data are the same.

use std::thread;
use std::time::Duration;

use crate::redis::Redis;
use crate::resp::{Reply, Resp};
use crate::stopwatch::Stopwatch;
use crate::wait::eventually;

/// A master and its replicas.
#[derive(Debug)]
pub struct Group<'a> {
    /// The master.
    pub master: &'a Redis,
    /// Everybody who follows it.
    pub replicas: Vec<&'a Redis>,
}

// === impl Group ===

impl Group<'_> {
    /// Waits until each replica has what its master has, which hardly changes meanwhile.
    pub fn becomes_equal(&self, limit: Duration) {
        let start = Stopwatch::start();
        for replica in &self.replicas {
            loop {
                let [there, here] = [*replica, self.master].map(contents);
                if there == here {
                    break;
                }
                let port = replica.port();
                assert!(start.elapsed() < limit, "on {port} is {there:#?} instead of {here:#?}");
                thread::sleep(Duration::from_millis(20));
            }
        }
    }
}

/// Digests of keys' values in so many databases. The connection is in the first one then.
pub fn digests(cli: &mut Resp, databases: usize, keys: &[&str]) -> Vec<String> {
    let keys = keys.join(" ");
    let digests = (0..databases).rev().map(|db| {
        assert_eq!(cli.ask(&format!("SELECT {db}")).to_string(), "OK");
        cli.ask(&format!("DEBUG DIGEST-VALUE {keys}")).to_string()
    });
    digests.collect()
}

/// What each lease holds, without the time it has left.
pub fn held(cli: &mut Resp) -> Vec<String> {
    let leases = cli.ask("PRESENCE.LEASE LIST").array().into_iter();
    leases
        .map(|lease| {
            let lease = lease.array();
            format!("{} {} {} {}", lease[0], lease[1], lease[3], lease[4])
        })
        .collect()
}

/// The same, without leases that hold nothing: data does not name those.
pub fn held_by_entries(cli: &mut Resp) -> Vec<String> {
    held(cli).into_iter().filter(|lease| !lease.ends_with(" 0 0")).collect()
}

/// Waits until the replica follows.
pub fn linked(replica: &Redis) {
    eventually("the replica is connected", || {
        (replica.info("master_link_status") == "up").then_some(())
    });
}

/// Waits until the replica, or the replica of a replica, has what the master said.
pub fn same_offset(master: &Redis, replica: &Redis) {
    eventually("the replica has everything", || {
        let offset = || master.info("master_repl_offset");
        (replica.info("slave_repl_offset") == offset()).then_some(())
    });
}

/// Asserts that the copies are the same as their master, which stands still meanwhile: whatever
/// comes due, comes after the comparison.
pub fn are_equal(master: &Redis, copies: &[&Redis], databases: usize, keys: &[&str]) {
    let mut cli = master.cli();
    assert_eq!(cli.ask("CLIENT PAUSE 60000 WRITE").to_string(), "OK");
    let expected = digests(&mut cli, databases, keys);
    for (number, copy) in copies.iter().enumerate() {
        same_offset(master, copy);
        let mut copy = copy.cli();
        assert_eq!(digests(&mut copy, databases, keys), expected, "copy {number}");
        assert_eq!(held(&mut copy), held(&mut cli), "PRESENCE.LEASE LIST of copy {number}");
    }
    assert_eq!(cli.ask("CLIENT UNPAUSE").to_string(), "OK");
}

/// The names and the digests of all keys of servers, and what the leases hold.
fn contents(redis: &Redis) -> [Vec<String>; 3] {
    let mut cli = redis.cli();
    let keys = cli.ask("KEYS rollcall:*").array();
    let mut keys: Vec<String> = keys.iter().map(Reply::text).collect();
    keys.sort_unstable();
    let names: Vec<&str> = keys.iter().map(String::as_str).collect();
    let digests = digests(&mut cli, 1, &names);
    let mut held = held_by_entries(&mut cli);
    held.sort_unstable();
    [keys, digests, held]
}
