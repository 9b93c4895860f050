//! Which of the two switches this process uses, where both are built in.
//!
//! Decided once: by the first runtime that is built, which passes on what `SWARD_CONTEXT` says, or by the first context
//! that is made, if nobody has chosen. A context made by one backend must not be resumed by the other, so from then on
//! the choice is frozen; to `choose` another is no error and has no effect.
//!
//! `CHOICE` is written once, before the first context exists. Who resumes a context has it from who made it, and
//! whatever handed it over has ordered the write before the read in `switch`. So a relaxed read is enough there, and it
//! costs a load of a line that nobody writes and a branch that always goes the same way.

use std::sync::atomic::AtomicU8;
use std::sync::atomic::Ordering::Relaxed;

use crossbeam_utils::CachePadded;

use super::{Context, Entry, Transfer, asm, boost};

/// The names of the backends, for `SWARD_CONTEXT`, the default first.
pub(crate) const NAMES: &[&str] = &["asm", "boost"];

const UNDECIDED: u8 = 0;
const ASM: u8 = 1;
const BOOST: u8 = 2;

static CHOICE: CachePadded<AtomicU8> = CachePadded::new(AtomicU8::new(UNDECIDED));

/// Decides for the backend of that name, or the default one, unless it is decided. False if there is none of that name.
#[must_use]
pub(crate) fn choose(name: Option<&str>) -> bool {
    let choice = match name {
        None | Some("asm") => ASM,
        Some("boost") => BOOST,
        Some(_) => return false,
    };
    decide(choice);
    true
}

/// What is decided; `choice` if nothing was.
fn decide(choice: u8) -> u8 {
    // Relaxed: nothing is published but the byte itself, and all who try agree on who was first.
    match CHOICE.compare_exchange(UNDECIDED, choice, Relaxed, Relaxed) {
        Ok(_) => choice,
        Err(decided) => decided,
    }
}

/// Makes a context by the backend in use.
///
/// # Safety
/// As `Context::new`.
pub(super) unsafe fn fresh(top: *mut u8, bottom: *mut u8, entry: Entry) -> Context {
    let mut choice = CHOICE.load(Relaxed);
    if choice == UNDECIDED {
        choice = decide(ASM);
    }
    if choice == BOOST {
        // SAFETY: passed on to the caller.
        unsafe { boost::fresh(top, bottom, entry) }
    } else {
        // SAFETY: passed on to the caller.
        unsafe { asm::fresh(top, bottom, entry) }
    }
}

/// Switches by the backend in use.
///
/// # Safety
/// As `Context::resume`.
#[inline(always)]
pub(super) unsafe fn switch(to: Context, data: usize) -> Transfer {
    // Relaxed: see the module. There is a context, so it is decided.
    if CHOICE.load(Relaxed) == BOOST {
        // SAFETY: passed on to the caller; all contexts are made by `fresh`, this one by the same backend.
        unsafe { boost::switch(to, data) }
    } else {
        // SAFETY: as above.
        unsafe { asm::switch(to, data) }
    }
}

/// Brings the lines at and above `address` near. A hint, whatever the address.
#[inline(always)]
pub(super) fn prefetch(address: *const u8) {
    asm::prefetch(address);
    asm::prefetch(address.wrapping_add(64));
    asm::prefetch(address.wrapping_add(128));
}
