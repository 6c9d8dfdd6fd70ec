//! `client.allowed_origins`: patterns that no Origin header can match are refused.
//!
//! A browser sends `scheme://host[:port]` in lower case, in ASCII, without a path and without the
//! usual port of the scheme, or the word `null`.

/// Usual ports, which browsers leave out.
const USUAL: [(&str, &str); 2] = [("http://", ":80"), ("https://", ":443")];

/// Why nothing matches `pattern`; `None` when something may.
pub(crate) fn wrong(pattern: &str) -> Option<&'static str> {
    let host = pattern.split_once("://").map_or(pattern, |(_, host)| host);
    let has_scheme = host.len() < pattern.len();
    let before_star = pattern.split('*').next().unwrap_or_default();
    let may_begin_so = USUAL.iter().any(|(scheme, _)| scheme.starts_with(before_star));
    let with_usual_port =
        |(scheme, port): &(&str, &str)| pattern.starts_with(scheme) && pattern.ends_with(port);
    if pattern.is_empty() {
        Some("expected an origin such as https://example.com")
    } else if pattern == "null" {
        None
    } else if pattern.contains(|c: char| c == ',' || c.is_whitespace()) {
        Some("expected one origin in each entry of the list")
    } else if !pattern.is_ascii() || pattern.contains(|c: char| c.is_ascii_uppercase()) {
        Some("expected lower-case ASCII, as browsers send it (xn--… for other letters)")
    } else if pattern.contains(['{', '}', '\\', '!', '@', '#']) {
        Some("expected an origin, in which only * and ? stand for something else")
    } else if !(has_scheme || pattern.contains('*') && may_begin_so) {
        Some("expected an origin with its scheme, such as https://example.com")
    } else if host.is_empty() || host.contains('/') {
        Some("expected an origin without a path and without a slash at its end")
    } else if USUAL.iter().any(with_usual_port) {
        Some("expected no port, as browsers leave out the usual one of the scheme")
    } else {
        None
    }
}

/// Whether every web page matches `pattern`.
pub(crate) fn is_any(pattern: &str) -> bool {
    let rest = ["http", "https", ""].map(|scheme| pattern.strip_prefix(scheme));
    pattern.contains('*')
        && rest.iter().flatten().any(|rest| rest.chars().all(|c| "*:/".contains(c)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_that_browsers_send_and_their_patterns_are_taken() {
        for good in [
            "*",
            "null",
            "https://example.com",
            "http://localhost:3000",
            "http://localhost:*",
            "https://*.example.com",
            "https://?.example.com",
            "*://example.com",
            "*.example.com",
            "http*",
            "http://[::1]:8080",
            "http://example.com:443",
            "https://xn--bcher-kva.example",
            "capacitor://localhost",
            "chrome-extension://*",
        ] {
            assert_eq!(wrong(good), None, "{good}");
        }
    }

    #[test]
    fn what_no_origin_can_be_is_refused() {
        for bad in [
            "",
            "https://example.com/",
            "https://example.com/app",
            "https://a.example,https://b.example",
            "https://a.example https://b.example",
            "https://example.com\n",
            "https://Example.com",
            "HTTPS://example.com",
            "example.com",
            "localhost:*",
            "example.*",
            "https://",
            "https://{a,b}.example.com",
            "https://{a}.example.com",
            "https://user@example.com",
            "https://bücher.example",
            "https://example.com:443",
            "http://example.com:80",
            "*.example.com/",
        ] {
            assert!(wrong(bad).is_some(), "{bad:?}");
        }
    }

    #[test]
    fn patterns_for_every_page_are_known() {
        assert!(["*", "**", "http*", "https://*", "*://*"].iter().all(|it| is_any(it)));
        let some = ["https://*.example.com", "http://localhost:*", "null", "https://example.com"];
        assert!(!some.iter().any(|it| is_any(it)));
    }

    proptest::proptest! {
        #[test]
        fn no_pattern_panics(pattern: String) {
            let _ = (wrong(&pattern), is_any(&pattern));
        }
    }
}
