//! Whether bytes are JSON. Every join asks that of its infos, so it is done without a parser's
//! generality: one pass, nothing built, no recursion.

/// The deepest nesting that can be asked for: one bit each.
const DEEPEST: usize = u128::BITS as usize;

/// Whether `bytes` are one JSON value in UTF-8 that nests at most `max_depth` deep.
pub(crate) fn is_json(bytes: &[u8], max_depth: usize) -> bool {
    let text = bytes.is_ascii() || std::str::from_utf8(bytes).is_ok();
    let open = Open { objects: 0, depth: 0, max: max_depth.min(DEEPEST) };
    text && Reader { left: bytes }.only_value(open).is_some()
}

/// What is not read yet. Every reading is `None` for what is not JSON.
struct Reader<'a> {
    left: &'a [u8],
}

/// The brackets that are open.
struct Open {
    /// Whether each is an object's, the innermost in the lowest bit.
    objects: u128,
    depth: usize,
    max: usize,
}

// === impl Open ===

impl Open {
    fn push(&mut self, object: bool) -> Option<()> {
        self.depth += 1;
        self.objects = self.objects << 1 | u128::from(object);
        (self.depth <= self.max).then_some(())
    }

    fn pop(&mut self) {
        self.depth -= 1;
        self.objects >>= 1;
    }

    fn in_object(&self) -> bool {
        self.objects & 1 == 1
    }
}

// === impl Reader ===

impl Reader<'_> {
    /// One value, and nothing after it.
    fn only_value(&mut self, mut open: Open) -> Option<()> {
        loop {
            self.begin(&mut open)?;
            // Whatever ends with the value that was just read, up to where the next one begins.
            loop {
                self.skip_blanks();
                if open.depth == 0 {
                    return self.left.is_empty().then_some(());
                }
                match (self.next()?, open.in_object()) {
                    (b',', true) => {
                        self.name()?;
                        break;
                    }
                    (b',', false) => break,
                    (b'}', true) | (b']', false) => open.pop(),
                    _ => return None,
                }
            }
        }
    }

    /// A whole value without parts, or an empty one, or the brackets up to the first part.
    fn begin(&mut self, open: &mut Open) -> Option<()> {
        loop {
            self.skip_blanks();
            match self.next()? {
                b'"' => return self.string(),
                b'{' => {
                    open.push(true)?;
                    self.skip_blanks();
                    if self.take(b'}') {
                        open.pop();
                        return Some(());
                    }
                    self.name()?;
                }
                b'[' => {
                    open.push(false)?;
                    self.skip_blanks();
                    if self.take(b']') {
                        open.pop();
                        return Some(());
                    }
                }
                b't' => return self.word(b"rue"),
                b'f' => return self.word(b"alse"),
                b'n' => return self.word(b"ull"),
                b'-' => {
                    let digit = self.next()?;
                    return self.number(digit);
                }
                digit => return self.number(digit),
            }
        }
    }

    /// `"name":`
    fn name(&mut self) -> Option<()> {
        self.skip_blanks();
        if self.next()? != b'"' {
            return None;
        }
        self.string()?;
        self.skip_blanks();
        (self.next()? == b':').then_some(())
    }

    /// The rest of a string.
    fn string(&mut self) -> Option<()> {
        loop {
            let special = |byte: &u8| *byte == b'"' || *byte == b'\\' || *byte < 0x20;
            let plain = self.left.iter().position(special)?;
            self.left = &self.left[plain..];
            match self.next()? {
                b'"' => return Some(()),
                b'\\' => self.escape()?,
                _ => return None,
            }
        }
    }

    fn escape(&mut self) -> Option<()> {
        match self.next()? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(()),
            b'u' => {
                let (digits, rest) = self.left.split_at_checked(4)?;
                self.left = rest;
                digits.iter().all(u8::is_ascii_hexdigit).then_some(())
            }
            _ => None,
        }
    }

    /// The rest of a number whose first digit this should be.
    fn number(&mut self, first: u8) -> Option<()> {
        match first {
            b'0' => {}
            b'1'..=b'9' => {
                self.digits();
            }
            _ => return None,
        }
        if self.take(b'.') && self.digits() == 0 {
            return None;
        }
        if self.take(b'e') || self.take(b'E') {
            let _sign = self.take(b'+') || self.take(b'-');
            if self.digits() == 0 {
                return None;
            }
        }
        Some(())
    }

    /// How many digits there were.
    fn digits(&mut self) -> usize {
        let end = |byte: &u8| !byte.is_ascii_digit();
        let count = self.left.iter().position(end).unwrap_or(self.left.len());
        self.left = &self.left[count..];
        count
    }

    fn word(&mut self, rest: &[u8]) -> Option<()> {
        self.left = self.left.strip_prefix(rest)?;
        Some(())
    }

    fn skip_blanks(&mut self) {
        while let [b' ' | b'\n' | b'\t' | b'\r', rest @ ..] = self.left {
            self.left = rest;
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        match self.left.split_first() {
            Some((first, rest)) if *first == byte => {
                self.left = rest;
                true
            }
            _ => false,
        }
    }

    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.left.split_first()?;
        self.left = rest;
        Some(*first)
    }
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

    /// What JSON is made of, and some of what it is not.
    const PIECES: [&str; 40] = [
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\"a\"",
        "\"\"",
        "\"a\":",
        "\\",
        "\\u00e9",
        "\\uD8",
        "\\n",
        "\\x",
        " ",
        "\n",
        "\t",
        "\u{b}",
        "0",
        "1",
        "-",
        "-0",
        "01",
        "1.5",
        ".",
        "1.",
        "e",
        "1e5",
        "E+",
        "1e-",
        "true",
        "false",
        "null",
        "nul",
        "NaN",
        "\u{e9}",
        "\u{1f600}",
        "\u{0}",
        "/",
    ];

    fn serde_says(bytes: &[u8]) -> bool {
        std::str::from_utf8(bytes).is_ok()
            && serde_json::from_slice::<serde::de::IgnoredAny>(bytes).is_ok()
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(20_000))]

        #[test]
        fn it_agrees_with_the_parser(pieces in proptest::collection::vec(0..PIECES.len(), 0..12)) {
            let text: String = pieces.into_iter().map(|piece| PIECES[piece]).collect();
            proptest::prop_assert_eq!(is_json(text.as_bytes(), 128), serde_says(text.as_bytes()), "{}", text);
        }

        #[test]
        fn it_agrees_on_what_was_json(
            list in proptest::collection::vec((".{0,8}", proptest::num::f64::NORMAL, 0..5u8), 0..4),
            at in 0usize..80, byte: u8,
        ) {
            let value: serde_json::Value = list
                .iter()
                .map(|(name, number, kind)| match kind {
                    0 => serde_json::json!({ name: number }),
                    1 => serde_json::json!([name, [], {}]),
                    2 => serde_json::json!(number),
                    3 => serde_json::json!({ "a": { name: null, "b": [true, number] } }),
                    _ => serde_json::json!(name),
                })
                .collect();
            let mut bytes = value.to_string().into_bytes();
            proptest::prop_assert!(is_json(&bytes, 128));
            let at = at % bytes.len();
            bytes[at] = byte;
            proptest::prop_assert_eq!(is_json(&bytes, 128), serde_says(&bytes));
        }
    }
}
