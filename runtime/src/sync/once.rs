//! `Once`.
#![forbid(unsafe_code)]

use std::fmt;
use std::pin::pin;
use std::sync::atomic::AtomicU8;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::time::Instant;

use crate::park::{Ended, Reason, Wait, WaitQueue};

/// Something that is done once, by whoever comes first, while others wait. The counterpart of [`std::sync::Once`].
///
/// What is done may wait itself: for a lock, a socket, another greenlet.
///
/// # Differences to std
///
/// None but that it parks greenlets. As there, one that comes to it from inside its own closure waits for ever.
///
/// # Cancellation
///
/// One that waits for another's closure can be cancelled, and has changed nothing. If it is cancelled in the closure, the `Once` is
/// as if nobody had begun. (sward has no cancellation yet.)
///
/// # Examples
///
/// ```
/// use sward::sync::Once;
///
/// static START: Once = Once::new();
/// START.call_once(|| println!("once"));
/// START.call_once(|| unreachable!("it was done"));
/// assert!(START.is_completed());
/// ```
#[derive(Default)]
pub struct Once {
    /// Changed under the line's lock only, so that who gets in line finds it as it is. Read without it.
    state: AtomicU8,
    line: WaitQueue,
}

/// Nobody has begun.
const INCOMPLETE: u8 = 0;
/// A closure has panicked.
const POISONED: u8 = 1;
/// A closure runs.
const RUNNING: u8 = 2;
/// It was done.
const COMPLETE: u8 = 3;

/// What the closure of [`Once::call_once_force`] is told. The counterpart of [`std::sync::OnceState`].
///
/// # Examples
///
/// See [`Once::call_once_force`].
#[derive(Debug)]
pub struct OnceState {
    poisoned: bool,
}

impl OnceState {
    /// Whether a closure has panicked before.
    ///
    /// # Examples
    ///
    /// See [`Once::call_once_force`].
    #[must_use]
    pub fn is_poisoned(&self) -> bool {
        self.poisoned
    }
}

impl Once {
    /// One for which nothing was done.
    ///
    /// # Examples
    ///
    /// See [`Once`].
    #[must_use]
    pub const fn new() -> Self {
        Self {
            state: AtomicU8::new(INCOMPLETE),
            line: WaitQueue::new(()),
        }
    }

    /// Calls the closure if none was called, and waits if one is being called. After it, one was.
    ///
    /// # Panics
    ///
    /// If the closure does: then the `Once` is poisoned. And if it is.
    ///
    /// # Examples
    ///
    /// See [`Once`].
    #[inline]
    #[track_caller]
    pub fn call_once(&self, f: impl FnOnce()) {
        if !self.is_completed() {
            self.call(false, |_| f());
        }
    }

    /// As [`call_once`](Self::call_once), also if the `Once` is poisoned.
    ///
    /// # Panics
    ///
    /// If the closure does: then the `Once` is poisoned.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use sward::sync::Once;
    ///
    /// let once = Arc::new(Once::new());
    /// let theirs = once.clone();
    /// sward::spawn(move || theirs.call_once(|| panic!("out of cheese"))).join().unwrap_err();
    /// once.call_once_force(|state| assert!(state.is_poisoned()));
    /// assert!(once.is_completed());
    /// ```
    #[inline]
    pub fn call_once_force(&self, f: impl FnOnce(&OnceState)) {
        if !self.is_completed() {
            self.call(true, f);
        }
    }

    /// Whether a closure was called and has returned.
    ///
    /// # Examples
    ///
    /// See [`Once`].
    #[must_use]
    #[inline]
    pub fn is_completed(&self) -> bool {
        // Acquire: pairs with the release in `Running::drop`, so what was done is seen.
        self.state.load(Acquire) == COMPLETE
    }

    /// Waits until a closure was called, by whomever.
    ///
    /// # Panics
    ///
    /// If the `Once` is poisoned.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use sward::sync::Once;
    ///
    /// let once = Arc::new(Once::new());
    /// let theirs = once.clone();
    /// sward::go!(theirs.call_once(|| ()));
    /// once.wait();
    /// assert!(once.is_completed());
    /// ```
    #[track_caller]
    pub fn wait(&self) {
        let waits = |state| matches!(state, INCOMPLETE | RUNNING);
        while self.await_change(waits, Reason::Once, None) {}
        self.assert_not_poisoned();
    }

    /// As [`wait`](Self::wait), also if the `Once` is poisoned: until it is completed after all.
    ///
    /// # Examples
    ///
    /// See [`wait`](Self::wait).
    pub fn wait_force(&self) {
        self.completed_until(Reason::Once, None);
    }

    /// Waits until it is completed, or until `deadline`. Whether it is.
    pub(super) fn completed_until(&self, reason: Reason, deadline: Option<Instant>) -> bool {
        let waits = |state| state != COMPLETE;
        while self.await_change(waits, reason, deadline) {}
        self.is_completed()
    }

    #[track_caller]
    fn assert_not_poisoned(&self) {
        // Relaxed: nothing follows from it.
        if self.state.load(Relaxed) == POISONED {
            panic!("Once instance has previously been poisoned");
        }
    }

    /// Waits until the state changes, if `waits` says so of what it is. False if it need not, or the time is up.
    fn await_change(
        &self,
        waits: impl Fn(u8) -> bool,
        reason: Reason,
        deadline: Option<Instant>,
    ) -> bool {
        if self.is_completed() {
            return false;
        }
        let wait = Wait::begin(reason);
        let place = pin!(self.line.place(()));
        {
            let mut line = self.line.lock();
            // Relaxed: changed under the lock.
            if !waits(self.state.load(Relaxed)) {
                return false;
            }
            line.enlist(place.as_ref(), wait.token(0));
        }
        wait.park_until(deadline) != Ended::TimedOut
    }

    #[cold]
    #[track_caller]
    fn call(&self, force: bool, f: impl FnOnce(&OnceState)) {
        let poisoned = loop {
            {
                let _line = self.line.lock();
                // Relaxed, all: under the lock.
                match self.state.load(Relaxed) {
                    COMPLETE => return,
                    RUNNING => {}
                    POISONED if !force => {}
                    state => {
                        self.state.store(RUNNING, Relaxed);
                        break state == POISONED;
                    }
                }
            }
            if !force {
                self.assert_not_poisoned();
            }
            self.await_change(|state| state == RUNNING, Reason::Once, None);
        };
        let mut running = Running {
            once: self,
            becomes: POISONED,
        };
        f(&OnceState { poisoned });
        running.becomes = COMPLETE;
    }
}

/// A closure that runs, until this is dropped.
struct Running<'a> {
    once: &'a Once,
    becomes: u8,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let line = self.once.line.lock();
        // Release: pairs with the acquire in `is_completed`.
        self.once.state.store(self.becomes, Release);
        line.fire_all();
    }
}

impl fmt::Debug for Once {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Once").finish_non_exhaustive()
    }
}
