//! Events that were missed, and what Redis remembers of them.

use super::*;

/// The last one leaves.
fn last(client: &str, prev: u64, seq: u64) -> Event {
    Event { clients: 0, ..leave(client, prev, seq) }
}

/// A read to which no event leads.
const NO_READ: (u64, &Read) = (u64::MAX, &Read::TooMany);

/// Redis is asked, and this is its answer.
fn recall(mirror: &mut Mirror, missed: Vec<Event>) {
    let (_, asked) = mirror.begin_recall();
    mirror.recall(asked, missed, NO_READ);
}

#[test]
fn what_comes_after_a_missed_event_waits_for_a_read() {
    let mut mirror = mirror(10, &["a"]);
    assert_eq!(text(mirror.on_event(join("c", 11, 12))), "!");
    assert!(mirror.has_missed() && mirror.wants_read());
    assert_eq!(text(mirror.on_event(join("d", 12, 13))), "", "a read is asked for once");
    mirror.begin_check();
    assert_eq!(text(mirror.end_read(13, all(&["a", "c", "d"]), Differences::Show)), "+c +d");
    assert!(!mirror.has_missed());
    // The roster emptied unseen and filled again.
    assert_eq!(text(mirror.on_event(join("d", 0, 20))), "!");
}

#[test]
fn what_was_missed_is_shown_in_its_turn() {
    let mut mirror = mirror(10, &["a"]);
    // Missed: b came and went, a went, c came.
    assert_eq!(text(mirror.on_event(leave("c", 14, 15))), "!");
    mirror.begin_check();
    let missed = [join("b", 10, 11), leave("b", 11, 12), last("a", 12, 13), join("c", 0, 14)];
    recall(&mut mirror, [&missed[..], &[leave("c", 14, 15)]].concat());
    let effect = mirror.end_read(15, all(&[]), Differences::Wait);
    let shown: Vec<u64> = effect.changes.iter().map(|(seq, _)| *seq).collect();
    assert_eq!(shown, [11, 12, 13, 14, 15], "each once, in order: {effect:?}");
    assert_eq!(text(effect), "+b +c -a -b -c");
    assert!(mirror.is_empty());
}

#[test]
fn what_was_shown_before_is_not_shown_again() {
    let mut mirror = mirror(12, &["a"]);
    mirror.was_deaf();
    recall(&mut mirror, vec![join("b", 10, 11), leave("b", 11, 12), join("c", 12, 13)]);
    assert_eq!(text(mirror.end_read(13, all(&["a", "c"]), Differences::Show)), "+c");
}

#[test]
fn what_does_not_follow_what_was_shown_is_not_taken() {
    let mut mirror = mirror(10, &["a"]);
    mirror.was_deaf();
    // A master that was replaced told this to others.
    recall(&mut mirror, vec![leave("a", 12, 13), last("b", 13, 14)]);
    assert_eq!(text(mirror.end_read(10, all(&["a"]), Differences::Show)), "");
    // A Redis that goes on from older data.
    mirror.was_deaf();
    recall(&mut mirror, vec![leave("ghost", 8, 15), join("c", 15, 16), leave("c", 16, 17)]);
    assert_eq!(text(mirror.end_read(17, all(&["a"]), Differences::Wait)), "+c -c");
    // A Redis that began anew.
    mirror.was_deaf();
    recall(&mut mirror, vec![join("b", 0, 20), last("b", 20, 21)]);
    assert_eq!(text(mirror.end_read(21, all(&[]), Differences::Wait)), "+b -b !");
}

