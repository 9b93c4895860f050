//! sward's own switch for aarch64 (AAPCS64): the few instructions that change the stack pointer, in line.
//!
//! A suspended execution is its stack pointer, and what lies from there up is all that is known of it. The block names
//! every register but three as destroyed: the compiler saves what is live and nothing else. By hand are kept `x29` and
//! `x19`, which LLVM uses itself and lets nobody name. `x18` belongs to the platform and is not touched; where it is an
//! ordinary register the compiler takes it for destroyed.
//!
//! The floating-point control register (FPCR) is not switched: Rust code may not change it, and who changes it in C must
//! restore it before a greenlet suspends. Branch targets (BTI) and signed return addresses (PAC) are not provided for
//! here, as the targets of the standard library do not have them on; signed ones on either stack stay right, since each
//! is checked with the stack pointer it was signed with.
//!
//! ```text
//!          suspended                                fresh
//!
//!        | frames of the execution |         top -> |                         |
//!        +-------------------------+                +-------------------------+
//!  sp+24 | unused: sp is aligned   |          sp+24 | unused: sp is aligned   |
//!  sp+16 | x19 of the execution    |          sp+16 | x19: the entry function |
//!  sp+ 8 | where it goes on        |          sp+ 8 | goes on: `trampoline`   |
//!  sp -> | x29 of the execution    |          sp -> | x29: 0                  |
//!        +-------------------------+                +-------------------------+
//! ```

use std::arch::{asm, naked_asm};
use std::ptr::NonNull;

use super::{Context, Entry, Transfer};

/// The words of a fresh stack, as in the picture.
const FRESH_WORDS: usize = 4;

/// A context that will run `entry` on the stack from `top` down.
///
/// # Safety
/// As `Context::new`.
#[inline]
pub(super) unsafe fn fresh(top: *mut u8, _bottom: *mut u8, entry: Entry) -> Context {
    // SAFETY: the words are in the range, below an aligned `top`; the range is not at address 0.
    unsafe {
        let sp = top.cast::<usize>().sub(FRESH_WORDS);
        sp.write(0);
        sp.add(1).write(trampoline as *const () as usize);
        sp.add(2).write(entry as *const () as usize);
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
    // compiler is told of every register that comes back changed. Without `nostack` it keeps nothing below `sp`.
    unsafe {
        asm!(
            "adr x2, 2f",                   // where this execution goes on
            "stp x29, x2, [sp, #-32]!",     // keep it with what cannot be named: LLVM's frame pointer
            "str x19, [sp, #16]",           // and its base pointer
            "mov x2, sp",                   // this execution, for the other
            "mov sp, x0",                   // the other's stack
            "mov x0, x2",                   // who left: Transfer::from
            "ldr x19, [sp, #16]",           // what the other kept
            "ldp x29, x2, [sp], #32",       // and where it goes on
            "br x2",                        // go on there, with x0: who left, x1: the word
            "2:",                           // somebody has done the same for us
            inout("x0") to.0.as_ptr() => from,
            inout("x1") data => got,
            out("x20") _, out("x21") _, out("x22") _, out("x23") _, out("x24") _,
            out("x25") _, out("x26") _, out("x27") _, out("x28") _,
            // Their low halves are callee-saved, and nobody saves them here.
            out("v8") _, out("v9") _, out("v10") _, out("v11") _,
            out("v12") _, out("v13") _, out("v14") _, out("v15") _,
            // The rest: x2 to x17, x18 where it is no platform's, x30, the other vector and predicate registers.
            clobber_abi("C"),
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
        asm!("prfm pldl1keep, [{}]", in(reg) address, options(nostack, preserves_flags, readonly));
    }
}

/// The first frame of every stack: calls the entry function, which `fresh` has put into `x19`.
///
/// It is the last one that an unwinder finds: its return address is said to be undefined, and the frame pointer is 0.
#[unsafe(naked)]
unsafe extern "C" fn trampoline() {
    naked_asm!(
        ".cfi_startproc",
        ".cfi_undefined x30", // nobody called this
        "blr x19", // the entry function, with x0: Transfer::from, x1: Transfer::data. sp is `top` here
        "brk #1",  // it never returns
        ".cfi_endproc",
    )
}
