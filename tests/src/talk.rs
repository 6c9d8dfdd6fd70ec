//! Conversations written down as the protocol's documentation does.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::client::{Client, Heard};
use crate::pattern::Names;
use crate::server::Server;

/// Clients of one server, and what the placeholders in their transcript stand for.
#[derive(Debug)]
pub struct Talk<'a> {
    server: &'a Server,
    clients: BTreeMap<String, Client>,
    names: Names,
}

// === impl Talk ===

impl<'a> Talk<'a> {
    /// Nobody is connected yet.
    pub fn with(server: &'a Server) -> Self {
        Self { server, clients: BTreeMap::new(), names: Names::default() }
    }

    /// Gives a placeholder a meaning: `<T-alice>` for `T-alice`.
    #[must_use]
    pub fn name(mut self, name: &str, meaning: &str) -> Self {
        self.names.set(name, meaning);
        self
    }

    /// A user's client connects under a letter, which also names its client id.
    #[must_use]
    pub fn connected(mut self, letter: &str, user: &str) -> Self {
        let client = self.server.client(user);
        self.names.set(letter, client.id());
        self.clients.insert(letter.to_owned(), client);
        self
    }

    /// What a placeholder stands for.
    pub fn meaning(&self, name: &str) -> &Value {
        self.names.get(name)
    }

    /// A client by its letter.
    pub fn client(&mut self, letter: &str) -> &mut Client {
        self.clients.entry(letter.to_owned()).or_insert_with(|| self.server.websocket())
    }

    /// A client's connection is cut without a word.
    pub fn cuts(&mut self, letter: &str) -> &mut Self {
        self.clients.remove(letter).unwrap_or_else(|| panic!("{letter} is not connected")).cut();
        self
    }

    /// Holds a conversation: `A--> frame` and `A<-- line`, the letter left out for the only
    /// client; lines below a `-->` without an arrow belong to the same frame, and below a `<--`
    /// come next. `close 3501 "bad request"` and `gone` end a connection. A letter that is new
    /// opens a WebSocket.
    pub fn session(&mut self, text: &str) -> &mut Self {
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty()).peekable();
        let mut hearing = String::new();
        while let Some(line) = lines.next() {
            if let Some((letter, frame)) = line.split_once("--> ") {
                let mut frame = self.names.fill(frame);
                while let Some(more) = lines.next_if(|line| !has_arrow(line)) {
                    frame = format!("{frame}\n{}", self.names.fill(more));
                }
                self.client(letter).sends(&frame);
            } else if let Some((letter, expected)) = line.split_once("<-- ") {
                letter.clone_into(&mut hearing);
                self.expects(&hearing, expected);
            } else {
                self.expects(&hearing, line);
            }
        }
        self
    }

    fn expects(&mut self, letter: &str, expected: &str) {
        let heard = self.client(letter).hears();
        let right = match &heard {
            Heard::Line(line) => expected.starts_with('{') && self.names.describe(expected, line),
            Heard::Close(code, reason) => expected == format!("close {code} {reason:?}"),
            Heard::Gone => expected == "gone",
        };
        let shown = match heard {
            Heard::Line(line) => line.to_string(),
            other => format!("{other:?}"),
        };
        let expected = self.names.fill(expected);
        assert!(right, "\n  {letter}<-- {shown}\n  expected: {expected}\n");
    }
}

fn has_arrow(line: &str) -> bool {
    let arrow =
        |mark| line.split_once(mark).is_some_and(|(letter, _)| !letter.contains(['{', '"']));
    arrow("--> ") || arrow("<-- ")
}
