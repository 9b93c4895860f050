//! The word of a mutex.
//!
//! | bit | meaning |
//! |-----|---------|
//! | 0   | `LOCKED` |
//! | 1   | `WAITERS`: somebody may be in the line, so the one who unlocks looks there |
//!
//! `LOCKED` is set by who takes the lock, and cleared by who has it. Everything else is changed under the line's lock: there
//! `WAITERS` is set by who is going to wait, while the mutex is locked, and taken back by who unlocks and leaves nobody behind.
//!
//! No wake-up is lost. Who is going to wait sets `WAITERS` in a word that has `LOCKED`, or else takes the lock, both under the
//! line's lock, and is in the line before that is released. So the one who has the lock finds the bit when it unlocks, goes to the
//! line's lock, and finds the waiter. Who was woken without being handed the lock tries to take it: if it cannot, somebody
//! has it, and the bit is there for all that are in the line.
#![forbid(unsafe_code)]

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use crate::base::sync::AtomicU32;

const LOCKED: u32 = 1;
const WAITERS: u32 = 2;

/// See the module.
#[derive(Debug)]
pub(super) struct LockWord(AtomicU32);

impl LockWord {
    /// Not locked.
    #[cfg(not(loom))]
    pub(super) const fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    /// Not locked. (loom's atomics are not made in constants.)
    #[cfg(loom)]
    pub(super) fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    /// Takes the lock if nobody has it and nobody waits: one operation.
    #[inline]
    pub(super) fn try_lock_fast(&self) -> bool {
        // Acquire: pairs with the release in `unlock_fast` and `unlock`.
        self.0.compare_exchange(0, LOCKED, Acquire, Relaxed).is_ok()
    }

    /// Takes the lock if nobody has it.
    pub(super) fn try_lock(&self) -> bool {
        let mut word = self.0.load(Relaxed);
        while word & LOCKED == 0 {
            // Acquire: as above.
            match self
                .0
                .compare_exchange_weak(word, word | LOCKED, Acquire, Relaxed)
            {
                Ok(_) => return true,
                Err(now) => word = now,
            }
        }
        false
    }

    /// Whether somebody has the lock and nobody waits for it: it may soon be free.
    pub(super) fn is_worth_spinning(&self) -> bool {
        self.0.load(Relaxed) == LOCKED
    }

    /// Unlocks if nobody waits: one operation. If not, `unlock` or `hand_over` has to.
    #[inline]
    #[must_use]
    pub(super) fn unlock_fast(&self) -> bool {
        // Release: pairs with the acquire of who takes the lock next.
        self.0.compare_exchange(LOCKED, 0, Release, Relaxed).is_ok()
    }

    /// Takes the lock, or says that there will be a waiter. True if the lock was taken. Under the line's lock.
    #[must_use]
    pub(super) fn lock_or_wait(&self) -> bool {
        let mut word = self.0.load(Relaxed);
        loop {
            let taken = word & LOCKED == 0;
            let new = word | if taken { LOCKED } else { WAITERS };
            // Acquire: as above.
            match self.0.compare_exchange_weak(word, new, Acquire, Relaxed) {
                Ok(_) => return taken,
                Err(now) => word = now,
            }
        }
    }

    /// Unlocks. Under the line's lock, by who has the lock; `waiters`: whether somebody is left in the line.
    pub(super) fn unlock(&self, waiters: bool) {
        // Release: as in `unlock_fast`. A store will do: while the lock is held, only those under the line's lock change the word.
        self.0.store(if waiters { WAITERS } else { 0 }, Release);
    }

    /// The lock goes from who has it to one that was taken out of the line. Under the line's lock; `waiters` as for `unlock`.
    pub(super) fn hand_over(&self, waiters: bool) {
        // Relaxed: the wait's end brings the new owner what the old one did.
        self.0
            .store(LOCKED | if waiters { WAITERS } else { 0 }, Relaxed);
    }

    /// Whether somebody has the lock. By who has the mutex alone.
    pub(super) fn is_locked(&self) -> bool {
        self.0.load(Relaxed) & LOCKED != 0
    }
}
