//! That the address space does not grow from round to round.

use std::fs;

use sward_tests::process::address_space;

/// Rounds before the comparison begins: the allocator makes its arenas in them, one by one.
const WARM_UP: u64 = 40;

/// What the process has mapped.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    /// The number of mappings.
    pub(crate) mappings: u64,
    /// Bytes of address space.
    pub(crate) bytes: u64,
}

impl Memory {
    pub(crate) fn now() -> Memory {
        let maps = fs::read_to_string("/proc/self/maps").expect("/proc");
        Memory {
            mappings: maps.lines().count() as u64,
            bytes: address_space(),
        }
    }
}
