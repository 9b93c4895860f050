//! Floor 3: homes, the thread identities that greenlets keep for life.
//!
//! A home is the thread pointer of a real thread: its thread-locals, its `thread::current()`, its errno. A worker that
//! runs a greenlet *occupies* the greenlet's home and loads that pointer; one worker at a time (`occupancy`). *Moving*
//! homes belong to threads that do nothing else but wait to exit (`thread`); a *fixed* home is a worker's own thread.
//! Why started greenlets may migrate, soundly, is argued in ARCHITECTURE.md, "Homes and soundness".
//!
//! Invariant: between `occupy` (or being handed the home) and `leave`, nobody else touches anything that is reachable
//! only through that thread's thread-locals, the home's own thread included: it sleeps in the kernel with all signals
//! blocked, its wait writes no errno, and its rseq area is unregistered.

mod errno;
mod occupancy;
mod pointer;
mod pool;
mod slot;
#[cfg(target_os = "linux")]
mod sys_linux;
#[cfg(target_os = "linux")]
use sys_linux as sys;
#[cfg(not(target_os = "linux"))]
mod sys_other;
#[cfg(not(target_os = "linux"))]
use sys_other as sys;
mod thread;

use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use crate::base::abort::AbortOnUnwind;
use crate::base::link::Link;
use crate::base::sanitizer::Execution;
pub(crate) use errno::Errno;
pub(crate) use occupancy::Enter;
use occupancy::Occupancy;
pub(crate) use pointer::can_move;
pub(crate) use pool::Pool;
pub(crate) use slot::{Slot, slot};

/// The identity that a greenlet keeps. See the module.
#[derive(Debug)]
pub(crate) struct Home {
    occupancy: Occupancy,
    pointer: usize,
    slot: *const Slot,
    /// The worker whose own thread this is, for a fixed home.
    worker: Option<usize>,
    /// Its number in the pool.
    index: usize,
    /// How many greenlets have it; a worker that keeps it ready counts as one. Changed by the pool, under its lock.
    load: AtomicUsize,
}

// SAFETY: the slot is a thread-local of a thread that outlives the home's last use: it ends after the workers' loops, and
// not at all if a greenlet that will not run again has frames in it. It is written by the occupant alone.
unsafe impl Send for Home {}
// SAFETY: as above.
unsafe impl Sync for Home {}

impl Home {
    /// The calling worker's own thread as its fixed home; the worker occupies it for good.
    pub(crate) fn fixed(worker: usize) -> Arc<Self> {
        // SAFETY: our own thread's slot.
        unsafe { (*slot()).prepare() };
        let home = Self {
            occupancy: Occupancy::new(),
            pointer: pointer::get(),
            slot: slot(),
            worker: Some(worker),
            index: worker,
            load: AtomicUsize::new(1),
        };
        assert!(home.occupancy.try_enter(), "a new home is free");
        Arc::new(home)
    }

    /// The worker whose thread this home is, if it is fixed.
    pub(crate) fn worker(&self) -> Option<usize> {
        self.worker
    }

    /// Whether no other greenlet has this home, asked by one that has it: only that one could change it, until the limit of
    /// homes is reached and the common ones are shared anyway.
    pub(crate) fn is_unshared(&self) -> bool {
        self.load.load(Relaxed) == 1
    }

    /// Makes it one greenlet's own.
    ///
    /// # Safety
    /// Nobody has it, and who gets it gets it from the caller, in order.
    unsafe fn dedicate(&self) {
        // SAFETY: passed on.
        unsafe { self.occupancy.dedicate() };
    }

    /// Opens the home to a local child, if it was its greenlet's alone.
    ///
    /// # Safety
    /// The caller runs in it; the child, and with it whoever enters the home for it, comes after this call.
    pub(crate) unsafe fn open(&self) {
        // SAFETY: the occupant opens it; passed on.
        unsafe { self.occupancy.open() }
    }

    /// Occupies the home for the greenlet that `link` is in, or leaves it in the home's list.
    ///
    /// # Safety
    /// As for `Occupancy::enter`; and not on a fixed home, which its worker occupies always.
    pub(crate) unsafe fn occupy(&self, link: NonNull<Link>) -> Enter {
        debug_assert!(self.worker.is_none());
        // SAFETY: passed on.
        unsafe { self.occupancy.enter(link) }
    }

