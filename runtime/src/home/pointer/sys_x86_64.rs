//! Linux on x86_64 with glibc: the thread pointer is the base of the FS segment.
//!
//! Loaded by `wrfsbase` where the kernel lets user code do that (since Linux 5.9, told by the auxiliary vector); the
//! system call that does the same elsewhere costs more than all the rest of a switch, so such machines get fixed homes.

use std::arch::asm;
use std::sync::atomic::AtomicU32;

/// Bit of `AT_HWCAP2`: the FSGSBASE instructions may be used outside the kernel.
const HWCAP2_FSGSBASE: libc::c_ulong = 1 << 1;

/// Whether the thread pointer can be set.
pub(crate) fn can_move() -> bool {
    // SAFETY: `getauxval` reads a table that the process got at its start; it has no preconditions.
    unsafe { libc::getauxval(libc::AT_HWCAP2) & HWCAP2_FSGSBASE != 0 }
}

/// The running thread pointer. glibc keeps it in the first word of what it points to.
#[inline(always)]
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
#[inline(always)]
pub(crate) unsafe fn set(pointer: usize) {
    // SAFETY: the caller's promise.
    unsafe { asm!("wrfsbase {}", in(reg) pointer, options(nostack, preserves_flags)) };
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
            "syscall",
            inlateout("rax") libc::SYS_futex as isize => result,
            in("rdi") word.as_ptr(),
            in("rsi") operation as isize,
            in("rdx") value as usize,
            in("r10") 0_usize,
            lateout("rcx") _,
            lateout("r11") _,
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
    // SAFETY: the caller's promise; the kernel keeps all registers but those named.
    unsafe {
        asm!(
            "mov dword ptr [rdi], {lent:e}",
            "mov eax, {call}",
            "mov esi, {wake}",
            "mov edx, 1",
            "syscall",
            "2:",
            "cmp dword ptr [rdi], {open:e}",
            "je 3f",
            "mov eax, {call}",
            "mov esi, {wait}",
            "mov edx, {lent:e}",
            "syscall", // until woken, or for a while
            "jmp 2b",
            "3:",
            lent = in(reg) lent,
            open = in(reg) open,
            call = const libc::SYS_futex,
            wake = const libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG,
            wait = const libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG,
            in("rdi") word.as_ptr(),
            in("r10") 0_usize,
            out("rax") _,
            out("rsi") _,
            out("rdx") _,
            out("rcx") _,
            out("r11") _,
            options(nostack),
        )
    };
}
