//! A listener's picture of a roster, made of events as the documentation says.

use std::collections::BTreeMap;

use serde_json::Value;

/// Announced members by client.
pub type Members = BTreeMap<String, Value>;

/// The picture.
#[derive(Debug, Default, Clone)]
pub struct Mirror {
    at: u64,
    /// None when the roster has to be read (again).
    members: Option<Members>,
}

/// What an event did to the picture.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is in the picture.
    Applied,
    /// Something was missed before it.
    Gap,
    /// It said, or somebody said before, that the roster has to be read.
    Unread,
}

// === impl Mirror ===

impl Mirror {
    /// The sequence of the picture.
    pub fn at(&self) -> u64 {
        self.at
    }

    /// The picture, if it is one.
    pub fn members(&self) -> Option<&Members> {
        self.members.as_ref()
    }

    /// Forgets: the roster has to be read.
    pub fn forget(&mut self) {
        self.members = None;
    }

    /// Takes what a read of sequence `seq` returned.
    pub fn read(&mut self, seq: u64, members: Members) {
        *self = Self { at: seq, members: Some(members) };
    }

    /// Applies an event.
    pub fn apply(&mut self, event: &Value) -> Outcome {
        let number = |name: &str| event[name].as_u64().unwrap_or_else(|| panic!("{name}: {event}"));
        let seq = number("seq");
        if event["t"] == "reset" {
            self.forget();
        }
        let Some(members) = &mut self.members else { return Outcome::Unread };
        let prev = number("prev");
        if prev != self.at && !(prev == 0 && members.is_empty()) {
            self.forget();
            return Outcome::Gap;
        }
        assert!(seq > self.at && seq > prev, "sequences grow: at {}, {event}", self.at);
        let client = event["info"]["client"].as_str().expect("a client").to_owned();
        let info = event["info"].clone();
        match event["t"].as_str().expect("a type") {
            "join" => assert!(members.insert(client, info).is_none(), "joined before: {event}"),
            "update" => assert!(members.insert(client, info).is_some(), "not there: {event}"),
            "leave" => {
                let gone = members.remove(&client);
                assert_eq!(gone.as_ref(), Some(&event["info"]), "leaves as it was: {event}");
            }
            other => panic!("unknown event {other}: {event}"),
        }
        self.at = seq;
        Outcome::Applied
    }
}
