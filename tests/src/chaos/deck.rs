//! Which faults come next: dealt as from a pack of cards, so that each comes once before any comes
//! again, and a long run has them all.

use super::{Fault, Trace};
use crate::random::Random;

/// How many come in a hand at first, as long as some have not come at all.
const FIRST: usize = 3;

/// Two packs that take turns: with all faults, and with those of which everything is seen in the
/// end, whatever comes together. Only then clients come and go as they like. The first one is dealt
/// to its end before they take turns.
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
        let decks = [all, seen].map(|all| Deck { left: all.clone(), all });
        Self { decks, hands: 0 }
    }

    /// Whether some have not come at all.
    pub fn has_more(&self) -> bool {
        self.hands == 0 && !self.decks[0].left.is_empty()
    }

    /// Up to three faults, for one after the other.
    pub fn deal(&mut self, random: &mut Random) -> Vec<&'a Fault<W>> {
        if self.has_more() {
            return self.decks[0].first_hand(random);
        }
        let deck = &mut self.decks[self.hands % 2];
        self.hands += 1;
        (0..=random.below(3)).map(|_| deck.next(random)).collect()
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

    /// Some of which everything is seen in the end if that can be.
    fn first_hand(&mut self, random: &mut Random) -> Vec<&'a Fault<W>> {
        let mut hand = vec![self.next(random)];
        while hand.len() < FIRST {
            let fits = |fault: &&Fault<W>| {
                let alike = (fault.trace == Trace::Lost) == (hand[0].trace == Trace::Lost);
                let once = |fault: &Fault<W>| fault.trace == Trace::Forgotten;
                alike && !(once(fault) && hand.iter().any(|other| once(other)))
            };
            let places: Vec<usize> =
                (0..self.left.len()).filter(|&at| fits(&self.left[at])).collect();
            if places.is_empty() {
                break;
            }
            let next = self.left.swap_remove(places[random.below(places.len())]);
            hand.push(next);
        }
        // As long as nobody has missed anything nothing is forgotten.
        hand.sort_by_key(|fault| fault.trace != Trace::Forgotten);
        hand
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::chaos::{Harm, Strike};

    const NOTHING: Strike<()> = |(), _, _| Harm::NONE;
    const FAULTS: [Fault<()>; 7] = [
        Fault::forks("one", NOTHING),
        Fault::new("two", NOTHING),
        Fault::forgets("three", NOTHING),
        Fault::cuts("four", NOTHING),
        Fault::forks("five", NOTHING),
        Fault::forgets("six", NOTHING),
        Fault::cuts("seven", NOTHING),
    ];

    /// The names in so many hands, and how many hands it took until all had come.
    fn hands(seed: u64, count: usize) -> (Vec<Vec<&'static str>>, usize) {
        let mut random = Random::exactly(seed);
        let mut decks = Decks::of(FAULTS.iter());
        let (mut hands, mut first) = (Vec::new(), 0);
        while hands.len() < count {
            first += usize::from(decks.has_more());
            hands.push(decks.deal(&mut random).iter().map(|fault| fault.name).collect());
        }
        (hands, first)
    }

    #[test]
    fn a_seed_decides_and_every_kind_comes_at_first() {
        for seed in 0..100 {
            let (all, first) = hands(seed, 20);
            assert_eq!((all.clone(), first), hands(seed, 20));
            let (before, after) = all.split_at(first);
            let kinds: BTreeSet<_> = before.iter().flatten().collect();
            assert_eq!(kinds.len(), FAULTS.len(), "{before:?}");
            assert_eq!(before.iter().flatten().count(), FAULTS.len(), "{before:?}");
            for hand in before {
                let lost = hand.iter().filter(|name| ["one", "five"].contains(name)).count();
                assert!(lost == 0 || lost == hand.len(), "{before:?}");
                let late = hand.iter().skip(1).any(|name| ["three", "six"].contains(name));
                assert!(!late, "{before:?}");
            }
            let mut seen = after.iter().skip(1).step_by(2).flatten();
            assert!(seen.all(|name| ["two", "four", "seven"].contains(name)), "{after:?}");
        }
    }
}
