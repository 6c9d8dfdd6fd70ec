//! Standard base64 with padding, encoding only: how bytes that are not JSON appear in JSON.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Appends `bytes` as base64 to `out`.
pub(crate) fn push(out: &mut Vec<u8>, bytes: &[u8]) {
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().fold(0u32, |group, byte| group << 8 | u32::from(*byte))
            << (8 * (3 - chunk.len()));
        for position in 0..4 {
            let index = (group >> (18 - 6 * position)) & 0x3f;
            out.push(if position > chunk.len() { b'=' } else { ALPHABET[index as usize] });
        }
    }
}

/// Whether `text` may be what [`push`] writes.
pub(crate) fn is_valid(text: &str) -> bool {
    let digits = text.trim_end_matches('=');
    text.len().is_multiple_of(4)
        && text.len() - digits.len() <= 2
        && digits.bytes().all(|byte| ALPHABET.contains(&byte))
}

#[cfg(test)]
mod tests {
    fn encoded(bytes: &[u8]) -> String {
        let mut out = Vec::new();
        super::push(&mut out, bytes);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_vectors_of_rfc_4648() {
        let vectors =
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")];
        for (plain, base64) in vectors {
            assert_eq!(encoded(plain.as_bytes()), base64);
        }
        assert_eq!(encoded(&[0xff, 0xfe, 0x00]), "//4A");
        for good in ["", "Zg==", "Zm8=", "//4A"] {
            assert!(super::is_valid(good), "{good}");
        }
        for bad in ["Z", "Zg=", "Zg===", "Z===", "Zm 8", "Zm_8", "Zm\n8", "=Zg="] {
            assert!(!super::is_valid(bad), "{bad}");
        }
    }
}
