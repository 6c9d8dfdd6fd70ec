//! A picture of a channel as an application draws it: what presence answered, with every join and
//! leave applied that was pushed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

/// Notes kept for messages.
const NOTES: usize = 4000;

/// The picture of one channel, from a subscribe on.
#[derive(Debug)]
pub struct Picture {
    /// When the subscribe was answered.
    began: Instant,
    /// When presence answered.
    answered: Option<Instant>,
    shown: Shown,
    notes: Vec<Note>,
    /// Leaves that were pushed, by client.
    leaves: BTreeMap<String, usize>,
    /// Pushes that changed nothing, for messages.
    idle: Vec<Note>,
}

/// Who is in the channel.
#[derive(Debug)]
enum Shown {
    /// Presence has not answered yet.
    Nothing,
    /// These clients.
    Names(BTreeSet<String>),
    /// So many clients.
    Count(i64),
}

/// What was told of a client.
#[derive(Debug, Clone)]
pub struct Note {
    /// When.
    pub at: Instant,
    /// Whom.
    pub client: String,
    /// What.
    pub what: Told,
}

/// What a client was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// Presence names the client.
    Present,
    /// It joined.
    Join,
    /// It left.
    Leave,
}

/// What is wrong with a picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wrong {
    /// It shows a client that is not there.
    Ghost(String),
    /// It does not show a client that is there.
    Missing(String),
    /// It says so many clients instead of so many.
    Miscounted(i64, usize),
    /// Presence has not answered.
    Empty,
}

// === impl Picture ===

impl Picture {
    /// A subscribe was answered.
    pub fn begun() -> Self {
        Self {
            began: Instant::now(),
            answered: None,
            shown: Shown::Nothing,
            notes: Vec::new(),
            leaves: BTreeMap::new(),
            idle: Vec::new(),
        }
    }

    /// When the subscribe was answered.
    pub fn began(&self) -> Instant {
        self.began
    }

    /// When presence answered.
    pub fn answered(&self) -> Option<Instant> {
        self.answered
    }

    /// Presence answers. What was pushed before the answer is applied on top of it.
    pub fn names(&mut self, present: BTreeSet<String>) {
        let early = std::mem::take(&mut self.notes);
        for client in &present {
            self.note(client, Told::Present);
        }
        let mut shown = present;
        for note in &early {
            apply(&mut shown, note);
        }
        self.notes.extend(early);
        self.answered = Some(Instant::now());
        self.shown = Shown::Names(shown);
    }

    /// `presence_stats` answers. What was pushed before the answer is in it.
    pub fn counts(&mut self, clients: i64) {
        self.answered = Some(Instant::now());
        self.shown = Shown::Count(clients);
    }

    /// A join or a leave is pushed.
    pub fn told(&mut self, client: &str, what: Told) {
        self.note(client, what);
        if what == Told::Leave {
            *self.leaves.entry(client.to_owned()).or_default() += 1;
        }
        match &mut self.shown {
            Shown::Nothing => {}
            Shown::Names(shown) => {
                let note = self.notes.last().expect("it was just noted");
                if !apply(shown, note) {
                    self.idle.push(note.clone());
                }
            }
            Shown::Count(count) => *count += if what == Told::Join { 1 } else { -1 },
        }
    }

    /// What is wrong when these clients are in the channel.
    pub fn wrong(&self, present: &BTreeSet<String>) -> Vec<Wrong> {
        match &self.shown {
            Shown::Nothing => vec![Wrong::Empty],
            Shown::Names(shown) => {
                let ghosts = shown.difference(present).cloned().map(Wrong::Ghost);
                let missing = present.difference(shown).cloned().map(Wrong::Missing);
                ghosts.chain(missing).collect()
            }
            Shown::Count(count) => {
                let right = usize::try_from(*count).is_ok_and(|count| count == present.len());
                if right { Vec::new() } else { vec![Wrong::Miscounted(*count, present.len())] }
            }
        }
    }

    /// Whether these are among those it shows.
    pub fn shows(&self, clients: &BTreeSet<String>) -> bool {
        matches!(&self.shown, Shown::Names(shown) if shown.is_superset(clients))
    }

    /// Pushes that did not change the picture.
    pub fn idle(&self) -> &[Note] {
        &self.idle
    }

    /// How often each client was shown leaving.
    pub fn leaves(&self) -> &BTreeMap<String, usize> {
        &self.leaves
    }

    /// What was told of a client, or of everybody.
    pub fn notes(&self, client: Option<&str>) -> impl Iterator<Item = &Note> {
        self.notes.iter().filter(move |note| client.is_none_or(|client| note.client == client))
    }

    /// Begins a new page: what was told so far is judged, and the picture stays.
    pub fn turns_the_page(&mut self) {
        self.leaves.clear();
        self.idle.clear();
    }

    fn note(&mut self, client: &str, what: Told) {
        if self.notes.len() >= NOTES {
            self.notes.drain(..NOTES / 2);
        }
        self.notes.push(Note { at: Instant::now(), client: client.to_owned(), what });
    }
}

/// Whether a join or a leave changes who is shown.
fn apply(shown: &mut BTreeSet<String>, note: &Note) -> bool {
    match note.what {
        Told::Leave => shown.remove(&note.client),
        Told::Join | Told::Present => shown.insert(note.client.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn what_comes_before_the_answer_is_on_top_of_it_and_need_not_change_it() {
        let mut picture = Picture::begun();
        assert_eq!(picture.wrong(&set(&["own"])), [Wrong::Empty]);
        picture.told("own", Told::Join);
        picture.told("comes", Told::Join);
        picture.told("goes", Told::Leave);
        picture.told("there", Told::Join);
        picture.names(set(&["own", "goes", "there"]));
        assert_eq!(picture.wrong(&set(&["own", "comes", "there"])), []);
        assert!(picture.idle().is_empty());
    }

    #[test]
    fn what_changes_nothing_after_the_answer_is_remembered() {
        let mut picture = Picture::begun();
        picture.names(set(&["a"]));
        for (client, what) in [("a", Told::Join), ("b", Told::Leave), ("a", Told::Leave)] {
            picture.told(client, what);
        }
        let idle: Vec<_> = picture.idle().iter().map(|note| note.client.as_str()).collect();
        assert_eq!(idle, ["a", "b"]);
        picture.told("d", Told::Join);
        let wrong = [Wrong::Ghost("d".to_owned()), Wrong::Missing("c".to_owned())];
        assert_eq!(picture.wrong(&set(&["c"])), wrong);
        assert_eq!(picture.leaves().len(), 2);
    }

    #[test]
    fn a_count_goes_up_and_down_after_the_answer() {
        let mut picture = Picture::begun();
        picture.told("in it already", Told::Join);
        picture.counts(1);
        picture.told("own", Told::Join);
        picture.told("a", Told::Join);
        picture.told("b", Told::Leave);
        assert_eq!(picture.wrong(&set(&["own", "a"])), []);
        assert_eq!(picture.wrong(&set(&["own"])), [Wrong::Miscounted(2, 1)]);
    }
}
