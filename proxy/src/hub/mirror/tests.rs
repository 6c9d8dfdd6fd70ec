//! The mirror's rules.

use super::*;

const LIMIT: u64 = 3;

fn info(client: &str) -> Json {
    Json::check(format!("{{\"user\":\"u\",\"client\":\"{client}\"}}").as_bytes()).unwrap()
}

fn event(kind: Kind, client: &str, prev: u64, seq: u64) -> Event {
    let (clients, users) = (1, 1);
    let (client, info) = (client.into(), info(client));
    Event { kind, seq, prev, clients, users, back: false, client, info }
}

fn join(client: &str, prev: u64, seq: u64) -> Event {
    event(Kind::Join, client, prev, seq)
}

fn leave(client: &str, prev: u64, seq: u64) -> Event {
    event(Kind::Leave, client, prev, seq)
}

fn all(clients: &[&str]) -> Read {
    Read::All(clients.iter().map(|client| ((*client).into(), info(client))).collect())
}

/// Changes as `+a -b`, with a `!` for a gap.
fn text(effect: Effect) -> String {
    let client = |info: &Json| {
        let info = info.as_str();
        let start = info.find("\"client\":\"").map_or(0, |at| at + 10);
        info[start..info.len() - 2].to_owned()
    };
    let mut words: Vec<String> = effect
        .changes
        .iter()
        .map(|(_, change)| match change {
            Change::Join(info) => format!("+{}", client(info)),
            Change::Leave(info) => format!("-{}", client(info)),
        })
        .collect();
    words.sort();
    if effect.gap {
        words.push("!".to_owned());
    }
    words.join(" ")
}

fn mirror(seq: u64, clients: &[&str]) -> Mirror {
    let mut mirror = Mirror::new(LIMIT);
    assert_eq!(text(mirror.first_read(seq, all(clients))), "");
    mirror
}

#[test]
fn events_are_differences() {
    let mut mirror = mirror(10, &["a"]);
    assert_eq!(text(mirror.on_event(join("b", 10, 11))), "+b");
    let back = Event { back: true, ..join("b", 11, 12) };
    assert_eq!(text(mirror.on_event(back)), "");
    assert_eq!(text(mirror.on_event(leave("b", 12, 13))), "-b");
    assert_eq!(text(mirror.on_event(leave("b", 13, 14))), "");
    assert_eq!(text(mirror.on_event(event(Kind::Update, "a", 14, 15))), "");
}

#[test]
fn what_a_read_covers_is_not_shown_again() {
    let mut mirror = mirror(10, &["a"]);
    assert_eq!(text(mirror.on_event(join("b", 8, 9))), "");
    assert_eq!(text(mirror.on_event(leave("a", 9, 10))), "");
}

#[test]
fn the_first_join_of_an_empty_roster_is_no_gap() {
    let mut mirror = mirror(10, &[]);
    assert_eq!(text(mirror.on_event(join("a", 0, 30))), "+a");
}

#[test]
fn events_during_a_read_come_after_it() {
    let mut mirror = mirror(10, &["a"]);
    mirror.begin_check();
    assert_eq!(text(mirror.on_event(join("b", 10, 11))), "");
    assert_eq!(text(mirror.on_event(join("c", 11, 12))), "");
    assert_eq!(text(mirror.end_read(11, all(&["a", "b"]), Differences::Show)), "+b +c");
    assert_eq!(mirror.seq(), 12);
}

#[test]
fn after_a_loss_leaves_wait_and_who_comes_back_shows_nothing() {
    let mut mirror = mirror(10, &["a", "b"]);
    mirror.begin_check();
    assert_eq!(text(mirror.end_read(20, all(&[]), Differences::Wait)), "");
    let back = Event { back: true, ..join("a", 0, 21) };
    assert!(mirror.on_event(back).changes.is_empty());
    mirror.begin_check();
    assert_eq!(text(mirror.end_read(21, all(&["a"]), Differences::Show)), "!", "it is lost");
    mirror.begin_check();
    assert_eq!(text(mirror.end_read(21, all(&["a"]), Differences::Show)), "-b");
}

#[test]
fn rooms_too_big_to_mirror_pass_events_on() {
    let mut mirror = Mirror::new(LIMIT);
    mirror.first_read(10, Read::TooMany);
    assert_eq!(text(mirror.on_event(join("a", 10, 11))), "+a");
    assert_eq!(text(mirror.on_event(Event { back: true, ..join("b", 11, 12) })), "");
    assert_eq!(text(mirror.on_event(leave("c", 12, 13))), "-c");
    assert_eq!(text(mirror.on_event(leave("d", 15, 16))), "-d !");
}

