//! An observer that comes at some moment and builds its pictures only from what it is told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::{Client, Heard};
use crate::ledger::OBSERVER;
use crate::picture::{Picture, Told};
use crate::token;

/// Until what failed is tried again.
const AGAIN: Duration = Duration::from_millis(50);

/// How often it looks whether it shall go.
const LOOK: Duration = Duration::from_millis(50);

/// What it did that is kept for messages.
const LINES: usize = 100;

/// One observer, on a thread of its own.
#[derive(Debug)]
pub struct Newcomer {
    /// Which one came at all.
    pub number: usize,
    /// The server it came to.
    pub server: usize,
    /// When it came.
    pub came: Instant,
    /// Where it goes.
    pub channels: Vec<String>,
    /// Whether it asks for counts, not for names.
    pub counts: bool,
    state: Arc<Mutex<State>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// What it has been told.
#[derive(Debug, Default)]
pub struct State {
    /// Its client id, while it is connected.
    pub client: String,
    /// A picture for each channel in which it is.
    pub pictures: BTreeMap<String, Picture>,
    /// Channels that it has left since the page was turned, or where it was refused: it may have been
    /// seen for a moment.
    pub away: BTreeSet<String>,
    /// What it did, and when.
    pub lines: Vec<(Instant, String)>,
    /// Why it goes on no more.
    pub broken: Option<String>,
}

// === impl Newcomer ===

impl Newcomer {
    /// Comes to the server at this port and into these channels.
    pub fn comes(number: usize, at: (usize, u16), channels: Vec<String>, counts: bool) -> Self {
        let (server, port) = at;
        let (state, stop) = (Arc::<Mutex<State>>::default(), Arc::<AtomicBool>::default());
        let life = Life {
            port,
            channels: channels.clone(),
            counts,
            state: state.clone(),
            stop: stop.clone(),
        };
        let thread = thread::spawn(move || life.lives());
        let thread = Some(thread);
        Self { number, server, came: Instant::now(), channels, counts, state, stop, thread }
    }

    /// What it has been told.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Newcomer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // It goes by itself: a server that stands still keeps its thread waiting.
        drop(self.thread.take());
    }
}

// === impl State ===

impl State {
    fn say(&mut self, what: impl Into<String>) {
        if self.lines.len() < LINES {
            self.lines.push((Instant::now(), what.into()));
        }
    }

    /// The channel is left, or was.
    fn loses(&mut self, channel: &str) {
        if self.pictures.remove(channel).is_some() {
            self.away.insert(channel.to_owned());
        }
    }
}

/// What its thread knows.
struct Life {
    port: u16,
    channels: Vec<String>,
    counts: bool,
    state: Arc<Mutex<State>>,
    stop: Arc<AtomicBool>,
}

/// What has to be done in a channel next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Subscribe,
    Ask,
}

/// The connection ended.
struct Gone;

// === impl Life ===

