//! sward's own switch for x86_64 (System V): the few instructions that change the stack pointer, in line.
//!
//! A suspended execution is its stack pointer, and what lies from there up is all that is known of it. The block names
//! every register but three as destroyed: the compiler saves what is live and nothing else. By hand are kept `rbp` and
//! `rbx`, which LLVM uses itself and lets nobody name. The direction flag is clear on both sides, as the ABI has it.
//!
//! The floating-point control words (MXCSR, x87) are not switched. The ABI calls them callee-saved, but Rust code may
//! not change them at all; who changes them in C must restore them before a greenlet suspends.
//!
//! It goes on by a jump: no `ret` would match a `call` of its own stack. Neither shadow stacks nor landing pads for
//! indirect branches (CET) are provided for, as in all code for the targets of the standard library.
//!
//! ```text
//!          suspended                                fresh
//!
//!        | frames of the execution |         top -> |                         |
//!        +-------------------------+                +-------------------------+
//!  sp+16 | rbp of the execution    |          sp+16 | rbp: 0                  |
//!  sp+ 8 | rbx of the execution    |          sp+ 8 | rbx: the entry function |
//!  sp -> | where it goes on        |          sp -> | goes on: `trampoline`   |
//!        +-------------------------+                +-------------------------+
//! ```

use std::arch::{asm, naked_asm};
use std::ptr::NonNull;

use super::{Context, Entry, Transfer};

/// The words of a fresh stack, as in the picture.
const FRESH_WORDS: usize = 3;

/// A context that will run `entry` on the stack from `top` down.
///
/// # Safety
/// As `Context::new`.
#[inline]
pub(super) unsafe fn fresh(top: *mut u8, _bottom: *mut u8, entry: Entry) -> Context {
    // SAFETY: the words are in the range, below an aligned `top`; the range is not at address 0.
    unsafe {
        let sp = top.cast::<usize>().sub(FRESH_WORDS);
        sp.write(trampoline as *const () as usize);
        sp.add(1).write(entry as *const () as usize);
        sp.add(2).write(0);
        Context(NonNull::new_unchecked(sp).cast())
    }
}

/// Leaves the running execution for `to`, which gets `data`.
///
/// # Safety
/// As `Context::resume`; and `to` was made by this backend.
#[inline(always)]
pub(super) unsafe fn switch(to: Context, data: usize) -> Transfer {
    let (from, got);
    // SAFETY: the caller's promise: `to` is a stack as in the picture. This one is left as in the picture, and the
    // compiler is told of every register that comes back changed. Without `nostack` it keeps nothing below `rsp`.
    unsafe {
        asm!(
            "push rbp",             // keep what cannot be named: LLVM's frame pointer
            "push rbx",             // and its base pointer
            "lea rax, [rip + 2f]",  // where this execution goes on
            "push rax",
            "mov rdx, rsp",         // this execution, for the other
            "mov rsp, rdi",         // the other's stack
            "pop rax",              // where the other goes on
            "pop rbx",              // what it kept
            "pop rbp",
            "jmp rax",              // go on there, with rdx: who left, rsi: the word
            "2:",                   // somebody has done the same for us
            inout("rdi") to.0.as_ptr() => _,
            inout("rsi") data => got,
            out("rdx") from,
            out("rax") _, out("rcx") _,
            out("r8") _, out("r9") _, out("r10") _, out("r11") _,
            out("r12") _, out("r13") _, out("r14") _, out("r15") _,
            // All of x87, MMX, SSE, AVX, AVX-512 and AMX: no vector register survives a call in this ABI.
            clobber_abi("sysv64"),
        );
        Transfer {
            from: Context(NonNull::new_unchecked(from)),
            data: got,
        }
    }
}

/// Brings a line near. A hint, whatever the address.
#[inline(always)]
pub(super) fn prefetch(address: *const u8) {
    // SAFETY: a prefetch has no effect that can be observed, and does not fault.
    unsafe {
        asm!("prefetcht0 [{}]", in(reg) address, options(nostack, preserves_flags, readonly));
    }
}

/// The first frame of every stack: calls the entry function, which `fresh` has put into `rbx`.
///
/// It is the last one that an unwinder finds: its return address is said to be undefined, and the frame pointer is 0.
#[unsafe(naked)]
unsafe extern "C" fn trampoline() {
    naked_asm!(
        ".cfi_startproc",
        ".cfi_undefined rip", // nobody called this
        "mov rdi, rdx",       // Transfer::from: who left
        "call rbx", // the entry function, with rsi: Transfer::data. rsp is `top` here, a multiple of 16
        "ud2",      // it never returns
        ".cfi_endproc",
    )
}