#[test]
fn a_room_becomes_too_big_with_the_join_that_passes_the_limit() {
    let mut mirror = mirror(10, &["a", "b"]);
    assert_eq!(text(mirror.on_event(join("c", 10, 11))), "+c");
    assert!(matches!(mirror.members, Members::Known(_)));
    assert_eq!(text(mirror.on_event(join("d", 11, 12))), "+d");
    assert!(matches!(mirror.members, Members::TooMany));
    assert_eq!(mirror.begin_check(), Known::Sequence(12), "nothing was missed");
    assert_eq!(text(mirror.on_event(leave("a", 12, 13))), "-a");
    assert_eq!(text(mirror.on_event(join("e", 14, 15))), "+e !");
}

#[test]
fn a_room_too_big_at_a_read_is_not_mirrored() {
    let five = ["a", "b", "c", "d", "e"];
    let mut first = Mirror::new(LIMIT);
    assert_eq!(text(first.first_read(10, all(&five))), "");
    assert_eq!(first.begin_check(), Known::Sequence(10));
    // Grown between its count and its read.
    let mut later = mirror(10, &["a", "b"]);
    later.begin_check();
    assert_eq!(text(later.end_read(13, all(&five), Differences::Show)), "+c +d +e");
    assert_eq!(later.begin_check(), Known::Sequence(13));
}

#[test]
fn what_a_room_missed_before_it_became_too_big_is_not_forgotten() {
    // Missed, and too many at the read.
    let mut one = mirror(10, &["a", "b", "c"]);
    assert_eq!(text(one.on_event(join("e", 13, 14))), "!");
    one.begin_check();
    assert_eq!(text(one.end_read(14, Read::TooMany, Differences::Show)), "+e !");
    assert_eq!(one.begin_check(), Known::Gap);
    // Leaves wait.
    let mut one = mirror(10, &["a", "b", "c"]);
    one.patience().distrust();
    one.begin_check();
    one.judge_read(false);
    assert_eq!(text(one.end_read(20, all(&["a"]), Differences::Wait)), "");
    assert_eq!(text(one.on_event(join("d", 20, 21))), "+d !");
    assert_eq!(one.begin_check(), Known::Gap);
}

#[test]
fn a_room_that_a_read_finds_too_big_is_checked_by_what_it_was_shown() {
    let mut whole = mirror(10, &["a"]);
    whole.begin_check();
    whole.on_event(join("b", 10, 11));
    assert_eq!(text(whole.end_read(12, Read::TooMany, Differences::Show)), "+b !");
    assert_eq!(whole.begin_check(), Known::Sequence(11), "an event may be on its way");
    let mut holey = mirror(10, &["a"]);
    assert_eq!(text(holey.on_event(join("b", 11, 12))), "!");
    holey.begin_check();
    assert_eq!(text(holey.end_read(12, Read::TooMany, Differences::Show)), "+b !");
    assert_eq!(holey.begin_check(), Known::Gap);
}

#[test]
fn patience_starts_with_a_loss_and_ends_with_its_time() {
    let mut mirror = mirror(10, &["a"]);
    assert_eq!(mirror.judge_read(false), (Differences::Show, None), "an ordinary read is believed");
    assert_eq!(mirror.judge_read(true), (Differences::Wait, Some(1)), "a vanished roster is not");
    assert_eq!(mirror.judge_read(false), (Differences::Wait, None), "nor any read before its time");
    mirror.patience().end(1);
    let late = (Differences::ShowLeaves, Some(2));
    assert_eq!(mirror.judge_read(false), late, "joins wait longer");
    mirror.patience().end(2);
    assert_eq!(mirror.judge_read(false), (Differences::Show, None));
    mirror.patience().distrust();
    let wait = (Differences::Wait, Some(3));
    assert_eq!(mirror.judge_read(false), wait, "nor the first after a loss");
}

#[test]
fn a_second_loss_starts_the_wait_again() {
    let mut mirror = mirror(10, &["a"]);
    mirror.patience().distrust();
    assert_eq!(mirror.judge_read(false), (Differences::Wait, Some(1)));
    mirror.patience().close(1);
    mirror.patience().distrust();
    mirror.patience().end(1);
    assert_eq!(mirror.judge_read(false), (Differences::Wait, Some(2)));
    mirror.patience().end(1);
    assert_eq!(mirror.judge_read(false), (Differences::Wait, None));
    mirror.patience().end(2);
    assert_eq!(mirror.judge_read(false), (Differences::ShowLeaves, Some(3)));
}

