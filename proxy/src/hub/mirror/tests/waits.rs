//! How long a loss is waited for.

use super::*;

#[test]
fn signs_of_the_loss_that_is_waited_for_do_not_start_the_wait_again() {
    let mut mirror = mirror(10, &["a", "b"]);
    mirror.patience().lost(1);
    assert_eq!(mirror.judge_read(false), (Differences::Wait, Some(1)));
    mirror.patience().distrust();
    let back = Event { back: true, ..join("a", 0, 21) };
    mirror.on_event(back);
    mirror.patience().close(1);
    mirror.patience().end(1);
    assert_eq!(mirror.judge_read(false), (Differences::ShowLeaves, Some(2)));
    // Another loss always does.
    mirror.patience().lost(2);
    assert_eq!(mirror.judge_read(false), (Differences::Wait, Some(3)));
    mirror.patience().lost(3);
    assert_eq!(mirror.judge_read(false), (Differences::Wait, Some(4)));
}

#[test]
fn a_sign_of_a_loss_during_a_read_holds_back_what_it_would_show() {
    let mut mirror = mirror(10, &["a", "b"]);
    mirror.patience().distrust_connection();
    mirror.patience().trust();
    assert_eq!(mirror.judge_read(false), (Differences::ShowJoins, Some(1)));
    mirror.begin_check();
    mirror.on_event(Event { back: true, ..join("a", 0, 21) });
    assert_eq!(text(mirror.end_read(21, all(&["a", "c"]), Differences::ShowJoins)), "");
}

#[test]
fn a_roster_that_events_have_emptied_is_not_lost_again() {
    let mut mirror = mirror(10, &["a", "b"]);
    assert_eq!(mirror.judge_read(true), (Differences::Wait, Some(1)));
    mirror.on_event(Event { back: true, ..join("a", 0, 21) });
    mirror.on_event(Event { clients: 0, ..leave("a", 21, 22) });
    mirror.patience().end(1);
    assert_eq!(mirror.judge_read(true), (Differences::ShowLeaves, Some(2)), "b left unseen");
}
