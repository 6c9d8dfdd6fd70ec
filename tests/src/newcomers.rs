//! Observers that come at random moments, also in the middle of a fault: each ends with the right
//! picture, however it began.

pub mod newcomer;
mod telling;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::picture::Picture;
use crate::random::Random;
use crate::stopwatch::Stopwatch;
use crate::truth::{Life, Membership, Truth};
use newcomer::Newcomer;
use telling::life;

/// How soon after a loss every picture is right, whenever it was begun.
pub const RIGHT: Duration = Duration::from_secs(15);

/// How many are there at most: the oldest leave when more come.
const CROWD: usize = 40;

/// In how many channels each is at most.
const CHANNELS: usize = 3;

/// Of a hundred, how many ask for counts.
const COUNTING: usize = 20;

/// Until the next one comes, in milliseconds.
const PACE: [usize; 2] = [20, 500];

/// All of them.
#[derive(Debug)]
pub struct Newcomers {
    channels: Vec<String>,
    random: Random,
    list: VecDeque<Newcomer>,
    /// How many came.
    came: usize,
    /// Times are told from here on.
    origin: Instant,
    /// Moments that explain others.
    marks: Vec<(Instant, String)>,
    /// What was true when all was right last.
    page: Truth,
    /// Servers whose clients may have been shown leaving since then.
    excused: BTreeSet<usize>,
}

/// An observer of every channel: its client id, and the number of its server.
pub type Observer = (String, usize);

/// Who is where.
type Rooms = BTreeMap<String, BTreeSet<String>>;

/// Observers that were there all the time, and the numbers of their servers.
type Stays = BTreeMap<Membership, usize>;

// === impl Newcomers ===

impl Newcomers {
    /// Nobody yet, to come into some of these channels.
    pub fn into(channels: &[String]) -> Self {
        Self {
            channels: channels.to_owned(),
            random: Random::new(1),
            list: VecDeque::new(),
            came: 0,
            origin: Instant::now(),
            marks: Vec::new(),
            page: Truth::default(),
            excused: BTreeSet::new(),
        }
    }

    /// Decides by this who comes when.
    pub fn seed(&mut self, seed: u64) {
        self.random = Random::exactly(seed);
    }

    /// Tells times from here on.
    pub fn counts_from(&mut self, origin: Instant) {
        self.origin = origin;
    }

    /// Something happened that explains what came after it.
    pub fn marks(&mut self, at: Instant, what: &str) {
        self.marks.push((at, what.to_owned()));
        self.marks.sort();
    }

    /// Clients of this server may be shown leaving although they stay.
    pub fn excuses(&mut self, server: usize) {
        self.excused.insert(server);
    }

    /// One comes to a server at this port.
    pub fn comes(&mut self, server: usize, port: u16) {
        let random = &mut self.random;
        let mut channels = self.channels.clone();
        while channels.len() > CHANNELS {
            channels.swap_remove(random.below(channels.len()));
        }
        let counts = random.percent(COUNTING);
        self.came += 1;
        self.list.push_back(Newcomer::comes(self.came, (server, port), channels, counts));
    }

