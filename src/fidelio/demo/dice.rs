//! Chance that falls the same way each time it is asked the same thing, on every node and in every release.

/// SplitMix64 (Steele, Lea, Flood 2014): every number of it is a pure function of the seed.
pub(super) struct Dice(u64);

const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Dice {
    /// The dice of one thing: `of` names it.
    pub fn new(seed: u64, of: &[u64]) -> Self {
        Self(of.iter().fold(mix(seed), |held, part| mix(held.wrapping_add(STEP) ^ mix(part.wrapping_add(STEP)))))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        mix(self.0)
    }

    /// `from..=to`.
    pub fn between(&mut self, from: u32, to: u32) -> u32 {
        let width = u64::from(to.saturating_sub(from)) + 1;
        from + u32::try_from(self.next() % width).unwrap_or_default()
    }

    pub fn percent(&mut self, chance: u32) -> bool {
        self.between(1, 100) <= chance
    }

    /// One of `all`, which is never empty: a list of this module's.
    pub fn one_of<T: Copy + Default>(&mut self, all: &[T]) -> T {
        let last = u32::try_from(all.len().saturating_sub(1)).unwrap_or_default();
        let at = usize::try_from(self.between(0, last)).unwrap_or_default();
        all.get(at).copied().unwrap_or_default()
    }
}
