//! Which faults come next: dealt as from a pack of cards, so that each comes once before any comes
//! again, and a long run has them all.

use super::{Fault, Trace};
use crate::random::Random;

/// How many come in the first hand, which even the shortest run has: each of its own kind.
pub const FIRST: usize = 3;

/// Two packs that take turns: with all faults, and with those of which everything is seen in the
/// end, whatever comes together. Only then clients come and go as they like.
#[derive(Debug)]
pub struct Decks<'a, W> {
    decks: [Deck<'a, W>; 2],
    hands: usize,
}

#[derive(Debug)]
struct Deck<'a, W> {
    all: Vec<&'a Fault<W>>,
    /// Those that have not come yet.
    left: Vec<&'a Fault<W>>,
}

// === impl Decks ===

impl<'a, W> Decks<'a, W> {
    /// Packs of these.
    pub fn of(faults: impl Iterator<Item = &'a Fault<W>>) -> Self {
        let all: Vec<_> = faults.collect();
        let mut seen = all.clone();
        seen.retain(|fault| matches!(fault.trace, Trace::Seen | Trace::Remembered));
        let decks = [all, seen].map(|all| Deck { all, left: Vec::new() });
        Self { decks, hands: 0 }
    }

    /// Up to three faults, for one after the other.
    pub fn deal(&mut self, random: &mut Random) -> Vec<&'a Fault<W>> {
        let count = if self.hands == 0 { FIRST } else { 1 + random.below(3) };
        let deck = &mut self.decks[self.hands % 2];
        self.hands += 1;
        (0..count).map(|_| deck.next(random)).collect()
    }
}

// === impl Deck ===

impl<'a, W> Deck<'a, W> {
    fn next(&mut self, random: &mut Random) -> &'a Fault<W> {
        if self.left.is_empty() {
            self.left.clone_from(&self.all);
        }
        self.left.swap_remove(random.below(self.left.len()))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::chaos::{Harm, Strike};

    const NOTHING: Strike<()> = |(), _, _| Harm::NONE;
    const FAULTS: [Fault<()>; 5] = [
        Fault::forks("one", NOTHING),
        Fault::new("two", NOTHING),
        Fault::forks("three", NOTHING),
        Fault::new("four", NOTHING),
        Fault::forks("five", NOTHING),
    ];

    /// The names in so many hands.
    fn hands(seed: u64, count: usize) -> Vec<Vec<&'static str>> {
        let mut random = Random::exactly(seed);
        let mut decks = Decks::of(FAULTS.iter());
        let hand = |_| decks.deal(&mut random).iter().map(|fault| fault.name).collect();
        (0..count).map(hand).collect()
    }

    #[test]
    fn a_seed_decides_and_every_kind_comes() {
        for seed in 0..100 {
            let all = hands(seed, 12);
            assert_eq!(all, hands(seed, 12));
            let first: BTreeSet<_> = all[0].iter().collect();
            assert_eq!(first.len(), FIRST, "{all:?}");
            let dealt: Vec<_> = all.iter().step_by(2).flatten().collect();
            let kinds: BTreeSet<_> = dealt.iter().take(FAULTS.len()).collect();
            assert_eq!(kinds.len(), FAULTS.len(), "{all:?}");
            let mut seen = all.iter().skip(1).step_by(2).flatten();
            assert!(seen.all(|name| ["two", "four"].contains(name)), "{all:?}");
        }
    }
}
