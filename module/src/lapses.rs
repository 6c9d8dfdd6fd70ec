//! Leases that ended unrenewed, on their way into the log: few lines a second, however many end.

use crate::news::{self, Lapsed, Rest};

/// Milliseconds from one time that the log is written to, to the next.
const PERIOD: u64 = 1000;

/// What is still to be told, and when something was told last.
#[derive(Debug, Default)]
pub(crate) struct Lapses {
    /// Those that held the most.
    some: Vec<Lapsed>,
    rest: Rest,
    told_ms: Option<u64>,
}

// === impl Lapses ===

impl Lapses {
    pub(crate) fn add(&mut self, lapsed: Vec<Lapsed>) {
        self.some.extend(lapsed);
        self.rest.take_from(&mut self.some);
    }

    /// The lines that are to be written now.
    pub(crate) fn due(&mut self, now_ms: u64) -> Vec<String> {
        let waits = self.told_ms.is_some_and(|told| now_ms.saturating_sub(told) < PERIOD);
        if self.some.is_empty() || waits {
            return Vec::new();
        }
        self.told_ms = Some(now_ms);
        news::of_lapsed(std::mem::take(&mut self.some), std::mem::take(&mut self.rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lapsed(entries: u64) -> Vec<Lapsed> {
        vec![Lapsed { node: "n".into(), px: 2500, entries, users: 0 }]
    }

    #[test]
    fn the_first_is_told_at_once_and_the_others_a_second_later() {
        let mut lapses = Lapses::default();
        assert_eq!(lapses.due(100), [""; 0]);
        lapses.add(lapsed(1));
        assert_eq!(lapses.due(100).len(), 1);
        for entries in 0..5000 {
            lapses.add(lapsed(entries));
            assert!(lapses.some.len() < 20);
        }
        assert_eq!(lapses.due(1099), [""; 0]);
        let lines = lapses.due(1100);
        assert!(lines[0].contains("it held 4999 entries"), "{lines:#?}");
        assert!(lines.last().unwrap().starts_with("4992 more leases ended"), "{lines:#?}");
        assert_eq!(lapses.due(9000), [""; 0]);
    }
}
