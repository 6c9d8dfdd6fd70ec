//! Random commands against a few rosters, and what must be in them.
//!
//! Clients `c…` stay until something is said about them, so that their presence is known exactly.
//! Clients `s…` have short deadlines and never change their user: whether they are still there
//! only the server knows, what they were announced as the model knows too.

mod keys;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::mirror::Members;
use crate::random::Random;
use crate::resp::{Reply, Resp};

/// The rosters, in one slot.
pub const KEYS: [&str; 3] = ["{t}room", "{t}hall", "{t}lobby"];
const NODES: [&str; 3] = ["n0", "n1", "n2"];
const INFOS: [&str; 4] = ["{\"a\":1}", "[1,\"x\"]", "no json", "7"];
/// Reads a roster and its counts at one moment.
const READ: &str = "return {redis.call('PRESENCE.GET',KEYS[1],'JSON','WITHSEQ'),\
    redis.call('PRESENCE.STATS',KEYS[1])}";
const CALL: &str = "return redis.call(unpack(ARGV))";
#[derive(Debug, Clone)]
struct Entry {
    user: String,
    announced: bool,
    node: Option<String>,
    /// Its lease ended, it may not have left yet.
    due: bool,
}

type Roster = BTreeMap<String, Entry>;

/// A database and a key in it.
pub type Place = (usize, String);

/// A read of a roster.
#[derive(Debug)]
pub struct Read {
    /// Of which.
    pub place: Place,
    /// Its sequence.
    pub seq: u64,
    /// Those of its members that are announced.
    pub announced: Members,
}

/// What a step did.
#[derive(Debug, Default)]
pub struct Step {
    /// Reads among its commands, in order.
    pub reads: Vec<Read>,
    /// Rosters that changed otherwise than by joins and leaves.
    pub reset: BTreeSet<Place>,
    /// Databases that were flushed or swapped: nobody is told.
    pub lost: BTreeSet<usize>,
}

/// The commands and the model.
#[derive(Debug)]
pub struct Traffic {
    random: Random,
    rosters: BTreeMap<Place, Roster>,
    /// How many databases there are, and which one is selected.
    databases: usize,
    db: usize,
    alive: BTreeSet<&'static str>,
    dump: Option<(Vec<u8>, Roster)>,
}

// === impl Traffic ===

impl Traffic {
    /// Nobody is anywhere.
    pub fn new(seed: u64) -> Self {
        Self::across(1, seed)
    }

    /// The same in several databases.
    pub fn across(databases: usize, seed: u64) -> Self {
        let places = (0..databases).flat_map(|db| KEYS.map(|key| (db, key.to_owned())));
        let rosters = places.map(|place| (place, Roster::new())).collect();
        let (random, alive) = (Random::new(seed), BTreeSet::new());
        Self { random, rosters, databases, db: 0, alive, dump: None }
    }

    /// Every roster there may be.
    pub fn places(&self) -> Vec<Place> {
        self.rosters.keys().cloned().collect()
    }

    /// One step: some commands on entries at once, or one on keys.
    pub fn step(&mut self, cli: &mut Resp) -> Step {
        if self.databases > 1 {
            let db = self.random.below(self.databases);
            self.select(cli, db);
        }
        if self.random.percent(85) { self.entries(cli) } else { self.keys(cli) }
    }

    fn select(&mut self, cli: &mut Resp, db: usize) {
        if db != self.db {
            assert_eq!(cli.ask(&format!("SELECT {db}")).to_string(), "OK");
            self.db = db;
        }
    }

    fn here(&self, key: &str) -> Place {
        (self.db, key.to_owned())
    }

    /// Reads a roster and checks everything about it that is known. `settled` when no entry of an
    /// ended lease is left.
    pub fn read(&mut self, cli: &mut Resp, place: &Place, settled: bool) -> Read {
        self.select(cli, place.0);
        let reply = cli.call(&["EVAL", READ, "1", &place.1]);
        self.check(&place.1, reply, settled)
    }

