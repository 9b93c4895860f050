//! Linux on x86_64 with glibc: the thread pointer is the base of the FS segment.
//!
//! Loaded by `wrfsbase` where the kernel lets user code do that (since Linux 5.9, told by the auxiliary vector); the
//! system call that does the same elsewhere costs more than all the rest of a switch, so such machines get fixed homes.

use std::arch::asm;

/// Bit of `AT_HWCAP2`: the FSGSBASE instructions may be used outside the kernel.
const HWCAP2_FSGSBASE: libc::c_ulong = 1 << 1;

/// Whether the thread pointer can be set.
pub(crate) fn can_move() -> bool {
    // SAFETY: `getauxval` reads a table that the process got at its start; it has no preconditions.
    unsafe { libc::getauxval(libc::AT_HWCAP2) & HWCAP2_FSGSBASE != 0 }
}

/// The running thread pointer. glibc keeps it in the first word of what it points to.
#[inline]
pub(crate) fn get() -> usize {
    let pointer: usize;
    // SAFETY: the first word of the thread control block is its own address (x86-64 psABI, variant II).
    unsafe { asm!("mov {}, fs:0", out(reg) pointer, options(nostack, preserves_flags, readonly)) };
    pointer
}

/// Loads `pointer`.
///
/// # Safety
/// `can_move()`; `pointer` is the thread pointer of a living thread that the caller occupies (or the caller's own), and
/// no code that may hold the address of a thread-local runs on in the calling function.
#[inline]
pub(crate) unsafe fn set(pointer: usize) {
    // SAFETY: the caller's promise.
    unsafe { asm!("wrfsbase {}", in(reg) pointer, options(nostack, preserves_flags)) };
}
