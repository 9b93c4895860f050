//! Locks inside the runtime, and what poisoning means there: nothing.
//!
//! No user code runs under these locks, so a panic while one is held is a bug of the runtime that its own guards turn
//! into an abort; the flag would only add a branch everywhere. Decided here, once.
#![forbid(unsafe_code)]

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks `mutex`, poisoned or not.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
