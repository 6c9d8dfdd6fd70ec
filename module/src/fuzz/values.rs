//! What `RESTORE`, a replica and a start load: rosters and books.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Debug;

use rollcall_wire::stored::{LeaseName, StoredEntry, StoredHolder, StoredStatus};

use super::harness::{Part, Target};
use crate::book::{Book, Means};
use crate::lease::{LeaseId, Leases};
use crate::roster::{Ledger, Roster, TICK_MS};
use crate::stored::{Source, Stored};

const WORDS: &[&[u8]] = &[
    b"\x05\x02c1\x0242\x02{}\x00\x01n\xc4\x13",
    b"\x00\x02c1\x00\x00\x00",
    b"\x02\x02c1\x00\x00\x00\xe8\x07",
    b"\x0242\x05\x07\xac\x02\x01\x01n\xc4\x13",
    b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    b"\x80\x00",
];

/// A dump: every read takes its next part, if that is of the kind asked for.
struct Dump<'a> {
    parts: RefCell<std::slice::Iter<'a, Part>>,
    leases: RefCell<Leases>,
}

/// Counts what leases hold.
#[derive(Default)]
struct Count(i64);

impl<'a> Dump<'a> {
    fn of(parts: &'a [Part]) -> Self {
        Self { parts: RefCell::new(parts.iter()), leases: RefCell::new(Leases::new()) }
    }
}

impl Source for Dump<'_> {
    fn number(&self) -> Option<u64> {
        match self.parts.borrow_mut().next()? {
            Part::Number(number) => Some(*number),
            Part::Bytes(_) => None,
        }
    }

    fn bytes<R>(&self, f: impl FnOnce(&[u8]) -> Option<R>) -> Option<R> {
        let part = self.parts.borrow_mut().next()?;
        match part {
            Part::Bytes(bytes) => f(bytes),
            Part::Number(_) => None,
        }
    }

    fn with_leases<R>(&self, f: impl FnOnce(&mut Leases) -> R) -> R {
        f(&mut self.leases.borrow_mut())
    }
}

impl Ledger for Count {
    fn gained(&mut self, _: LeaseId, _: bool) {
        self.0 += 1;
    }
    fn lost(&mut self, _: LeaseId, _: bool) {
        self.0 -= 1;
    }
}

/// As a save writes it, but in order.
fn saved<T: Stored>(value: &T, leases: &Leases) -> Vec<Part> {
    let mut records = Vec::new();
    value.for_each_stored(leases, |bytes| records.push(Part::Bytes(bytes.to_vec())));
    assert_eq!(records.len(), value.records() as usize, "as many records as are said");
    records.sort_by_key(|record| format!("{record:?}"));
    let head = value.head().map(Part::Number);
    let count = Part::Number(value.records().into());
    head.into_iter().chain([count]).chain(records).collect()
}

/// The records that have to be there: by client or user, the last one of each. A lease has the
/// time of its first.
#[derive(Default)]
struct Model<'a> {
    leases: BTreeMap<&'a str, u64>,
    records: BTreeMap<&'a str, Vec<u8>>,
}

impl<'a> Model<'a> {
    fn lease(&mut self, lease: LeaseName<'a>) -> LeaseName<'a> {
        let px = *self.leases.entry(lease.node).or_insert(lease.px);
        LeaseName { px, ..lease }
    }

    fn entry(&mut self, bytes: &'a [u8]) {
        let Some(mut entry) = StoredEntry::parse(bytes) else { return };
        entry.holder = match entry.holder {
            StoredHolder::Lease(lease) => StoredHolder::Lease(self.lease(lease)),
            StoredHolder::Deadline(ms) => {
                StoredHolder::Deadline(ms.div_ceil(TICK_MS).saturating_mul(TICK_MS))
            }
            StoredHolder::Due => StoredHolder::Due,
        };
        let mut record = Vec::new();
        entry.push(&mut record);
        self.records.insert(entry.client, record);
    }

    fn status(&mut self, bytes: &'a [u8]) {
        let Some(mut status) = StoredStatus::parse(bytes) else { return };
        let holders = std::mem::take(&mut status.holders);
        status.holders = holders.into_iter().map(|lease| self.lease(lease)).collect();
        status.holders.sort_by_key(|lease| lease.node);
        status.holders.dedup();
        let mut record = Vec::new();
        status.push(&mut record);
        self.records.insert(status.user, record);
    }

    /// As many records as a dump says that it has; it may go on after them.
    fn of(parts: &'a [Part], heads: usize, put: fn(&mut Self, &'a [u8])) -> Vec<Part> {
        let mut model = Self::default();
        let count = match parts.get(heads) {
            Some(Part::Number(count)) => usize::try_from(*count).unwrap_or(usize::MAX),
            _ => 0,
        };
        for part in parts.iter().skip(heads + 1).take(count) {
            if let Part::Bytes(bytes) = part {
                put(&mut model, bytes);
            }
        }
        let mut records: Vec<Part> = model.records.into_values().map(Part::Bytes).collect();
        records.sort_by_key(|record| format!("{record:?}"));
        let head = parts.iter().take(heads).cloned();
        head.chain([Part::Number(records.len() as u64)]).chain(records).collect()
    }
}

