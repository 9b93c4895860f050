//! Linux on aarch64 with glibc: the thread pointer is the register `TPIDR_EL0`, which user code may always write.

use std::arch::asm;

/// Whether the thread pointer can be set.
pub(crate) fn can_move() -> bool {
    true
}

/// The running thread pointer.
#[inline]
pub(crate) fn get() -> usize {
    let pointer: usize;
    // SAFETY: reading the register has no effect.
    unsafe {
        asm!("mrs {}, tpidr_el0", out(reg) pointer, options(nostack, preserves_flags, nomem))
    };
    pointer
}

/// Loads `pointer`.
///
/// # Safety
/// `pointer` is the thread pointer of a living thread that the caller occupies (or the caller's own), and no code that
/// may hold the address of a thread-local runs on in the calling function.
#[inline]
pub(crate) unsafe fn set(pointer: usize) {
    // SAFETY: the caller's promise.
    unsafe { asm!("msr tpidr_el0, {}", in(reg) pointer, options(nostack, preserves_flags)) };
}
