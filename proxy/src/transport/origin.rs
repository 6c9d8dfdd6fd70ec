//! Which web pages may open a connection.

/// Whether `origin` matches one of the configured patterns; a pattern's `*` is any run of
/// characters. No Origin header is no web page, which is always fine.
pub(super) fn allowed(patterns: &[String], origin: Option<&[u8]>) -> bool {
    let Some(origin) = origin.filter(|origin| !origin.is_empty()) else { return true };
    let origin = origin.to_ascii_lowercase();
    patterns.iter().any(|pattern| matches(pattern.as_bytes(), &origin))
}

/// Glob matching with `*` and `?`, linear but for one step back per star.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(byte) if *byte == b'?' || *byte == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    p = at + 1;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_matched_whole_and_in_lower_case() {
        let cases = [
            ("*", "https://any.example", true),
            ("https://example.com", "https://EXAMPLE.com", true),
            ("https://example.com", "https://example.com.evil.org", false),
            ("https://*.example.com", "https://a.b.example.com", true),
            ("https://*.example.com", "https://example.com", false),
            ("http://localhost:*", "http://localhost:3000", true),
            ("http://localhost:*", "https://localhost:3000", false),
            ("https://?.example.com", "https://a.example.com", true),
        ];
        for (pattern, origin, expected) in cases {
            assert_eq!(
                allowed(&[pattern.to_owned()], Some(origin.as_bytes())),
                expected,
                "{pattern} {origin}"
            );
        }
        assert!(allowed(&[], None));
        assert!(!allowed(&[], Some(b"https://example.com")));
        assert!(allowed(&["*".to_owned()], Some(b"\xff")));
    }
}
