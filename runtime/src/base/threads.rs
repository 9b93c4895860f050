//! Which threads of the process can do nothing by themselves: those of runtimes, and those that wait in sward without a deadline.
//!
//! Counted for the report of deadlocks: where there is no other thread, nobody is left who could wake a greenlet. The
//! counts lead nowhere, so they are relaxed.
#![forbid(unsafe_code)]

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

static OURS: AtomicUsize = AtomicUsize::new(0);
static WAITING: AtomicUsize = AtomicUsize::new(0);
static RUNTIMES: AtomicUsize = AtomicUsize::new(0);

/// One more in a count, until it is dropped.
#[derive(Debug)]
pub(crate) struct Counted(&'static AtomicUsize);

impl Counted {
    fn new(count: &'static AtomicUsize) -> Self {
        count.fetch_add(1, Relaxed);
        Self(count)
    }

    /// The calling thread is a runtime's, for as long as this lives on it.
    pub(crate) fn ours() -> Self {
        Self::new(&OURS)
    }

    /// A thread waits in sward without a deadline, and has not been woken.
    pub(crate) fn waiting() -> Self {
        Self::new(&WAITING)
    }

    /// A runtime.
    pub(crate) fn runtime() -> Self {
        Self::new(&RUNTIMES)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// How many threads are a runtime's or wait in sward.
pub(crate) fn passive() -> usize {
    OURS.load(Relaxed) + WAITING.load(Relaxed)
}

/// How many runtimes there are.
pub(crate) fn runtimes() -> usize {
    RUNTIMES.load(Relaxed)
}
