//! Where a greenlet's stack is, for those who want to know how much of it has been used.
//!
//! One word: 0 before the first run and, unless it was measured, after the end; the lowest address of the stack while it
//! has one; the number of bytes it had used, after the end, times two plus one. Addresses are even.
//!
//! Who reads it gets a number and touches no memory by it, so everything is relaxed: what follows from an address that is
//! old is a wrong answer to a question that came too late.
#![forbid(unsafe_code)]

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

/// See the module.
#[derive(Debug)]
pub(crate) struct StackMark(AtomicUsize);

/// What the mark says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mark {
    /// No stack: it has not run, or has ended and was not measured.
    None,
    /// A stack, by its lowest address.
    At(usize),
    /// It has ended and had used so many bytes.
    Was(usize),
}

impl StackMark {
    /// Of a greenlet that has not run.
    pub(super) fn new() -> Self {
        Self(AtomicUsize::new(0))
    }

    /// It gets the stack whose lowest address is `bottom`.
    pub(crate) fn begin(&self, bottom: *mut u8) {
        self.0.store(bottom.addr(), Relaxed);
    }

    /// It has ended; `used` is what was measured.
    pub(crate) fn end(&self, used: Option<usize>) {
        self.0.store(used.map_or(0, |used| used << 1 | 1), Relaxed);
    }

    /// What it says.
    pub(crate) fn read(&self) -> Mark {
        match self.0.load(Relaxed) {
            0 => Mark::None,
            word if word & 1 != 0 => Mark::Was(word >> 1),
            bottom => Mark::At(bottom),
        }
    }
}