/// What loads is what was said, is saved as it was, and copied as it was.
fn loaded<T: Stored + Debug>(
    parts: &[Part],
    model: fn(&[Part]) -> Vec<Part>,
) -> Option<(T, Leases)> {
    let dump = Dump::of(parts);
    let value = T::load(&dump)?;
    let leases = dump.leases.into_inner();
    let expected = model(parts);
    assert_eq!(saved(&value, &leases), expected, "loaded");
    let again = Dump::of(&expected);
    let second = T::load(&again).expect("what was saved loads");
    assert_eq!(saved(&second, &again.leases.into_inner()), expected, "saved again");
    assert_eq!(saved(&value.copied(&leases), &leases), expected, "copied");
    Some((value, leases))
}

fn roster(parts: &[Part]) -> String {
    let Some((mut roster, _)) = loaded::<Roster>(parts, |parts| Model::of(parts, 1, Model::entry))
    else {
        return String::from("refused");
    };
    assert!(i64::try_from(roster.seq()).is_ok(), "a sequence that replicas cannot be told");
    let outcome = format!(
        "{} clients, {} users, {} leases, deadlines: {}",
        roster.clients().min(40),
        roster.users().min(9),
        roster.leases().count().min(4),
        roster.first_deadline().is_some()
    );
    let held: u32 = roster.leases().map(|(_, count)| count).sum();
    let mut clients = Vec::new();
    roster.for_each(|parts| clients.push(parts.client.text(&mut [0; 36]).to_owned()));
    let mut count = Count(held.into());
    for client in clients {
        let slot = roster.find(crate::roster::ClientId::new(&client)).expect("it is there");
        roster.remove(slot, &mut count);
    }
    assert_eq!((roster.clients(), roster.users(), count.0), (0, 0, 0));
    outcome
}

fn book(parts: &[Part]) -> String {
    let Some((mut book, mut leases)) =
        loaded::<Book>(parts, |parts| Model::of(parts, 0, Model::status))
    else {
        return String::from("refused");
    };
    let held: u32 = book.held().map(|(_, count)| count).sum();
    let outcome = format!("{} records, {} held", book.len().min(40), held.min(9));
    let ids: Vec<LeaseId> = book.held().map(|(lease, _)| lease).collect();
    let nodes: Vec<String> =
        ids.iter().filter_map(|id| Some(leases.alive(*id)?.node().to_owned())).collect();
    for node in nodes {
        leases.end(&node, 7);
    }
    let mut count = Count(held.into());
    for id in ids {
        while let Some(user) = book.held_by(id).map(String::from) {
            book.settle_user(&user, &mut Means { leases: &leases, ledger: &mut count });
        }
    }
    assert_eq!(count.0, 0, "ended leases hold nobody");
    while let Some(user) = book.expired(u32::MAX).map(String::from) {
        book.expire(&user);
    }
    assert_eq!(book.len(), 0);
    outcome
}

#[test]
fn a_roster_of_anything_that_loads_saves_what_it_loaded() {
    Target { name: "roster", words: WORDS, check: roster }.run();
}

#[test]
fn a_book_of_anything_that_loads_saves_what_it_loaded() {
    Target { name: "book", words: WORDS, check: book }.run();
}

#[test]
fn a_length_or_a_count_that_lies_sizes_nothing() {
    for head in [vec![Part::Number(7)], vec![]] {
        let lie = [head, vec![Part::Number(u64::MAX)]].concat();
        assert!(Roster::load(&Dump::of(&lie)).is_none());
        assert!(Book::load(&Dump::of(&lie)).is_none());
    }
}
