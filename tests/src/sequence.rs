//! Random commands as one types them into redis-cli: on entries, on keys, on databases.
//!
//! Clients `n…` are always announced, clients `q…` never are, so that of each client in a read one
//! knows whether there were events of it.

use crate::random::Random;
use crate::resp::{Reply, Resp};

/// The rosters, in one slot.
pub const KEYS: [&str; 2] = ["{t}a", "{t}b"];
/// In so many databases.
pub const DATABASES: usize = 2;
const NODES: [&str; 2] = ["l0", "l1"];
/// What commands may answer, depending on what there is.
const REFUSALS: [&str; 5] =
    ["NOLEASE", "WRONGTYPE", "ERR no such key", "ERR source and", "BUSYKEY"];

/// Words of a command.
pub type Words = Vec<Vec<u8>>;

/// The commands of one client.
#[derive(Debug)]
pub struct Sequence {
    random: Random,
    db: usize,
    dump: Option<Vec<u8>>,
    /// A key may be over soon. In a pause it would be there and not there: Redis does not delete it
    /// then, and dies of whatever writes to it in the transaction that began the pause (7.0).
    expires: bool,
    /// What was sent so far, as one would type it.
    said: Vec<String>,
}

/// What a step was.
#[derive(Debug, Default, Clone, Copy)]
pub struct Step {
    /// It may have flushed or swapped databases, which no event tells.
    pub lost: bool,
}

// === impl Sequence ===

impl Sequence {
    /// Nothing yet.
    pub fn new(seed: u64) -> Self {
        Self { random: Random::exactly(seed), db: 0, dump: None, expires: false, said: Vec::new() }
    }

    /// Chance, for whoever drives it.
    pub fn random(&mut self) -> &mut Random {
        &mut self.random
    }

    /// What was sent so far.
    pub fn said(&self) -> String {
        self.said.join("\n")
    }

    /// Notes what was done otherwise.
    pub fn note(&mut self, what: &str) {
        self.said.push(format!("# {what}"));
    }

    /// No key is over any more.
    pub fn all_persist(&mut self) {
        self.expires = false;
    }

    /// Another connection goes on.
    pub fn begin(&mut self, cli: &mut Resp) {
        cli.ask(&format!("SELECT {}", self.db));
    }

    /// One command, or some in a transaction.
    pub fn step(&mut self, cli: &mut Resp) -> Step {
        let mut step = Step::default();
        if self.random.percent(75) {
            let command = self.command();
            self.sent(&command, &mut step);
            let reply = cli.call(&command);
            self.took(&command, reply);
            return step;
        }
        let count = 2 + self.random.below(4);
        let mut commands: Vec<Words> = (0..count).map(|_| self.command()).collect();
        if self.expires {
            commands.retain(|command| command[0] != b"CLIENT");
        }
        self.said.push("MULTI".to_owned());
        cli.ask("MULTI");
        for command in &commands {
            self.sent(command, &mut step);
            assert_eq!(cli.call(command).to_string(), "QUEUED", "{}", shown(command));
        }
        self.said.push("EXEC".to_owned());
        for (command, reply) in commands.iter().zip(cli.ask("EXEC").array()) {
            self.took(command, reply);
        }
        step
    }

    fn sent(&mut self, command: &[Vec<u8>], step: &mut Step) {
        step.lost |= [&b"FLUSHALL"[..], b"FLUSHDB", b"SWAPDB"].contains(&&*command[0]);
        self.said.push(shown(command));
    }

    fn took(&mut self, command: &[Vec<u8>], reply: Reply) {
        match reply {
            Reply::Error(error) => {
                let known = REFUSALS.iter().any(|refusal| error.starts_with(refusal));
                assert!(known, "{}: {error}", shown(command));
            }
            Reply::Bulk(dump) if command[0] == b"DUMP" => self.dump = Some(dump),
            _ => {}
        }
    }

