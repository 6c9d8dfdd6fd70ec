//! Many members over few connections.

use std::collections::BTreeSet;

use serde_json::json;

use crate::client::Client;
use crate::server::Server;
use crate::truth::{Membership, Truth};

/// Subscriptions asked for in one frame.
const BATCH: usize = 100;

/// One connection and the channels it is in.
#[derive(Debug)]
pub struct Member {
    /// The connection.
    pub client: Client,
    /// Where it is subscribed.
    pub channels: BTreeSet<String>,
}

/// What came of a subscribe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// It is in.
    In,
    /// A temporary error was answered: it is not in, but may have been seen for a moment.
    Refused,
    /// The connection ended: it may have been seen for a moment.
    Gone,
}

// === impl Member ===

impl Member {
    /// A client of this user, in no channel.
    pub fn of(server: &Server, user: &str) -> Self {
        Self { client: server.client(user), channels: BTreeSet::new() }
    }

    /// Enters channels where nobody shall fail.
    pub fn enters(&mut self, channels: &[String], truth: &mut Truth) {
        for batch in channels.chunks(BATCH) {
            let command = |channel: &String| json!({"subscribe": {"channel": channel}});
            let replies = self.client.calls(batch.iter().map(command).collect());
            for (channel, reply) in batch.iter().zip(replies) {
                assert!(reply.get("subscribe").is_some(), "subscribe to {channel}: {reply}");
                truth.joined(channel, self.client.id());
                self.channels.insert(channel.clone());
            }
        }
    }

    /// Enters a channel, if it may.
    pub fn tries(&mut self, channel: &str, truth: &mut Truth) -> Entry {
        let reply = self.client.try_call(json!({"subscribe": {"channel": channel}}));
        self.client.forgets_pushes();
        match reply {
            Some(reply) if reply.get("subscribe").is_some() => {
                truth.joined(channel, self.client.id());
                self.channels.insert(channel.to_owned());
                Entry::In
            }
            Some(reply) => {
                assert_eq!(reply["error"]["code"], 100, "subscribe to {channel}: {reply}");
                assert_eq!(reply["error"]["temporary"], true, "{reply}");
                truth.maybe(channel, self.client.id());
                Entry::Refused
            }
            None => {
                truth.maybe(channel, self.client.id());
                Entry::Gone
            }
        }
    }

    /// Leaves a channel; false when the connection has ended instead.
    pub fn leaves(&mut self, channel: &str) -> bool {
        let reply = self.client.try_call(json!({"unsubscribe": {"channel": channel}}));
        self.client.forgets_pushes();
        let Some(reply) = reply else { return false };
        assert!(reply.get("unsubscribe").is_some(), "unsubscribe from {channel}: {reply}");
        self.channels.remove(channel);
        true
    }

    /// Where it is.
    pub fn memberships(&self) -> impl Iterator<Item = Membership> {
        self.channels.iter().map(|channel| (channel.clone(), self.client.id().to_owned()))
    }
}

/// Members of a server, each in all of the channels: `count` connections of half as many users.
pub fn crowd(server: &Server, count: usize, channels: &[String], truth: &mut Truth) -> Vec<Member> {
    let enter = |n: usize| {
        let mut member = Member::of(server, &format!("user{}", n / 2));
        member.enters(channels, truth);
        member
    };
    (0..count).map(enter).collect()
}

/// Names of channels.
pub fn channels(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("room{n}")).collect()
}
