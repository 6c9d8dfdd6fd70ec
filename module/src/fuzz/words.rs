//! What clients, masters and AOF files say: the arguments of every command.

use rollcall_wire::stored::{StoredEntry, StoredStatus};

use super::harness::{Part, Target};
use crate::args::Args;
use crate::commands::{Parser, parsers};
use crate::error::CommandError;
use crate::native::string::Str;
use crate::spec::{Arg, ArgKind, Spec};

/// What commands are made of, and some of what they are not.
const WORDS: &[&[u8]] = &[
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
    b"+1",
    b"0x1",
    b"99999999999999999999",
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
    b"DEL",
    b"GONE",
    b"{}",
    b"\xff",
    b"%s%n",
];

/// Every parser of one half of the commands reads the words; an error can be shown to a client.
fn parse(parts: &[Part], internal: bool) -> String {
    let words: Vec<Vec<u8>> = parts
        .iter()
        .map(|part| match part {
            Part::Number(number) => number.to_string().into_bytes(),
            Part::Bytes(bytes) => bytes.clone(),
        })
        .collect();
    let words: Vec<Str> = words.iter().map(Str::lent).collect();
    let mut outcome = String::new();
    for Parser { spec, parse } in parsers() {
        if spec.name.to_bytes().ends_with(b"APPLY") == internal {
            let error = parse(Args::new(&words)).err();
            if let Some(error) = &error {
                assert!(is_fine(error, &spec), "{:?} of {:?}", error.to_string(), spec.name);
            }
            let said = error.map_or(String::from("accepted"), |error| error.to_string());
            // Numbers and quoted words make no new kind of outcome.
            outcome.extend(said.chars().take(24).filter(|c| !c.is_ascii_digit()));
        }
    }
    outcome
}

/// Whether an error is short text on one line that names an argument of the command.
fn is_fine(error: &CommandError, spec: &Spec) -> bool {
    let text = error.to_string();
    let names = || {
        let mut names = vec![String::from("option '")];
        spec.args.iter().for_each(|arg| push_names(arg, &mut names));
        names
    };
    matches!(error, CommandError::WrongArity)
        || text.starts_with("ERR ")
            && text.len() < 300
            && !text.contains(char::is_control)
            && names().iter().any(|name| text.to_lowercase().contains(name))
}

fn push_names(arg: &Arg, names: &mut Vec<String>) {
    names.extend(
        [Some(arg.name), arg.token]
            .into_iter()
            .flatten()
            .map(|name| name.to_string_lossy().to_lowercase()),
    );
    if let ArgKind::OneOf(inner) | ArgKind::Block(inner) = arg.kind {
        for arg in inner {
            push_names(arg, names);
        }
    }
}

fn arguments(parts: &[Part]) -> String {
    parse(parts, false)
}

/// The same for what is replicated, and its records read back as they are written.
fn changes(parts: &[Part]) -> String {
    for part in parts {
        let Part::Bytes(bytes) = part else { continue };
        let mut again = Vec::new();
        if let Some(entry) = StoredEntry::parse(bytes) {
            entry.push(&mut again);
            assert_eq!(StoredEntry::parse(&again), Some(entry));
        }
        again.clear();
        if let Some(status) = StoredStatus::parse(bytes) {
            status.push(&mut again);
            assert_eq!(StoredStatus::parse(&again), Some(status));
        }
    }
    parse(parts, true)
}

#[test]
fn arguments_of_any_kind_are_read_or_refused_by_name() {
    Target { name: "arguments", words: WORDS, check: arguments }.run();
}

#[test]
fn changes_of_any_kind_are_read_or_refused_by_name() {
    Target { name: "changes", words: WORDS, check: changes }.run();
}
