//! `WaitGroup`.
#![forbid(unsafe_code)]

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::park::{Ended, Reason, Wait, WaitQueue};

/// Waiting for several to be done, whoever they are: crossbeam's and may's `WaitGroup`, Go's `sync.WaitGroup`.
///
/// Each clone is one more member. When a member is dropped it is done; [`wait`](Self::wait) is done itself, and waits for all
/// others. What a member did before is seen after.
///
/// # Cancellation
///
/// A wait that is cancelled has changed nothing but that its own member is done. (sward has no cancellation yet.)
///
/// # Examples
///
/// ```
/// use sward::sync::WaitGroup;
///
/// let group = WaitGroup::new();
/// for _ in 0..4 {
///     let member = group.clone();
///     sward::go!({
///         sward::yield_now();
///         drop(member);
///     });
/// }
/// group.wait();
/// ```
pub struct WaitGroup {
    inner: Arc<Inner>,
}

/// How many members there are.
struct Inner(WaitQueue<usize>);

impl WaitGroup {
    /// A group of one.
    ///
    /// # Examples
    ///
    /// ```
    /// assert_eq!(sward::sync::WaitGroup::new().members(), 1);
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self {
            inner: Arc::new(Inner(WaitQueue::new(1))),
        }
    }

    /// How many members there are, this one included: a hint, for it may change at once.
    ///
    /// # Examples
    ///
    /// ```
    /// let group = sward::sync::WaitGroup::new();
    /// let member = group.clone();
    /// assert_eq!(group.members(), 2);
    /// ```
    #[must_use]
    pub fn members(&self) -> usize {
        *self.inner.0.lock()
    }

    /// Is done, and waits until all other members are.
    ///
    /// # Examples
    ///
    /// See [`WaitGroup`].
    pub fn wait(self) {
        let done = self.wait_until(None);
        debug_assert!(done.is_ok());
    }

    /// As [`wait`](Self::wait), but no longer than `limit`.
    ///
    /// # Errors
    ///
    /// If others are not done by then; the error is a member again.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let group = sward::sync::WaitGroup::new();
    /// let member = group.clone();
    /// let group = group.wait_timeout(Duration::from_millis(5)).unwrap_err();
    /// drop(member);
    /// assert!(group.wait_timeout(Duration::from_millis(5)).is_ok());
    /// ```
    pub fn wait_timeout(self, limit: Duration) -> Result<(), Self> {
        self.wait_until(Instant::now().checked_add(limit))
    }

    fn wait_until(self, deadline: Option<Instant>) -> Result<(), Self> {
        let inner = self.inner.clone();
        // The other members wake whoever waits when none is left.
        drop(self);
        let wait = Wait::begin(Reason::Group);
        let place = pin!(inner.0.place(()));
        {
            let mut line = inner.0.lock();
            if *line == 0 {
                return Ok(());
            }
            line.enlist(place.as_ref(), wait.token(0));
        }
        if let Ended::Fired(_) = wait.park_until(deadline) {
            return Ok(());
        }
        let mut line = inner.0.lock();
        if *line == 0 {
            // The last one left in the last moment, and wakes those in the line one by one: this one may be there still.
            return Ok(());
        }
        *line += 1;
        drop(line);
        Err(Self {
            inner: inner.clone(),
        })
    }
}

impl Clone for WaitGroup {
    fn clone(&self) -> Self {
        *self.inner.0.lock() += 1;
        Self {
            inner: self.inner.clone(),
        }
    }
}

impl Drop for WaitGroup {
    fn drop(&mut self) {
        let mut line = self.inner.0.lock();
        *line -= 1;
        if *line == 0 {
            line.fire_all();
        }
    }
}

impl Default for WaitGroup {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for WaitGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitGroup")
            .field("members", &self.members())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The last member has left, and those who wait are being woken, one by one: one whose time is up meanwhile is no member
    /// of anything.
    #[test]
    fn a_group_that_is_done_stays_so() {
        for limit in (1..).map(|power| Duration::from_millis(1 << power)) {
            let group = WaitGroup::new();
            let inner = group.inner.clone();
            std::mem::forget(group.clone());
            let waiter = std::thread::spawn(move || group.wait_timeout(limit));
            let waits = loop {
                let mut line = inner.0.lock();
                if !line.is_empty() {
                    *line = 0;
                    break true;
                }
                drop(line);
                if waiter.is_finished() {
                    break false;
                }
                std::thread::yield_now();
            };
            let result = waiter.join().unwrap();
            if waits {
                assert!(result.is_ok());
                assert_eq!(*inner.0.lock(), 0);
                return;
            }
        }
    }
}
