//! Durations as Go writes them: `250ms`, `1m30s`, `24h`.

use std::time::Duration;

const UNITS: [(&str, f64); 8] = [
    ("ns", 1e-9),
    ("us", 1e-6),
    ("µs", 1e-6),
    ("μs", 1e-6),
    ("ms", 1e-3),
    ("s", 1.0),
    ("m", 60.0),
    ("h", 3600.0),
];

/// Reads a duration; empty and `0` are zero. The error is the rest of a sentence.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let wrong = || format!("expected a duration such as \"60s\" or \"1m30s\", got {text:?}");
    let mut rest = text.trim();
    if matches!(rest, "" | "0") {
        return Ok(Duration::ZERO);
    }
    if rest.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return Err(without_unit(rest));
    }
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
        let (number, tail) = rest.split_at(digits);
        let end = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(end);
        let (_, scale) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
        seconds += number.parse::<f64>().map_err(|_| wrong())? * scale;
        rest = tail;
    }
    // Whole nanoseconds, so that "0.1s" is not a hair less than "100ms".
    Duration::try_from_secs_f64((seconds * 1e9).round() / 1e9).map_err(|_| wrong())
}

/// What is wrong with a number alone.
pub(crate) fn without_unit(number: &str) -> String {
    format!("expected a duration with a unit, got {number}: write for example \"{number}s\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_durations_are_read() {
        for (text, millis) in [
            ("250ms", 250),
            ("1m30s", 90_000),
            ("24h", 86_400_000),
            ("1.5h", 5_400_000),
            ("0.1s", 100),
            (".5s", 500),
            ("1h0m0.001s", 3_600_001),
            ("2000us", 2),
            ("3000µs", 3),
            ("0", 0),
            ("", 0),
            ("0s", 0),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn a_number_needs_a_unit_and_a_unit_a_number() {
        assert_eq!(
            parse("60"),
            Err("expected a duration with a unit, got 60: write for example \"60s\"".to_owned())
        );
        for bad in ["-1s", "1d", "s", "1s2", "1..2s", "soon", "1 s", "99999999999999999999h"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text: String) {
            let _ = parse(&text);
        }
    }
}
