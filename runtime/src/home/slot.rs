//! The slot: who runs here, kept in a thread-local of each thread that can be a home.
//!
//! Code in a greenlet finds itself through this thread-local. Whoever enters a home writes its slot before the
//! greenlet runs; the thread pointer of a greenlet never changes, so the address of its slot does not either.
//! This file is the one place that reads it, through functions that are never inlined.

use std::cell::Cell;
use std::ptr;

use super::errno;

/// What a thread identity is occupied with.
#[derive(Debug)]
pub(crate) struct Slot {
    /// The greenlet that runs under this identity; null outside greenlets.
    greenlet: Cell<*const ()>,
    /// The carrier (the scheduler's worker) that runs it, or that this thread is; null on threads that are neither.
    carrier: Cell<*const ()>,
    /// Where the identity's errno is, once it can be a home: a call of libc saved at each switch.
    errno: Cell<*mut i32>,
    /// In a child made by `fork` in a greenlet: what ran here was that greenlet, which is none any more.
    severed: Cell<bool>,
}

thread_local! {
    static SLOT: Slot = const {
        Slot {
            greenlet: Cell::new(ptr::null()),
            carrier: Cell::new(ptr::null()),
            errno: Cell::new(ptr::null_mut()),
            severed: Cell::new(false),
        }
    };
}

impl Slot {
    /// The running greenlet's header, or null.
    #[inline]
    pub(crate) fn greenlet(&self) -> *const () {
        self.greenlet.get()
    }

    /// The carrier, or null.
    pub(crate) fn carrier(&self) -> *const () {
        self.carrier.get()
    }

    /// Where errno is, in a home.
    pub(crate) fn errno(&self) -> *mut i32 {
        self.errno.get()
    }

    /// Called on a thread that is about to be a home.
    pub(super) fn prepare(&self) {
        self.errno.set(errno::address());
    }

    /// Names what runs here from now on.
    pub(crate) fn set(&self, greenlet: *const (), carrier: *const ()) {
        self.greenlet.set(greenlet);
        self.carrier.set(carrier);
    }

    /// The process was forked, by what runs here: neither a worker carries it, nor is it a greenlet, from now on.
    pub(crate) fn sever(&self) {
        if !self.greenlet.get().is_null() {
            self.severed.set(true);
        }
        self.set(ptr::null(), ptr::null());
    }

    /// Whether what runs here was a greenlet before the process was forked.
    pub(crate) fn is_severed(&self) -> bool {
        self.severed.get()
    }
}

/// The slot of the identity the caller runs under. The pointer stays right for as long as the caller keeps that
/// identity: a greenlet for life, a thread until it ends.
#[inline(never)]
pub(crate) fn slot() -> *const Slot {
    SLOT.with(ptr::from_ref)
}
