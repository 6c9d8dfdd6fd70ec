//! Random steps against a plain map, which is slow and obviously right.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use rollcall_wire::stored::StoredStatus;

use super::{Book, Means, Status};
use crate::lease::{LeaseId, Leases};
use crate::roster::Ledger;
use crate::stored::Stored;

/// Counts what leases hold.
#[derive(Default)]
struct Held(BTreeMap<LeaseId, i64>);

impl Ledger for Held {
    fn gained(&mut self, lease: LeaseId, first_here: bool) {
        let held = self.0.entry(lease).or_default();
        assert_eq!(first_here, *held == 0);
        *held += 1;
    }
    fn lost(&mut self, lease: LeaseId, last_here: bool) {
        let held = self.0.entry(lease).or_default();
        *held -= 1;
        assert_eq!(last_here, *held == 0);
    }
}

#[derive(Debug, Default, Clone)]
struct Plain {
    active: u32,
    online: u32,
    ex: u32,
    expires: u32,
    nodes: BTreeSet<u8>,
}

#[derive(Debug, Clone)]
enum Step {
    Touch(u8, u32),
    Online(u8, u8, u32),
    Offline(u8, u8, u32),
    Clear(u8),
    EndLease(u8),
    Sweep,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let (user, node, ex) = (0u8..30, 0u8..3, 1u32..40);
    let step = prop_oneof![
        4 => (user.clone(), ex.clone()).prop_map(|(u, ex)| Step::Touch(u, ex)),
        5 => (user.clone(), node.clone(), ex.clone()).prop_map(|(u, n, ex)| Step::Online(u, n, ex)),
        5 => (user.clone(), node.clone(), ex).prop_map(|(u, n, ex)| Step::Offline(u, n, ex)),
        1 => user.prop_map(Step::Clear),
        1 => node.prop_map(Step::EndLease),
        1 => Just(Step::Sweep),
    ];
    proptest::collection::vec(step, 0..200)
}

fn user(number: u8) -> String {
    "u".repeat(usize::from(number % 20)) + &number.to_string()
}

/// The model: what the contract says, over a map. Ended leases let go at once.
#[derive(Default)]
struct Model(BTreeMap<u8, Plain>);

impl Model {
    fn step(&mut self, step: &Step, now: u32) {
        match step {
            Step::Touch(user, ex) => {
                let record = self.0.entry(*user).or_default();
                (record.active, record.ex, record.expires) = (now, *ex, now + ex);
            }
            Step::Online(user, node, ex) => {
                let record = self.0.entry(*user).or_default();
                record.ex = *ex;
                record.nodes.insert(*node);
            }
            Step::Offline(user, node, ex) => {
                if let Some(record) = self.0.get_mut(user)
                    && record.nodes.remove(node)
                {
                    record.ex = *ex;
                    record.let_go(now);
                }
            }
            Step::Clear(user) => {
                if let Some(record) = self.0.get_mut(user) {
                    (record.active, record.online) = (0, 0);
                }
                self.0.retain(|number, record| number != user || !record.nodes.is_empty());
            }
            Step::EndLease(node) => {
                for record in self.0.values_mut() {
                    if record.nodes.remove(node) {
                        record.let_go(now);
                    }
                }
            }
            Step::Sweep => {
                self.0.retain(|_, record| !record.nodes.is_empty() || record.expires > now);
            }
        }
    }

    fn get(&self, user: u8, now: u32) -> Status {
        let Some(record) = self.0.get(&user) else { return Status::default() };
        let online = if record.nodes.is_empty() { record.online } else { now };
        let known = |second: u32| (second > 0).then_some(second);
        Status { active: known(record.active), online: known(online) }
    }
}

impl Plain {
    fn let_go(&mut self, now: u32) {
        if self.nodes.is_empty() {
            (self.online, self.expires) = (now, now + self.ex);
        }
    }
}

/// The book with its leases, stepped in the same way.
struct Real {
    book: Book,
    leases: Leases,
    held: Held,
}

