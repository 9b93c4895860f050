//! Poisoning, as std has it: a lock that was held exclusively when a panic began in its holder is poisoned.
#![forbid(unsafe_code)]

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{LockResult, PoisonError};
use std::thread::panicking;

/// Whether a lock is poisoned. Relaxed: what was done under the lock is ordered by the lock.
#[derive(Debug)]
pub(super) struct Poison(AtomicBool);

/// Whether a panic was under way when the lock was taken.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    panicking: bool,
}

impl Poison {
    pub(super) const fn new() -> Self {
        Self(AtomicBool::new(false))
    }

    /// The lock has been taken.
    #[inline]
    pub(super) fn held(&self) -> Held {
        Held {
            panicking: panicking(),
        }
    }

    /// The lock is about to be given back.
    #[inline]
    pub(super) fn done(&self, held: Held) {
        if !held.panicking && panicking() {
            self.0.store(true, Relaxed);
        }
    }

    #[inline]
    pub(super) fn get(&self) -> bool {
        self.0.load(Relaxed)
    }

    pub(super) fn clear(&self) {
        self.0.store(false, Relaxed);
    }

    /// `value`, as an error if the lock is poisoned.
    #[inline]
    pub(super) fn wrap<T>(&self, value: T) -> LockResult<T> {
        match self.get() {
            true => Err(PoisonError::new(value)),
            false => Ok(value),
        }
    }
}
