//! The little JSON writing that events and members need, into a caller's buffer.

/// Appends `text` as a JSON string, quotes included. Only what JSON demands is escaped.
pub fn push_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    push_text(out, text);
    out.push(b'"');
}

/// The same without the quotes.
pub(crate) fn push_text(out: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    // Ids seldom have anything to escape, and this finds out many bytes at a time.
    if bytes.iter().fold(0, |any, byte| any | u8::from(must_be_escaped(*byte))) > 0 {
        push_escaped(out, bytes);
    } else {
        out.extend_from_slice(bytes);
    }
}

fn must_be_escaped(byte: u8) -> bool {
    matches!(byte, 0..0x20 | b'"' | b'\\')
}

fn push_escaped(out: &mut Vec<u8>, bytes: &[u8]) {
    let mut plain = 0;
    for (at, byte) in bytes.iter().enumerate().filter(|(_, byte)| must_be_escaped(**byte)) {
        out.extend_from_slice(&bytes[plain..at]);
        plain = at + 1;
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', *byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            _ => {
                out.extend_from_slice(b"\\u00");
                out.push(b"0123456789abcdef"[usize::from(byte >> 4)]);
                out.push(b"0123456789abcdef"[usize::from(byte & 15)]);
            }
        }
    }
    out.extend_from_slice(&bytes[plain..]);
}

/// `00` to `99`, one after the other.
const PAIRS: [u8; 200] = pairs();

const fn pairs() -> [u8; 200] {
    let mut pairs = [0; 200];
    let mut n = 0u8;
    while n < 100 {
        let at = 2 * n as usize;
        (pairs[at], pairs[at + 1]) = (b'0' + n / 10, b'0' + n % 10);
        n += 1;
    }
    pairs
}

/// Appends `value` in decimal.
pub(crate) fn push_number(out: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    while value >= 10 {
        let pair = 2 * (value % 100) as usize;
        value /= 100;
        at -= 2;
        digits[at..at + 2].copy_from_slice(&PAIRS[pair..pair + 2]);
    }
    // What is left is the first digit, unless a pair took it.
    if value > 0 || at == digits.len() {
        at -= 1;
        digits[at] = PAIRS[2 * (value % 10) as usize + 1];
    }
    out.extend_from_slice(&digits[at..]);
}

/// Whether `bytes` are one JSON value in UTF-8 that nests at most `max_depth` deep.
pub(crate) fn is_json(bytes: &[u8], max_depth: usize) -> bool {
    if !bytes.is_ascii() && std::str::from_utf8(bytes).is_err() {
        return false;
    }
    // Depth first: the parser below must not be the one to meet a million brackets.
    let shallow = bytes.len() <= max_depth || depth(bytes) <= max_depth;
    shallow && serde_json::from_slice::<serde::de::IgnoredAny>(bytes).is_ok()
}

/// The deepest bracket nesting outside strings; right for valid JSON, an estimate otherwise.
fn depth(bytes: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0usize, 0);
    let (mut in_string, mut escaped) = (false, false);
    for byte in bytes {
        match (in_string, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (_, b'"') => in_string = !in_string,
            (false, b'[' | b'{') => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            (false, b']' | b'}') => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_shallow_utf8_value_is_json() {
        for good in ["1", " {\"a\":[1,2]}\n", "\"[[[[\"", "null"] {
            assert!(is_json(good.as_bytes(), 4), "{good}");
        }
        for bad in ["", "{", "1 2", "[[[[[]]]]]", "\"\n\"", "nul"] {
            assert!(!is_json(bad.as_bytes(), 4), "{bad}");
        }
        assert!(!is_json(b"\"\xff\"", 4));
        assert!(!is_json("[".repeat(1_000_000).as_bytes(), 128));
    }

    proptest::proptest! {
        #[test]
        fn every_string_reads_back(text: String) {
            let mut out = Vec::new();
            push_string(&mut out, &text);
            proptest::prop_assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
        }

        #[test]
        fn every_number_reads_back(value: u64) {
            let mut out = Vec::new();
            push_number(&mut out, value);
            proptest::prop_assert_eq!(String::from_utf8(out).unwrap(), value.to_string());
        }
    }
}
