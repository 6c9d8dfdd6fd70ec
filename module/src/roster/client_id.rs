//! Client ids: UUIDs in their canonical lower-case form take 16 bytes instead of 36.

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
            Self::Uuid(uuid) => {
                unpack(uuid, room);
                std::str::from_utf8(room).unwrap_or_default()
            }
        }
    }
}

fn packed(text: &[u8]) -> Option<[u8; 16]> {
    if text.len() != 36 || DASHES.iter().any(|at| text[*at] != b'-') {
        return None;
    }
    let mut uuid = [0; 16];
    let mut at = 0;
    for byte in &mut uuid {
        if DASHES.contains(&at) {
            at += 1;
        }
        *byte = nibble(text[at])? << 4 | nibble(text[at + 1])?;
        at += 2;
    }
    Some(uuid)
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

fn unpack(uuid: [u8; 16], room: &mut Text) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut at = 0;
    for byte in uuid {
        if DASHES.contains(&at) {
            room[at] = b'-';
            at += 1;
        }
        room[at] = DIGITS[usize::from(byte >> 4)];
        room[at + 1] = DIGITS[usize::from(byte & 15)];
        at += 2;
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
