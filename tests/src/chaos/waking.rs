//! Clients who leave while a master stands still and come back to the one that replaces it: whatever
//! the old one says when it goes on, they stay.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;

use crate::client::{Client, Heard};
use crate::ledger::OBSERVER;
use crate::picture::{Picture, Told};
use crate::redis::Redis;
use crate::server::Server;
use crate::stopwatch::Stopwatch;
use crate::token;
use crate::wait::{eventually, within};

/// How many there are on each server.
const GUESTS: usize = 3;

/// An id that no command of the client itself has.
const ASIDE: u32 = 1_000_000;

/// Until they may come back.
const LET_IN: Duration = Duration::from_secs(60);

/// Until they are shown so.
const SHOWN: Duration = Duration::from_secs(15);

/// How long an old master has to say what it has to say.
const LATE: Duration = Duration::from_secs(5);

/// The clients, and one on each server that watches them. What happens to them is in no ledger.
#[derive(Debug)]
pub struct Guests {
    channel: String,
    clients: Vec<Client>,
    watchers: Vec<Watcher>,
}

#[derive(Debug)]
struct Watcher {
    client: Client,
    picture: Picture,
}

// === impl Guests ===

impl Guests {
    /// Into a channel that this Redis has.
    pub fn enter(servers: &[Server], node: &Redis) -> Self {
        let mut cli = node.cli();
        let here = |name: &String| {
            !cli.ask(&format!("TYPE rollcall:p:{name}")).to_string().starts_with('!')
        };
        let names = (0..).map(|n| format!("room{n}"));
        let channel = names.take(10_000).find(here).expect("every master has slots");
        let guests = servers.iter().flat_map(|server| [server; GUESTS]);
        let clients: Vec<Client> = guests.map(connected).collect();
        let mut all = Self { channel, clients, watchers: Vec::new() };
        all.come_in();
        all.watchers = servers.iter().map(|server| Watcher::of(server, &all.channel)).collect();
        all.are_shown();
        all
    }

    /// They leave, and wait for no answer.
    pub fn leave(&mut self) {
        let command = json!({"id": ASIDE, "unsubscribe": {"channel": self.channel}}).to_string();
        self.clients.iter_mut().for_each(|client| client.sends(&command));
    }

    /// They are back, and everybody has seen them leave and come.
    pub fn come_back(&mut self) {
        self.come_in();
        let ids = self.ids();
        within(SHOWN, "guests are shown leaving and coming back", || {
            self.watchers.iter_mut().for_each(Watcher::hears);
            let seen = |watcher: &Watcher| {
                let leaves = watcher.picture.leaves();
                ids.iter().all(|client| leaves.contains_key(client)) && watcher.picture.shows(&ids)
            };
            self.watchers.iter().all(seen).then_some(())
        });
        self.watchers.iter_mut().for_each(|watcher| watcher.picture.turns_the_page());
    }

    /// Nobody is shown leaving any more.
    pub fn stay(&mut self) {
        let start = Stopwatch::start();
        while start.elapsed() < LATE {
            self.watchers.iter_mut().for_each(Watcher::hears);
        }
        let ids = self.ids();
        for watcher in &self.watchers {
            let leaves = watcher.picture.leaves();
            let shown: Vec<&String> =
                leaves.keys().filter(|client| ids.contains(*client)).collect();
            assert!(shown.is_empty(), "who stays is shown leaving {}: {shown:?}", self.channel);
        }
        self.are_shown();
    }

    fn come_in(&mut self) {
        for client in &mut self.clients {
            within(LET_IN, "a guest is let in", || {
                let reply = client.call(json!({"subscribe": {"channel": self.channel}}));
                client.forgets_pushes();
                reply.get("subscribe").map(|_| ())
            });
        }
    }

    fn are_shown(&mut self) {
        let ids = self.ids();
        within(SHOWN, "guests are in every picture", || {
            self.watchers.iter_mut().for_each(Watcher::hears);
            self.watchers.iter().all(|watcher| watcher.picture.shows(&ids)).then_some(())
        });
    }

    fn ids(&self) -> BTreeSet<String> {
        self.clients.iter().map(|client| client.id().to_owned()).collect()
    }
}

// === impl Watcher ===

impl Watcher {
    fn of(server: &Server, channel: &str) -> Self {
        let mut client = connected(server);
        let subscribe = json!({"subscribe": {"channel": channel, "join_leave": true}});
        within(LET_IN, "a watcher is let in", || {
            client.call(subscribe.clone()).get("subscribe").map(|_| ())
        });
        let mut picture = Picture::begun();
        let present = eventually("presence is answered", || {
            let reply = client.call(json!({"presence": {"channel": channel}}));
            reply["presence"]["presence"].as_object().cloned()
        });
        picture.names(present.into_iter().map(|(client, _)| client).collect());
        Self { client, picture }
    }

    /// What is pushed in a moment.
    fn hears(&mut self) {
        while let Some(Heard::Line(line)) = self.client.hears_within(Duration::from_millis(20)) {
            for (word, what) in [("join", Told::Join), ("leave", Told::Leave)] {
                if let Some(client) = line["push"][word]["info"]["client"].as_str() {
                    self.picture.told(client, what);
                }
            }
        }
    }
}

/// An observer on this server, which may still be in trouble.
fn connected(server: &Server) -> Client {
    within(LET_IN, "an observer connects", || {
        let mut client = server.websocket();
        client.tries_to_connect(&token::of(OBSERVER)).then_some(client)
    })
}
