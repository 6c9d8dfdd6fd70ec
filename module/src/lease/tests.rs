//! Leases against plain maps of ends.

use proptest::prelude::*;

use super::*;

#[test]
fn a_stall_does_not_end_a_lease() {
    let mut leases = Leases::new();
    assert!(leases.clock.advance(1_000));
    let lease = leases.keep("n", 300, 1_000).lease;
    assert!(!leases.clock.advance(60_000));
    assert!(leases.overdue(9).0.is_empty());
    for ms in [60_050, 60_100, 60_150, 60_199] {
        assert!(leases.clock.advance(ms));
    }
    assert!(leases.overdue(9).0.is_empty());
    leases.clock.advance(60_200);
    assert_eq!(leases.overdue(9), (vec![lease], false));
}

#[test]
fn a_node_that_comes_back_has_a_new_lease() {
    let mut leases = Leases::new();
    let first = leases.keep("n", 100, 0);
    assert!(first.fresh);
    assert_eq!(leases.keep("n", 100, 0), Kept { fresh: false, changed: false, ..first });
    assert!(leases.keep("n", 200, 0).changed);
    assert_eq!(leases.end("n", 7), Some(first.lease));
    assert_eq!(leases.end("n", 8), None);
    let second = leases.keep("n", 100, 0);
    assert!(second.fresh && second.lease != first.lease);
    assert_eq!(leases.ended_at(first.lease), Some(7));
    assert_eq!(leases.ended_at(second.lease), None);
    leases.forget(first.lease);
    leases.forget(second.lease);
    assert_eq!(leases.ended_at(first.lease), Some(0));
    assert!(leases.alive(second.lease).is_some());
}

#[test]
fn more_lives_than_32_bits_can_number_are_told_apart() {
    let mut leases = Leases::new();
    let first = leases.keep("first", 100, 0).lease;
    leases.last_id = u64::from(u32::MAX);
    let second = leases.keep("second", 100, 0).lease;
    assert!(second > first && second < LeaseId::MAX);
    assert_eq!(leases.alive(second).map(Lease::node), Some("second"));
}

#[test]
fn a_value_that_names_too_many_leases_leaves_none() {
    let mut leases = Leases::new();
    let there = leases.keep("there", 100, 0).lease;
    let before = leases.begin_load(Some(2));
    assert_eq!(leases.ensure("there", 5), there);
    leases.ensure("second", 100);
    assert!(leases.may_go_on());
    assert_eq!(leases.ensure("third", 100), LeaseId::ENDED);
    assert!(!leases.may_go_on());
    assert!(leases.end_load(before, false));
    assert_eq!((leases.alive_count(), leases.of_node("second")), (1, None));
    // A file or a master may.
    let before = leases.begin_load(None);
    for node in ["second", "third"] {
        leases.ensure(node, 100);
    }
    assert!(leases.may_go_on() && !leases.end_load(before, true));
    assert_eq!(leases.alive_count(), 3);
    assert_eq!(leases.keep_within(3, "new", 100, 0), None);
    assert!(leases.keep_within(2, "second", 100, 0).is_some_and(|kept| !kept.fresh));
}

#[test]
fn leases_are_looked_at_in_pieces_until_all_had_their_turn() {
    let mut leases = Leases::new();
    leases.clock.advance(0);
    for n in 0..6 {
        leases.keep(&format!("n{n}"), 50, 0);
    }
    // Half of them are renewed, one twice as long as it was before.
    for n in [0, 2, 4] {
        leases.keep(&format!("n{n}"), 100, 0);
    }
    leases.clock.advance(60);
    let mut nodes = Vec::new();
    let mut looks = 0;
    loop {
        let (overdue, more) = leases.overdue(2);
        for id in overdue {
            let node = leases.alive(id).expect("it is alive").node().to_owned();
            leases.end(&node, 7);
            nodes.push(node);
        }
        looks += 1;
        if !more {
            break;
        }
    }
    assert_eq!((nodes.join(" "), looks), ("n1 n3 n5".to_owned(), 4));
}

