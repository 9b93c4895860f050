//! The switch of the crate `context`: Boost.Context's assembly, for every architecture it covers.
//!
//! It saves the callee-saved registers and the floating-point control words. Its `resume_ontop` is not used: a panic
//! that leaves an `extern "C"` function aborts, so a stack is unwound by resuming it and panicking there.

use std::fmt;

use super::Entry;

/// A suspended execution.
#[repr(transparent)]
pub(crate) struct Context(context::Context);

/// What a resumed execution gets: the one that was suspended for it, and a word.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Transfer {
    /// The execution that was left.
    pub(crate) from: Context,
    /// The word its `resume` was given.
    pub(crate) data: usize,
}

impl Context {
    /// A context that will run `entry` on the stack from `top` down to `bottom`.
    ///
    /// # Safety
    /// `bottom..top` is writable memory that nothing else uses until the context has ended or is forgotten; it holds
    /// at least a few hundred bytes.
    pub(crate) unsafe fn new(top: *mut u8, bottom: *mut u8, entry: Entry) -> Self {
        // SAFETY: the caller promises the range; `Stack` only carries the two addresses.
        let stack = unsafe { context::stack::Stack::new(top.cast(), bottom.cast()) };
        // SAFETY: both are `extern "C"` functions that take one struct by value. Ours is `repr(C)` and has the crate's
        // fields in the crate's order: a transparent-sized `Context` (asserted below) and a word.
        let entry = unsafe { std::mem::transmute::<Entry, context::ContextFn>(entry) };
        // SAFETY: the memory outlives the context, as promised.
        Self(unsafe { context::Context::new(&stack, entry) })
    }

    /// Leaves the running execution for this one, which gets `data`. Returns when somebody resumes it.
    ///
    /// # Safety
    /// The stack of `self` is alive, and what runs next may run on this thread: the thread pointer is the one that
    /// execution expects.
    #[inline]
    pub(crate) unsafe fn resume(self, data: usize) -> Transfer {
        // SAFETY: passed on to the caller.
        let transfer = unsafe { self.0.resume(data) };
        Transfer {
            from: Self(transfer.context),
            data: transfer.data,
        }
    }
}

const _: () = assert!(size_of::<Context>() == size_of::<*const ()>());
const _: () = assert!(size_of::<Transfer>() == size_of::<context::Transfer>());

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