    fn command(&mut self) -> Words {
        match self.random.below(100) {
            0..38 => self.add(),
            38..52 => self.rem(),
            52..55 => self.text(&["PRESENCE.LEASE KEEP {n} PX 600000"]),
            55..57 => self.text(&["PRESENCE.LEASE DROP {n}"]),
            57..61 => self.text(&["DEL {k}", "UNLINK {k}", "DEL {k} {k}"]),
            61..63 => self.text(&["SET {k} 1", "SET {k} 1", "DEL {k}"]),
            63..67 => self.text(&["RENAME {k} {k}", "RENAME {k} {k}", "RENAMENX {k} {k}"]),
            67..71 => {
                self.text(&["COPY {k} {k} REPLACE", "COPY {k} {k}", "COPY {k} {k} DB {d} REPLACE"])
            }
            71..74 => self.text(&["MOVE {k} {o}"]),
            74..76 => self.text(&["SWAPDB 0 1", "SWAPDB 1 0"]),
            76..78 => self.text(&["FLUSHALL", "FLUSHDB", "FLUSHDB", "FLUSHALL ASYNC"]),
            78..81 => self.text(&["DUMP {k}"]),
            81..84 => self.restore(),
            84..86 => {
                self.expires = true;
                self.text(&["PEXPIRE {k} {ms}"])
            }
            86..88 => self.text(&["PERSIST {k}", "EXPIRE {k} 100"]),
            88..92 if !self.expires => self.text(&["CLIENT PAUSE {ms} WRITE"]),
            _ => {
                self.db = self.random.below(DATABASES);
                self.text(&["SELECT {d}"])
            }
        }
    }

    fn client(&mut self) -> &'static str {
        self.random.pick(&["n0", "n1", "n2", "q0", "q1"])
    }

    fn add(&mut self) -> Words {
        let client = self.client();
        let user = self.random.pick(&["u0", "u1"]);
        let holder = self.random.pick(&["EX 600", "EX 600", "EX 600", "PX {ms}", "LEASE {n}"]);
        let info = self.random.pick(&["", "", " CONNINFO 1", " CONNINFO 2"]);
        let notify = if client.starts_with('n') {
            self.random.pick(&[" NOTIFY", " NOTIFY", " NOTIFY BACK", " NOTIFY ANEW"])
        } else {
            ""
        };
        let text = format!("PRESENCE.ADD {{k}} {client} {user}{info} {holder}{notify} WITHSEQ");
        self.text(&[&text])
    }

    fn rem(&mut self) -> Words {
        let some: Vec<&str> = (0..=self.random.below(4)).map(|_| self.client()).collect();
        self.text(&[&format!("PRESENCE.REM {{k}} {}", some.join(" "))])
    }

    fn restore(&mut self) -> Words {
        let Some(dump) = self.dump.clone() else { return self.text(&["DUMP {k}"]) };
        let mut words = self.text(&["RESTORE {k} 0"]);
        words.extend([dump, b"REPLACE".to_vec()]);
        words
    }

    /// One of these lines: `{k}` is a key, `{n}` a node, `{d}` this database, `{o}` another one,
    /// `{ms}` some milliseconds.
    fn text(&mut self, lines: &[&str]) -> Words {
        let line = self.random.pick(lines).to_owned();
        let words = line.split(' ').map(|word| match word {
            "{k}" => self.random.pick(&KEYS).to_owned(),
            "{n}" => self.random.pick(&NODES).to_owned(),
            "{d}" => self.db.to_string(),
            "{o}" => (DATABASES - 1 - self.db).to_string(),
            "{ms}" => (1 + self.random.below(30)).to_string(),
            word => word.to_owned(),
        });
        words.map(String::into_bytes).collect()
    }
}

fn shown(command: &[Vec<u8>]) -> String {
    let words: Vec<String> = command
        .iter()
        .map(|word| match std::str::from_utf8(word) {
            Ok(word) if !word.contains('\0') => word.to_owned(),
            _ => "<dump>".to_owned(),
        })
        .collect();
    words.join(" ")
}