    // --- entries ---

    fn entries(&mut self, cli: &mut Resp) -> Step {
        let mut commands = Vec::new();
        for _ in 0..=self.random.below(8) {
            self.push_entry_command(&mut commands);
        }
        let replies = match self.random.below(4) {
            0 => transaction(cli, &commands),
            1 => commands.iter().map(|command| cli.call(&by_script(command))).collect(),
            _ => pipeline(cli, &commands),
        };
        let mut step = Step::default();
        for (command, reply) in commands.iter().zip(replies) {
            step.reads.extend(self.took(command, reply));
        }
        step
    }

    fn push_entry_command(&mut self, commands: &mut Vec<Vec<String>>) {
        let key = self.random.pick(&KEYS);
        match self.random.below(20) {
            0..8 => self.push_add(key, commands),
            8..11 => {
                let ms = 1 + self.random.below(60);
                let n = self.random.below(crowd(key, 4));
                let words = format!("PRESENCE.ADD {key} s{n} u{n} PX {ms}");
                commands.push(self.with_options(&words));
            }
            11..15 => {
                let some = (0..=self.random.below(3)).map(|_| self.client(key)).collect::<Vec<_>>();
                commands.push(words(&format!("PRESENCE.REM {key} {}", some.join(" "))));
            }
            15 => {
                let node = self.random.pick(&NODES);
                self.alive.remove(node);
                commands.push(words(&format!("PRESENCE.LEASE DROP {node}")));
            }
            _ => commands.push(["EVAL", READ, "1", key].map(str::to_owned).to_vec()),
        }
    }

    fn push_add(&mut self, key: &str, commands: &mut Vec<Vec<String>>) {
        let holder = if self.random.percent(50) {
            let node = self.random.pick(&NODES);
            if self.alive.insert(node) || self.random.percent(10) {
                commands.push(words(&format!("PRESENCE.LEASE KEEP {node} PX 600000")));
            }
            format!("LEASE {node}")
        } else {
            "EX 600".to_owned()
        };
        let client = self.random.below(crowd(key, 10));
        // Most clients keep their user.
        let user = if self.random.percent(85) { client % 4 } else { self.random.below(4) };
        let words = format!("PRESENCE.ADD {key} c{client} u{user} {holder}");
        commands.push(self.with_options(&words));
    }

    fn with_options(&mut self, text: &str) -> Vec<String> {
        let mut command = words(text);
        for name in ["CONNINFO", "CHANINFO"] {
            if self.random.percent(30) {
                command.extend([name.to_owned(), self.random.pick(&INFOS).to_owned()]);
            }
        }
        if self.random.percent(60) {
            command.push("NOTIFY".to_owned());
            let stay = self.random.pick(&["", "", "", "BACK", "ANEW"]);
            command.extend((!stay.is_empty()).then(|| stay.to_owned()));
        }
        command
    }

    fn client(&mut self, key: &str) -> String {
        let kind = if self.random.percent(80) { 'c' } else { 's' };
        format!("{kind}{}", self.random.below(crowd(key, 11)))
    }

    /// The model after a command on entries.
    fn took(&mut self, command: &[String], reply: Reply) -> Option<Read> {
        match (command[0].as_str(), command[1].as_str()) {
            ("EVAL", _) => return Some(self.check(&command[3], reply, false)),
            ("PRESENCE.ADD", key) => self.added(key, command, &reply),
            ("PRESENCE.REM", key) => {
                let place = self.here(key);
                let roster = self.rosters.get_mut(&place).expect("a known roster");
                let (mut sure, mut all) = (0, 0);
                for client in &command[2..] {
                    let Some(entry) = roster.remove(client) else { continue };
                    all += i64::from(!entry.due);
                    sure += i64::from(!entry.due && !brief(client));
                }
                let count = reply.number();
                assert!((sure..=all).contains(&count), "{command:?}: {count}, not {sure}..={all}");
            }
            ("PRESENCE.LEASE", "DROP") => {
                for entry in self.rosters.values_mut().flat_map(BTreeMap::values_mut) {
                    entry.due |= entry.node.as_ref() == Some(&command[2]);
                }
            }
            _ => assert!(matches!(reply, Reply::Array(_)), "{command:?}: {reply}"),
        }
        None
    }

