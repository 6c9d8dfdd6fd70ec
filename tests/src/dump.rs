//! Values as `DUMP` writes them, taken apart and put together again.

use crate::random::Random;

/// Before the footer: the version of the format and a checksum.
const FOOTER: usize = 10;
/// The type of a value (a module's), and the module's id with its mark.
const HEADER: usize = 10;
/// What a module writes: a number, …
const NUMBERS: [u8; 2] = [1, 2];
/// … or a string.
const STRING: u8 = 5;
const END: u8 = 0;

/// Numbers that loaders trip over.
const EDGES: [u64; 12] = [
    0,
    1,
    2,
    63,
    64,
    255,
    65_535,
    0x7fff_ffff,
    0xffff_ffff,
    1 << 53,
    i64::MAX.cast_unsigned(),
    u64::MAX,
];

/// Part of a value.
#[derive(Debug, Clone)]
enum Part {
    Number(u8, u64),
    Text(Vec<u8>),
}

/// The checksum that Redis uses: CRC-64 by Jones, reflected.
pub fn crc64(bytes: &[u8]) -> u64 {
    const REFLECTED: u64 = 0x95ac_9329_ac4b_c9b5;
    bytes.iter().fold(0, |crc: u64, &byte| {
        (0..8).fold(crc ^ u64::from(byte), |crc, _| {
            (crc >> 1) ^ if crc & 1 == 1 { REFLECTED } else { 0 }
        })
    })
}

/// A dump with something wrong in it, and a checksum that says that all is well.
pub fn broken(dump: &[u8], other: &[u8], random: &mut Random) -> Vec<u8> {
    let mut body = match parts(dump) {
        Some(mut parts) if random.percent(70) => {
            for _ in 0..=random.below(3) {
                break_part(&mut parts, random);
            }
            joined(&dump[..HEADER], &parts)
        }
        _ => dump[..dump.len() - FOOTER].to_vec(),
    };
    if random.percent(40) {
        for _ in 0..=random.below(4) {
            break_bytes(&mut body, &other[..other.len() - FOOTER], random);
        }
    }
    sealed(dump, body)
}

/// The same dump with another first number: a roster's sequence, a book's count of records.
pub fn forged(dump: &[u8], number: u64) -> Vec<u8> {
    let mut parts = parts(dump).expect("a dump of ours");
    let Some(Part::Number(_, first)) = parts.first_mut() else { panic!("it begins otherwise") };
    *first = number;
    sealed(dump, joined(&dump[..HEADER], &parts))
}

/// The same dump with other records, in the form in which they are stored.
pub fn forged_records(dump: &[u8], change: impl Fn(&mut Vec<u8>)) -> Vec<u8> {
    let mut parts = parts(dump).expect("a dump of ours");
    for part in &mut parts {
        if let Part::Text(record) = part {
            change(record);
        }
    }
    sealed(dump, joined(&dump[..HEADER], &parts))
}

/// A body with the footer of `dump` and its own checksum.
fn sealed(dump: &[u8], mut body: Vec<u8>) -> Vec<u8> {
    body.extend_from_slice(&dump[dump.len() - FOOTER..dump.len() - 8]);
    let sum = crc64(&body);
    body.extend_from_slice(&sum.to_le_bytes());
    body
}

/// Whether a dump can be taken apart.
pub fn is_known(dump: &[u8]) -> bool {
    parts(dump).is_some()
}

fn break_bytes(body: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    let at = random.below(body.len().max(1)).min(body.len());
    match random.below(5) {
        0 if at < body.len() => body[at] ^= 1 << random.below(8),
        1 if at < body.len() => body[at] = u8::try_from(random.below(256)).expect("a byte"),
        2 => body.truncate(at.max(1)),
        3 => body.insert(at, u8::try_from(random.below(256)).expect("a byte")),
        _ => {
            body.truncate(at.max(1));
            body.extend_from_slice(&other[random.below(other.len())..]);
        }
    }
}

