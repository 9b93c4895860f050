//! The word of a mutex.
//!
//! | bit | meaning |
//! |-----|---------|
//! | 0   | `LOCKED` |
//! | 1   | `WAITERS`: somebody may be in the line, so the one who unlocks looks there |
//! | 2   | `WOKEN`: one that was in the line was woken, and has yet to look at the word |
//! | 3.. | how often the lock was given back since, while `WOKEN` is set |
//!
//! `LOCKED` is set by who takes the lock, and cleared by who has it. Everything else is changed under the line's lock while the mutex is
//! locked: there `WAITERS` is set by who is going to wait, and taken back by who unlocks and leaves nobody behind. But who was
//! woken takes `WOKEN` back as it takes the lock.
//!
//! While `WOKEN` is set, nobody else is woken: who unlocks leaves the line alone. So of those who want a lock that is much wanted few are awake
//! at a time, and most go on without the line. (As in Go's `sync.Mutex`.) It says how things are, and nothing depends on it: one that was woken may
//! never run, if its runtime ends, or not for long. So after the lock was given back `MOST` times the next one is woken all the same.
//!
//! No wake-up is lost. Who is going to wait sets `WAITERS` in a word that has `LOCKED`, or else takes the lock, both under the
//! line's lock, and is in the line before that is released. So the one who has the lock finds the bit when it unlocks. If it finds
//! `WOKEN` as well, that one will look at the word. If not, it goes to the line's lock, and finds the waiter.
//!
//! Who was woken without being handed the lock tries to take it. If it has it, it finds `WAITERS` without `WOKEN` when it unlocks. If not, it takes
//! `WOKEN` back under the line's lock, in a word that has `LOCKED`, or takes the lock there: so whoever has it then finds `WAITERS` alone.
//! It has to be under that lock, for the one that woke it writes the word after that, under it.
//!
//! Who is handed the lock may go on before `hand_over` is written. Its unlocking waits for the line's lock then, since the bit of
//! those who wait, itself among them, is there still.
#![forbid(unsafe_code)]

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use crate::base::sync::AtomicU32;