#[test]
fn a_roster_that_was_lost_and_is_being_put_back_is_not_believed_yet() {
    let mut mirror = mirror(10, &["a", "b"]);
    let back = Event { back: true, ..join("a", 0, 21) };
    assert_eq!(text(mirror.on_event(back)), "!");
    mirror.begin_check();
    assert_eq!(mirror.judge_read(false), (Differences::Show, None));
    assert_eq!(text(mirror.end_read(21, all(&["a"]), Differences::Show)), "!");
    assert_eq!(mirror.judge_read(false), (Differences::Wait, Some(1)));
}

#[test]
fn a_check_of_a_room_too_big_goes_by_its_sequence_unless_something_was_missed() {
    let mut mirror = Mirror::new(LIMIT);
    mirror.first_read(10, Read::TooMany);
    mirror.on_event(join("a", 10, 11));
    assert_eq!(mirror.begin_check(), Known::Sequence(11));
    mirror.on_event(join("b", 12, 13));
    assert_eq!(mirror.begin_check(), Known::Gap);
}

#[test]
fn what_a_read_after_a_loss_has_too_much_waits_as_well() {
    let mut mirror = mirror(10, &["a"]);
    mirror.begin_check();
    let read = all(&["a", "ghost", "late"]);
    assert_eq!(text(mirror.end_read(20, read, Differences::Wait)), "");
    assert_eq!(text(mirror.on_event(leave("ghost", 20, 21))), "");
    mirror.begin_check();
    assert_eq!(text(mirror.end_read(21, all(&["a", "late"]), Differences::Show)), "+late");
}

#[test]
fn trust_shows_who_came_and_still_waits_for_who_may_come_back() {
    let mut mirror = mirror(10, &["a"]);
    mirror.patience().distrust_connection();
    assert!(mirror.patience().trust());
    assert_eq!(mirror.judge_read(false), (Differences::ShowJoins, Some(1)));
    mirror.begin_check();
    assert_eq!(text(mirror.end_read(11, all(&["b"]), Differences::ShowJoins)), "+b");
    // There is another reason to wait.
    mirror.patience().distrust();
    mirror.patience().distrust_connection();
    assert!(!mirror.patience().trust());
    mirror.patience().distrust_connection();
    assert_eq!(mirror.judge_read(true), (Differences::Wait, Some(2)));
    assert!(!mirror.patience().trust(), "the roster vanished");
}

#[test]
fn after_a_loss_joins_that_no_event_tells_wait_longer_than_leaves() {
    let mut mirror = mirror(10, &["a"]);
    mirror.patience().distrust();
    assert_eq!(mirror.judge_read(false), (Differences::Wait, Some(1)));
    mirror.patience().end(1);
    assert_eq!(mirror.judge_read(false), (Differences::ShowLeaves, Some(2)));
    mirror.begin_check();
    assert_eq!(text(mirror.end_read(20, all(&["ghost"]), Differences::ShowLeaves)), "-a");
    assert_eq!(mirror.judge_read(false), (Differences::ShowLeaves, None));
    mirror.patience().end(2);
    assert_eq!(mirror.judge_read(false), (Differences::Show, None));
}

#[test]
fn who_comes_and_goes_while_a_read_is_on_its_way_is_shown() {
    let mut mirror = mirror(10, &["a"]);
    mirror.begin_check();
    for event in [join("b", 10, 11), join("c", 11, 12), leave("b", 12, 13), join("d", 13, 14)] {
        assert_eq!(text(mirror.on_event(event)), "");
    }
    // The read was made after c had come.
    assert_eq!(text(mirror.end_read(12, all(&["a", "b", "c"]), Differences::Wait)), "+b +c +d -b");
}

#[test]
fn a_loss_that_events_tell_during_a_read_is_not_believed() {
    let mut mirror = mirror(10, &["a", "b"]);
    mirror.begin_check();
    assert_eq!(text(mirror.on_event(join("c", 0, 21))), "");
    assert_eq!(text(mirror.end_read(21, all(&["c"]), Differences::Show)), "+c !");
    assert_eq!(mirror.judge_read(false), (Differences::Wait, Some(1)));
}