impl Life {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_over(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Connects again and again, until told to go.
    fn lives(&self) {
        while !self.is_over() {
            match self.connects() {
                Some(client) => {
                    self.watches(client);
                    let mut state = self.state();
                    for channel in &self.channels {
                        state.loses(channel);
                    }
                    state.client.clear();
                    state.say("its connection ends");
                }
                None => thread::sleep(AGAIN),
            }
        }
    }

    fn connects(&self) -> Option<Client> {
        let mut client = Client::try_open(self.port, "/connection/websocket", &[]).ok()?;
        if !client.tries_to_connect(&token::of(OBSERVER)) {
            return None;
        }
        let mut state = self.state();
        client.id().clone_into(&mut state.client);
        state.say(format!("it connects as {}", client.id()));
        Some(client)
    }

    /// Listens in all channels, until the connection ends or it is told to go.
    fn watches(&self, mut client: Client) {
        let mut steps: BTreeMap<String, (Instant, Step)> = BTreeMap::new();
        for channel in &self.channels {
            steps.insert(channel.clone(), (Instant::now(), Step::Subscribe));
        }
        while !self.is_over() {
            let now = Instant::now();
            let due = steps.iter().find(|(_, (at, _))| *at <= now);
            let done = match due.map(|(channel, (_, step))| (channel.clone(), *step)) {
                Some((channel, step)) => self.takes(&mut client, &channel, step, &mut steps),
                None => self.listens(&mut client, &mut steps),
            };
            if done.is_err() {
                return;
            }
        }
    }

    fn takes(
        &self,
        client: &mut Client,
        channel: &str,
        step: Step,
        steps: &mut BTreeMap<String, (Instant, Step)>,
    ) -> Result<(), Gone> {
        let word = match (step, self.counts) {
            (Step::Subscribe, _) => "subscribe",
            (Step::Ask, false) => "presence",
            (Step::Ask, true) => "presence_stats",
        };
        let mut command = json!({word: {"channel": channel}});
        if step == Step::Subscribe {
            command[word]["join_leave"] = true.into();
        }
        let reply = client.try_call(command).ok_or(Gone)?;
        // What came before the reply comes before it.
        for push in client.takes_pushes() {
            self.hears(&push["push"], steps);
        }
        let mut state = self.state();
        let Some(result) = reply.get(word) else {
            let again = steps.get(channel).is_some_and(|&(_, now)| now == step);
            if reply["error"]["code"] == 100 {
                state.say(format!("{word} of {channel} is refused"));
                if step == Step::Subscribe {
                    state.away.insert(channel.to_owned());
                }
            } else if again {
                state.broken.get_or_insert(format!("{word} of {channel}: {reply}"));
            }
            if again {
                steps.insert(channel.to_owned(), (Instant::now() + AGAIN, step));
            }
            return Ok(());
        };
        if step == Step::Subscribe {
            state.pictures.insert(channel.to_owned(), Picture::begun());
            steps.insert(channel.to_owned(), (Instant::now(), Step::Ask));
            return Ok(());
        }
        // It may have been unsubscribed meanwhile.
        let Some(picture) = state.pictures.get_mut(channel) else { return Ok(()) };
        if self.counts {
            picture.counts(result["num_clients"].as_i64().unwrap_or_default());
        } else {
            let present = result["presence"].as_object().into_iter().flatten();
            picture.names(present.map(|(client, _)| client.clone()).collect());
        }
        steps.remove(channel);
        Ok(())
    }

    /// Hears what comes next, until something has to be done.
    fn listens(
        &self,
        client: &mut Client,
        steps: &mut BTreeMap<String, (Instant, Step)>,
    ) -> Result<(), Gone> {
        let next = steps.values().map(|(at, _)| at.saturating_duration_since(Instant::now())).min();
        let limit = next.map_or(LOOK, |next| next.min(LOOK)).max(Duration::from_millis(1));
        match client.hears_within(limit) {
            Some(Heard::Line(line)) => self.hears(&line["push"], steps),
            Some(Heard::Close(..) | Heard::Gone) => return Err(Gone),
            None => {}
        }
        Ok(())
    }

    fn hears(&self, push: &Value, steps: &mut BTreeMap<String, (Instant, Step)>) {
        let channel = push["channel"].as_str().unwrap_or_default();
        let mut state = self.state();
        if push.get("unsubscribe").is_some() {
            state.say(format!("it is unsubscribed from {channel}: {push}"));
            state.loses(channel);
            steps.insert(channel.to_owned(), (Instant::now() + AGAIN, Step::Subscribe));
            return;
        }
        let (info, what) = match (push.get("join"), push.get("leave")) {
            (Some(join), None) => (&join["info"], Told::Join),
            (None, Some(leave)) => (&leave["info"], Told::Leave),
            _ if push.get("pub").is_some() => return,
            _ => {
                state.broken.get_or_insert(format!("it was told {push}"));
                return;
            }
        };
        let client = info["client"].as_str().unwrap_or_default();
        match state.pictures.get_mut(channel) {
            Some(picture) => picture.told(client, what),
            None => {
                state.broken.get_or_insert(format!("it is told of {channel}, where it is not"));
            }
        }
    }
}
