//! What a client is told of who is here.

use super::*;

fn at(seq: u64) -> PictureRead {
    PictureRead { since: seq, seq, empty: false }
}

const NOBODY: PictureRead = PictureRead { since: 99, seq: 99, empty: true };

/// Whom an answer names.
fn named(answer: Vec<u8>) -> String {
    let object: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(&answer).expect("an object");
    let mut names: Vec<&str> = object.keys().map(String::as_str).collect();
    names.sort_unstable();
    names.join(" ")
}

fn others(clients: &[&str]) -> Vec<(Box<str>, Json)> {
    clients.iter().map(|client| ((*client).into(), info(client))).collect()
}

#[test]
fn a_read_of_what_was_shown_is_the_answer() {
    let mirror = mirror(10, &["a"]);
    assert_eq!(mirror.basis(at(10), true), Basis::Read);
    assert_eq!(mirror.basis(at(10), false), Basis::Shown, "its events come from elsewhere");
    assert_eq!(mirror.basis(at(11), true), Basis::Later, "an event is on its way");
    assert_eq!(mirror.basis(NOBODY, true), Basis::Later);
    assert_eq!(super::mirror(10, &[]).basis(NOBODY, true), Basis::Read);
}

#[test]
fn events_after_the_read_are_in_the_answer() {
    let mut mirror = mirror(10, &["a", "b"]);
    mirror.on_event(join("c", 10, 11));
    mirror.on_event(leave("a", 11, 12));
    let read = at(10);
    assert_eq!(mirror.basis(read, true), Basis::Both);
    // One who joined without an event is in the read only.
    let others = others(&["a", "b", "silent"]);
    assert_eq!(named(mirror.presence(Some((&read, &others)))), "b c silent");
    assert_eq!(mirror.counts(Basis::Both), (1, 1), "what the last event said");
}

#[test]
fn who_left_by_a_read_is_not_taken_from_an_older_one() {
    let mut mirror = mirror(10, &["x", "y"]);
    mirror.begin_check();
    assert_eq!(text(mirror.end_read(12, all(&["y"]), Differences::Show)), "-x");
    assert_eq!(mirror.basis(at(10), true), Basis::Shown);
    assert_eq!(mirror.basis(at(12), true), Basis::Read);
    // The same once leaves are forgotten.
    mirror.on_event(leave("y", 12, 13));
    mirror.forget_leaves();
    assert_eq!(mirror.basis(at(12), true), Basis::Shown);
}

#[test]
fn clients_that_join_without_events_are_in_the_answer() {
    assert_eq!(mirror(10, &[]).basis(at(11), true), Basis::Unheard);
}

#[test]
fn while_a_loss_is_waited_for_the_answer_is_what_was_shown() {
    let mut mirror = mirror(10, &["a", "b"]);
    mirror.patience().lost(1);
    assert_eq!(mirror.basis(at(20), true), Basis::Shown);
    assert_eq!(named(mirror.presence(None)), "a b");
    assert_eq!(mirror.counts(Basis::Shown), (2, 1));
    mirror.begin_check();
    assert_eq!(mirror.basis(at(20), true), Basis::Later, "what has arrived is shown soon");
}

#[test]
fn what_is_not_remembered_is_not_taken_from_a_read() {
    let mut mirror = Mirror::new(1_000);
    mirror.first_read(10, all(&["a"]));
    for n in 0..300 {
        let client = format!("c{n}");
        mirror.on_event(join(&client, 10 + 2 * n, 11 + 2 * n));
        mirror.on_event(leave(&client, 11 + 2 * n, 12 + 2 * n));
    }
    assert_eq!(mirror.basis(at(10), true), Basis::Shown);
    assert_eq!(mirror.basis(at(600), true), Basis::Both);
}

#[test]
fn rooms_too_big_to_mirror_are_answered_with_the_read() {
    let mut mirror = Mirror::new(LIMIT);
    mirror.first_read(10, Read::TooMany);
    assert_eq!(mirror.basis(at(12), false), Basis::Read);
}
