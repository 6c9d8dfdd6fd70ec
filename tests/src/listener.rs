//! Listening to what rosters announce.

use serde_json::Value;

use crate::pattern::Names;
use crate::resp::Resp;

/// A connection subscribed to the events of one roster. It hands them over without the epoch that
/// each of them has.
#[derive(Debug)]
pub struct Listener {
    connection: Resp,
    names: Names,
    epoch: u64,
}

// === impl Listener ===

impl Listener {
    /// Subscribes a connection to the sharded channel of a key's name.
    pub fn of(mut connection: Resp, key: &str) -> Self {
        let reply = connection.call(&["SSUBSCRIBE", key]);
        assert_eq!(reply.to_string(), format!("[\"ssubscribe\", \"{key}\", 1]"));
        Self { connection, names: Names::default(), epoch: 0 }
    }

    /// The next event.
    pub fn event(&mut self) -> Value {
        let message = self.connection.read().expect("an event comes").array();
        assert_eq!(message[0].text(), "smessage");
        let (event, epoch) = taken_apart(&message[2].text());
        self.epoch = epoch;
        parsed(&event)
    }

    /// Every event that was published before this call and that was not read yet.
    pub fn so_far(&mut self) -> Vec<Value> {
        self.texts_so_far().iter().map(|text| parsed(text)).collect()
    }

    /// The same as they were published.
    pub fn texts_so_far(&mut self) -> Vec<String> {
        self.connection.send(&["PING"]).expect("the server takes commands");
        self.until("pong")
    }

    /// Every event until the server ends the subscription, as it does when the slot is another's.
    pub fn until_the_end(&mut self) -> Vec<Value> {
        self.until("sunsubscribe").iter().map(|text| parsed(text)).collect()
    }

    /// Every event until a message of this kind.
    fn until(&mut self, end: &str) -> Vec<String> {
        let mut events = Vec::new();
        loop {
            let message = self.connection.read().expect("the server says something").array();
            match message[0].text() {
                kind if kind == end => return events,
                kind => assert_eq!(kind, "smessage"),
            }
            let (event, epoch) = taken_apart(&message[2].text());
            self.epoch = epoch;
            events.push(event);
        }
    }

    /// Hears these events next, one a line. A member `"<x>"` that is new stands for any value, and
    /// for the same value from then on.
    pub fn hears(&mut self, text: &str) {
        for expected in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let event = self.event();
            let right = self.names.describe(expected, &event);
            let expected = self.names.fill(expected);
            assert!(right, "\n  heard:    {event}\n  expected: {expected}\n");
        }
    }

    /// The epoch of the last event.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// A number that stood for a name in [`Self::hears`].
    pub fn number(&self, name: &str) -> i64 {
        self.names.get(name).as_i64().unwrap_or_else(|| panic!("{name} is not a number"))
    }

    /// Nothing more was published: what was before this call would arrive before the answer to a
    /// `PING` does.
    pub fn hears_nothing(&mut self) {
        let reply = self.connection.call(&["PING"]);
        assert_eq!(reply.to_string(), r#"["pong", ""]"#, "something was published");
    }
}

/// An event as Redis remembers it, and the epoch with which it was published; 0 for a publication.
fn taken_apart(message: &str) -> (String, u64) {
    if message.starts_with("{\"t\":\"pub\"") {
        return (message.to_owned(), 0);
    }
    let parts = message.strip_suffix('}').and_then(|message| message.rsplit_once(",\"epoch\":"));
    let (event, epoch) = parts.unwrap_or_else(|| panic!("an event without an epoch: {message}"));
    let epoch = epoch.parse().unwrap_or_else(|_| panic!("an epoch that is no number: {message}"));
    (format!("{event}}}"), epoch)
}

fn parsed(event: &str) -> Value {
    serde_json::from_str(event)
        .unwrap_or_else(|error| panic!("an event is not JSON ({error}): {event}"))
}