#[test]
fn ended_leases_have_their_turn_in_pieces() {
    let mut leases = Leases::new();
    for n in 0..5 {
        leases.keep(&format!("n{n}"), 100, 0);
        leases.end(&format!("n{n}"), 7);
    }
    let numbers = |some: Vec<LeaseId>| some.into_iter().map(LeaseId::number).collect::<Vec<_>>();
    assert_eq!(numbers(leases.some_ended(2)), [1, 2]);
    leases.forget(LeaseId(2));
    assert_eq!(numbers(leases.some_ended(2)), [3, 4]);
    assert_eq!(numbers(leases.some_ended(2)), [5]);
    assert_eq!(numbers(leases.some_ended(2)), [1, 3]);
}

#[derive(Debug, Clone)]
enum Step {
    Keep(u8, u64),
    End(u8),
    Wait(u64),
    Grace(u64),
    /// A value with a few leases that loads, or does not.
    Load(Vec<u8>, usize, bool),
    /// All but the leases of even nodes hold nothing.
    Retain,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0u8..8, 1u64..400).prop_map(|(node, px)| Step::Keep(node, px)),
        2 => (0u8..8).prop_map(Step::End),
        4 => (1u64..100).prop_map(Step::Wait),
        1 => (0u64..300).prop_map(Step::Grace),
        1 => (proptest::collection::vec(0u8..8, 0..6), 0usize..9, any::<bool>())
            .prop_map(|(nodes, most, fails)| Step::Load(nodes, most, fails)),
        1 => Just(Step::Retain),
    ];
    proptest::collection::vec(step, 0..80)
}

/// Living leases with their ends, as plain as can be.
type Model = BTreeMap<String, (u64, u64)>;

fn take(step: &Step, leases: &mut Leases, model: &mut Model, now: &mut u64) {
    let name = |node: &u8| format!("n{node}");
    match step {
        Step::Keep(node, px) => {
            let kept = leases.keep(&name(node), *px, *now);
            let before = model.insert(name(node), (*px, *now + px));
            assert_eq!(
                (kept.fresh, kept.changed),
                (before.is_none(), before.map(|it| it.0) != Some(*px))
            );
        }
        Step::End(node) => {
            let ended = leases.end(&name(node), 7);
            assert_eq!(ended.is_some(), model.remove(&name(node)).is_some());
        }
        Step::Wait(ms) => {
            *now += ms;
            leases.clock.advance(*now);
        }
        Step::Grace(ms) => {
            leases.grace(*ms);
            for (_, end) in model.values_mut() {
                *end = (*end).max(*now + ms);
            }
        }
        Step::Load(nodes, most, fails) => {
            let before = leases.begin_load(Some(*most));
            let mut loaded = model.clone();
            for node in nodes {
                leases.ensure(&name(node), 100);
                loaded.entry(name(node)).or_insert((100, *now + 100));
            }
            let fine = leases.may_go_on() && !fails;
            assert_eq!(leases.may_go_on(), loaded.len() <= *most || loaded.len() == model.len());
            leases.end_load(before, fine);
            if fine {
                *model = loaded;
            }
        }
        Step::Retain => {
            let kept: Vec<LeaseId> =
                [0, 2, 4, 6].iter().filter_map(|node| leases.of_node(&name(node))).collect();
            leases.retain(|lease| kept.contains(&lease));
            model.retain(|node, _| ["n0", "n2", "n4", "n6"].contains(&node.as_str()));
        }
    }
}

proptest! {
    #[test]
    fn leases_are_a_map_of_ends(steps in steps()) {
        let (mut leases, mut model, mut now) = (Leases::new(), Model::new(), 0);
        leases.clock.advance(0);
        for step in &steps {
            take(step, &mut leases, &mut model, &mut now);
            let listed: Model = leases
                .list(99, now)
                .into_iter()
                .map(|(_, lease, left)| (lease.node().to_owned(), (lease.px(), now + left)))
                .collect();
            let left = model.iter().map(|(node, (px, end))| (node.clone(), (*px, (*end).max(now))));
            prop_assert_eq!(&listed, &left.collect::<Model>());
            let (overdue, more) = leases.overdue(99);
            prop_assert!(!more);
            let mut nodes: Vec<&str> =
                overdue.iter().filter_map(|id| leases.alive(*id)).map(Lease::node).collect();
            nodes.sort_unstable();
            let due = model.iter().filter(|(_, (_, end))| *end <= now).map(|(node, _)| node.as_str());
            prop_assert_eq!(nodes, due.collect::<Vec<_>>());
            prop_assert_eq!(leases.by_node.len(), model.len());
            prop_assert_eq!((leases.looks.len(), leases.alive_count()), (model.len(), model.len()));
        }
    }
}
