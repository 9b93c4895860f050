//! Linux on aarch64 with glibc: the thread pointer is the register `TPIDR_EL0`, which user code may always write.

use std::arch::asm;
use std::sync::atomic::AtomicU32;

/// Whether the thread pointer can be set.
pub(crate) fn can_move() -> bool {
    true
}

/// The running thread pointer.
#[inline(always)]
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
#[inline(always)]
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

/// Stores `lent` in `word` for all to see (a release), wakes one that waits on it, and returns when it is `open` (an
/// acquire).
///
/// In assembly throughout: from the store on another thread may use the calling thread's identity, and nothing that a
/// compiler or a sanitizer puts in of its own may come between. It writes no errno.
///
/// # Safety
/// `word` is a futex word, and goes from `lent` to nothing but `open`.
#[inline(always)]
pub(crate) unsafe fn lend(word: &AtomicU32, lent: u32, open: u32) {
    // SAFETY: the caller's promise; the kernel keeps all registers but the one that it answers in.
    unsafe {
        asm!(
            "stlr {lent:w}, [{word}]",
            "mov x0, {word}",
            "mov x1, {wake}",
            "mov x2, 1",
            "svc 0",
            "2:",
            "ldar {now:w}, [{word}]",
            "cmp {now:w}, {open:w}",
            "b.eq 3f",
            "mov x0, {word}",
            "mov x1, {wait}",
            "mov w2, {lent:w}",
            "svc 0", // until woken, or for a while
            "b 2b",
            "3:",
            word = in(reg) word.as_ptr(),
            lent = in(reg) lent,
            open = in(reg) open,
            now = out(reg) _,
            wake = const libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG,
            wait = const libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG,
            in("x8") libc::SYS_futex as isize,
            in("x3") 0_usize,
            out("x0") _,
            out("x1") _,
            out("x2") _,
            options(nostack),
        )
    };
}
