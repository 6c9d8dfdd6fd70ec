//! Arbitrary bytes through every parser and both loaders: an error or a value, never a panic.

use std::collections::BTreeSet;

use proptest::prelude::*;
use rollcall_wire::stored::{StoredEntry, StoredStatus};
use rollcall_wire::varint;

use super::*;
use crate::args::Args;
use crate::book::{Book, Means};
use crate::error::CommandError;
use crate::lease::{LeaseId, Leases};
use crate::native::string::Str;
use crate::roster::store::live_holder;
use crate::roster::{Ledger, Roster};

/// What commands are made of, and some of what they are not.
const WORDS: [&[u8]; 34] = [
    b"key",
    b"c",
    b"u",
    b"",
    b"EX",
    b"px",
    b"LEASE",
    b"NOTIFY",
    b"BACK",
    b"WITHSEQ",
    b"CONNINFO",
    b"CHANINFO",
    b"JSON",
    b"COUNT",
    b"USER",
    b"0",
    b"1",
    b"60",
    b"-1",
    b"99999999999999999999",
    b"18446744073709551615",
    b"1f-3",
    b"1f-3-9",
    b"PUT",
    b"CUT",
    b"SEQ",
    b"SET",
    b"END",
    b"TOUCH",
    b"ONLINE",
    b"OFFLINE",
    b"SETTLE",
    b"{}",
    b"\xff",
];

const ENTRY: &[u8] = b"\x05\x02c1\x0242\x02{}\x00\x01n\xc4\x13";
const STATUS: &[u8] = b"\x0242\x05\x07\xac\x02\x01\x01n\xc4\x13";

/// Hears nothing.
struct Deaf;

impl Ledger for Deaf {
    fn gained(&mut self, _: LeaseId, _: bool) {}
    fn lost(&mut self, _: LeaseId, _: bool) {}
}

/// A record with some bytes changed, inserted or cut off, or any bytes at all.
fn record(valid: &'static [u8]) -> impl Strategy<Value = Vec<u8>> {
    let edits =
        proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4u8), 0..4);
    let edited = edits.prop_map(move |edits| {
        let mut bytes = valid.to_vec();
        for (at, byte, kind) in edits {
            let at = at.index(bytes.len() + 1);
            match kind {
                0 => bytes.insert(at, byte),
                1 => bytes.truncate(at.max(1)),
                _ if at < bytes.len() => bytes[at] = byte,
                _ => {}
            }
        }
        bytes
    });
    prop_oneof![4 => edited, 1 => proptest::collection::vec(any::<u8>(), 0..64)]
}

fn word() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => proptest::sample::select(&WORDS[..]).prop_map(<[u8]>::to_vec),
        1 => proptest::collection::vec(any::<u8>(), 0..300),
        1 => record(ENTRY),
        1 => record(STATUS),
    ]
}

/// Whether the outcome is a value, or an error that a client can be shown.
fn sound<T>(parsed: Result<T, CommandError>) -> bool {
    parsed.err().is_none_or(|error| error.to_string().starts_with("ERR "))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn parsers_refuse_or_accept_anything(words in proptest::collection::vec(word(), 0..12)) {
        let words: Vec<Str> = words.iter().map(|word| Str::from(word.as_slice())).collect();
        let args = Args::new(&words);
        prop_assert!(sound(presence_add::Add::parse(args)));
        prop_assert!(sound(presence_rem::Rem::parse(args)));
        prop_assert!(sound(presence_get::Get::parse(args)));
        prop_assert!(sound(presence_scan::Scan::parse(args)));
        prop_assert!(sound(presence_lease::Keep::parse(args)));
        prop_assert!(sound(presence_lease::Drop::parse(args)));
        prop_assert!(sound(presence_apply::Apply::parse(args)));
        prop_assert!(sound(presence_lease_apply::LeaseApply::parse(args)));
        prop_assert!(sound(userstatus_touch::Touch::parse(args)));
        prop_assert!(sound(userstatus_online::Online::parse(args)));
        prop_assert!(sound(userstatus_offline::Offline::parse(args)));
        prop_assert!(sound(userstatus_get::Get::parse(args)));
        prop_assert!(sound(userstatus_del::Del::parse(args)));
        prop_assert!(sound(userstatus_apply::Apply::parse(args)));
    }

    #[test]
    fn a_roster_of_anything_that_loads_saves_what_it_loaded(
        records in proptest::collection::vec(record(ENTRY), 0..20)
    ) {
        let mut leases = Leases::new();
        let saved = loaded_roster(&records, &mut leases);
        let list: Vec<Vec<u8>> = saved.iter().cloned().collect();
        prop_assert_eq!(loaded_roster(&list, &mut leases), saved);
    }

    #[test]
    fn a_book_of_anything_that_loads_saves_what_it_loaded(
        records in proptest::collection::vec(record(STATUS), 0..20)
    ) {
        let mut leases = Leases::new();
        let saved = loaded_book(&records, &mut leases);
        let list: Vec<Vec<u8>> = saved.iter().cloned().collect();
        prop_assert_eq!(loaded_book(&list, &mut leases), saved);
    }
}

fn loaded_roster(records: &[Vec<u8>], leases: &mut Leases) -> BTreeSet<Vec<u8>> {
    let mut roster = Roster::new();
    for bytes in records {
        if let Some(entry) = StoredEntry::parse(bytes) {
            let holder = live_holder(entry.holder, leases);
            roster.put_stored(&entry, holder, &mut Deaf);
        }
    }
    let mut saved = BTreeSet::new();
    roster.for_each_stored(leases, |bytes| {
        saved.insert(bytes.to_vec());
    });
    assert_eq!(saved.len(), roster.clients() as usize);
    saved
}

fn loaded_book(records: &[Vec<u8>], leases: &mut Leases) -> BTreeSet<Vec<u8>> {
    let mut book = Book::new();
    for bytes in records {
        if let Some(stored) = StoredStatus::parse(bytes) {
            let names = stored.holders.iter();
            let holders: Vec<LeaseId> =
                names.map(|lease| leases.ensure(lease.node, lease.px)).collect();
            book.put_stored(&stored, &holders, &mut Means { leases, ledger: &mut Deaf });
        }
    }
    let mut saved = BTreeSet::new();
    book.for_each_stored(leases, |bytes| {
        saved.insert(bytes.to_vec());
    });
    assert_eq!(saved.len(), book.len() as usize);
    saved
}

#[test]
fn a_length_or_a_count_that_lies_sizes_nothing() {
    let mut status = b"\x0242\x05\x07\xac\x02".to_vec();
    varint::push(&mut status, u64::MAX);
    assert_eq!(StoredStatus::parse(&status), None);
    let mut entry = b"\x00\x02c1\x00".to_vec();
    varint::push(&mut entry, u64::MAX >> 1);
    assert_eq!(StoredEntry::parse(&entry), None);
}
