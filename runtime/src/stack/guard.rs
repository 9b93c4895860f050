//! Guards: the inaccessible page below each stack, so that an overflow is a fault and not silent corruption.
//!
//! Two means. Linux 6.13 has guards that are marks in the page table: a million of them cost no mapping.
//! Everywhere else a guard is a page without rights, which splits the slab's mapping in two, and Linux limits
//! the number of mappings. What the kernel can do is found out by trying, once for the process.

use super::sys;
use crate::base::OLD_SYSTEM;
use std::io;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};

/// By which means a pool guards its stacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Guard {
    /// The best that the kernel has.
    Auto,
    /// Protected pages, as if the kernel had nothing better.
    Mprotect,
}

/// How a guard was put up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Raised {
    /// As a mark in the page table.
    Installed,
    /// As a mapping of its own. To be paid back by [`release_mappings`] when the mapping is gone.
    Protected,
}

/// What is known of marks in the page table: one of the three below. A cached fact that leads to no other
/// memory, so relaxed everywhere; two threads that find it out at the same time find the same.
static MARKS: AtomicU8 = AtomicU8::new(if OLD_SYSTEM { MISSING } else { UNTRIED });
const UNTRIED: u8 = 0;
const WORKING: u8 = 1;
const MISSING: u8 = 2;

/// Whether several marks may be made in one call: until the kernel says that it cannot. As `MARKS`.
static BATCHES: AtomicBool = AtomicBool::new(true);

/// Guards that are protected pages, in the whole process. A count that leads to no other memory, so relaxed
/// everywhere.
static PROTECTED: AtomicUsize = AtomicUsize::new(0);
/// How many of those the limit on mappings allowed when it was last read; zero before that. Relaxed likewise.
static ALLOWED: AtomicUsize = AtomicUsize::new(0);

/// Mappings left to the rest of the process: its heap grows by mappings, and Rust aborts if it cannot. Arbitrary.
const MAPPINGS_LEFT: usize = 1024;
/// Mappings that a protected guard costs: its own, and the one that the slab is split into.
const MAPPINGS_A_GUARD: usize = 2;
/// How often a call is made that fails for want of a resource that is said to be temporary. Arbitrary, but
/// bounded, so that the failure is reported and not waited for.
const TRIES: u32 = 1000;

impl Guard {
    /// Puts up a guard over `len` bytes from `base` on, whole pages.
    ///
    /// # Safety
    ///
    /// The range lies in a slab, and nobody uses it.
    pub(super) unsafe fn raise(self, base: NonNull<u8>, len: usize) -> io::Result<Raised> {
        if self == Guard::Auto && MARKS.load(Ordering::Relaxed) != MISSING {
            // SAFETY: as the caller promises.
            match retry(|| unsafe { sys::install_guard(base, len) }) {
                // An emulator may say yes to an advice that it does not know, so the first guard is tested.
                Ok(()) if MARKS.load(Ordering::Relaxed) == WORKING || sys::is_guarded(base) => {
                    MARKS.store(WORKING, Ordering::Relaxed);
                    return Ok(Raised::Installed);
                }
                Ok(()) => MARKS.store(MISSING, Ordering::Relaxed),
                Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                    MARKS.store(MISSING, Ordering::Relaxed);
                }
                Err(error) => return Err(no_guard(&error)),
            }
        }
        reserve_mappings()?;
        // SAFETY: as the caller promises.
        retry(|| unsafe { sys::protect(base, len) }).map_err(|error| {
            release_mappings(1);
            match error.kind() {
                io::ErrorKind::OutOfMemory => too_many_mappings(sys::mapping_limit()),
                _ => no_guard(&error),
            }
        })?;
        Ok(Raised::Protected)
    }
}

impl Guard {
    /// Whether there is a point in `raise_all`: the first guard has shown that marks work, and nothing that several cannot be
    /// made in one call.
    pub(super) fn can_raise_all(self) -> bool {
        self == Guard::Auto
            && MARKS.load(Ordering::Relaxed) == WORKING
            && BATCHES.load(Ordering::Relaxed)
    }

    /// Puts up a guard over `len` bytes from each of `bases` on in one call, if that can be done: half of what a new stack
    /// costs is else the call for its guard. If not, none counts as put up.
    ///
    /// # Safety
    ///
    /// As of `raise`, for each.
    pub(super) unsafe fn raise_all(self, bases: &[NonNull<u8>], len: usize) -> Option<Raised> {
        // Asked again: another thread may have found out meanwhile.
        if !self.can_raise_all() {
            return None;
        }
        // SAFETY: as the caller promises.
        match unsafe { sys::install_guards(bases, len) } {
            Ok(()) => Some(Raised::Installed),
            Err(error) => {
                if error.kind() == io::ErrorKind::Unsupported {
                    BATCHES.store(false, Ordering::Relaxed);
                }
                // What else it was, one by one tells.
                None
            }
        }
    }
}

/// Pays back the mappings of `guards` protected guards that are gone.
pub(super) fn release_mappings(guards: usize) {
    PROTECTED.fetch_sub(guards, Ordering::Relaxed);
}

/// Accounts for one more protected guard.
fn reserve_mappings() -> io::Result<()> {
    let others = PROTECTED.fetch_add(1, Ordering::Relaxed);
    if others >= ALLOWED.load(Ordering::Relaxed) {
        // Read again, for the limit may have been raised since.
        let limit = sys::mapping_limit();
        let allowed = limit.map_or(usize::MAX, |limit| {
            (limit - MAPPINGS_LEFT.min(limit / 8)) / MAPPINGS_A_GUARD
        });
        ALLOWED.store(allowed, Ordering::Relaxed);
        if others >= allowed {
            release_mappings(1);
            return Err(too_many_mappings(limit));
        }
    }
    Ok(())
}

/// Calls again what was interrupted, or failed for a reason said to be temporary.
fn retry(mut call: impl FnMut() -> io::Result<()>) -> io::Result<()> {
    for _ in 1..TRIES {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => std::thread::yield_now(),
            result => return result,
        }
    }
    call()
}

fn too_many_mappings(limit: Option<usize>) -> io::Error {
    let limit = limit.map_or(String::new(), |limit| format!(" ({limit})"));
    io::Error::new(
        io::ErrorKind::OutOfMemory,
        format!(
            "no guard for another stack: the process has about as many memory mappings as vm.max_map_count{limit} allows. \
             Each stack needs two on a kernel before Linux 6.13; raise the limit with `sysctl -w vm.max_map_count=...`, \
             or run fewer greenlets at a time"
        ),
    )
}

fn no_guard(error: &io::Error) -> io::Error {
    io::Error::new(
        io::ErrorKind::OutOfMemory,
        format!("no guard for another stack: {error}; run fewer greenlets at a time or add memory"),
    )
}
