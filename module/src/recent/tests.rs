//! What is kept, what goes, and a plain list to compare with.

use super::*;
use proptest::prelude::*;

const ROOM: Name<'_> = Name { db: 0, key: b"room", hash: 7 };

fn bounded(bytes: usize, ms: u64) -> Recent {
    let mut recent = Recent::default();
    drop(recent.bound(Limits { bytes, ms }));
    recent
}

fn texts(events: Vec<(u64, &[u8])>) -> Vec<String> {
    events.into_iter().map(|(_, event)| String::from_utf8_lossy(event).into_owned()).collect()
}

#[test]
fn events_above_a_sequence_come_oldest_first() {
    let mut recent = bounded(1 << 20, 1_000);
    let others = [Name::new(1, b"room"), Name::new(0, b"roo"), Name::new(0, b"")];
    for seq in 1..=4 {
        recent.push(0, ROOM, seq, format!("event {seq}").as_bytes());
        for other in others {
            recent.push(0, other, seq, b"no");
        }
    }
    assert_eq!(texts(recent.above(ROOM, 2)), ["event 3", "event 4"]);
    assert_eq!(texts(recent.above(ROOM, 0)).len(), 4);
    assert_eq!(texts(recent.above(ROOM, 4)), [""; 0]);
    assert_eq!(texts(recent.above(Name::new(0, b"hall"), 0)), [""; 0]);
    assert_eq!(texts(recent.above(others[2], 3)), ["no"]);
    assert_eq!(recent.events(), 16);
}

#[test]
fn names_of_the_same_hash_do_not_mix() {
    let mut recent = bounded(1 << 20, 1_000);
    let other = Name { key: b"moor", ..ROOM };
    for seq in 1..=6 {
        let name = if seq % 2 == 0 { ROOM } else { other };
        recent.push(0, name, seq, &[b'0' + u8::try_from(seq).unwrap()]);
    }
    assert_eq!(texts(recent.above(ROOM, 2)), ["4", "6"]);
    assert_eq!(texts(recent.above(other, 1)), ["3", "5"]);
}

#[test]
fn the_oldest_go_when_the_bytes_are_used_up() {
    let mut recent = bounded(64 * 1024, 1_000);
    for seq in 1..=10_000 {
        recent.push(0, ROOM, seq, &[b'x'; 100]);
        assert!(recent.bytes <= 64 * 1024);
    }
    let kept = recent.above(ROOM, 0).len();
    assert!((400..512).contains(&kept), "{kept}");
    assert_eq!(recent.events(), kept as u64);
    assert_eq!(recent.above(ROOM, 9_990).len(), 10);
}

#[test]
fn large_events_have_room_of_their_own_and_those_above_all_bytes_are_not_kept() {
    let mut recent = bounded(256 * 1024, 1_000);
    recent.push(0, ROOM, 1, &vec![b'x'; 200_000]);
    recent.push(0, ROOM, 2, b"small");
    let lengths = |recent: &mut Recent| {
        recent.above(ROOM, 0).into_iter().map(|(_, event)| event.len()).collect::<Vec<_>>()
    };
    assert_eq!(lengths(&mut recent), [200_000, 5]);
    recent.push(0, ROOM, 3, &vec![b'x'; 256 * 1024]);
    assert_eq!(lengths(&mut recent), [200_000, 5]);
    recent.push(0, ROOM, 4, &vec![b'x'; 200_000]);
    assert_eq!(lengths(&mut recent), [5, 200_000]);
}

#[test]
fn what_is_older_than_it_must_be_kept_goes_some_at_a_time() {
    let mut recent = bounded(64 << 20, 1_000);
    for seq in 1..=100_000 {
        recent.push(seq / 100, ROOM, seq, &[b'x'; 100]);
    }
    let all = recent.segments.len();
    assert!(all > 2 * STEP);
    recent.expire(1_000);
    assert_eq!(recent.segments.len(), all);
    recent.expire(5_000);
    assert_eq!(recent.segments.len(), all - STEP);
    (0..all).for_each(|_| recent.expire(5_000));
    assert_eq!((recent.events(), recent.bytes), (0, 0));
    assert!(recent.above(ROOM, 0).is_empty());
    // The index has places of what is gone.
    recent.push(5_000, ROOM, 100_001, b"new");
    assert_eq!(texts(recent.above(ROOM, 0)), ["new"]);
    // A new segment, too, makes room for itself.
    recent.push(9_000, ROOM, 100_002, &vec![b'x'; SEGMENT]);
    assert_eq!(recent.above(ROOM, 0).len(), 1);
}

#[test]
fn without_bytes_or_time_there_is_no_memory() {
    for off in [Limits { bytes: 0, ms: 1_000 }, Limits { bytes: 1 << 20, ms: 0 }] {
        let mut recent = bounded(1 << 20, 1_000);
        recent.push(0, ROOM, 1, b"kept");
        assert!(recent.bound(Limits { bytes: 1 << 20, ms: 500 }).is_none());
        assert_eq!(recent.events(), 1, "another time forgets nothing by itself");
        assert!(recent.bound(off).is_some_and(|old| old.events() == 1));
        recent.push(0, ROOM, 2, b"not kept");
        assert!(!recent.is_on() && recent.above(ROOM, 0).is_empty());
        assert_eq!((recent.events(), recent.bytes()), (0, 0));
    }
}

#[derive(Debug, Clone)]
enum Step {
    Push { key: u8, length: usize },
    Wait(u64),
    Above { key: u8, seq: u64 },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let length = prop_oneof![9 => 1usize..60, 1 => 60usize..1200];
    let step = prop_oneof![
        8 => (0u8..12, length).prop_map(|(key, length)| Step::Push { key, length }),
        1 => (0u64..400).prop_map(Step::Wait),
        2 => (0u8..12, 0u64..300).prop_map(|(key, seq)| Step::Above { key, seq }),
    ];
    proptest::collection::vec(step, 0..300)
}

proptest! {
    /// What is told is the end of what was pushed, and all of it that must be there.
    #[test]
    fn it_tells_what_a_list_tells(steps in steps(), hashes in 1u64..9) {
        let mut recent = bounded(4096, 1_000);
        let mut list: Vec<(u8, u64, Vec<u8>)> = Vec::new();
        let (mut now, mut seq) = (0, 0);
        for step in steps {
            match step {
                Step::Push { key, length } => {
                    seq += 1;
                    let event = vec![key; length];
                    let name = Name { db: 0, key: &[key], hash: u64::from(key) % hashes };
                    recent.push(now, name, seq, &event);
                    list.push((key, seq, event));
                    prop_assert!(recent.bytes <= 4096);
                }
                Step::Wait(ms) => {
                    now += ms;
                    recent.expire(now);
                }
                Step::Above { key, seq } => {
                    let name = Name { db: 0, key: &[key], hash: u64::from(key) % hashes };
                    // Segments hold whole runs of the list.
                    let kept = &list[list.len() - usize::try_from(recent.events()).unwrap()..];
                    let told = recent.above(name, seq);
                    let mine = kept.iter().filter(|one| one.0 == key && one.1 > seq);
                    prop_assert_eq!(told, mine.map(|one| (one.1, &one.2[..])).collect::<Vec<_>>());
                }
            }
        }
    }
}
