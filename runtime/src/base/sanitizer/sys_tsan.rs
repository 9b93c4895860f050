//! ThreadSanitizer: one of its fibers for each stack.
//!
//! A fiber has a stack of calls and a clock: what it knows of the others. A thread begins with a fiber of its own, the
//! *root*, and a vacant identity has its root as the current one; what else TSan keeps for a thread (its caches) goes from
//! the root to the fiber that enters and back, and so stays with the identity. A fiber is entered under one identity at a
//! time; a greenlet's always under the same.
//!
//! Executions that follow each other on one worker are ordered by that, and share the worker's data without more. So the
//! one that leaves releases; the root of the next identity acquires that, and passes it on to the fiber it gives way to.
//! While the roots are current, in the middle of a change, memory is accessed (the locals of who changes) that they do not
//! know the order of: a root ignores accesses as long as its identity is vacant.
//!
//! TSan does not know fences. In their place stand accesses that order at least as much.

use std::cell::Cell;
use std::ffi::{c_char, c_int, c_uint, c_void};
use std::ptr;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::{self, Acquire, SeqCst};

unsafe extern "C" {
    fn __tsan_get_current_fiber() -> *mut c_void;
    fn __tsan_create_fiber(flags: c_uint) -> *mut c_void;
    fn __tsan_destroy_fiber(fiber: *mut c_void);
    fn __tsan_switch_to_fiber(fiber: *mut c_void, flags: c_uint);
    fn __tsan_acquire(address: *mut c_void);
    fn __tsan_release(address: *mut c_void);
    fn AnnotateIgnoreReadsBegin(file: *const c_char, line: c_int);
    fn AnnotateIgnoreReadsEnd(file: *const c_char, line: c_int);
    fn AnnotateIgnoreWritesBegin(file: *const c_char, line: c_int);
    fn AnnotateIgnoreWritesEnd(file: *const c_char, line: c_int);
}

/// The fiber that is left comes before the one that is current then.
const SYNC: c_uint = 0;
/// `__tsan_switch_to_fiber_no_sync`: it does not.
const NO_SYNC: c_uint = 1;

/// The fiber of one stack.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Execution(*mut c_void);

thread_local! {
    /// The identity's own fiber, once somebody has left it.
    static ROOT: Cell<*mut c_void> = const { Cell::new(ptr::null_mut()) };
}

/// The root of the identity, in which `me` runs.
#[inline(never)]
fn root(me: *mut c_void) -> *mut c_void {
    ROOT.with(|root| {
        if root.get().is_null() {
            root.set(me);
        }
        root.get()
    })
}

impl Execution {
    /// One that will run on a stack.
    ///
    /// # Safety
    /// None to keep.
    #[inline(always)]
    pub(crate) unsafe fn fresh(_top: *mut u8, _bottom: *mut u8) -> Self {
        // SAFETY: it has no preconditions.
        Self(unsafe { __tsan_create_fiber(0) })
    }

    /// The running one leaves its identity vacant.
    ///
    /// # Safety
    /// The caller calls nothing that is not in line until somebody has entered; and it has entered, or is a thread's own.
    #[inline(always)]
    pub(crate) unsafe fn leave() -> Self {
        // SAFETY: the running fiber lives, and so does the root, which the identity began with.
        unsafe {
            let me = __tsan_get_current_fiber();
            let root = root(me);
            __tsan_release(me);
            if root != me {
                __tsan_switch_to_fiber(root, NO_SYNC);
            } else {
                AnnotateIgnoreReadsBegin(ptr::null(), 0);
                AnnotateIgnoreWritesBegin(ptr::null(), 0);
            }
            Self(me)
        }
    }

    /// It goes on under the vacant identity whose thread pointer is loaded, after `left` on the same processor.
    ///
    /// # Safety
    /// So it is; and the fiber, if it is a root, is that identity's.
    #[inline(always)]
    pub(crate) unsafe fn enter(&self, left: &Self) {
        // SAFETY: the fiber lives and is current nowhere else, but for a root under its own identity.
        unsafe {
            __tsan_acquire(left.0);
            if __tsan_get_current_fiber() != self.0 {
                __tsan_switch_to_fiber(self.0, SYNC);
            } else {
                AnnotateIgnoreWritesEnd(ptr::null(), 0);
                AnnotateIgnoreReadsEnd(ptr::null(), 0);
            }
        }
    }

    /// What stands for the running one, which has left its own identity, while it is a guest under another: a new fiber, for
    /// a root stays where it is.
    #[inline(always)]
    pub(crate) fn guest(&self) -> Self {
        // SAFETY: it has no preconditions.
        Self(unsafe { __tsan_create_fiber(0) })
    }

    /// The guest has left; its host's identity is loaded.
    ///
    /// # Safety
    /// As `enter`; and the guest does not enter again.
    #[inline(always)]
    pub(crate) unsafe fn back_from(self, guest: Self) {
        // SAFETY: passed on.
        unsafe {
            self.enter(&guest);
            __tsan_destroy_fiber(guest.0);
        }
    }

    /// A word from which `from_word` makes the same again.
    #[inline(always)]
    pub(crate) fn word(&self) -> usize {
        self.0.expose_provenance()
    }

    /// See `word`.
    ///
    /// # Safety
    /// None to keep.
    #[inline(always)]
    pub(crate) unsafe fn from_word(word: usize) -> Self {
        Self(ptr::with_exposed_provenance_mut(word))
    }

    /// It has ended.
    ///
    /// # Safety
    /// It has left for good, and is nobody's root.
    pub(crate) unsafe fn bury(self) {
        // SAFETY: nobody enters it any more.
        unsafe { __tsan_destroy_fiber(self.0) };
    }
}

/// As std's, but an access to one word that all fences of the process access: two of them are ordered by that, in the way
/// that two sequentially consistent fences are and more.
pub(crate) fn fence(_order: Ordering) {
    static FENCES: AtomicUsize = AtomicUsize::new(0);
    FENCES.fetch_add(1, SeqCst);
}

/// Orders what follows after every release of `count` that came before the caller's own.
#[inline(always)]
pub(crate) fn acquire_count(count: &AtomicUsize) {
    // It reads the caller's own or a later one of the same sequence of releases.
    count.load(Acquire);
}

/// The kernel gets the address of what it will give back with an event: see `received`.
pub(crate) fn sent(address: usize) {
    // SAFETY: an address is all that is asked for.
    unsafe { __tsan_release(ptr::without_provenance_mut(address)) };
}

/// What came before `sent` comes before what follows. The kernel sees to it, in a way that is not looked into.
pub(crate) fn received(address: usize) {
    // SAFETY: as above.
    unsafe { __tsan_acquire(ptr::without_provenance_mut(address)) };
}