/// The memory has lost what came before them, and some in between.
#[test]
fn what_leads_to_the_read_is_taken_whatever_is_forgotten_before_it() {
    let came = |prev| vec![join("b", prev, prev + 1), leave("b", prev + 1, prev + 2)];
    let shown = |missed: Vec<Event>, seq, read: Read| {
        let mut mirror = mirror(10, &["a", "x"]);
        mirror.was_deaf();
        let (_, asked) = mirror.begin_recall();
        mirror.recall(asked, missed, (seq, &read));
        text(mirror.end_read(seq, read, Differences::Wait))
    };
    let a = || all(&["a"]);
    assert_eq!(shown(came(20), 22, a()), "+b -b");
    assert_eq!(shown(came(20), 21, all(&["a", "b"])), "+b -b", "some of it is after the read");
    assert_eq!(shown(came(20), 20, a()), "+b -b", "all of it is");
    assert_eq!(shown(came(20), 19, a()), "", "it is not of this roster");
    assert_eq!(shown(came(20), 30, a()), "", "more is to come");
    let twice = [join("c", 10, 11), leave("c", 11, 12)].into_iter().chain(came(20));
    assert_eq!(shown(twice.collect(), 22, a()), "+b +c -b -c");
    let gone = [came(20), vec![leave("a", 22, 23), last("x", 23, 24)]].concat();
    assert_eq!(shown(gone, 99, all(&[])), "+b -a -b -x");
}

#[test]
fn who_left_and_came_back_unseen_is_shown_both() {
    let mut mirror = mirror(10, &["a"]);
    mirror.was_deaf();
    recall(&mut mirror, vec![last("a", 10, 11), join("a", 0, 12)]);
    let effect = mirror.end_read(12, all(&["a"]), Differences::Show);
    let (left, came) = ((11, Change::Leave(info("a"))), (12, Change::Join(info("a"))));
    assert_eq!(effect.changes, [left, came]);
}

#[test]
fn events_of_a_new_connection_wait_for_those_missed_before_it() {
    let mut mirror = mirror(10, &["a"]);
    mirror.hold();
    // As if nothing had been missed.
    assert_eq!(text(mirror.on_event(join("c", 0, 14))), "");
    mirror.was_deaf();
    mirror.begin_check();
    let missed = vec![last("a", 10, 11), join("b", 0, 12), last("b", 12, 13), join("c", 0, 14)];
    recall(&mut mirror, missed);
    let effect = mirror.end_read(14, all(&["c"]), Differences::Show);
    let shown: Vec<u64> = effect.changes.iter().map(|(seq, _)| *seq).collect();
    assert_eq!(shown, [11, 12, 13, 14], "{effect:?}");
}

#[test]
fn a_roster_that_events_say_is_empty_has_not_vanished() {
    let mut emptied = mirror(10, &["a"]);
    emptied.was_deaf();
    recall(&mut emptied, vec![last("a", 10, 11)]);
    assert_eq!(emptied.judge_read(true), (Differences::Show, None));
    // Not all of it is told: something was lost.
    let mut holey = mirror(10, &["a", "b"]);
    holey.was_deaf();
    recall(&mut holey, vec![last("a", 12, 13)]);
    assert_eq!(holey.judge_read(true).0, Differences::Wait);
}

#[test]
fn without_a_memory_an_emptied_roster_is_right_whatever_was_missed() {
    let mut mirror = mirror(10, &["a"]);
    assert_eq!(text(mirror.on_event(last("a", 12, 13))), "!");
    mirror.begin_check();
    assert_eq!(text(mirror.end_read(13, all(&[]), Differences::Wait)), "-a");
}

#[test]
fn a_failed_check_keeps_what_waits() {
    let mut mirror = mirror(10, &["a"]);
    mirror.begin_check();
    mirror.on_event(join("b", 10, 11));
    assert!(mirror.wants_read());
    mirror.begin_check();
    assert_eq!(text(mirror.end_read(11, all(&["a", "b"]), Differences::Show)), "+b");
    assert!(!mirror.wants_read());
}