    /// One comes after the other, to servers at these ports, until `stop`.
    pub fn come(&mut self, ports: &[u16], stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) {
            let server = self.random.below(ports.len());
            self.comes(server, ports[server]);
            if self.list.len() > CROWD {
                self.list.pop_front();
            }
            let pause = PACE[0] + self.random.below(PACE[1] - PACE[0]);
            let end = Instant::now() + Duration::from_millis(pause as u64);
            while Instant::now() < end && !stop.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_millis(5));
            }
        }
    }

    /// All of them go.
    pub fn go(&mut self) {
        self.list.clear();
    }

    /// How many are there.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether nobody came.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// In how many channels all of them are together.
    pub fn memberships(&self) -> usize {
        self.list.iter().map(|newcomer| newcomer.state().pictures.len()).sum()
    }

    /// Waits until every picture is right, given what is true of all others and the `observers` who
    /// are there as well; nothing may be wrong with what was pushed until then.
    pub fn agree_within(&self, limit: Duration, truth: &Truth, observers: &[Observer]) {
        let start = Stopwatch::start();
        loop {
            let mut found = self.faults(truth, observers);
            // These do not go away.
            let hopeless = !found.is_empty();
            found.extend(self.differences(truth, observers));
            if found.is_empty() {
                return;
            }
            let waited = start.elapsed();
            let over = hopeless || waited > limit;
            assert!(!over, "not right after {waited:.1?}: {}", self.tell(&found));
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Begins a new page, when all is right.
    pub fn begin_anew(&mut self, truth: Truth) {
        self.page = truth;
        self.excused.clear();
        for newcomer in &self.list {
            let mut state = newcomer.state();
            state.away.clear();
            state.pictures.values_mut().for_each(Picture::turns_the_page);
        }
    }

    /// What differs in pictures from what is true.
    fn differences(&self, truth: &Truth, observers: &[Observer]) -> Vec<String> {
        let rooms = self.rooms(truth, observers);
        let mut found = Vec::new();
        for newcomer in &self.list {
            let (name, state) = (self.name(newcomer), newcomer.state());
            let lines = self.lines(&state);
            for channel in &newcomer.channels {
                let Some(picture) = state.pictures.get(channel) else {
                    found.push(format!("{name} is not in {channel}{lines}"));
                    continue;
                };
                for wrong in picture.wrong(&rooms[channel]) {
                    let what = self.difference((channel, picture), &wrong, truth);
                    found.push(format!("{name} {what}{lines}"));
                }
            }
        }
        found
    }

    /// What was pushed and should not have been.
    fn faults(&self, truth: &Truth, observers: &[Observer]) -> Vec<String> {
        let stays = self.stays(observers);
        let mut found = Vec::new();
        for newcomer in &self.list {
            let (name, state) = (self.name(newcomer), newcomer.state());
            found.extend(state.broken.iter().map(|broken| format!("{name} {broken}")));
            for (channel, picture) in &state.pictures {
                let idle = picture.idle().iter();
                let idle = idle.map(|note| self.idle((channel, picture), note, truth));
                found.extend(idle.map(|what| format!("{name} {what}")));
                for (client, &leaves) in picture.leaves() {
                    let membership = (channel.clone(), client.clone());
                    let most = self.most_leaves(&membership, &stays, truth);
                    if leaves > most {
                        let (life, notes) =
                            (life(truth, &membership), self.notes(picture, Some(client)));
                        found.push(format!(
                            "{name} was shown {client} leaving {channel} {leaves} times instead of \
                             {most}, {life}: {notes}"
                        ));
                    }
                }
            }
        }
        found
    }

    /// How often a client may have been shown leaving since the page was turned.
    fn most_leaves(&self, membership: &Membership, stays: &Stays, truth: &Truth) -> usize {
        if let Some(server) = stays.get(membership) {
            return if self.excused.contains(server) { usize::MAX } else { 0 };
        }
        let left = |life: &Life| life.joins + life.maybe - usize::from(life.present);
        // Of an observer that has gone nobody knows more.
        let Some(life) = truth.lives().get(membership) else { return usize::MAX };
        let before = self.page.lives().get(membership);
        // Presence may have named who had left before, out of an old file.
        let named = before.is_some_and(|before| !before.present);
        left(life) - before.map_or(0, left) + usize::from(named)
    }

    fn stays(&self, observers: &[Observer]) -> Stays {
        let mut stays = Stays::new();
        for newcomer in &self.list {
            let state = newcomer.state();
            for channel in state.pictures.keys().filter(|at| !state.away.contains(*at)) {
                stays.insert((channel.clone(), state.client.clone()), newcomer.server);
            }
        }
        for (client, server) in observers {
            let all = self.channels.iter().map(|channel| (channel.clone(), client.clone()));
            stays.extend(all.map(|membership| (membership, *server)));
        }
        stays
    }

    fn rooms(&self, truth: &Truth, observers: &[Observer]) -> Rooms {
        let room = |channel: &String| {
            let mut present = truth.present(channel);
            present.extend(observers.iter().map(|(client, _)| client.clone()));
            (channel.clone(), present)
        };
        let mut rooms: Rooms = self.channels.iter().map(room).collect();
        for newcomer in &self.list {
            let state = newcomer.state();
            for channel in state.pictures.keys() {
                rooms.entry(channel.clone()).or_default().insert(state.client.clone());
            }
        }
        rooms
    }
}
