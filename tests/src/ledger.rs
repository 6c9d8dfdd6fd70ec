//! An observer that writes down every join and leave it is shown.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::{Client, Heard};
use crate::server::Server;
use crate::stopwatch::Stopwatch;
use crate::truth::{Life, Membership, Truth};
use crate::wait::{eventually, patience};

/// The user every observer is; what happens to observers is in no ledger.
pub const OBSERVER: &str = "observer";

/// Subscriptions asked for in one frame.
const BATCH: usize = 100;

/// A client on a thread of its own. Nobody may be in the channels before it is.
#[derive(Debug)]
pub struct Ledger {
    name: String,
    client: String,
    book: Arc<Mutex<Book>>,
    stop: Arc<AtomicBool>,
    reader: Option<JoinHandle<()>>,
    fences: u64,
    /// What was true when it was opened.
    before: Truth,
}

#[derive(Debug, Default)]
struct Book {
    pages: BTreeMap<Membership, Vec<Note>>,
    /// Channels in which the fence of this number was passed.
    fence: u64,
    passed: BTreeSet<String>,
    /// Why nothing is written any more.
    broken: Option<String>,
}

/// What was shown, and when.
#[derive(Debug, Clone, Copy)]
struct Note {
    at: Instant,
    join: bool,
}

/// How long it took to show leaves.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// How many there were.
    pub count: usize,
    /// Half of them took no longer.
    pub p50: Duration,
    /// Of a hundred, 99 took no longer.
    pub p99: Duration,
    /// The longest.
    pub worst: Duration,
}

// === impl Ledger ===

impl Ledger {
    /// Subscribes to these channels on this server, in which nobody is, and starts writing. The
    /// name is for messages.
    pub fn open(name: &str, server: &Server, channels: &[String]) -> Self {
        Self::open_amid(name, server, channels, Truth::default())
    }

    /// As [`Self::open`], where this is true and stays true until it returns.
    pub fn open_amid(name: &str, server: &Server, channels: &[String], before: Truth) -> Self {
        let mut client = server.client(OBSERVER);
        for batch in channels.chunks(BATCH) {
            let mut left = batch.to_vec();
            eventually("an observer subscribes", || {
                left = subscribe(&mut client, &left);
                left.is_empty().then_some(())
            });
        }
        let id = client.id().to_owned();
        let (book, stop) = (Arc::<Mutex<Book>>::default(), Arc::<AtomicBool>::default());
        let reader = {
            let (book, stop) = (book.clone(), stop.clone());
            thread::spawn(move || write(client, &book, &stop))
        };
        let (name, reader) = (name.to_owned(), Some(reader));
        Self { name, client: id, book, stop, reader, fences: 0, before }
    }

    /// Its client id.
    pub fn client(&self) -> &str {
        &self.client
    }

    /// What is wrong with the ledger, given the truth; empty when they agree.
    pub fn differences(&self, truth: &Truth) -> Vec<String> {
        let book = self.book();
        let mut found: Vec<String> = book.broken.iter().cloned().collect();
        let nobody = Life::default();
        let strangers = book.pages.keys().filter(|key| !truth.lives().contains_key(*key));
        let lives = truth.lives().iter().chain(strangers.map(|key| (key, &nobody)));
        for (membership, life) in lives {
            let notes = book.pages.get(membership).map_or(&[][..], Vec::as_slice);
            let before = self.before.lives().get(membership).unwrap_or(&nobody);
            if let Some(what) = difference(notes, life, before) {
                let (channel, client) = membership;
                found.push(format!("{client} in {channel}: {what}"));
            }
        }
        found
    }

