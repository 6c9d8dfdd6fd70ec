//! Commands on keys and databases, and what becomes of the rosters.

use std::collections::BTreeSet;

use super::{KEYS, NODES, Place, Roster, Step, Traffic, brief};
use crate::resp::{Reply, Resp};
use crate::wait::eventually;

/// Overwrites a key and removes what it was overwritten with; whether there was one.
const OVERWRITE: &str = "local e=redis.call('EXISTS',KEYS[1]) redis.call('SET',KEYS[1],1) \
    redis.call('DEL',KEYS[1]) return e";

impl Traffic {
    pub(super) fn keys(&mut self, cli: &mut Resp) -> Step {
        let mut step = Step::default();
        match self.random.below(if self.databases > 1 { 13 } else { 9 }) {
            0..7 => self.one_key(cli, &mut step),
            7 => self.dump(cli),
            8 => self.restore(cli, &mut step),
            9 => self.moved(cli, &mut step),
            10 => self.copy_across(cli, &mut step),
            11 => self.swap(cli, &mut step),
            _ => self.flush(cli, &mut step),
        }
        step
    }

    fn one_key(&mut self, cli: &mut Resp, step: &mut Step) {
        let (key, other) = (self.random.pick(&KEYS), self.random.pick(&KEYS));
        match self.random.below(7) {
            0 => self.gone(key, &cli.call(&["DEL", key]), step),
            1 => self.gone(key, &cli.call(&["UNLINK", key]), step),
            2 => self.gone(key, &cli.call(&["EVAL", OVERWRITE, "1", key]), step),
            // A roster that empties before it expires as a key says nothing.
            3 if self.stays(key) => {
                let reply = cli.call(&["PEXPIRE", key, "1"]);
                let what = "the key expires";
                eventually(what, || (cli.call(&["EXISTS", key]).number() == 0).then_some(()));
                self.gone(key, &reply, step);
            }
            4 if key != other => {
                let renamed = cli.call(&["RENAME", key, other]).to_string() == "OK";
                let to = self.here(other);
                self.copied(renamed, key, to, step);
                if renamed {
                    self.gone(key, &Reply::Number(1), step);
                }
            }
            5 if key != other => {
                let copied = cli.call(&["COPY", key, other, "REPLACE"]).number() == 1;
                let to = self.here(other);
                self.copied(copied, key, to, step);
            }
            6 if self.random.percent(50) => self.flush(cli, step),
            _ => {}
        }
    }

    // --- databases ---

    fn another(&mut self) -> usize {
        (self.db + 1 + self.random.below(self.databases - 1)) % self.databases
    }

    fn moved(&mut self, cli: &mut Resp, step: &mut Step) {
        let (key, db) = (self.random.pick(&KEYS), self.another());
        let moved = cli.call(&["MOVE", key, &db.to_string()]).number() == 1;
        self.copied(moved, key, (db, key.to_owned()), step);
        if moved {
            self.gone(key, &Reply::Number(1), step);
        }
    }

    fn copy_across(&mut self, cli: &mut Resp, step: &mut Step) {
        let (key, other, db) = (self.random.pick(&KEYS), self.random.pick(&KEYS), self.another());
        let command = ["COPY", key, other, "DB", &db.to_string(), "REPLACE"];
        let copied = cli.call(&command).number() == 1;
        self.copied(copied, key, (db, other.to_owned()), step);
    }

    fn swap(&mut self, cli: &mut Resp, step: &mut Step) {
        let (a, b) = (self.db, self.another());
        assert_eq!(cli.ask(&format!("SWAPDB {a} {b}")).to_string(), "OK");
        for key in KEYS {
            let [one, other] = [a, b].map(|db| (db, key.to_owned()));
            let old = self.rosters.insert(one.clone(), self.rosters[&other].clone());
            self.rosters.insert(other, old.expect("a known roster"));
        }
        step.lost.extend([a, b]);
    }

    fn flush(&mut self, cli: &mut Resp, step: &mut Step) {
        let one = self.databases > 1 && self.random.percent(70);
        let command = if one { "FLUSHDB" } else { "FLUSHALL" };
        assert_eq!(cli.ask(command).to_string(), "OK");
        let flushed = if one { self.db..self.db + 1 } else { 0..self.databases };
        for ((db, _), roster) in &mut self.rosters {
            if flushed.contains(db) {
                roster.clear();
            }
        }
        step.lost.extend(flushed);
    }

    // --- the model ---

    fn stays(&self, key: &str) -> bool {
        self.rosters[&self.here(key)].iter().any(|(client, entry)| !brief(client) && !entry.due)
    }

    fn gone(&mut self, key: &str, reply: &Reply, step: &mut Step) {
        let place = self.here(key);
        self.rosters.insert(place.clone(), Roster::new());
        if reply.number() == 1 {
            step.reset.insert(place);
        }
    }

    fn copied(&mut self, done: bool, key: &str, to: Place, step: &mut Step) {
        if done {
            self.rosters.insert(to.clone(), self.rosters[&self.here(key)].clone());
            step.reset.insert(to);
        }
    }

    fn dump(&mut self, cli: &mut Resp) {
        let key = self.random.pick(&KEYS);
        if let Reply::Bulk(dump) = cli.call(&["DUMP", key]) {
            self.dump = Some((dump, self.rosters[&self.here(key)].clone()));
        }
    }

    fn restore(&mut self, cli: &mut Resp, step: &mut Step) {
        let key = self.random.pick(&KEYS);
        let Some((dump, roster)) = self.dump.clone() else { return };
        let command: [&[u8]; 5] = [b"RESTORE", key.as_bytes(), b"0", &dump, b"REPLACE"];
        assert_eq!(cli.call(&command).to_string(), "OK");
        // Leases that are not alive are created.
        let named: BTreeSet<_> = roster
            .values()
            .filter(|entry| !entry.due)
            .filter_map(|entry| entry.node.clone())
            .collect();
        self.alive.extend(NODES.iter().filter(|&&node| named.contains(node)));
        let place = self.here(key);
        self.rosters.insert(place.clone(), roster);
        step.reset.insert(place);
    }
}
