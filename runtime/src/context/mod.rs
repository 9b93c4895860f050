//! Floor 2: the seam behind which one stack of execution is left for another.
//!
//! A `Context` is a suspended execution: a stack with its registers saved on it. `resume` consumes it, suspends the
//! caller into a new one, and hands that to whoever runs next. A `Paused` is the same with what a sanitizer has to be told
//! of it (`base::sanitizer`). Callers: `greenlet::switch` and `greenlet::unwinding`, and `round_trips` for the benchmarks;
//! nobody else.
//!
//! There are two backends with the same names, `fresh` and `switch`: sward's own assembly, one file per architecture,
//! and `boost`, the crate `context`. They lay a suspended stack out differently, so a process uses one of them only:
//! where both are built in, `choice` decides which, before the first context is made, and for good. Elsewhere, and with
//! the feature `boost-context`, there is `boost` alone and nothing to decide.
//!
//! A context that is dropped is forgotten: its frames stay where they are and their destructors never run.

mod boost;

#[cfg(all(
    target_arch = "x86_64",
    target_pointer_width = "64",
    unix,
    not(feature = "boost-context")
))]
mod x86_64;
#[cfg(all(
    target_arch = "x86_64",
    target_pointer_width = "64",
    unix,
    not(feature = "boost-context")
))]
use x86_64 as asm;

#[cfg(all(
    target_arch = "aarch64",
    target_pointer_width = "64",
    unix,
    not(feature = "boost-context")
))]
mod aarch64;
#[cfg(all(
    target_arch = "aarch64",
    target_pointer_width = "64",
    unix,
    not(feature = "boost-context")
))]
use aarch64 as asm;

#[cfg(all(
    any(target_arch = "x86_64", target_arch = "aarch64"),
    target_pointer_width = "64",
    unix,
    not(feature = "boost-context")
))]
mod choice;
#[cfg(not(all(
    any(target_arch = "x86_64", target_arch = "aarch64"),
    target_pointer_width = "64",
    unix,
    not(feature = "boost-context")
)))]
mod no_choice;
#[cfg(not(all(
    any(target_arch = "x86_64", target_arch = "aarch64"),
    target_pointer_width = "64",
    unix,
    not(feature = "boost-context")
)))]
use no_choice as choice;

mod round_trips;
#[cfg(all(test, not(loom)))]
mod tests;

use std::ffi::c_void;
use std::ptr::NonNull;

use crate::base::sanitizer::Execution;
pub(crate) use choice::{NAMES, choose};
pub(crate) use round_trips::round_trips;

/// A suspended execution: the address at which its stack ends, as the backend left it.
#[repr(transparent)]
#[derive(Debug)]
pub(crate) struct Context(NonNull<c_void>);

/// What a resumed execution gets: the one that was suspended for it, and a word.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Transfer {
    /// The execution that was left.
    pub(crate) from: Context,
    /// The word its `resume` was given.
    pub(crate) data: usize,
}

impl Transfer {
    /// The execution that was left.
    ///
    /// # Safety
    /// It was left by `Paused::resume`; and this is called once, before it goes on or its stack is used for another.
    #[inline(always)]
    pub(crate) unsafe fn left(self) -> Paused {
        Paused {
            context: self.from,
            // SAFETY: the word is what it said, and lies in a frame that is still there.
            execution: unsafe { Execution::from_word(self.data) },
        }
    }
}

/// A suspended execution, and what a sanitizer knows of it.
#[derive(Debug)]
pub(crate) struct Paused {
    context: Context,
    execution: Execution,
}

impl Paused {
    /// One that will run `entry` on the stack from `top` down to `bottom`.
    ///
    /// # Safety
    /// As `Context::new`.
    #[inline]
    pub(crate) unsafe fn new(top: *mut u8, bottom: *mut u8, entry: Entry) -> Self {
        Self {
            // SAFETY: passed on to the caller.
            context: unsafe { Context::new(top, bottom, entry) },
            // SAFETY: as above.
            execution: unsafe { Execution::fresh(top, bottom) },
        }
    }

    /// As `Context::prefetch`.
    #[inline(always)]
    pub(crate) fn prefetch(&self) {
        self.context.prefetch();
    }

    /// Goes on with this one in place of `leaving`, the running one. Returns when somebody resumes that.
    ///
    /// # Safety
    /// As `Context::resume`. `leaving` is what the caller's `Execution::leave` gave it just now.
    #[inline(always)]
    pub(crate) unsafe fn resume(self, leaving: Execution) -> Transfer {
        // SAFETY: passed on to the caller.
        unsafe {
            self.execution.enter(&leaving);
            self.context.resume(leaving.word())
        }
    }

    /// It has ended: what a sanitizer has kept for it goes.
    ///
    /// # Safety
    /// It has left for good, and its stack is still there.
    #[inline(always)]
    pub(crate) unsafe fn bury(self) {
        // SAFETY: passed on to the caller.
        unsafe { self.execution.bury() };
    }
}

/// The function a fresh context starts in. It gets the context that resumed it, and must never return.
pub(crate) type Entry = extern "C" fn(Transfer) -> !;

impl Context {
    /// A context that will run `entry` on the stack from `top` down to `bottom`.
    ///
    /// # Safety
    /// `bottom..top` is writable memory that nothing else uses until the context has ended or is forgotten; `top` is a
    /// multiple of 16, and the range holds at least a few hundred bytes.
    #[inline]
    pub(crate) unsafe fn new(top: *mut u8, bottom: *mut u8, entry: Entry) -> Self {
        debug_assert!(
            top.addr().is_multiple_of(16),
            "the stack's top is unaligned"
        );
        // SAFETY: passed on to the caller.
        unsafe { choice::fresh(top, bottom, entry) }
    }

    /// Has the memory that `resume` will read first brought near, if the processor can.
    #[inline(always)]
    pub(crate) fn prefetch(&self) {
        choice::prefetch(self.0.as_ptr().cast_const().cast());
    }

    /// Leaves the running execution for this one, which gets `data`. Returns when somebody resumes it.
    ///
    /// # Safety
    /// The stack of `self` is alive, and what runs next may run on this thread: the thread pointer is the one that
    /// execution expects.
    #[inline(always)]
    pub(crate) unsafe fn resume(self, data: usize) -> Transfer {
        // SAFETY: passed on to the caller.
        unsafe { choice::switch(self, data) }
    }
}