#[test]
fn what_was_missed_after_redis_was_asked_is_asked_for_again() {
    let mut mirror = mirror(10, &["a"]);
    mirror.was_deaf();
    let (seq, asked) = mirror.begin_recall();
    assert_eq!(seq, 10);
    mirror.was_deaf();
    mirror.recall(asked, vec![join("b", 10, 11)], NO_READ);
    mirror.on_event(leave("c", 13, 14));
    let effect = mirror.end_read(11, all(&["a", "b"]), Differences::Show);
    assert_eq!(text(effect), "+b", "an event after the read waits");
    assert!(mirror.has_missed());
    let (seq, asked) = mirror.begin_recall();
    assert_eq!(seq, 11);
    let missed = vec![join("c", 11, 12), join("d", 12, 13), leave("c", 13, 14)];
    mirror.recall(asked, missed, NO_READ);
    assert_eq!(text(mirror.end_read(14, all(&["a", "b", "d"]), Differences::Show)), "+c +d -c");
    assert!(!mirror.has_missed());
}

#[test]
fn events_that_pass_the_limit_for_a_moment_hide_no_difference() {
    let mut mirror = mirror(10, &["a", "b", "c"]);
    mirror.was_deaf();
    // b and c left and x and y came unseen.
    mirror.on_event(join("d", 15, 16));
    mirror.on_event(leave("d", 16, 17));
    recall(&mut mirror, Vec::new());
    let effect = mirror.end_read(17, all(&["a", "x", "y"]), Differences::Show);
    assert_eq!(text(effect), "+d +x +y -b -c -d");
    // What a promoted replica remembers says `back` of each join.
    mirror.was_deaf();
    let back = |event| Event { back: true, ..event };
    let leaves = [leave("q", 19, 20), leave("p", 20, 21)];
    let missed = [back(join("p", 17, 18)), back(join("q", 18, 19))];
    recall(&mut mirror, [missed, leaves].concat());
    let effect = mirror.end_read(21, all(&["a", "x", "y"]), Differences::Show);
    assert_eq!(text(effect), "+p +q -p -q");
}

#[test]
fn a_room_too_big_to_read_is_shown_what_is_remembered() {
    let mut mirror = mirror(10, &["a"]);
    mirror.was_deaf();
    recall(&mut mirror, vec![join("b", 10, 11), leave("a", 11, 12)]);
    assert_eq!(text(mirror.end_read(12, Read::TooMany, Differences::Show)), "+b -a !");
    assert_eq!(mirror.begin_check(), Known::Sequence(12), "nothing was missed");
    mirror.was_deaf();
    assert!(!mirror.wants_read(), "it has its sequence");
}

#[test]
fn a_check_of_an_empty_roster_forgets_nothing_that_was_missed() {
    let mut mirror = mirror(10, &[]);
    mirror.begin_check();
    // Somebody came and went on a connection that is dead, which nobody has noticed.
    assert_eq!(text(mirror.end_read(20, all(&[]), Differences::Show)), "");
    mirror.was_deaf();
    assert_eq!(mirror.begin_recall().0, 10);
    recall(&mut mirror, vec![join("b", 0, 11), last("b", 11, 12)]);
    assert_eq!(text(mirror.end_read(30, all(&[]), Differences::Show)), "+b -b");
    // A Redis that lost its sequences counts from lower ones.
    mirror.begin_check();
    mirror.end_read(5, all(&[]), Differences::Show);
    assert_eq!(mirror.seq(), 5);
}

#[test]
fn what_comes_after_a_reset_follows_it() {
    let mut mirror = mirror(10, &["a"]);
    mirror.was_deaf();
    // The slot has moved, and with it the roster.
    let reset = Event { kind: Kind::Reset, clients: 0, ..join("", 0, 12) };
    recall(&mut mirror, vec![reset, join("b", 12, 13), leave("b", 13, 14)]);
    assert_eq!(text(mirror.end_read(14, all(&["a"]), Differences::Show)), "+b -b !");
    assert_eq!(mirror.judge_read(false).0, Differences::Wait, "something may have been lost");
}
