//! Sets of hash slots.

/// The slots of a cluster.
pub(super) const SLOTS: usize = 16_384;

const WORD: usize = u64::BITS as usize;

/// A set of slots. Outside a cluster everything is in slot 0.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct SlotSet {
    words: Box<[u64; SLOTS / WORD]>,
}

/// What alone decides the slots of keys that begin with `prefix`, if anything does.
///
/// <https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#hash-tags>
pub(super) fn hash_tag(prefix: &str) -> Option<&str> {
    let (_, rest) = prefix.split_once('{')?;
    let (tag, _) = rest.split_once('}')?;
    (!tag.is_empty()).then_some(tag)
}

// === impl SlotSet ===

impl SlotSet {
    pub(super) fn insert(&mut self, slot: u16) {
        if let Some(word) = self.words.get_mut(usize::from(slot) / WORD) {
            *word |= 1 << (usize::from(slot) % WORD);
        }
    }

    pub(super) fn contains(&self, slot: u16) -> bool {
        let word = self.words.get(usize::from(slot) / WORD);
        word.is_some_and(|word| word & (1 << (usize::from(slot) % WORD)) != 0)
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.words.iter_mut().zip(other.words.iter()).for_each(|(word, other)| *word |= other);
    }

    pub(super) fn take_away(&mut self, other: &Self) {
        self.words.iter_mut().zip(other.words.iter()).for_each(|(word, other)| *word &= !other);
    }

    /// Leaves only what is in both.
    pub(super) fn keep(&mut self, other: &Self) {
        self.words.iter_mut().zip(other.words.iter()).for_each(|(word, other)| *word &= other);
    }

    /// Whether some slot is in both.
    pub(super) fn meets(&self, other: &Self) -> bool {
        self.words.iter().zip(other.words.iter()).any(|(word, other)| word & other != 0)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    pub(super) fn len(&self) -> u32 {
        self.words.iter().map(|word| word.count_ones()).sum()
    }
}

impl Default for SlotSet {
    fn default() -> Self {
        Self { words: Box::new([0; SLOTS / WORD]) }
    }
}

impl FromIterator<u16> for SlotSet {
    fn from_iter<I: IntoIterator<Item = u16>>(slots: I) -> Self {
        let mut set = Self::default();
        slots.into_iter().for_each(|slot| set.insert(slot));
        set
    }
}

impl std::fmt::Debug for SlotSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} slots", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_tag_puts_all_keys_into_one_slot() {
        let tags = [("rollcall", None), ("{}a{b}", None), ("a{b", None), ("a}b{", None)];
        let others = [("{a}", Some("a")), ("a{b}c{d}", Some("b")), ("{{a}}", Some("{a"))];
        for (prefix, tag) in tags.into_iter().chain(others) {
            assert_eq!(hash_tag(prefix), tag, "{prefix}");
            let slot =
                |room: &str| fred::util::redis_keyslot(format!("{prefix}:p:{room}").as_bytes());
            let rooms = (0..20).map(|n| slot(&format!("room{n}")));
            let one = rooms.collect::<std::collections::BTreeSet<_>>().len() == 1;
            assert_eq!(one, tag.is_some(), "{prefix}");
        }
    }

    #[test]
    fn slots_come_and_go() {
        let mut set: SlotSet = [0, 63, 64, 16_383].into_iter().collect();
        assert_eq!(set.len(), 4);
        assert!(set.contains(64) && !set.contains(65) && !set.contains(16_384));
        assert!(set.meets(&[63].into_iter().collect()));
        set.take_away(&[63, 64].into_iter().collect());
        assert!(!set.meets(&[63].into_iter().collect()));
        set.add(&[1, 2].into_iter().collect());
        set.keep(&[0, 1, 16_383].into_iter().collect());
        assert_eq!(set, [0, 1, 16_383].into_iter().collect());
        set.take_away(&set.clone());
        assert!(set.is_empty());
    }
}
