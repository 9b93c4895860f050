//! Floor 0: what every other module stands on, and what knows none of them.
//!
//! `sync` decides once between std's atomics and loom's; `abort` turns an unwind out of runtime code into an
//! abort; `link` is the intrusive link that puts a greenlet into a list without allocating; `rng` is the
//! scheduler's cheap random source; `threads` counts those that do nothing by themselves; `lock` decides about poisoning;
//! `fork` gives out numbers and knows which are from before a fork; `say` and `unwind` are for what goes wrong where nobody can
//! be told; `fault` lets tests have the system refuse things;
//! `sanitizer` is what is said to one. Nothing here may switch, block or call user code.

/// Whether the system is to be taken for one that lacks what not all have: marks in the page table, waits to the nanosecond, a
/// thread pointer that may be set. For tests, by `--cfg sward_old_system`.
pub(crate) const OLD_SYSTEM: bool = cfg!(sward_old_system);

pub(crate) mod abort;
pub(crate) mod fault;
pub(crate) mod fork;
pub(crate) mod link;
pub(crate) mod lock;
pub(crate) mod rng;
pub(crate) mod sanitizer;
pub(crate) mod say;
pub(crate) mod sync;
pub(crate) mod threads;
pub(crate) mod unwind;
