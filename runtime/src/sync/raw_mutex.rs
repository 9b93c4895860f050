//! A mutex without data or poison: the word and the line.
//!
//! Taking the lock when it is free is one atomic operation, and so is giving it back when nobody waits. Who finds it taken
//! looks a few times more, then waits in the line, first come, first served. The one who unlocks wakes the first in the line,
//! and the lock is free meanwhile for whoever comes: so a lock that is much wanted does not go at the speed of wake-ups. One that
//! has waited for longer than `PATIENCE` is handed the lock instead, so nobody starves. (Eventual fairness: WTF::Lock of WebKit
//! and parking_lot.)
#![forbid(unsafe_code)]

use std::pin::pin;
use std::ptr;
use std::time::{Duration, Instant};

use super::lock_word::LockWord;
use crate::park::graph::{self, How, Lock};
use crate::park::{Ended, Reason, Turn, Wait, WaitQueue};

/// One that has waited for longer is handed the lock. Much longer than a wake-up takes; parking_lot's is the same.
const PATIENCE: Duration = Duration::from_micros(500);
/// How often who finds the lock taken looks again before it waits. About what a wait and a wake-up cost.
const LOOKS: u32 = 16;

/// How a wait in the line ends: the lock is free, or was a moment ago.
const RETRY: u16 = 0;
/// How a wait in the line ends: the lock is the waiter's.
const HANDED: u16 = 1;

/// See the module.
#[derive(Debug)]
pub(crate) struct RawMutex {
    word: LockWord,
    /// With each waiter, since when it waits.
    line: WaitQueue<(), Instant>,
}

impl RawMutex {
    pub(crate) const fn new() -> Self {
        Self {
            word: LockWord::new(),
            line: WaitQueue::new(()),
        }
    }

    /// Takes the lock if it is free.
    #[inline]
    #[must_use]
    pub(crate) fn try_lock(&self) -> bool {
        self.word.try_lock_fast() || self.word.try_lock()
    }

    /// Takes the lock. `as_what` is for the report of a deadlock.
    #[inline]
    pub(crate) fn lock(&self, as_what: impl FnOnce() -> Lock) {
        if !self.word.try_lock_fast() {
            let locked = self.lock_slowly(None, as_what());
            debug_assert!(locked);
        }
    }

    /// Takes the lock, unless it is not to be had before `deadline`.
    #[inline]
    #[must_use]
    pub(crate) fn lock_until(
        &self,
        deadline: Option<Instant>,
        as_what: impl FnOnce() -> Lock,
    ) -> bool {
        self.word.try_lock_fast() || self.lock_slowly(deadline, as_what())
    }

    #[cold]
    fn lock_slowly(&self, deadline: Option<Instant>, as_what: Lock) -> bool {
        self.look();
        if self.word.try_lock() {
            return true;
        }
        let since = Instant::now();
        let mut first_time = true;
        loop {
            let wait = Wait::begin(Reason::Mutex);
            let place = pin!(self.line.place(since));
            let mut waiting = None;
            {
                let mut line = self.line.lock();
                if self.word.lock_or_wait(!first_time) {
                    return true;
                }
                match first_time {
                    true => line.enlist(place.as_ref(), wait.token(RETRY)),
                    // It has been the first already.
                    false => line.enlist_first(place.as_ref(), wait.token(RETRY)),
                }
                if deadline.is_none() && graph::is_kept() {
                    waiting = Some(graph::wants(as_what, &wait));
                }
            }
            if let Some(waiting) = &mut waiting {
                waiting.tell();
            }
            match wait.park_until(deadline) {
                // That may not be noted in the word yet. But until it is, the word says that somebody may wait, so whoever unlocks
                // goes to the line's lock, and finds it noted.
                Ended::Fired(HANDED) => return true,
                Ended::Fired(_) => first_time = false,
                Ended::TimedOut => {
                    place.leave();
                    return self.word.try_lock();
                }
            }
            // Who was woken has to try, also if its time is up: nobody else is woken before it has.
            self.look();
            if self.word.try_lock_woken() {
                return true;
            }
            if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                // The one that unlocks may have ended this wait and be about to write the word. It has the line's lock until it has:
                // only after that, if the lock is not to be had, somebody has it who will wake the next one.
                let _line = self.line.lock();
                return self.word.lock_or_go();
            }
        }
    }

    /// Lets some time pass, as long as somebody has the lock.
    fn look(&self) {
        for _ in 0..LOOKS {
            if !self.word.is_worth_spinning() {
                break;
            }
            std::hint::spin_loop();
        }
    }

    /// As `unlock`, and takes it out of the graph.
    #[inline]
    pub(crate) fn release(&self) {
        if graph::is_kept() {
            graph::gives(ptr::from_ref(self).addr(), Some(How::Mutex));
        }
        self.unlock();
    }

    /// Gives the lock back. By who has it.
    #[inline]
    fn unlock(&self) {
        if !self.word.unlock_fast() {
            self.unlock_slowly();
        }
    }

    #[cold]
    fn unlock_slowly(&self) {
        let mut line = self.line.lock();
        let now = if line.is_empty() {
            None
        } else {
            Some(Instant::now())
        };
        let mut handed = false;
        let turn = |(): &mut (), since: &Instant| {
            handed = now.is_some_and(|now| now.saturating_duration_since(*since) >= PATIENCE);
            Turn::As(if handed { HANDED } else { RETRY })
        };
        let claimed = line.claim(turn, |(), _| {});
        let waiters = !line.is_empty();
        match claimed.is_some() && handed {
            true => self.word.hand_over(waiters),
            false => self.word.unlock(waiters, claimed.is_some()),
        }
        drop(line);
        if let Some(claimed) = claimed {
            claimed.wake();
        }
    }
}

