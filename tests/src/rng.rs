//! Random numbers that come again when a test is run again.

/// SplitMix64 (Steele, Lea, Flood, 2014).
#[derive(Clone, Debug)]
pub struct Rng(u64);

/// Added to every seed: `SWARD_TEST_SEED=7` gives other numbers everywhere.
const SEED_VARIABLE: &str = "SWARD_TEST_SEED";

impl Rng {
    /// Numbers from `seed`, and from the environment's.
    ///
    /// # Panics
    ///
    /// If the environment's is no number.
    #[must_use]
    pub fn new(seed: u64) -> Rng {
        let more = match std::env::var(SEED_VARIABLE) {
            Ok(more) => more.parse().expect("a number for a seed"),
            Err(_) => 0u64,
        };
        Rng(seed ^ more.wrapping_mul(0xff51_afd7_ed55_8ccd))
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.number() % bound
    }

    /// One of `all`.
    pub fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len() as u64) as usize]
    }
}