fn break_part(parts: &mut Vec<Part>, random: &mut Random) {
    let at = random.below(parts.len());
    match random.below(6) {
        0 => drop(parts.remove(at)),
        1 => {
            let copy = parts[at].clone();
            parts.insert(at, copy);
        }
        2 => {
            let to = random.below(parts.len());
            parts.swap(at, to);
        }
        _ => match &mut parts[at] {
            Part::Number(_, number) => {
                *number = match random.below(3) {
                    0 => EDGES[random.below(EDGES.len())],
                    1 => number.wrapping_add(1 << random.below(64)),
                    _ => number.wrapping_sub(1),
                }
            }
            Part::Text(text) => break_text(text, random),
        },
    }
    if parts.is_empty() {
        parts.push(Part::Number(2, random.number()));
    }
}

fn break_text(text: &mut Vec<u8>, random: &mut Random) {
    match random.below(5) {
        0 => text.clear(),
        1 => text.resize(random.below(70_000), b'x'),
        2 => text.extend_from_slice(b"\xff\0%s"),
        _ if text.is_empty() => text.push(0),
        3 => text.truncate(random.below(text.len())),
        _ => {
            let at = random.below(text.len());
            text[at] = u8::try_from(random.below(256)).expect("a byte");
        }
    }
}

fn joined(header: &[u8], parts: &[Part]) -> Vec<u8> {
    let mut body = header.to_vec();
    for part in parts {
        match part {
            Part::Number(kind, number) => {
                body.push(*kind);
                push_length(&mut body, *number);
            }
            Part::Text(text) => {
                body.push(STRING);
                push_length(&mut body, text.len() as u64);
                body.extend_from_slice(text);
            }
        }
    }
    body.push(END);
    body
}

fn push_length(body: &mut Vec<u8>, number: u64) {
    body.push(0x81);
    body.extend_from_slice(&number.to_be_bytes());
}

/// The parts of a dump, if they are all of the kinds that we know.
fn parts(dump: &[u8]) -> Option<Vec<Part>> {
    let mut rest = &dump[HEADER..dump.len() - FOOTER];
    let mut parts = Vec::new();
    loop {
        let kind = take(&mut rest, 1)?[0];
        if kind == END {
            return (rest.is_empty() && !parts.is_empty()).then_some(parts);
        } else if NUMBERS.contains(&kind) {
            parts.push(Part::Number(kind, length(&mut rest)?));
        } else if kind == STRING {
            parts.push(Part::Text(text(&mut rest)?));
        } else {
            return None;
        }
    }
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(count)?;
    *rest = left;
    Some(taken)
}

fn length(rest: &mut &[u8]) -> Option<u64> {
    let first = take(rest, 1)?[0];
    let big = |bytes: &[u8]| bytes.iter().fold(0, |sum, &byte| (sum << 8) | u64::from(byte));
    match (first >> 6, first) {
        (0, _) => Some(u64::from(first)),
        (1, _) => Some((u64::from(first & 63) << 8) | big(take(rest, 1)?)),
        (_, 0x80) => Some(big(take(rest, 4)?)),
        (_, 0x81) => Some(big(take(rest, 8)?)),
        _ => None,
    }
}

/// A string, which may be written as a small number.
fn text(rest: &mut &[u8]) -> Option<Vec<u8>> {
    let little = |bytes: &[u8]| match *bytes {
        [a] => i32::from(a.cast_signed()),
        [a, b] => i32::from(i16::from_le_bytes([a, b])),
        [a, b, c, d] => i32::from_le_bytes([a, b, c, d]),
        _ => 0,
    };
    let encoded = match rest.first()? {
        0xc0 => 1,
        0xc1 => 2,
        0xc2 => 4,
        _ => {
            let count = usize::try_from(length(rest)?).ok()?;
            return Some(take(rest, count)?.to_vec());
        }
    };
    take(rest, 1)?;
    Some(little(take(rest, encoded)?).to_string().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_redis() {
        assert_eq!(crc64(b"123456789"), 0xe9c6_d914_c4b8_d9ca);
    }
}
