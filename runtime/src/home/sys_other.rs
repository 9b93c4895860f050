//! Systems without moving homes: nothing to do for them.
#![forbid(unsafe_code)]

use super::Slot;

/// The meeting point of a home's thread and its pool. No such thread is started where homes are fixed.
#[derive(Debug)]
pub(super) struct Gate;

impl Gate {
    /// A gate.
    pub(super) fn new() -> Self {
        Self
    }

    /// Never called.
    pub(super) fn lend(&self, _pointer: usize, _slot: *const Slot) {
        unreachable!("homes are fixed on this system");
    }

    /// Never called.
    pub(super) fn decline(&self) {
        unreachable!("homes are fixed on this system");
    }

    /// Never called.
    pub(super) fn borrow(&self) -> Option<(usize, *const Slot)> {
        unreachable!("homes are fixed on this system");
    }

    /// Never called.
    pub(super) fn open(&self) {
        unreachable!("homes are fixed on this system");
    }
}

/// Never called.
pub(super) fn withdraw(_pointer: usize) -> bool {
    false
}

/// Nothing to wrap.
pub(super) fn wrap_setxid() {}

/// Nothing was noted.
pub(super) fn forget_threads() {}

/// Never called.
pub(super) fn forsake(_worker: usize) {}

/// A thread's entry, which no handler needs here.
#[derive(Debug)]
pub(super) struct Registered;

/// Nothing to note.
pub(super) fn register(_pointer: usize) -> Registered {
    Registered
}