    /// Leaves the home. Returns the greenlet that it was handed to, which must be made to run.
    ///
    /// # Safety
    /// The caller occupies the home.
    pub(crate) unsafe fn leave(&self) -> Option<NonNull<Link>> {
        debug_assert!(self.worker.is_none());
        // SAFETY: passed on.
        unsafe { self.occupancy.leave() }
    }

    /// Whether a greenlet waits for the home.
    ///
    /// # Safety
    /// The caller occupies the home.
    pub(crate) unsafe fn is_awaited(&self) -> bool {
        // SAFETY: passed on.
        unsafe { self.occupancy.is_awaited() }
    }

    /// Takes every greenlet out of the home's list, when no worker runs any more.
    fn drain(&self) -> Vec<NonNull<Link>> {
        if self.occupancy.try_enter() {
            // Free, so nobody waited.
            // SAFETY: we have just entered.
            let none = unsafe { self.occupancy.leave() };
            debug_assert!(none.is_none());
            return Vec::new();
        }
        // Held for a greenlet that will not run again: we stand in for it.
        // SAFETY: nobody else acts as the occupant, since no worker runs.
        std::iter::from_fn(|| unsafe { self.occupancy.leave() }).collect()
    }

    /// Names what runs in this home from now on.
    ///
    /// # Safety
    /// The caller occupies the home.
    pub(crate) unsafe fn announce(&self, greenlet: *const (), carrier: *const ()) {
        // SAFETY: the slot's thread is alive, and only the occupant writes it.
        unsafe { (*self.slot).set(greenlet, carrier) };
    }

    /// The thread pointer of this identity.
    pub(crate) fn pointer(&self) -> usize {
        self.pointer
    }

    /// Runs `f` with this home's thread pointer loaded, and the caller's own after it. Without inlining, so that no
    /// thread-local's address is carried over either border: `f` must not rely on the caller's thread-locals, and
    /// the caller must not be in the middle of using one.
    ///
    /// # Safety
    /// The caller occupies the home, and runs on a worker's thread that it registered with `CarrierThread::register`.
    #[inline(never)]
    pub(crate) unsafe fn run_as<R>(&self, f: impl FnOnce() -> R) -> R {
        let own = pointer::get();
        if own == self.pointer {
            return outline(f);
        }
        // SAFETY: the home is occupied by the caller, and so vacant; `outline` keeps `f`'s use of thread-locals inside its own
        // call. What is called between `leave` and `enter` is in line.
        let host = unsafe {
            let host = Execution::leave();
            let guest = host.guest();
            pointer::set(self.pointer);
            guest.enter(&host);
            host
        };
        let guard = AbortOnUnwind::new("the border of a home");
        let result = outline(f);
        guard.disarm();
        // SAFETY: back to the caller's own.
        unsafe {
            let guest = Execution::leave();
            pointer::set(own);
            host.back_from(guest);
        }
        result
    }
}

/// The thread pointer of the calling identity.
pub(crate) fn identity() -> usize {
    pointer::get()
}

/// The process was forked by the calling thread; `worker` is the thread pointer of the worker that it was, if it was one.
/// Async-signal-safe.
pub(crate) fn after_fork(worker: Option<usize>) {
    sys::forget_threads();
    if let Some(worker) = worker
        && worker != pointer::get()
    {
        sys::forsake(worker);
    }
}

/// Loads the thread pointer `identity`, unless it is loaded.
///
/// # Safety
/// It is the pointer of a home that the caller occupies, or of the worker that runs here; and the caller, which is not
/// inlined, uses no thread-local before or after.
#[inline(always)]
pub(crate) unsafe fn load(identity: usize) {
    if pointer::get() != identity {
        // SAFETY: the caller's promise.
        unsafe { pointer::set(identity) };
    }
}

#[inline(never)]
fn outline<R>(f: impl FnOnce() -> R) -> R {
    f()
}

/// A worker's thread, made known to the wrapper of the setuid signal for as long as this value lives.
#[derive(Debug)]
pub(crate) struct CarrierThread {
    _entry: sys::Registered,
}

impl CarrierThread {
    /// Registers the calling thread. To be done before it occupies its first home.
    pub(crate) fn register() -> Self {
        Self {
            _entry: sys::register(pointer::get()),
        }
    }
}
