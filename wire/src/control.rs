//! What servers tell each other, on [`crate::Names::control`] and [`crate::Names::node`].

use serde::{Deserialize, Serialize};

/// A message from one server to others. What a server does not know, it ignores: newer ones may
/// say more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "t", rename_all = "lowercase")]
pub enum Control {
    /// A server says that it is there and what it has.
    Node(Node),
    /// A server says that it stops.
    Bye {
        /// Which.
        uid: String,
    },
    /// A server asks; every server that hears it answers on the channel of the one that asks.
    Ask {
        /// Who asks.
        uid: String,
        /// Returned in answers; unique among the questions of who asks.
        id: u64,
        /// What is asked.
        what: Question,
    },
    /// A server answers.
    Answer {
        /// Who answers.
        uid: String,
        /// The question's.
        id: u64,
        /// What is answered.
        what: Answer,
    },
}

/// What servers can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Question {
    /// What the server has right now.
    Node,
}

/// What servers answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// What the server has right now.
    Node(Node),
}

/// A server as `info` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Unique for each life of a server.
    pub uid: String,
    /// The configured name.
    pub name: String,
    /// The version, as clients see it.
    pub version: String,
    /// Connected clients.
    pub num_clients: u64,
    /// Distinct users among them.
    pub num_users: u64,
    /// Channels with subscribers there.
    pub num_channels: u64,
    /// Subscriptions there.
    pub num_subs: u64,
    /// Seconds since it started.
    pub uptime: u64,
}

// === impl Control ===

impl Control {
    /// The message as it is sent.
    pub fn to_json(&self) -> Vec<u8> {
        // Plain structs of strings and numbers always serialise.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads a message; `None` for what is not one.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_read_back_and_unknown_ones_are_ignored() {
        let node = Node {
            uid: "u".to_owned(),
            name: "host_8000".to_owned(),
            version: "1".to_owned(),
            num_clients: 2,
            num_users: 1,
            num_channels: 1,
            num_subs: 2,
            uptime: 41,
        };
        let json = Control::Node(node.clone()).to_json();
        insta::assert_snapshot!(
            String::from_utf8(json.clone()).unwrap(),
            @r#"{"t":"node","uid":"u","name":"host_8000","version":"1","num_clients":2,"num_users":1,"num_channels":1,"num_subs":2,"uptime":41}"#
        );
        assert_eq!(Control::parse(&json), Some(Control::Node(node.clone())));
        let ask = Control::Ask { uid: "u".to_owned(), id: 7, what: Question::Node };
        insta::assert_snapshot!(
            String::from_utf8(ask.to_json()).unwrap(),
            @r#"{"t":"ask","uid":"u","id":7,"what":"node"}"#
        );
        let answer = Control::Answer { uid: "v".to_owned(), id: 7, what: Answer::Node(node) };
        for message in [ask, answer] {
            assert_eq!(Control::parse(&message.to_json()), Some(message));
        }
        assert_eq!(Control::parse(br#"{"t":"ask","uid":"u","id":7,"what":"later"}"#), None);
        let bye = Control::Bye { uid: "u".to_owned() };
        assert_eq!(Control::parse(&bye.to_json()), Some(bye));
        assert_eq!(Control::parse(br#"{"t":"later","x":1}"#), None);
        assert_eq!(Control::parse(b"\xff"), None);
    }
}
