//! Numbers for runtimes and greenlets, and which of them are from before a `fork`.
//!
//! A child made by `fork` has a copy of all memory and of one thread only, the one that called. What a runtime was made of
//! is there to be looked at, but nobody works on it, and a lock that another thread held is held for ever. So nothing that
//! was made before the fork may be waited for, or be changed under a lock, in the child.
//!
//! Numbers are given out in order, and in the child the handler of `greenlet/sys_fork.rs` notes the next one: what has a
//! smaller number was left behind. That makes one number of a static, read where a wait begins and where a call comes from
//! outside the runtime; a greenlet that runs on a worker needs not ask, for in the child it is none any more (`home/slot.rs`).
//!
//! Relaxed everywhere: a number orders nothing, and the note is written by the child's only thread.
#![forbid(unsafe_code)]

use std::io;
use std::ops::Range;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use crossbeam_utils::CachePadded;

static NEXT: AtomicU64 = AtomicU64::new(1);

/// The first number that was given out in this process; 0 in one that was not forked from another with a runtime.
///
/// On a line of its own: it is read at each wait for a socket, and its neighbours may be written.
static FIRST: CachePadded<AtomicU64> = CachePadded::new(AtomicU64::new(0));

/// What who uses a runtime that was left behind is told.
pub(crate) const LEFT_BEHIND: &str = "this process was forked from one that had a running sward runtime, whose threads are \
    not here and whose greenlets do not run: exec a program, or start a new sward::Runtime on a plain thread of this process";

/// Reserves `count` numbers, unique in the process and in those it was forked from.
#[inline]
pub(crate) fn reserve(count: u64) -> Range<u64> {
    let first = NEXT.fetch_add(count, Relaxed);
    first..first + count
}

/// Which process this is, of a line in which each was forked from the one before: another number in each.
#[inline]
pub(crate) fn process() -> u64 {
    FIRST.load(Relaxed)
}

/// Whether what has this number was made before the fork that made this process.
#[inline]
pub(crate) fn is_left_behind(number: u64) -> bool {
    number < process()
}

/// This process has just been forked from another. Async-signal-safe.
pub(crate) fn note() {
    // One is skipped, so that the numbers of two processes differ if nothing was made between two forks.
    FIRST.store(NEXT.fetch_add(1, Relaxed) + 1, Relaxed);
}

/// `LEFT_BEHIND`, for those who give errors.
#[cold]
pub(crate) fn left_behind() -> io::Error {
    io::Error::other(format!("sward: {LEFT_BEHIND}"))
}

/// The same for those who give none.
#[cold]
#[track_caller]
pub(crate) fn panic_left_behind() -> ! {
    panic!("sward: {LEFT_BEHIND}")
}
