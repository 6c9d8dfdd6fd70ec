//! What reads and events of one roster promise to whoever listens to it, checked read by read.

use std::collections::VecDeque;

use serde_json::Value;

use crate::mirror::{Members, Mirror, Outcome};
use crate::resp::{Reply, Resp};

/// A read of a roster and of what is remembered of it, at one moment.
#[derive(Debug)]
pub struct Look {
    /// Its sequence.
    pub seq: u64,
    /// Everybody.
    pub members: Members,
    /// What `PRESENCE.RECENT` tells from the beginning.
    pub recent: Vec<Value>,
}

/// Somebody who hears every event of one roster.
#[derive(Debug, Default)]
pub struct Ears {
    /// Events that were heard and belong to no read yet.
    heard: VecDeque<Value>,
    picture: Mirror,
    /// The highest sequence heard in all, and before the last read for sure.
    highest: u64,
    before: u64,
    /// What was read last.
    read: u64,
    /// The event before the next one.
    last: Option<Value>,
    loses: bool,
}

// === impl Look ===

impl Look {
    /// Looks at a key of a database; `None` when there is something else than a roster.
    pub fn at(cli: &mut Resp, db: usize, key: &str) -> Option<Self> {
        let commands = [
            vec!["SELECT".to_owned(), db.to_string()],
            vec!["MULTI".to_owned()],
            ["PRESENCE.GET", key, "JSON", "WITHSEQ"].map(str::to_owned).to_vec(),
            ["PRESENCE.STATS", key].map(str::to_owned).to_vec(),
            ["PRESENCE.RECENT", key, "0"].map(str::to_owned).to_vec(),
            vec!["EXEC".to_owned()],
        ];
        for command in &commands {
            cli.send(command).expect("the server takes commands");
        }
        let mut replies: Vec<Reply> =
            commands.iter().map(|_| cli.read().expect("the server answers")).collect();
        let mut replies = replies.pop().expect("a reply").array();
        if matches!(&replies[0], Reply::Error(error) if error.starts_with("WRONGTYPE")) {
            return None;
        }
        let recent = replies.remove(2).array();
        let recent = recent.iter().map(|event| parsed(&event.text())).collect();
        let stats = replies.remove(1).array().remove(0).array();
        let get = replies.remove(0).array();
        let seq = u64::try_from(get[0].number()).expect("a sequence");
        assert_eq!(get[0], stats[2], "the sequences of GET and STATS of {key} in {db}");
        let members: Members = serde_json::from_str(&get[1].text()).expect("a presence object");
        assert_eq!(i64::try_from(members.len()).ok(), Some(stats[0].number()));
        Some(Self { seq, members, recent })
    }

    /// Those of whom events tell.
    pub fn announced(&self) -> Members {
        let announced = self.members.iter().filter(|(client, _)| client.starts_with('n'));
        announced.map(|(client, info)| (client.clone(), info.clone())).collect()
    }

    /// What is remembered names nobody who is gone, and nothing that comes after.
    pub fn remembers_rightly(&self) {
        let mut picture = Mirror::default();
        picture.read(0, Members::new());
        for event in &self.recent {
            assert!(seq(event) <= self.seq, "remembered at {}: {event}", self.seq);
            picture.apply(event);
        }
        let known = picture.members().filter(|_| !self.recent.is_empty());
        if let Some(known) = known {
            assert_eq!(known, &self.announced(), "as remembered: {:?}", self.recent);
        }
    }
}

// === impl Ears ===

impl Ears {
    /// An event was heard. `later` when it was published after the last read.
    pub fn hear(&mut self, event: Value, later: bool) {
        let at = seq(&event);
        let is_reset = event["t"] == "reset";
        // A reset is of a change that may be earlier.
        if later && !is_reset {
            assert!(at > self.read, "after a read at {}: {event}", self.read);
        }
        assert!(at > self.highest, "sequences grow: {} and then {event}", self.highest);
        self.highest = at;
        if let (Some(last), false) = (&self.last, is_reset || self.loses) {
            let was = (last["t"].as_str(), last["clients"].as_u64());
            let prev = event["prev"].as_u64().expect("prev");
            // Who is not announced may have been the last, and leaves without a word.
            let emptied = was == (Some("leave"), Some(0));
            assert!(prev == 0 || (!emptied && prev == seq(last)), "{event} after {last}");
        }
        self.last = Some(event.clone());
        self.heard.push_back(event);
    }

    /// Events may not follow each other until [`Self::forget`].
    pub fn lose(&mut self) {
        self.loses = true;
    }

    /// No event tells what happened: databases were flushed or swapped.
    pub fn forget(&mut self) {
        self.picture.forget();
        self.last = None;
        self.loses = false;
    }

    /// Everything was heard that was published before this.
    pub fn hears_all(&mut self) {
        self.before = self.highest;
    }

    /// It is listened to on another server from now on.
    pub fn move_on(&mut self) {
        self.forget();
        self.heard.clear();
    }

    /// A read, after everything was heard that was published before it.
    pub fn read(&mut self, look: &Look) {
        assert!(look.seq >= self.before, "read {} after {}", look.seq, self.before);
        while self.heard.front().is_some_and(|event| seq(event) <= look.seq) {
            let event = self.heard.pop_front().expect("there is one");
            let known = self.picture.members().is_some();
            if known && seq(&event) <= self.picture.at() {
                continue;
            }
            let outcome = self.picture.apply(&event);
            assert_ne!(outcome, Outcome::Gap, "heard everything: {event}");
        }
        // A reset that waits to be published is in the read, and is remembered.
        let waits = |event: &&Value| event["t"] == "reset" && seq(event) > self.picture.at();
        if look.recent.iter().rev().any(|event| waits(&event)) {
            self.picture.forget();
        }
        if let Some(members) = self.picture.members() {
            assert_eq!(members, &look.announced(), "heard at {}, {look:?}", self.picture.at());
        }
        self.picture.read(look.seq, look.announced());
        self.read = look.seq;
    }

    /// As [`Self::read`], from a server that is listened to no more or not yet.
    pub fn read_elsewhere(&self, look: &Look) {
        assert!(look.seq >= self.highest, "read {} after {}", look.seq, self.highest);
    }
}

fn seq(event: &Value) -> u64 {
    event["seq"].as_u64().unwrap_or_else(|| panic!("no sequence: {event}"))
}

fn parsed(event: &str) -> Value {
    serde_json::from_str(event).unwrap_or_else(|error| panic!("{error}: {event}"))
}
