//! What reads tell that events do not.

use super::*;

#[test]
fn what_reads_tell_is_newer_than_everything_before() {
    let mut mirror = mirror(10, &["a", "b"]);
    mirror.begin_check();
    // Nothing is left, not even sequences.
    assert_eq!(text(mirror.end_read(0, all(&[]), Differences::Wait)), "");
    mirror.begin_check();
    let effect = mirror.end_read(0, all(&["a"]), Differences::Show);
    assert_eq!(effect.changes, [(10, Change::Leave(info("b")))], "listeners from 10 on are told");
}

#[test]
fn clients_that_are_shown_and_not_read_are_found() {
    let mirror = mirror(10, &["a", "b"]);
    let of = |names: &[&str]| names.iter().map(|name| (*name).into()).collect::<Vec<Arc<str>>>();
    assert!(mirror.misses_any(&all(&["a"]), &of(&["b"])));
    assert!(!mirror.misses_any(&all(&["a"]), &of(&["a", "c"])), "c is only coming");
    assert!(!mirror.misses_any(&Read::TooMany, &of(&["b"])));
}
