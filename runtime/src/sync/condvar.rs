//! `Condvar`.
#![forbid(unsafe_code)]

use std::fmt;
use std::pin::pin;
use std::sync::{LockResult, PoisonError};
use std::time::{Duration, Instant};

use super::mutex::MutexGuard;
use crate::park::{Ended, Reason, Wait, WaitQueue};

/// Waiting for something to become true that a [`Mutex`](super::Mutex) guards. The counterpart of [`std::sync::Condvar`].
///
/// Those who wait are woken in the order in which they began to. There are no spurious wake-ups, but code that relies on that
/// should check its condition all the same, as with `std`.
///
/// # Differences to std
///
/// It may be used with several mutexes, at the same time too.
///
/// # Cancellation
///
/// One that waits can be cancelled; it has the mutex again when it unwinds, and a notification is not lost with it: either it
/// was notified first, and its wait returns as usual, or the next one is notified. (sward has no cancellation yet.)
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use sward::sync::{Condvar, Mutex};
///
/// let shared = Arc::new((Mutex::new(false), Condvar::new()));
/// let other = shared.clone();
/// sward::go!({
///     let (ready, condition) = &*other;
///     *ready.lock().unwrap() = true;
///     condition.notify_one();
/// });
/// let (ready, condition) = &*shared;
/// let ready = condition.wait_while(ready.lock().unwrap(), |ready| !*ready).unwrap();
/// assert!(*ready);
/// ```
#[derive(Default)]
pub struct Condvar {
    line: WaitQueue,
}

/// Whether a wait with a limit ended because of it. The counterpart of [`std::sync::WaitTimeoutResult`].
///
/// # Examples
///
/// See [`Condvar::wait_timeout`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitTimeoutResult(bool);

impl WaitTimeoutResult {
    /// Whether the time was up before a notification came.
    ///
    /// # Examples
    ///
    /// See [`Condvar::wait_timeout`].
    #[must_use]
    pub fn timed_out(&self) -> bool {
        self.0
    }
}

impl Condvar {
    /// Nobody waits.
    ///
    /// # Examples
    ///
    /// ```
    /// static CHANGED: sward::sync::Condvar = sward::sync::Condvar::new();
    /// CHANGED.notify_all();
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        Self {
            line: WaitQueue::new(()),
        }
    }

    /// Gives the mutex back, waits to be notified, and takes the mutex again. No notification between the first two is lost.
    ///
    /// # Errors
    ///
    /// If the mutex is poisoned when it is taken again; the error has the guard.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use sward::sync::{Condvar, Mutex};
    ///
    /// let shared = Arc::new((Mutex::new(0), Condvar::new()));
    /// let other = shared.clone();
    /// sward::go!({
    ///     *other.0.lock().unwrap() += 1;
    ///     other.1.notify_one();
    /// });
    /// let mut count = shared.0.lock().unwrap();
    /// while *count == 0 {
    ///     count = shared.1.wait(count).unwrap();
    /// }
    /// assert_eq!(*count, 1);
    /// ```
    pub fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> LockResult<MutexGuard<'a, T>> {
        self.wait_until(guard, None).0
    }

    /// Waits for as long as `condition` is true; it is asked first before any wait.
    ///
    /// # Errors
    ///
    /// If the mutex is poisoned when it is taken again; the error has the guard.
    ///
    /// # Examples
    ///
    /// See [`Condvar`].
    pub fn wait_while<'a, T>(
        &self,
        mut guard: MutexGuard<'a, T>,
        mut condition: impl FnMut(&mut T) -> bool,
    ) -> LockResult<MutexGuard<'a, T>> {
        while condition(&mut guard) {
            guard = self.wait(guard)?;
        }
        Ok(guard)
    }

    /// As [`wait`](Self::wait), but waits to be notified no longer than `limit`. The mutex is waited for as long as it takes.
    ///
    /// # Errors
    ///
    /// If the mutex is poisoned when it is taken again; the error has the guard and the result.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use sward::sync::{Condvar, Mutex};
    ///
    /// let (mutex, condition) = (Mutex::new(()), Condvar::new());
    /// let guard = mutex.lock().unwrap();
    /// let (_guard, result) = condition.wait_timeout(guard, Duration::from_millis(5)).unwrap();
    /// assert!(result.timed_out());
    /// ```
    pub fn wait_timeout<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        limit: Duration,
    ) -> LockResult<(MutexGuard<'a, T>, WaitTimeoutResult)> {
        let (guard, result) = self.wait_until(guard, Instant::now().checked_add(limit));
        match guard {
            Ok(guard) => Ok((guard, result)),
            Err(error) => Err(PoisonError::new((error.into_inner(), result))),
        }
    }

    /// As [`wait_while`](Self::wait_while), but no longer than `limit` in all. The result says that the time was up only if the
    /// condition is still true.
    ///
    /// # Errors
    ///
    /// As for [`wait_timeout`](Self::wait_timeout).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use sward::sync::{Condvar, Mutex};
    ///
    /// let (mutex, condition) = (Mutex::new(1), Condvar::new());
    /// let limit = Duration::from_millis(5);
    /// let guard = mutex.lock().unwrap();
    /// let (guard, result) = condition.wait_timeout_while(guard, limit, |n| *n == 1).unwrap();
    /// assert!(result.timed_out());
    /// let (_guard, result) = condition.wait_timeout_while(guard, limit, |n| *n == 2).unwrap();
    /// assert!(!result.timed_out());
    /// ```
    pub fn wait_timeout_while<'a, T>(
        &self,
        mut guard: MutexGuard<'a, T>,
        limit: Duration,
        mut condition: impl FnMut(&mut T) -> bool,
    ) -> LockResult<(MutexGuard<'a, T>, WaitTimeoutResult)> {
        let deadline = Instant::now().checked_add(limit);
        loop {
            if !condition(&mut guard) {
                return Ok((guard, WaitTimeoutResult(false)));
            }
            if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                return Ok((guard, WaitTimeoutResult(true)));
            }
            guard = match self.wait_until(guard, deadline) {
                (Ok(guard), _) => guard,
                (Err(error), result) => {
                    return Err(PoisonError::new((error.into_inner(), result)));
                }
            };
        }
    }

    /// Wakes the one that has waited longest, if anybody waits.
    ///
    /// # Examples
    ///
    /// See [`Condvar`].
    pub fn notify_one(&self) {
        let claimed = self.line.lock().claim_first();
        if let Some(claimed) = claimed {
            claimed.wake();
        }
    }

    /// Wakes all that wait.
    ///
    /// # Examples
    ///
    /// See [`Condvar::new`].
    pub fn notify_all(&self) {
        self.line.fire_all();
    }

    fn wait_until<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        deadline: Option<Instant>,
    ) -> (LockResult<MutexGuard<'a, T>>, WaitTimeoutResult) {
        let mutex = MutexGuard::mutex(&guard);
        let wait = Wait::begin(Reason::Condition);
        let place = pin!(self.line.place(()));
        // Before the mutex is given back, so that who has it next finds the waiter.
        self.line.enlist(place.as_ref(), wait.token(0));
        drop(guard);
        let timed_out = wait.park_until(deadline) == Ended::TimedOut;
        place.leave();
        (mutex.lock(), WaitTimeoutResult(timed_out))
    }
}

impl fmt::Debug for Condvar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Condvar").finish_non_exhaustive()
    }
}
