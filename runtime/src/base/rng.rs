//! The scheduler's random numbers: which victim to steal from, which home to share.
//!
//! Xorshift64* (Vigna, "An experimental exploration of Marsaglia's xorshift generators", 2016): eight bytes of
//! state, a few cycles a number, far more than choosing a victim asks for.
#![forbid(unsafe_code)]

use std::cell::Cell;

/// A small random generator owned by one thread.
#[derive(Debug)]
pub(crate) struct Rng(Cell<u64>);

impl Rng {
    /// A generator seeded with `seed`; any value will do.
    pub(crate) fn new(seed: u64) -> Self {
        // An all-zero state would stay zero for ever; the odd constant (2^64 divided by the golden ratio) also
        // spreads neighbouring seeds.
        Self(Cell::new(
            seed.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1,
        ))
    }

    /// The next 64 random bits.
    pub(crate) fn next(&self) -> u64 {
        let mut x = self.0.get();
        x ^= x >> 12;
        x ^= x << 25;
        x ^= x >> 27;
        self.0.set(x);
        x.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// A number below `n`, near enough to even; `n` must not be 0.
    pub(crate) fn below(&self, n: usize) -> usize {
        ((u128::from(self.next()) * n as u128) >> 64) as usize
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn below_reaches_every_number_and_no_other() {
        let rng = Rng::new(0);
        let mut seen = [0u32; 7];
        for _ in 0..7_000 {
            seen[rng.below(7)] += 1;
        }
        assert!(seen.iter().all(|&n| n > 700), "{seen:?}");
    }
}