    fn added(&mut self, key: &str, command: &[String], reply: &Reply) {
        let place = self.here(key);
        let roster = self.rosters.get_mut(&place).expect("a known roster");
        let (client, user) = (&command[2], &command[3]);
        let old = roster.get(client).filter(|entry| !entry.due);
        let anew = command.iter().any(|word| word == "ANEW");
        let same = !anew && old.is_some_and(|entry| entry.user == *user);
        let joined = reply.number() == 1;
        assert!(brief(client) || joined != same, "{command:?}: {reply}, there was {old:?}");
        let fresh = joined && (brief(client) || old.is_none());
        let before = !fresh && old.is_some_and(|entry| entry.announced);
        let announced = before || command.iter().any(|word| word == "NOTIFY");
        let node = (command[4] == "LEASE").then(|| command[5].clone());
        let entry = Entry { user: user.clone(), announced, node, due: false };
        roster.insert(client.clone(), entry);
    }

    fn check(&self, key: &str, reply: Reply, settled: bool) -> Read {
        let mut parts = reply.array();
        let stats = parts.remove(1).array().remove(0).array();
        let mut read = parts.remove(0).array();
        let json = read.remove(1).text();
        let members: Members = serde_json::from_str(&json).expect("a presence object");
        let seq = u64::try_from(read[0].number()).expect("a sequence");
        let users: BTreeSet<&str> =
            members.values().filter_map(|info| info["user"].as_str()).collect();
        let counts = [members.len(), users.len()].map(|n| i64::try_from(n).expect("a count"));
        assert_eq!([stats[0].number(), stats[1].number()], counts, "{key}: STATS and {json}");
        if !members.is_empty() {
            assert_eq!(stats[2], read[0], "{key}: sequences of STATS and GET");
        }
        let place = self.here(key);
        let roster = &self.rosters[&place];
        for (client, entry) in roster {
            let user = members.get(client).map(|info| &info["user"]);
            let gone = user.is_none() && (brief(client) || entry.due);
            assert!(gone || user == Some(&Value::from(&*entry.user)), "{key} {client} in {json}");
            assert!(!(settled && entry.due && user.is_some()), "{key} {client} is due in {json}");
        }
        let unknown = members.keys().find(|&client| !roster.contains_key(client));
        assert_eq!(unknown, None, "{key}: {json}");
        let announced =
            members.into_iter().filter(|(client, _)| roster[client].announced).collect();
        Read { place, seq, announced }
    }
}

/// How many clients a roster may have: the last one is often empty.
fn crowd(key: &str, most: usize) -> usize {
    if key == KEYS[2] { 1 } else { most }
}

fn brief(client: &str) -> bool {
    client.starts_with('s')
}

fn words(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}

fn by_script(command: &[String]) -> Vec<String> {
    if command[0] == "EVAL" {
        return command.to_vec();
    }
    let mut whole = ["EVAL", CALL, "1", KEYS[0]].map(str::to_owned).to_vec();
    whole.extend_from_slice(command);
    whole
}

fn pipeline(cli: &mut Resp, commands: &[Vec<String>]) -> Vec<Reply> {
    for command in commands {
        cli.send(command).expect("the server takes commands");
    }
    commands.iter().map(|_| cli.read().expect("the server answers")).collect()
}

fn transaction(cli: &mut Resp, commands: &[Vec<String>]) -> Vec<Reply> {
    cli.ask("MULTI");
    for reply in pipeline(cli, commands) {
        assert_eq!(reply.to_string(), "QUEUED");
    }
    cli.ask("EXEC").array()
}
