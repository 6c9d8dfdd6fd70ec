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

/// Whether `bytes` are one JSON value in UTF-8, however deep it nests.
///
/// The check takes no stack: `serde_json` skips a value in a loop, with a byte of memory a level.
/// A test holds it to that on a small stack.
pub fn is_json(bytes: &[u8]) -> bool {
    // Skipped strings are not looked at, so that this is left to us.
    (bytes.is_ascii() || std::str::from_utf8(bytes).is_ok())
        && serde_json::from_slice::<serde::de::IgnoredAny>(bytes).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_value_in_utf8_is_json() {
        for good in ["1", " {\"a\":[1,2]}\n", "\"[[[[\"", "null"] {
            assert!(is_json(good.as_bytes()), "{good}");
        }
        for bad in ["", "{", "1 2", "[[[]]", "[}", "\"\n\"", "nul", "{\"a\":1}}"] {
            assert!(!is_json(bad.as_bytes()), "{bad}");
        }
        assert!(!is_json(b"\"\xff\""));
    }

    #[test]
    fn depth_takes_no_stack() {
        const LEVELS: usize = 1_000_000;
        let check = || {
            let (open, object) = ("[".repeat(LEVELS), "{\"a\":".repeat(LEVELS));
            assert!(is_json(format!("{open}{}", "]".repeat(LEVELS)).as_bytes()));
            assert!(is_json(format!("{object}1{}", "}".repeat(LEVELS)).as_bytes()));
            assert!(!is_json(open.as_bytes()) && !is_json(object.as_bytes()));
        };
        let small = std::thread::Builder::new().stack_size(64 * 1024).spawn(check);
        small.unwrap().join().unwrap();
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
