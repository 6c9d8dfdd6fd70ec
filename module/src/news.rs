//! What an operator is told in the server's log: leases that nobody renewed, grace, new epochs.

use crate::native::log::printable;
use crate::state::State;

/// A lease whose time was up, with what it held.
#[derive(Debug)]
pub(crate) struct Lapsed {
    pub(crate) node: Box<str>,
    pub(crate) px: u64,
    pub(crate) entries: u64,
    pub(crate) users: u64,
}

/// Lapsed leases that have no line of their own.
#[derive(Debug, Default)]
pub(crate) struct Rest {
    leases: u64,
    entries: u64,
    users: u64,
}

/// What the databases lost, or what leases got, when the epoch changed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Epoch {
    epoch: u64,
    /// Living leases.
    leases: usize,
}

/// So many leases that end within a second have a line each; the others share one.
const LINES: usize = 8;

// === impl Lapsed ===

impl Lapsed {
    fn holds(&self) -> String {
        holds(self.entries, self.users)
    }
}

// === impl Rest ===

impl Rest {
    /// Takes those that have no line of their own: they held the least.
    pub(crate) fn take_from(&mut self, lapsed: &mut Vec<Lapsed>) {
        lapsed.sort_by_key(|lease| std::cmp::Reverse(lease.entries + lease.users));
        for lease in lapsed.drain(lapsed.len().min(LINES)..) {
            self.leases += 1;
            self.entries += lease.entries;
            self.users += lease.users;
        }
    }
}

/// Lines about leases that ended together: of those that held the most, and one of the others.
pub(crate) fn of_lapsed(mut lapsed: Vec<Lapsed>, mut rest: Rest) -> Vec<String> {
    rest.take_from(&mut lapsed);
    let line = |lease: &Lapsed| {
        let (node, px) = (printable(&lease.node), lease.px);
        format!(
            "the lease of node '{node}' ended, which was not renewed for {px} ms: it held {}",
            lease.holds()
        )
    };
    let mut lines: Vec<String> = lapsed.iter().map(line).collect();
    if rest.leases > 0 {
        let held = holds(rest.entries, rest.users);
        let leases = count(rest.leases, "more lease", "more leases");
        lines.push(format!("{leases} ended at the same time: they held {held}"));
    }
    lines
}

// === impl Epoch ===

impl Epoch {
    pub(crate) fn of(state: &State) -> Self {
        Self { epoch: state.epoch, leases: state.leases.alive_count() }
    }

    /// Whether somebody may have to put something back.
    pub(crate) fn concerns_somebody(self) -> bool {
        self.leases > 0
    }

    /// That it is another one now.
    pub(crate) fn is_new(self, why: &str) -> String {
        format!("{why}: the epoch is {} now", self.epoch)
    }

    /// The same when leases have got time.
    pub(crate) fn is_new_with_grace(self, why: &str, grace_ms: u64) -> String {
        format!("{}, and {}", self.is_new(why), self.grace(grace_ms))
    }

    /// That leases have got time.
    pub(crate) fn grace(self, grace_ms: u64) -> String {
        let leases = count(self.leases as u64, "lease has", "leases have");
        format!("{leases} at least {grace_ms} ms to be renewed")
    }
}

/// What was in databases that were emptied.
pub(crate) fn of_flush(db: Option<u32>, rosters: u64, books: u64) -> String {
    let which = match db {
        None => "all databases were".to_owned(),
        Some(db) => format!("database {db} was"),
    };
    let (rosters, books) = (count(rosters, "roster", "rosters"), count(books, "book", "books"));
    format!("{which} flushed, with {rosters} and {books}")
}

fn holds(entries: u64, users: u64) -> String {
    let users = count(users, "user", "users");
    format!("{} and {users} online", count(entries, "entry", "entries"))
}

fn count(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lapsed(node: &str, entries: u64, users: u64) -> Lapsed {
        Lapsed { node: node.into(), px: 2500, entries, users }
    }

    #[test]
    fn a_lease_has_one_line_and_many_share_one() {
        let odd = lapsed("odd\r\nname\u{1b}[1m", 1, 1);
        assert_eq!(
            of_lapsed(vec![lapsed("empty", 0, 0), odd], Rest::default()),
            [
                "the lease of node 'odd??name?[1m' ended, which was not renewed for 2500 ms: it held 1 entry and 1 user online",
                "the lease of node 'empty' ended, which was not renewed for 2500 ms: it held 0 entries and 0 users online",
            ]
        );
        let many = (0..1000).map(|n| lapsed(&format!("n{n}"), n, 1)).collect();
        let lines = of_lapsed(many, Rest::default());
        assert_eq!(lines.len(), LINES + 1);
        assert!(lines[0].contains("'n999'"), "{lines:?}");
        let rest = (0..992).sum::<u64>();
        let last = format!(
            "992 more leases ended at the same time: they held {rest} entries and 992 users online"
        );
        assert_eq!(lines[LINES], last);
        assert_eq!(of_lapsed(Vec::new(), Rest::default()), [""; 0]);
    }
}
