//! No sanitizer: nothing is told, and nothing of it is left in the program.

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Acquire;

pub(crate) use std::sync::atomic::fence;

/// What a sanitizer knows of one stack: nothing.
#[derive(Debug)]
pub(crate) struct Execution;

impl Execution {
    /// One that will run on the stack from `top` down to `bottom`.
    ///
    /// # Safety
    /// None to keep.
    #[inline(always)]
    pub(crate) unsafe fn fresh(_top: *mut u8, _bottom: *mut u8) -> Self {
        Self
    }

    /// The running one leaves its identity vacant.
    ///
    /// # Safety
    /// None to keep.
    #[inline(always)]
    pub(crate) unsafe fn leave() -> Self {
        Self
    }

    /// It goes on under the vacant identity whose thread pointer is loaded, after `left` on the same processor.
    ///
    /// # Safety
    /// None to keep.
    #[inline(always)]
    pub(crate) unsafe fn enter(&self, _left: &Self) {}

    /// What stands for the running one, which has left its own identity, while it is a guest under another.
    #[inline(always)]
    pub(crate) fn guest(&self) -> Self {
        Self
    }

    /// The guest has left; its host's identity is loaded.
    ///
    /// # Safety
    /// None to keep.
    #[inline(always)]
    pub(crate) unsafe fn back_from(self, _guest: Self) {}

    /// A word from which `from_word` makes the same again.
    #[inline(always)]
    pub(crate) fn word(&self) -> usize {
        0
    }

    /// See `word`.
    ///
    /// # Safety
    /// None to keep.
    #[inline(always)]
    pub(crate) unsafe fn from_word(_word: usize) -> Self {
        Self
    }

    /// It has ended.
    ///
    /// # Safety
    /// None to keep.
    #[inline(always)]
    pub(crate) unsafe fn bury(self) {}
}

/// Orders what follows after every release of `count` that came before the caller's own.
#[inline(always)]
pub(crate) fn acquire_count(_count: &AtomicUsize) {
    fence(Acquire);
}

/// The kernel gets the address of what it will give back with an event: see `received`.
#[inline(always)]
pub(crate) fn sent(_address: usize) {}

/// What came before `sent` comes before what follows.
#[inline(always)]
pub(crate) fn received(_address: usize) {}
