//! Floor 0: what every other module stands on, and what knows none of them.
//!
//! `sync` decides once between std's atomics and loom's; `abort` turns an unwind out of runtime code into an
//! abort; `link` is the intrusive link that puts a greenlet into a list without allocating; `rng` is the
//! scheduler's cheap random source; `lock` decides about poisoning; `say` and `unwind` are for what
//! goes wrong where nobody can be told; `sanitizer` is what is said to one. Nothing here may switch, block or call user code.

pub(crate) mod abort;
pub(crate) mod link;
pub(crate) mod lock;
pub(crate) mod rng;
pub(crate) mod sanitizer;
pub(crate) mod say;
pub(crate) mod sync;
pub(crate) mod unwind;
