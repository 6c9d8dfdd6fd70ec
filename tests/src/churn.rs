//! Comings and goings of a server's clients, whatever happens to the server meanwhile.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::client::Client;
use crate::crowd::{Entry, Member};
use crate::random::Random;
use crate::token;
use crate::truth::{Membership, Truth};

/// Between two steps of one server's clients.
const PACE: Duration = Duration::from_millis(4);

/// Of a hundred steps, how many cut a whole connection.
const CUTS: usize = 1;

/// Every so manieth client stays connected.
const STEADY: usize = 2;

/// The clients of one server.
#[derive(Debug)]
pub struct Churn {
    /// Where the server listens.
    port: u16,
    channels: Vec<String>,
    /// The users; a `None` has no connection at the moment.
    members: Vec<(String, Option<Member>)>,
    /// What these clients know.
    truth: Truth,
    random: Random,
    /// Memberships that began since the last [`Self::run`] did.
    began: BTreeSet<Membership>,
    ended: BTreeSet<Membership>,
    sight: Sight,
    /// Channels to which nobody comes and which nobody leaves alone in this run.
    still: BTreeSet<String>,
}

/// How a run treats what nobody may be able to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight {
    /// Everything is seen: clients come and go as they like.
    Clear,
    /// A master may be replaced that can still be written to, and what it is told then is lost
    /// without a trace: whoever came in this run stays until its end, and whoever left does not come
    /// back.
    Dim,
}

// === impl Churn ===

impl Churn {
    /// `count` clients, not connected yet.
    pub fn new(name: &str, port: u16, channels: &[String], count: usize) -> Self {
        Self {
            port,
            channels: channels.to_owned(),
            // Users have two clients each.
            members: (0..count).map(|n| (format!("{name}{}", n / 2), None)).collect(),
            truth: Truth::default(),
            random: Random::new(1),
            began: BTreeSet::new(),
            ended: BTreeSet::new(),
            sight: Sight::Clear,
            still: BTreeSet::new(),
        }
    }

    /// Decides by this what happens from now on.
    pub fn seed(&mut self, seed: u64) {
        self.random = Random::exactly(seed);
    }

    /// What happened so far.
    pub fn truth(&self) -> &Truth {
        &self.truth
    }

    /// What happened so far, to be told what the clients cannot know.
    pub fn truth_mut(&mut self) -> &mut Truth {
        &mut self.truth
    }

    /// Users with a connection.
    pub fn users(&self) -> BTreeSet<String> {
        let online = self.members.iter().filter(|(_, member)| member.is_some());
        online.map(|(user, _)| user.clone()).collect()
    }

    /// Connects everybody and has each enter some channels, where nothing fails.
    pub fn fill(&mut self) {
        for n in 0..self.members.len() {
            self.connect(n);
            let (_, member) = &mut self.members[n];
            let member = member.as_mut().expect("a client connects");
            let mut channels = self.channels.clone();
            channels.retain(|_| self.random.percent(50));
            member.enters(&channels, &mut self.truth);
        }
    }

    /// Clients come and go until `stop`. Some connections and some channels are left alone: what
    /// happens there is not the clients' doing.
    pub fn run(&mut self, sight: Sight, stop: &AtomicBool) {
        self.began.clear();
        self.ended.clear();
        self.sight = sight;
        self.still = self.channels.iter().filter(|_| self.random.percent(50)).cloned().collect();
        while !stop.load(Ordering::Relaxed) {
            self.step();
            thread::sleep(PACE);
        }
        self.call_the_roll();
    }

    /// Everybody finds out whether the connection is still there.
    pub fn call_the_roll(&mut self) {
        for n in 0..self.members.len() {
            // Any command that needs no Redis.
            let any = json!({"unsubscribe": {"channel": "nowhere"}});
            if let Some(member) = &mut self.members[n].1
                && member.client.try_call(any).is_none()
            {
                self.lose(n);
            }
        }
    }

    /// Connects those who are not, if they may; whether everybody is.
    pub fn connect_all(&mut self) -> bool {
        (0..self.members.len()).for_each(|n| self.connect(n));
        self.members.iter().all(|(_, member)| member.is_some())
    }

    fn step(&mut self) {
        let n = self.random.below(self.members.len());
        let cut = self.random.percent(CUTS);
        let channel = self.channels[self.random.below(self.channels.len())].clone();
        self.connect(n);
        let Some(member) = &mut self.members[n].1 else { return };
        if cut && !n.is_multiple_of(STEADY) {
            self.lose(n);
            return;
        }
        if self.still.contains(&channel) {
            return;
        }
        let membership = (channel.clone(), member.client.id().to_owned());
        let inside = member.channels.contains(&channel);
        let recent = if inside { &self.began } else { &self.ended };
        if self.sight == Sight::Dim && recent.contains(&membership) {
            return;
        }
        if inside {
            if member.leaves(&channel) {
                self.truth.left(&channel, &membership.1);
                self.ended.insert(membership);
                return;
            }
        } else {
            match member.tries(&channel, &mut self.truth) {
                Entry::In => {
                    self.began.insert(membership);
                    return;
                }
                Entry::Refused => return,
                Entry::Gone => {}
            }
        }
        self.lose(n);
    }

    /// A client's connection has ended, or ends now.
    fn lose(&mut self, n: usize) {
        let Some(member) = self.members[n].1.take() else { return };
        for (channel, client) in member.memberships() {
            let unseen =
                self.sight == Sight::Dim && self.began.contains(&(channel.clone(), client.clone()));
            if unseen {
                self.truth.left_unseen(&channel, &client);
            } else {
                self.truth.left(&channel, &client);
            }
        }
        member.client.cut();
    }

    /// Connects a client that is not, if it may.
    fn connect(&mut self, n: usize) {
        let (user, member) = &mut self.members[n];
        if member.is_some() {
            return;
        }
        let Ok(mut client) = Client::try_open(self.port, "/connection/websocket", &[]) else {
            return;
        };
        if client.tries_to_connect(&token::of(user)) {
            *member = Some(Member { client, channels: BTreeSet::new() });
        }
    }
}