impl Drop for RawMutex {
    fn drop(&mut self) {
        // Somebody may have forgotten a guard, and the memory may become another mutex.
        if self.word.is_locked() && graph::is_kept() {
            graph::gives(ptr::from_ref(self).addr(), None);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::thread;

    use super::*;

    fn lock_of(mutex: &RawMutex) -> Lock {
        Lock {
            address: std::ptr::from_ref(mutex).addr(),
            guards: "nothing",
            how: How::Mutex,
            at: std::panic::Location::caller(),
        }
    }

    fn waiting(mutex: &RawMutex) -> usize {
        let mut count = 0;
        mutex.line.lock().any(|_| {
            count += 1;
            false
        });
        count
    }

    /// Those who wait have the lock in the order in which they came, and the last one leaves no trace.
    #[test]
    fn first_come_first_served() {
        let (mutex, order) = (RawMutex::new(), Mutex::new(Vec::new()));
        mutex.lock(|| lock_of(&mutex));
        thread::scope(|scope| {
            for number in 0..4 {
                let (mutex, order) = (&mutex, &order);
                scope.spawn(move || {
                    mutex.lock(|| lock_of(mutex));
                    order.lock().unwrap().push(number);
                    // The others have waited for long enough to be handed it, so nobody else comes between.
                    thread::sleep(2 * PATIENCE);
                    mutex.unlock();
                });
                while waiting(mutex) <= number {
                    thread::yield_now();
                }
            }
            thread::sleep(2 * PATIENCE);
            mutex.unlock();
        });
        assert_eq!(*order.lock().unwrap(), [0, 1, 2, 3]);
        assert!(mutex.word.try_lock_fast(), "nothing but free");
    }

    /// One that has stopped waiting is passed over, and nobody is left waiting for it.
    #[test]
    fn one_that_has_left_is_passed_over() {
        let mutex = RawMutex::new();
        mutex.lock(|| lock_of(&mutex));
        thread::scope(|scope| {
            let soon = Instant::now() + Duration::from_millis(5);
            let first = scope.spawn({
                let mutex = &mutex;
                move || mutex.lock_until(Some(soon), || lock_of(mutex))
            });
            while waiting(&mutex) == 0 && !first.is_finished() {
                thread::yield_now();
            }
            let second = scope.spawn(|| mutex.lock_until(None, || lock_of(&mutex)));
            assert!(!first.join().unwrap());
            while waiting(&mutex) == 0 {
                thread::yield_now();
            }
            mutex.unlock();
            assert!(second.join().unwrap());
        });
        mutex.unlock();
        assert!(mutex.word.try_lock_fast(), "nothing but free");
    }
}
