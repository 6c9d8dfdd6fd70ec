//! Runs a target over its seeds, and then over what becomes of them, for as long as it may.
//!
//! Inputs whose outcome is new become seeds too, so that the mutations reach behind the first
//! check. What fails is printed in the form of a seed file: put it into the corpus.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::native::meter::peak_of;

/// Seconds a target runs when `TEST_FUZZ_SECONDS` does not say otherwise.
const SECONDS: u64 = 2;
/// Seeds that a run adds to its own, at most.
const POOL: usize = 2_000;
/// What a target may allocate: so much, and so many times its input.
const ALLOWED: (usize, usize) = (128 * 1024, 1_024);

/// Numbers at which something begins or ends.
const EDGES: [u64; 9] =
    [0, 1, 2, 127, 128, u32::MAX as u64, i64::MAX as u64, i64::MAX as u64 + 1, u64::MAX];

/// An input is a list of these, as a dump is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Number(u64),
    Bytes(Vec<u8>),
}

/// What is run: a name, which is its folder of seeds, words to mix in, and the check.
pub(super) struct Target {
    pub(super) name: &'static str,
    pub(super) words: &'static [&'static [u8]],
    /// Panics when something is wrong; the outcome says what kind of input it was.
    pub(super) check: fn(&[Part]) -> String,
}

/// Chance that can be repeated (splitmix64).
struct Random(u64);

/// Prints the input when the check panics.
struct Witness<'a>(&'a [Part], u64);

// === impl Target ===

impl Target {
    /// Checks every seed, then mutations of them until the time is over.
    pub(super) fn run(&self) {
        let mut pool = self.seeds();
        assert!(!pool.is_empty(), "no seeds of {}", self.name);
        let mut outcomes: BTreeSet<String> = BTreeSet::new();
        for seed in &pool {
            outcomes.insert(self.one(seed, 0));
        }
        let seed = number("TEST_SEED").unwrap_or(1);
        let mut random = Random(seed);
        let until =
            Instant::now() + Duration::from_secs(number("TEST_FUZZ_SECONDS").unwrap_or(SECONDS));
        while Instant::now() < until {
            for _ in 0..100 {
                let input = self.mutated(&pool, &mut random);
                let outcome = self.one(&input, seed);
                if pool.len() < POOL && outcomes.insert(outcome) {
                    pool.push(input);
                }
            }
        }
    }

    fn one(&self, input: &[Part], seed: u64) -> String {
        let witness = Witness(input, seed);
        let (outcome, peak) = peak_of(|| (self.check)(input));
        let length: usize = input.iter().map(Part::length).sum();
        let most = ALLOWED.0 + ALLOWED.1 * length;
        assert!(peak <= most, "{peak} bytes for an input of {length}");
        std::mem::forget(witness);
        outcome
    }

    fn seeds(&self) -> Vec<Vec<Part>> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(self.name);
        let mut paths: Vec<_> = fs::read_dir(folder)
            .expect("the corpus is there")
            .map(|entry| entry.expect("a seed").path())
            .collect();
        paths.sort();
        let read = |path| fs::read_to_string(path).expect("a seed is text");
        paths.iter().map(|path| read(path).lines().filter_map(Part::parse).collect()).collect()
    }

    fn mutated(&self, pool: &[Vec<Part>], random: &mut Random) -> Vec<Part> {
        let mut parts = random.pick(pool).clone();
        for _ in 0..=random.below(4) {
            let at = random.below(parts.len() + 1);
            match random.below(8) {
                0 => parts.insert(at, Part::Bytes(random.pick(self.words).to_vec())),
                1 => {
                    let other = random.pick(pool);
                    parts.truncate(at);
                    parts.extend_from_slice(&other[random.below(other.len() + 1)..]);
                }
                _ if at == parts.len() => {}
                2 => drop(parts.remove(at)),
                3 => parts.insert(at, parts[at].clone()),
                4 => {
                    let other = random.below(parts.len());
                    parts.swap(at, other);
                }
                _ => parts[at].change(self.words, random),
            }
        }
        parts
    }
}

// === impl Part ===

impl Part {
    fn length(&self) -> usize {
        match self {
            Self::Number(_) => 8,
            Self::Bytes(bytes) => bytes.len() + 8,
        }
    }

    fn change(&mut self, words: &[&[u8]], random: &mut Random) {
        match self {
            Self::Number(number) => match random.below(3) {
                0 => *number = *random.pick(&EDGES),
                1 => *number = number.wrapping_add(1 << random.below(64)),
                _ => *number = number.wrapping_sub(1),
            },
            Self::Bytes(bytes) => change_bytes(bytes, words, random),
        }
    }

    /// A line of a seed file: `#` and a number, or bytes as Rust writes them, or a comment.
    fn parse(line: &str) -> Option<Self> {
        if line.starts_with("//") {
            return None;
        }
        if let Some(number) = line.strip_prefix('#') {
            return Some(Self::Number(number.parse().expect("a number")));
        }
        let mut bytes = Vec::new();
        let mut rest = line.bytes();
        while let Some(byte) = rest.next() {
            if byte != b'\\' {
                bytes.push(byte);
                continue;
            }
            match rest.next().expect("something is escaped") {
                b'x' => {
                    let digits: Vec<u8> = rest.by_ref().take(2).collect();
                    let digits = std::str::from_utf8(&digits).expect("two digits");
                    bytes.push(u8::from_str_radix(digits, 16).expect("two digits"));
                }
                b'n' => bytes.push(b'\n'),
                b'r' => bytes.push(b'\r'),
                b't' => bytes.push(b'\t'),
                other => bytes.push(other),
            }
        }
        Some(Self::Bytes(bytes))
    }

    fn line(&self) -> String {
        match self {
            Self::Number(number) => format!("#{number}"),
            Self::Bytes(bytes) => {
                bytes.escape_ascii().to_string().replace('#', "\\x23").replace('/', "\\x2f")
            }
        }
    }
}

fn change_bytes(bytes: &mut Vec<u8>, words: &[&[u8]], random: &mut Random) {
    let at = random.below(bytes.len() + 1);
    let byte = random.byte();
    match random.below(10) {
        0 => bytes.truncate(at),
        1 => bytes.insert(at, byte),
        2 => *bytes = random.pick(words).to_vec(),
        // Where a length stands, it now lies.
        3 => drop(bytes.splice(at..at, [0xff; 9])),
        4 => bytes.resize(random.below(300), byte),
        5 if random.below(20) == 0 => bytes.resize(random.below(70_000), byte),
        6 => *bytes = random.pick(&EDGES).to_string().into_bytes(),
        7 if at < bytes.len() => drop(bytes.remove(at)),
        8 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
        _ if at < bytes.len() => bytes[at] = byte,
        _ => {}
    }
}

// === impl Random ===

impl Random {
    fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.number() % end as u64).expect("it is below a size")
    }

    fn byte(&mut self) -> u8 {
        self.number().to_le_bytes()[0]
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

// === impl Witness ===

impl Drop for Witness<'_> {
    #[expect(clippy::print_stderr, reason = "the input of a failed check is what explains it")]
    fn drop(&mut self) {
        let lines: Vec<String> = self.0.iter().map(Part::line).collect();
        eprintln!("--- failed (TEST_SEED={}); as a seed file: ---\n{}", self.1, lines.join("\n"));
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

#[test]
fn parts_read_back_as_they_are_written() {
    let all: Vec<u8> = (0..=255).collect();
    for part in [Part::Number(u64::MAX), Part::Bytes(all), Part::Bytes(b"#5//".to_vec())] {
        assert_eq!(Part::parse(&part.line()), Some(part));
    }
}