const LOCKED: u32 = 1;
const WAITERS: u32 = 2;
const WOKEN: u32 = 4;
/// One more time in the number above the bits.
const ONCE: u32 = 8;
/// With that number.
const WOKEN_AND_NUMBER: u32 = !(LOCKED | WAITERS);
/// So often others have the lock before the next one is woken. Arbitrary: a few microseconds.
const MOST: u32 = if cfg!(loom) { 1 } else { 200 };

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
        self.try_lock_without(0)
    }

    /// Takes the lock if it is free. By who was woken.
    pub(super) fn try_lock_woken(&self) -> bool {
        self.try_lock_without(WOKEN_AND_NUMBER)
    }

    fn try_lock_without(&self, taken_back: u32) -> bool {
        let mut word = self.0.load(Relaxed);
        while word & LOCKED == 0 {
            let new = (word | LOCKED) & !taken_back;
            // Acquire: as above.
            match self.0.compare_exchange_weak(word, new, Acquire, Relaxed) {
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
        let mut word = LOCKED;
        loop {
            let waited_for = word & WAITERS != 0;
            let once = match word & WOKEN != 0 {
                true if word < MOST * ONCE => ONCE,
                // Somebody may be in the line, and nobody is awake who was there, or has not looked for long.
                _ if waited_for => return false,
                _ => 0,
            };
            // Release: pairs with the acquire of who takes the lock next.
            let new = (word & !LOCKED) + once;
            match self.0.compare_exchange(word, new, Release, Relaxed) {
                Ok(_) => return true,
                Err(now) => word = now,
            }
        }
    }

    /// Takes the lock, or says that there will be a waiter. True if the lock was taken. Under the line's lock.
    #[must_use]
    pub(super) fn lock_or_wait(&self, woken: bool) -> bool {
        self.lock_or(WAITERS, woken)
    }

    /// Takes the lock, or says that who was woken has looked. Under the line's lock, by that one, which goes. Whether it was taken.
    #[must_use]
    pub(super) fn lock_or_go(&self) -> bool {
        self.lock_or(0, true)
    }

    fn lock_or(&self, otherwise: u32, woken: bool) -> bool {
        let taken_back = if woken { WOKEN_AND_NUMBER } else { 0 };
        let mut word = self.0.load(Relaxed);
        loop {
            let taken = word & LOCKED == 0;
            let new = (word & !taken_back) | if taken { LOCKED } else { otherwise };
            // Acquire: as above.
            match self.0.compare_exchange_weak(word, new, Acquire, Relaxed) {
                Ok(_) => return taken,
                Err(now) => word = now,
            }
        }
    }
    /// Unlocks. Under the line's lock, by who has the lock; `waiters`: whether somebody is left in the line.
    pub(super) fn unlock(&self, waiters: bool, woken: bool) {
        // Release: as in `unlock_fast`. A store will do: while the lock is held, only those under the line's lock change the word.
        let (waiters, woken) = (
            if waiters { WAITERS } else { 0 },
            if woken { WOKEN } else { 0 },
        );
        self.0.store(waiters | woken, Release);
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

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// One that was woken and never looks keeps the others from being woken for so long only.
    #[test]
    fn who_never_looks_is_not_waited_for() {
        let word = LockWord::new();
        assert!(word.try_lock_fast());
        assert!(!word.lock_or_wait(false), "two wait");
        for _ in 0..3 {
            word.unlock(true, true);
            for _ in 0..MOST {
                assert!(word.try_lock() && word.unlock_fast());
            }
            assert!(word.try_lock() && !word.unlock_fast());
        }
        // The last one is woken; nobody is in line any more, so there is nothing to hurry for.
        word.unlock(false, true);
        for _ in 0..3 * MOST {
            assert!(word.try_lock() && word.unlock_fast());
        }
        assert!(word.try_lock_woken() && word.unlock_fast());
        assert!(word.try_lock_fast(), "nothing but free");
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use super::*;
    use std::sync::atomic::Ordering::AcqRel;

    use loom::cell::Cell;
    use loom::sync::{Arc, Mutex};
    use loom::thread;
    use std::collections::VecDeque;

    /// What a waiter's wait is: under way, ended by a claim, or ended by its deadline. The first change counts.
    const WAITS: u32 = 0;
    const RETRY: u32 = 1;
    const HANDED: u32 = 2;
    const TIMED_OUT: u32 = 3;

    /// One in the line.
    struct Waiter {
        wait: AtomicU32,
        thread: thread::Thread,
    }

    impl Waiter {
        fn new() -> Arc<Self> {
            Arc::new(Self {
                wait: AtomicU32::new(WAITS),
                thread: thread::current(),
            })
        }

        /// Ends its wait, if nothing has. From here on it may go on: it was not asleep perhaps.
        fn claim(&self, with: u32) -> bool {
            let claim = self.wait.compare_exchange(WAITS, with, AcqRel, Acquire);
            claim.is_ok()
        }

        /// What has ended its wait.
        fn park(&self) -> u32 {
            loop {
                match self.wait.load(Acquire) {
                    WAITS => thread::park(),
                    ended => return ended,
                }
            }
        }
    }

    /// A mutex, step by step as in `raw_mutex.rs`.
    struct Model {
        word: LockWord,
        line: Mutex<VecDeque<Arc<Waiter>>>,
        /// Whether all have waited for so long that they are handed the lock.
        hands_over: bool,
        value: Cell<u32>,
    }

    impl Model {
        fn new(hands_over: bool) -> Arc<Self> {
            Arc::new(Self {
                word: LockWord::new(),
                line: Mutex::new(VecDeque::new()),
                hands_over,
                value: Cell::new(0),
            })
        }

        fn lock(&self) {
            if self.word.try_lock_fast() || self.word.try_lock() {
                return;
            }
            let mut first_time = true;
            loop {
                let Some(waiter) = self.enlist(first_time) else {
                    return;
                };
                if waiter.park() == HANDED {
                    return;
                }
                first_time = false;
                if self.word.try_lock_woken() {
                    return;
                }
            }
        }

        /// One whose time may be up at any moment: here, as soon as it waits. Whether it has the lock.
        fn lock_impatiently(&self) -> bool {
            if self.word.try_lock_fast() || self.word.try_lock() {
                return true;
            }
            let Some(waiter) = self.enlist(true) else {
                return true;
            };
            if waiter.claim(TIMED_OUT) {
                let mut line = self.line.lock().unwrap();
                line.retain(|other| !Arc::ptr_eq(other, &waiter));
                drop(line);
                return self.word.try_lock();
            }
            // It was woken, so it has to try.
            if waiter.park() == HANDED || self.word.try_lock_woken() {
                return true;
            }
            let _line = self.line.lock().unwrap();
            self.word.lock_or_go()
        }

        /// `None` if it has the lock.
        fn enlist(&self, first_time: bool) -> Option<Arc<Waiter>> {
            let waiter = Waiter::new();
            let mut line = self.line.lock().unwrap();
            if self.word.lock_or_wait(!first_time) {
                return None;
            }
            match first_time {
                true => line.push_back(waiter.clone()),
                false => line.push_front(waiter.clone()),
            }
            Some(waiter)
        }

        fn unlock(&self) {
            if self.word.unlock_fast() {
                return;
            }
            let mut line = self.line.lock().unwrap();
            let with = if self.hands_over { HANDED } else { RETRY };
            let mut claimed = None;
            while claimed.is_none()
                && let Some(first) = line.pop_front()
            {
                claimed = first.claim(with).then_some(first);
            }
            let waiters = !line.is_empty();
            match claimed.is_some() && self.hands_over {
                true => self.word.hand_over(waiters),
                false => self.word.unlock(waiters, claimed.is_some()),
            }
            drop(line);
            if let Some(claimed) = claimed {
                claimed.thread.unpark();
            }
        }

        /// By who has the lock.
        fn add(&self) {
            // loom checks that nobody else is here.
            self.value.set(self.value.get() + 1);
        }

        /// By who comes last: the lock is free, nobody is in the line, and it was had so many times.
        fn assert_had(&self, times: u32) {
            self.lock();
            assert_eq!(self.value.get(), times);
            self.unlock();
            assert!(self.line.lock().unwrap().is_empty());
        }
    }

    /// Not every order of three threads, but all with so few changes from one to another.
    fn model(body: impl Fn() + Sync + Send + 'static) {
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = Some(4);
        builder.check(body);
    }

    fn all_have_it(hands_over: bool) {
        model(move || {
            let model = Model::new(hands_over);
            let others: Vec<_> = (0..2)
                .map(|_| {
                    let model = model.clone();
                    thread::spawn(move || {
                        model.lock();
                        model.add();
                        model.unlock();
                    })
                })
                .collect();
            model.lock();
            model.add();
            model.unlock();
            others.into_iter().for_each(|other| other.join().unwrap());
            model.assert_had(3);
        });
    }

    fn one_leaves(hands_over: bool) {
        model(move || {
            let model = Model::new(hands_over);
            let theirs = model.clone();
            let patient = thread::spawn(move || {
                theirs.lock();
                theirs.add();
                theirs.unlock();
            });
            let theirs = model.clone();
            let impatient = thread::spawn(move || {
                let locked = theirs.lock_impatiently();
                if locked {
                    theirs.add();
                    theirs.unlock();
                }
                u32::from(locked)
            });
            model.lock();
            model.add();
            model.unlock();
            patient.join().unwrap();
            let more = impatient.join().unwrap();
            model.assert_had(2 + more);
        });
    }

    #[test]
    fn loom_lock_word_woken_they_all_have_it() {
        all_have_it(false);
    }

    #[test]
    fn loom_lock_word_handed_over_they_all_have_it() {
        all_have_it(true);
    }

    #[test]
    fn loom_lock_word_one_leaves_and_the_other_is_woken() {
        one_leaves(false);
    }

    #[test]
    fn loom_lock_word_one_leaves_and_the_other_is_handed_it() {
        one_leaves(true);
    }
}
