//! After random traffic, every copy of the data is the same: on replicas, and after a restart.

use rollcall_tests::copies::{self, are_equal, held, held_by_entries, linked, same_offset};
use rollcall_tests::traffic::KEYS;
use rollcall_tests::{Random, Redis, Resp, Traffic, eventually};

const BOOKS: [&str; 2] = ["book:0", "book:1"];
const DATABASES: usize = 3;
const DEBUG: &str = "enable-debug-command yes";

/// Random commands on rosters and books.
struct Everything {
    rosters: Traffic,
    random: Random,
}

#[test]
fn replicas_and_their_replicas_are_equal_after_random_traffic() {
    let master = Redis::with(&[DEBUG]);
    let replica = master.replica();
    let second = master.replica();
    let third = replica.replica();
    let mut cli = master.cli();
    let mut traffic = Everything::new(11);
    for _ in 0..6 {
        traffic.run(&mut cli, 60);
        let keys = [&KEYS[..], &BOOKS].concat();
        are_equal(&master, &[&replica, &second, &third], DATABASES, &keys);
    }
}

#[test]
fn a_diskless_sync_copies_everything() {
    for load in ["swapdb", "on-empty-db"] {
        let master = Redis::with(&[DEBUG, "repl-diskless-sync yes"]);
        let replica = Redis::with(&[DEBUG, &format!("repl-diskless-load {load}")]);
        let mut cli = master.cli();
        // What the replica had before is gone, with what its leases held.
        Everything::new(21).run(&mut replica.cli(), 60);
        Everything::new(22).run(&mut cli, 60);
        settle(&mut cli);
        let join = format!("REPLICAOF 127.0.0.1 {}", master.port());
        assert_eq!(replica.cli().ask(&join).to_string(), "OK");
        for _ in 0..2 {
            linked(&replica);
            same_offset(&master, &replica);
            assert_eq!(digests(&mut replica.cli()), digests(&mut cli), "{load}");
            assert_eq!(held(&mut replica.cli()), held_by_entries(&mut cli), "{load}");
            // Again, over what came with the first time.
            cli.ask("DEBUG CHANGE-REPL-ID");
            replica.cli().ask("REPLICAOF NO ONE");
            replica.cli().ask(&join);
        }
    }
}

#[test]
fn a_restart_brings_back_everything() {
    for options in [
        ["save 3600 1", "appendonly no"],
        ["appendonly yes", "aof-use-rdb-preamble yes"],
        ["appendonly yes", "aof-use-rdb-preamble no"],
    ] {
        let mut redis = Redis::with(&[DEBUG, options[0], options[1]]);
        let mut cli = redis.cli();
        let mut traffic = Everything::new(31);
        traffic.run(&mut cli, 60);
        if options[0].starts_with("appendonly") {
            cli.ask("BGREWRITEAOF");
            // Commands go on while it is written.
            traffic.run(&mut cli, 30);
            eventually("the AOF is rewritten", || {
                let done = ["in_progress:0", "scheduled:0"].map(|is| format!("aof_rewrite_{is}"));
                let info = cli.ask("INFO persistence").text();
                done.iter().all(|line| info.contains(line)).then_some(())
            });
        }
        settle(&mut cli);
        let (values, leases) = (digests(&mut cli), held_by_entries(&mut cli));
        redis.restart();
        let mut cli = redis.cli();
        assert_eq!(digests(&mut cli), values, "{options:?}");
        assert_eq!(held_by_entries(&mut cli), leases, "{options:?}");
        let reloaded = cli.ask("DEBUG RELOAD").to_string();
        assert_eq!(reloaded, "OK", "{options:?}");
        assert_eq!(digests(&mut cli), values, "{options:?}, reloaded");
        assert_eq!(held_by_entries(&mut cli), leases, "{options:?}, reloaded");
    }
}

/// Waits until nothing changes by itself any more.
fn settle(cli: &mut Resp) {
    eventually("what is due has left", || {
        let due = !cli.ask("INFO rollcall").text().contains("rollcall_entries_due:0\r");
        let brief = (0..DATABASES).any(|db| {
            cli.ask(&format!("SELECT {db}"));
            KEYS.iter().any(|key| {
                let members = cli.ask(&format!("PRESENCE.GET {key}")).to_string();
                members.contains("[\"s")
            })
        });
        (!due && !brief).then_some(())
    });
}

fn digests(cli: &mut Resp) -> Vec<String> {
    copies::digests(cli, DATABASES, &[&KEYS[..], &BOOKS].concat())
}

// === impl Everything ===

impl Everything {
    fn new(seed: u64) -> Self {
        Self { rosters: Traffic::across(DATABASES, seed), random: Random::new(seed) }
    }

    fn run(&mut self, cli: &mut Resp, steps: usize) {
        for _ in 0..steps {
            self.rosters.step(cli);
            let command = self.on_book();
            let reply = cli.ask(&command);
            let fine = matches!(reply, rollcall_tests::Reply::Number(_))
                || reply.to_string().starts_with("!NOLEASE");
            assert!(fine, "{command}: {reply}");
        }
    }

    fn on_book(&mut self) -> String {
        let book = self.random.pick(&BOOKS);
        let users: Vec<String> =
            (0..=self.random.below(4)).map(|_| format!("u{}", self.random.below(20))).collect();
        let users = users.join(" ");
        let node = self.random.pick(&["n0", "n1", "n2"]);
        let seconds = self.random.pick(&["60", "600", "86400"]);
        match self.random.below(8) {
            0..3 => format!("USERSTATUS.ONLINE {book} LEASE {node} EX {seconds} {users}"),
            3..5 => format!("USERSTATUS.OFFLINE {book} LEASE {node} EX {seconds} {users}"),
            5..7 => format!("USERSTATUS.TOUCH {book} EX {seconds} {users}"),
            _ => format!("USERSTATUS.DEL {book} {users}"),
        }
    }
}
