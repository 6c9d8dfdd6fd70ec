//! Client ids: UUIDs in their canonical lower-case form take 16 bytes instead of 36.

use crate::native::string;

/// A client id as it is stored and compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum ClientId<'a> {
    Uuid([u8; 16]),
    Text(&'a str),
}

/// Room for the text of a UUID.
pub(crate) type Text = [u8; 36];

/// Where the dashes of a UUID are.
const DASHES: [usize; 4] = [8, 13, 18, 23];
/// Where the pairs of digits are.
const PAIRS: [usize; 16] = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];

const DIGITS: &[u8; 16] = b"0123456789abcdef";
/// What a digit is worth, by its byte; more than 15 for what is none.
const WORTH: [u8; 256] = worth();

/// The digits of a byte.
static DIGIT_PAIRS: [[u8; 2]; 256] = digit_pairs();

// === impl ClientId ===

impl<'a> ClientId<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        match packed(text.as_bytes()) {
            Some(uuid) => Self::Uuid(uuid),
            None => Self::Text(text),
        }
    }

    /// The id as it was given; `room` holds it when it was packed.
    pub(crate) fn text<'b>(self, room: &'b mut Text) -> &'b str
    where
        'a: 'b,
    {
        match self {
            Self::Text(text) => text,
            Self::Uuid(_) => string::text(self.bytes(room)).unwrap_or_default(),
        }
    }

    /// Its bytes, likewise.
    pub(crate) fn bytes<'b>(self, room: &'b mut Text) -> &'b [u8]
    where
        'a: 'b,
    {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Uuid(uuid) => {
                unpack(uuid, room);
                room
            }
        }
    }
}

fn packed(text: &[u8]) -> Option<[u8; 16]> {
    let text: &Text = text.try_into().ok()?;
    let (mut uuid, mut all) = ([0; 16], 0);
    for (byte, at) in uuid.iter_mut().zip(PAIRS) {
        let (high, low) = (WORTH[usize::from(text[at])], WORTH[usize::from(text[at + 1])]);
        all |= high | low;
        *byte = high << 4 | low & 15;
    }
    (all < 16 && DASHES.iter().all(|at| text[*at] == b'-')).then_some(uuid)
}

const fn worth() -> [u8; 256] {
    let mut worth = [0xff; 256];
    let mut digit = 0;
    while digit < 16 {
        worth[DIGITS[digit as usize] as usize] = digit;
        digit += 1;
    }
    worth
}

const fn digit_pairs() -> [[u8; 2]; 256] {
    let mut pairs = [[0; 2]; 256];
    let mut byte = 0;
    while byte < 256 {
        pairs[byte] = [DIGITS[byte >> 4], DIGITS[byte & 15]];
        byte += 1;
    }
    pairs
}

fn unpack(uuid: [u8; 16], room: &mut Text) {
    for (byte, at) in uuid.into_iter().zip(PAIRS) {
        room[at..at + 2].copy_from_slice(&DIGIT_PAIRS[usize::from(byte)]);
    }
    for at in DASHES {
        room[at] = b'-';
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_canonical_uuids_are_packed_and_all_ids_read_back() {
        let canonical = "0f2c4e6a-8b0d-1f3e-5a7c-9e1b3d5f7a9c";
        assert!(matches!(ClientId::new(canonical), ClientId::Uuid(_)));
        let upper = canonical.to_uppercase();
        for text in [canonical, &upper, "c", &canonical[..35], &canonical.replace('-', "0")] {
            assert_eq!(ClientId::new(text).text(&mut [0; 36]), text);
        }
        assert!(matches!(ClientId::new(&upper), ClientId::Text(_)));
    }
}
