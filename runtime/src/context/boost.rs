//! The switch of the crate `context`: Boost.Context's assembly, for every architecture it covers.
//!
//! It saves the callee-saved registers and the floating-point control words. Its `resume_ontop` is not used: a panic
//! that leaves an `extern "C"` function aborts, so a stack is unwound by resuming it and panicking there.

use std::mem::transmute;

use super::{Context, Entry, Transfer};

/// A context that will run `entry` on the stack from `top` down to `bottom`.
///
/// # Safety
/// As `Context::new`.
pub(super) unsafe fn fresh(top: *mut u8, bottom: *mut u8, entry: Entry) -> Context {
    // SAFETY: the caller promises the range; `Stack` only carries the two addresses.
    let stack = unsafe { context::stack::Stack::new(top.cast(), bottom.cast()) };
    // SAFETY: both are `extern "C"` functions that take one struct by value. Ours is `repr(C)` and has the crate's
    // fields in the crate's order: a `Context`, which like the crate's is one non-null pointer, and a word.
    let entry = unsafe { transmute::<Entry, context::ContextFn>(entry) };
    // SAFETY: the memory outlives the context, as promised. The two types are one non-null pointer each.
    unsafe { transmute::<context::Context, Context>(context::Context::new(&stack, entry)) }
}

/// Leaves the running execution for `to`, which gets `data`.
///
/// # Safety
/// As `Context::resume`; and `to` was made by this backend.
#[inline]
pub(super) unsafe fn switch(to: Context, data: usize) -> Transfer {
    // SAFETY: passed on to the caller. The types as in `fresh`.
    unsafe {
        let to = transmute::<Context, context::Context>(to);
        transmute::<context::Transfer, Transfer>(to.resume(data))
    }
}