impl Real {
    fn step(&mut self, step: &Step, now: u32) {
        let name = |node: &u8| node.to_string();
        if let Step::Online(_, node, _) = step {
            self.leases.ensure(&name(node), 1000);
        }
        if let Step::EndLease(node) = step {
            self.leases.end(&name(node), now);
        }
        let means = &mut Means { leases: &self.leases, ledger: &mut self.held };
        match step {
            Step::Touch(number, ex) => self.book.touch(&user(*number), now, *ex, means),
            Step::Online(number, node, ex) => {
                let lease = self.leases.of_node(&name(node)).unwrap();
                self.book.online(&user(*number), lease, *ex, means);
            }
            Step::Offline(number, node, ex) => {
                if let Some(lease) = self.leases.of_node(&name(node)) {
                    self.book.offline(&user(*number), lease, (now, *ex), means);
                }
            }
            Step::Clear(number) => {
                self.book.clear(&user(*number), means);
            }
            Step::EndLease(_) => {}
            Step::Sweep => {
                for lease in self.leases.ended() {
                    while let Some(user) = self.book.held_by(lease).map(String::from) {
                        self.book.settle_user(&user, means);
                    }
                }
                while let Some(user) = self.book.expired(now).map(String::from) {
                    self.book.expire(&user);
                }
            }
        }
    }
}

fn status_of(book: &Book, user: &str, now: u32, leases: &Leases) -> Status {
    let mut found = Status::default();
    book.get([user.as_bytes()].into_iter(), now, leases, |status| found = status);
    found
}

proptest! {
    #[test]
    fn a_book_is_a_map_of_records(steps in steps()) {
        let mut model = Model::default();
        let (leases, held) = (Leases::new(), Held::default());
        let mut real = Real { book: Book::new(), leases, held };
        for (now, step) in (1_000..).zip(&steps) {
            model.step(step, now);
            real.step(step, now);
            for number in 0..30 {
                let status = status_of(&real.book, &user(number), now, &real.leases);
                prop_assert_eq!(status, model.get(number, now), "user {}", number);
            }
        }
        let now = 1_000 + u32::try_from(steps.len()).unwrap();
        model.step(&Step::Sweep, now);
        real.step(&Step::Sweep, now);
        prop_assert_eq!(real.book.len() as usize, model.0.len());
        for node in 0..3u8 {
            let expected = model.0.values().filter(|record| record.nodes.contains(&node)).count();
            let lease = real.leases.of_node(&node.to_string());
            let held = lease.and_then(|lease| real.held.0.get(&lease)).copied().unwrap_or_default();
            prop_assert_eq!(usize::try_from(held).unwrap(), expected);
        }
        let mut copy = Book::new();
        let mut other = Held::default();
        real.book.for_each_stored(&real.leases, |bytes| {
            let stored = StoredStatus::parse(bytes).unwrap();
            let holders: Vec<LeaseId> =
                stored.holders.iter().map(|l| real.leases.of_node(l.node).unwrap()).collect();
            let means = &mut Means { leases: &real.leases, ledger: &mut other };
            copy.put_stored(&stored, &holders, means);
            copy.put_stored(&stored, &holders, means);
        });
        let dump = |book: &Book| {
            let mut all = Vec::new();
            book.for_each_stored(&real.leases, |bytes| all.push(bytes.to_vec()));
            all.sort();
            all
        };
        prop_assert_eq!(dump(&copy), dump(&real.book));
    }
}

#[test]
fn a_lease_that_ended_counts_from_its_end_before_its_sweep() {
    let mut leases = Leases::new();
    let lease = leases.ensure("n", 1000);
    let (mut book, mut held) = (Book::new(), Held::default());
    book.online("u", lease, 60, &mut Means { leases: &leases, ledger: &mut held });
    assert_eq!(status_of(&book, "u", 500, &leases).online, Some(500));
    leases.end("n", 510);
    assert_eq!(status_of(&book, "u", 900, &leases).online, Some(510));
    leases.ensure("n", 1000);
    assert_eq!(status_of(&book, "u", 900, &leases).online, Some(510));
    book.settle_user("u", &mut Means { leases: &leases, ledger: &mut held });
    assert_eq!(book.first_expiry(), Some(570));
}
