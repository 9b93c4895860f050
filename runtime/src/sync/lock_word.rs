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

/// The steps of `raw_mutex`, with a line of flags beside the threads that wait.
#[cfg(all(test, loom))]
mod loom_tests {
    use std::collections::VecDeque;

    use loom::cell::UnsafeCell;
    use loom::sync::atomic::AtomicUsize;
    use loom::sync::{Arc, Mutex};
    use loom::thread::{self, Thread};

    use super::*;

    const WAITS: usize = 0;
    const RETRY: usize = 1;
    const HANDED: usize = 2;
    const GONE: usize = 3;

    struct Waiter {
        ended: AtomicUsize,
        thread: Thread,
    }

    impl Waiter {
        fn new() -> Arc<Self> {
            Arc::new(Self {
                ended: AtomicUsize::new(WAITS),
                thread: thread::current(),
            })
        }
    }

    struct Raw {
        word: LockWord,
        line: Mutex<VecDeque<Arc<Waiter>>>,
        value: UnsafeCell<u32>,
        handing: bool,
    }

    impl Raw {
        fn new(handing: bool) -> Arc<Self> {
            Arc::new(Self {
                word: LockWord::new(),
                line: Mutex::new(VecDeque::new()),
                value: UnsafeCell::new(0),
                handing,
            })
        }

        fn lock(&self) {
            if self.word.try_lock_fast() {
                return;
            }
            loop {
                let me = Waiter::new();
                {
                    let mut line = self.line.lock().unwrap();
                    if self.word.lock_or_wait() {
                        return;
                    }
                    line.push_back(me.clone());
                }
                let ended = loop {
                    match me.ended.load(Acquire) {
                        WAITS => thread::park(),
                        ended => break ended,
                    }
                };
                if ended == HANDED || self.word.try_lock() {
                    return;
                }
            }
        }

        /// One whose time is up at once. Whether it has the lock.
        fn lock_impatiently(&self) -> bool {
            if self.word.try_lock_fast() {
                return true;
            }
            let me = Waiter::new();
            {
                let mut line = self.line.lock().unwrap();
                if self.word.lock_or_wait() {
                    return true;
                }
                line.push_back(me.clone());
            }
            match me.ended.compare_exchange(WAITS, GONE, Acquire, Acquire) {
                Ok(_) => {
                    self.line
                        .lock()
                        .unwrap()
                        .retain(|other| !Arc::ptr_eq(other, &me));
                    self.word.try_lock()
                }
                Err(HANDED) => true,
                Err(_) => {
                    // Without the line's lock the one that unlocks might not have done so, and the next would not be woken.
                    let _line = self.line.lock().unwrap();
                    self.word.try_lock()
                }
            }
        }

        fn unlock(&self) {
            if self.word.unlock_fast() {
                return;
            }
            let mut line = self.line.lock().unwrap();
            let tag = if self.handing { HANDED } else { RETRY };
            let mut claimed = None;
            while let Some(first) = line.pop_front() {
                // Only the tag's owner looks, and takes the word only after this.
                if first
                    .ended
                    .compare_exchange(WAITS, tag, Release, Relaxed)
                    .is_ok()
                {
                    claimed = Some(first);
                    break;
                }
            }
            match claimed.is_some() && self.handing {
                true => self.word.hand_over(!line.is_empty()),
                false => self.word.unlock(!line.is_empty()),
            }
            drop(line);
            if let Some(claimed) = claimed {
                claimed.thread.unpark();
            }
        }

        /// With the lock: loom reports two at a time as a race.
        fn change(&self) {
            self.value.with_mut(|_| ());
        }
    }

    fn model(handing: bool, impatient: bool) {
        loom::model(move || {
            let raw = Raw::new(handing);
            let threads: Vec<_> = (0..2)
                .map(|number| {
                    let raw = raw.clone();
                    thread::spawn(move || {
                        if impatient && number == 1 {
                            if !raw.lock_impatiently() {
                                return;
                            }
                        } else {
                            raw.lock();
                        }
                        raw.change();
                        raw.unlock();
                    })
                })
                .collect();
            raw.lock();
            raw.change();
            raw.unlock();
            threads
                .into_iter()
                .for_each(|thread| thread.join().unwrap());
            assert!(!raw.word.is_locked() && raw.line.lock().unwrap().is_empty());
            raw.lock();
        });
    }

    #[test]
    fn loom_everybody_has_the_mutex_in_turn() {
        model(false, false);
    }

    #[test]
    fn loom_a_mutex_is_handed_over() {
        model(true, false);
    }

    #[test]
    fn loom_one_leaves_the_line_of_a_mutex() {
        model(false, true);
        model(true, true);
    }
}
