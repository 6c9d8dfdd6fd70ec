//! Whether the copies of the data are the same.

use crate::redis::Redis;
use crate::resp::Resp;
use crate::wait::eventually;

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
