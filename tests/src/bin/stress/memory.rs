//! That the address space does not grow from round to round.
//!
//! Greenlets that are given up keep their stacks, and with those whole slabs of them, so only the rounds without any are added
//! up: what each has more than the round before it. It goes up and down by what allocators keep for later, but it must not go
//! on and on.

use std::fs;

use sward_tests::process::address_space;

/// Rounds that are not counted: in them the allocator makes its arenas, one by one.
const WARM_UP: u64 = 40;
/// How much it may go up. Measured over 550 rounds: 26 MiB and 540 mappings; a slab of stacks is 16 MiB.
const MOST_BYTES: i64 = 96 << 20;
const MOST_MAPPINGS: i64 = 1_500;

/// What the process has mapped.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    /// The number of mappings.
    pub(crate) mappings: i64,
    /// Bytes of address space.
    pub(crate) bytes: i64,
}

impl Memory {
    fn now() -> Memory {
        let maps = fs::read_to_string("/proc/self/maps").expect("/proc");
        Memory {
            mappings: maps.lines().count() as i64,
            bytes: address_space() as i64,
        }
    }
}

/// How much has come to be mapped, in rounds after which nothing should have.
#[derive(Debug, Default)]
pub(crate) struct Growth {
    rounds: u64,
    /// After the last round, and how many greenlets had been given up.
    last: Option<(Memory, u64)>,
    grown: Option<Memory>,
}

impl Growth {
    /// After a round.
    ///
    /// # Panics
    ///
    /// If it has become too much.
    pub(crate) fn after_round(&mut self, abandoned: u64) -> Memory {
        let now = Memory::now();
        self.add(now, abandoned);
        now
    }

    fn add(&mut self, now: Memory, abandoned: u64) {
        self.rounds += 1;
        let last = self.last.replace((now, abandoned));
        let Some((before, _)) = last.filter(|(_, before)| *before == abandoned) else {
            return;
        };
        if self.rounds <= WARM_UP {
            return;
        }
        let so_far = self.grown.unwrap_or(Memory {
            mappings: 0,
            bytes: 0,
        });
        let grown = Memory {
            mappings: so_far.mappings + now.mappings - before.mappings,
            bytes: so_far.bytes + now.bytes - before.bytes,
        };
        self.grown = Some(grown);
        assert!(
            grown.bytes <= MOST_BYTES && grown.mappings <= MOST_MAPPINGS,
            "the address space has grown by {} MiB and {} mappings since round {WARM_UP} of {} in this process, in \
             rounds that give no greenlet up",
            grown.bytes >> 20,
            grown.mappings,
            self.rounds,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rounds that each map so much more, and give up so many greenlets.
    fn rounds(count: u64, bytes: i64, given_up: u64) {
        let mut growth = Growth::default();
        for number in 0..count {
            let now = Memory {
                mappings: 7,
                bytes: number as i64 * bytes,
            };
            growth.add(now, number * given_up);
        }
    }

    #[test]
    fn what_given_up_greenlets_keep_is_no_growth() {
        rounds(1_000, 1 << 20, 1);
        rounds(WARM_UP, 16 << 20, 0);
    }

    #[test]
    #[should_panic(expected = "the address space has grown by 97 MiB")]
    fn growth_is_found() {
        rounds(200, 1 << 20, 0);
    }
}
