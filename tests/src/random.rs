//! Chance that can be repeated.

/// A source of numbers that a seed decides.
#[derive(Debug)]
pub struct Random(u64);

// === impl Random ===

impl Random {
    /// `TEST_SEED` instead of `seed`, if it is set.
    pub fn new(seed: u64) -> Self {
        let chosen = std::env::var("TEST_SEED").ok().and_then(|text| text.parse().ok());
        Self(chosen.unwrap_or(seed))
    }

    /// This seed, whatever is set.
    pub fn exactly(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number (splitmix64).
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// One of the numbers below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).expect("a size is a number");
        usize::try_from(self.number() % end).expect("it is below a size")
    }

    /// True so many times out of a hundred.
    pub fn percent(&mut self, share: usize) -> bool {
        self.below(100) < share
    }

    /// One of these.
    pub fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }
}
