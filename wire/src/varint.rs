//! Numbers and byte strings of the stored and replicated forms: LEB128, then plain bytes.

/// Longest form of a number.
pub const MAX: usize = 10;

/// The form of `value`, seven bits a byte, lowest first, and how many bytes of it count.
pub fn encoded(mut value: u64) -> ([u8; MAX], usize) {
    let (mut bytes, mut at) = ([0; MAX], 0);
    while value >= 0x80 {
        bytes[at] = (value & 0x7f) as u8 | 0x80;
        value >>= 7;
        at += 1;
    }
    bytes[at] = (value & 0x7f) as u8;
    (bytes, at + 1)
}

/// Appends `value`.
pub fn push(out: &mut Vec<u8>, value: u64) {
    let (bytes, length) = encoded(value);
    out.extend_from_slice(&bytes[..length]);
}

/// Appends the length of `bytes` and `bytes`.
pub fn push_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    push(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Takes a number off the front of `input`; `None` when it is cut short or longer than 64 bits.
pub fn take(input: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = input.split_first()?;
        *input = rest;
        let bits = u64::from(byte & 0x7f);
        if shift == 63 && bits > 1 {
            return None;
        }
        value |= bits << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// Takes a byte string of at most `max` bytes off the front of `input`.
pub fn take_bytes<'a>(input: &mut &'a [u8], max: usize) -> Option<&'a [u8]> {
    let length = usize::try_from(take(input)?).ok().filter(|length| *length <= max)?;
    let (bytes, rest) = input.split_at_checked(length)?;
    *input = rest;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn every_number_and_string_reads_back(value: u64, bytes: Vec<u8>) {
            let mut out = Vec::new();
            push(&mut out, value);
            push_bytes(&mut out, &bytes);
            let mut input = out.as_slice();
            proptest::prop_assert_eq!(take(&mut input), Some(value));
            proptest::prop_assert_eq!(take_bytes(&mut input, bytes.len()), Some(bytes.as_slice()));
            proptest::prop_assert!(input.is_empty());
        }
    }

    #[test]
    fn what_is_cut_short_or_too_long_is_refused() {
        for bad in [&[][..], &[0x80], &[0xff; 10], &[0x80; 12]] {
            assert_eq!(take(&mut &*bad), None);
        }
        assert_eq!(take_bytes(&mut &[3, 1, 2][..], 9), None);
        assert_eq!(take_bytes(&mut &[3, 1, 2, 3][..], 2), None);
    }
}
