//! Linux on aarch64 with glibc: the thread pointer is the register `TPIDR_EL0`, which user code may always write.

use std::arch::asm;
use std::sync::atomic::AtomicU32;

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

/// Linux's futex call on `word`, without touching errno: what the kernel returns.
///
/// # Safety
/// `word` is a futex word, and `operation` one of `FUTEX_WAIT` and `FUTEX_WAKE` (private), which take no more arguments
/// but a timeout that is null here.
pub(crate) unsafe fn futex(word: &AtomicU32, operation: i32, value: u32) -> isize {
    let result: isize;
    // SAFETY: the caller's promise; the kernel keeps all registers but those named.
    unsafe {
        asm!(
            "svc 0",
            in("x8") libc::SYS_futex as isize,
            inlateout("x0") word.as_ptr() as isize => result,
            in("x1") operation as isize,
            in("x2") value as usize,
            in("x3") 0_usize,
            options(nostack),
        )
    };
    result
}