    /// Waits until the ledger says what is true.
    pub fn agrees_within(&self, limit: Duration, truth: &Truth) {
        let start = Stopwatch::start();
        loop {
            let found = self.differences(truth);
            if found.is_empty() {
                return;
            }
            assert!(start.elapsed() < limit, "not within {limit:?}: {}", self.tell(&found));
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// The ledger says what is true now and nothing is on its way any more: a publication to each
    /// channel comes after all that Redis had announced before.
    pub fn agrees_for_good(&mut self, server: &Server, channels: &[String], truth: &Truth) {
        self.fences += 1;
        {
            let mut book = self.book();
            book.fence = self.fences;
            book.passed.clear();
        }
        let data = json!({"fence": self.fences});
        for batch in channels.chunks(BATCH) {
            eventually("a fence is published", || {
                let params = json!({"channels": batch, "data": data});
                let answer = server.api_answer("broadcast", params);
                let responses = answer["result"]["responses"].as_array()?.clone();
                responses.iter().all(|one| one.get("result").is_some()).then_some(())
            });
        }
        let start = Stopwatch::start();
        while self.book().passed.len() < channels.len() {
            let broken = self.book().broken.clone();
            assert!(broken.is_none(), "{}: {broken:?}", self.name);
            let passed = self.book().passed.clone();
            let missing = channels.iter().find(|channel| !passed.contains(*channel));
            assert!(start.elapsed() < patience(), "{}: no publication in {missing:?}", self.name);
            thread::sleep(Duration::from_millis(5));
        }
        let found = self.differences(truth);
        assert!(found.is_empty(), "{}", self.tell(&found));
    }

    /// Begins a new page, after [`Self::agrees_for_good`]: what may have been told until now may not
    /// be told any more.
    pub fn begins_anew(&mut self, truth: Truth) {
        self.before = truth;
        self.book().pages.clear();
    }

    /// How long after `since` each of these was shown leaving; whoever was not is left out.
    pub fn times(&self, memberships: &[Membership], since: Instant) -> Option<Times> {
        let book = self.book();
        let last = |membership| book.pages.get(membership)?.last().filter(|note| !note.join);
        let mut times: Vec<Duration> = memberships
            .iter()
            .filter_map(|membership| Some(last(membership)?.at.duration_since(since)))
            .collect();
        times.sort_unstable();
        let place = |percent: usize| times[(times.len() * percent).div_ceil(100).max(1) - 1];
        let worst = *times.last()?;
        Some(Times { count: times.len(), p50: place(50), p99: place(99), worst })
    }

    /// How many joins and leaves are in it.
    pub fn len(&self) -> usize {
        self.book().pages.values().map(Vec::len).sum()
    }

    /// Whether nothing was shown at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn tell(&self, found: &[String]) -> String {
        let mut text = format!("{} differs in {}:", self.name, found.len());
        for line in found.iter().take(10) {
            let _ = write!(text, "\n  {line}");
        }
        text
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(reader) = self.reader.take() {
            // A reader that panicked has said so, and has broken nothing but the ledger.
            let _ = reader.join();
        }
    }
}

// === impl Book ===

impl Book {
    fn take(&mut self, push: &Value) {
        let channel = push["channel"].as_str().unwrap_or_default().to_owned();
        if push["pub"]["data"]["fence"] == self.fence {
            self.passed.insert(channel);
            return;
        }
        let (info, join) = match (push.get("join"), push.get("leave")) {
            (Some(join), None) => (&join["info"], true),
            (None, Some(leave)) => (&leave["info"], false),
            _ if push.get("pub").is_some() => return,
            _ => {
                self.broken.get_or_insert(format!("the observer was told {push}"));
                return;
            }
        };
        if info["user"] == OBSERVER {
            return;
        }
        let client = info["client"].as_str().unwrap_or_default().to_owned();
        let note = Note { at: Instant::now(), join };
        self.pages.entry((channel, client)).or_default().push(note);
    }
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { count, p50, p99, worst } = self;
        write!(f, "{count} leaves: p50 {p50:.2?}, p99 {p99:.2?}, worst {worst:.2?}")
    }
}

/// Subscribes to channels; to which it shall be tried again, as SDKs do.
fn subscribe(client: &mut Client, channels: &[String]) -> Vec<String> {
    let command = |channel: &String| json!({"subscribe": {"channel": channel, "join_leave": true}});
    let replies = client.calls(channels.iter().map(command).collect());
    let mut again = Vec::new();
    for (channel, reply) in channels.iter().zip(replies) {
        if reply["error"]["temporary"] == true {
            again.push(channel.clone());
        } else {
            assert!(reply.get("subscribe").is_some(), "an observer subscribes: {reply}");
        }
    }
    again
}

/// Writes until told to stop, or until the connection ends.
fn write(mut client: Client, book: &Mutex<Book>, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        let heard = client.hears_within(Duration::from_millis(50));
        let mut book = book.lock().unwrap_or_else(PoisonError::into_inner);
        match heard {
            Some(Heard::Line(line)) => book.take(&line["push"]),
            Some(end) => {
                book.broken = Some(format!("the observer's connection ended: {end:?}"));
                return;
            }
            None => {}
        }
    }
}

/// What is wrong with the notes of a membership, when this was the case before the first of them.
fn difference(notes: &[Note], life: &Life, before: &Life) -> Option<String> {
    let told = notes.iter().map(|note| if note.join { 'J' } else { 'L' });
    let told: String = before.present.then_some('J').into_iter().chain(told).collect();
    let least = life.joins + usize::from(before.present) - before.joins;
    let most = least + life.maybe - before.maybe;
    let right = told.chars().zip("JL".chars().cycle()).all(|(told, turn)| told == turn)
        && (least..=most).contains(&told.matches('J').count())
        && told.ends_with('J') == life.present;
    (!right).then(|| {
        let stays: Vec<String> = life.stays.iter().rev().take(5).map(ToString::to_string).collect();
        let (present, stays) = (life.present, stays.join(", "));
        format!(
            "told {told:?}, came {least} to {most} times, present: {present}; last there {stays}"
        )
    })
}
