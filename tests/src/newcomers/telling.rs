//! What is wrong with pictures, told so that it can be found out why.

use std::fmt::Write;
use std::time::Instant;

use super::Newcomers;
use super::newcomer::{Newcomer, State};
use crate::picture::{Note, Picture, Wrong};
use crate::truth::{Membership, Truth};

/// How many differences are told.
const TOLD: usize = 12;

/// How many notes of a client, and how many marks.
const NOTES: usize = 8;
const MARKS: usize = 12;

// === impl Newcomers ===

impl Newcomers {
    /// A newcomer and when it came.
    pub(super) fn name(&self, newcomer: &Newcomer) -> String {
        let Newcomer { number, server, came, counts, .. } = newcomer;
        let kind = if *counts { "counting newcomer" } else { "newcomer" };
        format!("{kind} {number} of server {server}, there since {},", self.time(*came))
    }

    /// A picture that is not what it should be.
    pub(super) fn difference(
        &self,
        (channel, picture): (&str, &Picture),
        wrong: &Wrong,
        truth: &Truth,
    ) -> String {
        let (client, what) = match wrong {
            Wrong::Empty => return format!("has no answer in {channel}"),
            Wrong::Miscounted(shown, there) => {
                let notes = self.notes(picture, None);
                return format!("counts {shown} instead of {there} in {channel}: {notes}");
            }
            Wrong::Ghost(client) => (client, "shows the ghost"),
            Wrong::Missing(client) => (client, "lacks"),
        };
        let life = life(truth, &(channel.to_owned(), client.clone()));
        let notes = self.notes(picture, Some(client));
        format!("{what} {client} in {channel}, {life}: {notes}")
    }

    /// A push that changed nothing.
    pub(super) fn idle(
        &self,
        (channel, picture): (&str, &Picture),
        note: &Note,
        truth: &Truth,
    ) -> String {
        let client = &note.client;
        let life = life(truth, &(channel.to_owned(), client.clone()));
        let (at, what, notes) = (self.time(note.at), note.what, self.notes(picture, Some(client)));
        format!(
            "was told {what:?} of {client} in {channel} at {at}, which changed nothing, {life}: \
             {notes}"
        )
    }

    /// What a picture is made of, as to one client.
    pub(super) fn notes(&self, picture: &Picture, client: Option<&str>) -> String {
        let mut text = format!("subscribed at {}", self.time(picture.began()));
        if let Some(answered) = picture.answered() {
            let _ = write!(text, ", answered at {}", self.time(answered));
        }
        let notes: Vec<&Note> = picture.notes(client).collect();
        for note in &notes[notes.len().saturating_sub(NOTES)..] {
            let who = if client.is_none() { note.client.as_str() } else { "" };
            let _ = write!(text, ", {:?} {who} at {}", note.what, self.time(note.at));
        }
        text
    }

    /// Everything that was found, and what happened when.
    pub(super) fn tell(&self, found: &[String]) -> String {
        let mut text = format!("{} faults in pictures of {} newcomers:", found.len(), self.len());
        for line in found.iter().take(TOLD) {
            let _ = write!(text, "\n  {line}");
        }
        let _ = write!(text, "\n  it is {} now; before:", self.time(Instant::now()));
        for (at, what) in &self.marks[self.marks.len().saturating_sub(MARKS)..] {
            let _ = write!(text, "\n    {} {what}", self.time(*at));
        }
        text
    }

    /// What a newcomer did last.
    pub(super) fn lines(&self, state: &State) -> String {
        let mut text = String::new();
        for (at, what) in &state.lines[state.lines.len().saturating_sub(NOTES)..] {
            let _ = write!(text, "\n      {} {what}", self.time(*at));
        }
        text
    }

    fn time(&self, at: Instant) -> String {
        format!("{:.3} s", at.saturating_duration_since(self.origin).as_secs_f32())
    }
}

/// What is true of a client.
pub(super) fn life(truth: &Truth, membership: &Membership) -> String {
    let Some(life) = truth.lives().get(membership) else {
        return "who is an observer".to_owned();
    };
    let stays: Vec<String> = life.stays.iter().rev().take(3).map(ToString::to_string).collect();
    format!("who was there {}", stays.join(", "))
}