#[test]
fn a_roster_that_vanishes_while_joins_still_wait_is_a_loss() {
    let mut mirror = mirror(10, &["a"]);
    mirror.patience().distrust();
    mirror.judge_read(false);
    mirror.patience().end(1);
    assert_eq!(mirror.judge_read(false), (Differences::ShowLeaves, Some(2)));
    assert_eq!(mirror.judge_read(true), (Differences::Wait, Some(3)));
}

#[test]
fn who_joins_while_shown_has_left_unseen() {
    let mut mirror = mirror(10, &["a"]);
    mirror.begin_check();
    mirror.on_event(join("a", 0, 21));
    let effect = mirror.end_read(21, all(&["a"]), Differences::Show);
    let (old, new) = ((21, Change::Leave(info("a"))), (21, Change::Join(info("a"))));
    assert_eq!(effect.changes, [old, new]);
}

#[test]
fn a_roster_that_vanishes_again_as_the_wait_ends_is_lost_again() {
    let ends = |between: &dyn Fn(&mut Mirror)| {
        let mut mirror = mirror(10, &["a", "b"]);
        assert_eq!(mirror.judge_read(true), (Differences::Wait, Some(1)));
        between(&mut mirror);
        mirror.patience().end(1);
        mirror.judge_read(true)
    };
    let (again, believed) = ((Differences::Wait, Some(2)), (Differences::ShowLeaves, Some(2)));
    assert_eq!(ends(&|_| ()), believed, "nobody was left to put them back");
    let back = || Event { back: true, ..join("a", 0, 21) };
    assert_eq!(ends(&|mirror| drop(mirror.on_event(back()))), again);
    let seen = |mirror: &mut Mirror| assert_eq!(mirror.judge_read(false).1, None);
    assert_eq!(ends(&seen), again);
    // An event that still waits for the end of the read counts as well.
    let waits = |mirror: &mut Mirror| {
        mirror.begin_check();
        mirror.on_event(back());
    };
    assert_eq!(ends(&waits), again);
    // The last one left meanwhile: nobody is there any more.
    let mut mirror = mirror(10, &["a", "b"]);
    mirror.judge_read(true);
    mirror.on_event(back());
    mirror.patience().end(1);
    assert_eq!(mirror.judge_read(true), again);
    mirror.patience().end(2);
    assert_eq!(mirror.judge_read(true).0, Differences::ShowLeaves, "and it ends");
}

#[test]
fn each_loss_is_waited_for_once() {
    let mut mirror = mirror(10, &["a"]);
    mirror.patience().begin_after(3);
    mirror.patience().lost(3);
    assert_eq!(mirror.judge_read(false), (Differences::Show, None), "it was lost before");
    mirror.patience().lost(5);
    assert!(!mirror.patience().shows_leaves());
    assert_eq!(mirror.judge_read(false), (Differences::Wait, Some(1)));
    mirror.patience().end(1);
    mirror.patience().lost(5);
    assert_eq!(mirror.judge_read(false), (Differences::ShowLeaves, Some(2)));
}

#[test]
fn a_read_is_asked_about_when_it_shows_leaves_or_knows_more_than_events() {
    let mut mirror = mirror(10, &["a", "b"]);
    mirror.begin_check();
    assert!(mirror.would_leave(&all(&["a", "c"])));
    assert!(!mirror.would_leave(&all(&["a", "b", "c"])));
    assert!(!mirror.would_leave(&Read::TooMany));
    let three = all(&["a", "b", "c"]);
    assert!(mirror.is_ahead(11, &three));
    mirror.on_event(join("c", 10, 11));
    assert!(!mirror.is_ahead(11, &three));
    // What is read of a roster that is not there says nothing of its sequence.
    assert!(mirror.is_ahead(5, &all(&[])), "events of those who left are on their way");
    mirror.on_event(Event { clients: 0, ..leave("c", 11, 12) });
    assert!(!mirror.is_ahead(99, &all(&[])));
    mirror.was_deaf();
    assert!(!mirror.is_ahead(99, &three), "no event will come");
    let (_, asked) = mirror.begin_recall();
    mirror.recall(asked, Vec::new(), (99, &three));
    mirror.end_read(99, three, Differences::Show);
    assert!(mirror.is_ahead(100, &all(&["a"])));
    mirror.patience().distrust();
    assert!(!mirror.would_leave(&all(&["a"])), "leaves wait already");
}

mod missed;
mod picture;
mod reads;
mod waits;
