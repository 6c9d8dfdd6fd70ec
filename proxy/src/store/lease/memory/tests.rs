//! What a renewal's answer means.

use super::*;

const DIFFERS: Verdict = Verdict::Differs { entries: 0, users: 0 };

fn answer(epoch: u64, fresh: bool, entries: u64) -> Kept {
    Kept { epoch, fresh, entries, users: 0 }
}

/// Judges answers for one name that holds nothing, with so much under way at each.
fn verdicts(answers: &[(Kept, u64)]) -> Vec<Verdict> {
    verdicts_every(RENEW, answers)
}

fn verdicts_every(pause: Duration, answers: &[(Kept, u64)]) -> Vec<Verdict> {
    let mut memory = Memory::default();
    let mut now = Instant::now();
    let judge = |(kept, changes): &(Kept, u64)| {
        let (before, after) = (Snapshot::of(0, 0), Snapshot::of(0, *changes));
        let here = Here { before, after, settled: true, comparable: true };
        now += pause;
        memory.judge(kept, Some(&here), now)
    };
    answers.iter().map(judge).collect()
}

#[test]
fn the_first_lease_is_no_loss_and_a_fresh_one_later_is() {
    let answers = [(answer(1, true, 0), 0), (answer(1, false, 0), 0), (answer(1, true, 0), 0)];
    assert_eq!(verdicts(&answers), [Verdict::Fine, Verdict::Fine, Verdict::Lost]);
}

#[test]
fn a_new_epoch_is_a_loss() {
    let answers = [(answer(1, true, 0), 0), (answer(2, false, 0), 0)];
    assert_eq!(verdicts(&answers), [Verdict::Fine, Verdict::Lost]);
}

#[test]
fn counts_count_when_they_differ_twice_by_more_than_is_under_way() {
    let differs = |changes| (answer(1, false, 3), changes);
    assert_eq!(verdicts(&[differs(0), differs(0)]), [Verdict::Fine, DIFFERS]);
    assert_eq!(verdicts(&[differs(5), differs(5)]), [Verdict::Fine, Verdict::Fine]);
    assert_eq!(
        verdicts(&[differs(0), (answer(1, false, 0), 0), differs(0)]),
        [Verdict::Fine, Verdict::Fine, Verdict::Fine]
    );
}

#[test]
fn counts_that_differ_for_a_moment_are_only_late() {
    let verdicts = verdicts_every(DIFFER / 5, &[(answer(1, false, 3), 0); 7]);
    assert_eq!(verdicts.iter().position(|verdict| *verdict == DIFFERS), Some(5));
}

#[test]
fn counts_that_stay_different_are_acted_on_ever_more_rarely() {
    let verdicts = verdicts(&[(answer(1, false, 3), 0); 400]);
    let acted: Vec<usize> = (0..400).filter(|at| verdicts[*at] == DIFFERS).collect();
    let pauses: Vec<usize> = acted.windows(2).map(|two| two[1] - two[0]).collect();
    // Twice as long each time, and never longer than a minute.
    assert_eq!(pauses, [2, 2, 4, 8, 16, 32, 60, 60, 60, 60, 60]);
}

#[test]
fn counts_that_agreed_meanwhile_are_acted_on_soon() {
    let differs = (answer(1, false, 3), 0);
    let mut answers = vec![differs; 20];
    answers.extend([(answer(1, false, 0), 0), differs, differs]);
    assert_eq!(verdicts(&answers).last(), Some(&DIFFERS));
}

#[test]
fn counts_say_nothing_while_slots_move() {
    let mut memory = Memory::default();
    let quiet = Snapshot::of(0, 0);
    let mut now = Instant::now();
    let mut judge = |memory: &mut Memory, comparable| {
        let here = Here { before: quiet, after: quiet, settled: comparable, comparable };
        now += RENEW;
        memory.judge(&answer(1, false, 3), Some(&here), now)
    };
    for comparable in [true, false, true] {
        assert_eq!(judge(&mut memory, comparable), Verdict::Fine);
    }
    assert_eq!(judge(&mut memory, true), DIFFERS);
}

#[test]
fn a_lease_that_was_begun_anew_unheard_is_a_loss() {
    let held = Snapshot::of(10, 0);
    let verdict = |unanswered, settled, entries| {
        let mut memory = Memory { begun: true, epoch: Some(1), unanswered, ..Memory::default() };
        let here = Here { before: held, after: held, settled, comparable: false };
        memory.judge(&answer(1, false, entries), Some(&here), Instant::now())
    };
    assert_eq!(verdict(true, true, 0), Verdict::Lost);
    assert_eq!(verdict(true, true, 1), Verdict::Lost, "something arrived after it");
    assert_eq!(verdict(true, true, 10), Verdict::Fine, "it never ended");
    assert_eq!(verdict(true, false, 0), Verdict::Fine, "it may be elsewhere by now");
    assert_eq!(verdict(false, true, 0), Verdict::Fine, "it would have been heard");
}

#[test]
fn a_renewal_of_the_own_name_tells_of_losses_and_leaves_counts_alone() {
    let mut memory = Memory::default();
    let start = Instant::now();
    let quiet = Snapshot::of(0, 0);
    let here = Here { before: quiet, after: quiet, settled: true, comparable: true };
    let differs = answer(1, false, 3);
    assert_eq!(memory.judge(&differs, Some(&here), start), Verdict::Fine);
    assert_eq!(memory.judge(&answer(1, false, 0), None, start + OFTEN), Verdict::Fine);
    assert_eq!(memory.judge(&differs, Some(&here), start + RENEW), DIFFERS);
    assert_eq!(memory.judge(&answer(2, false, 0), None, start + RENEW), Verdict::Lost);
}

#[test]
fn all_names_are_renewed_once_a_second_and_after_one_without_an_answer() {
    let rhythm = Rhythm::of(Duration::from_millis(2_500));
    let start = Instant::now();
    let mut memory = Memory { complete: Some(start), ..Memory::default() };
    let due: Vec<u32> = (1..6).filter(|n| memory.wants_all(rhythm, start + *n * OFTEN)).collect();
    assert_eq!(due, [4, 5]);
    memory.unanswered = true;
    assert!(memory.wants_all(rhythm, start));
    assert!(Memory::default().wants_all(rhythm, start));
}

#[test]
fn a_server_may_stand_still_for_as_long_as_the_lease() {
    for lease in [1_000, 2_500, 60_000].map(Duration::from_millis) {
        let rhythm = Rhythm::of(lease);
        assert!(rhythm.px(rhythm.own) >= lease + rhythm.own, "{lease:?}");
        assert!(rhythm.px(rhythm.own) <= lease + Duration::from_millis(300), "{lease:?}");
    }
}
