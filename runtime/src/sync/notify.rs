//! `Notify`.

use std::fmt;
use std::pin::{Pin, pin};
use std::time::{Duration, Instant};

use crate::park::{Arm, Ended, Outcome, Place, Reason, Wait, WaitQueue};

/// Wakes one that waits, or the next one to come: tokio's `Notify`.
///
/// [`notify_one`](Self::notify_one) is like [`unpark`](crate::Greenlet::unpark) for whoever waits: if nobody does, the notification is kept, one
/// at most. Those who wait are woken in the order in which they came.
///
/// # Cancellation
///
/// A wait that is cancelled has taken no notification: if it was the one to be woken, the next one is. (sward has no cancellation
/// yet.)
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use sward::sync::Notify;
///
/// let work = Arc::new(Notify::new());
/// let theirs = work.clone();
/// let worker = sward::spawn(move || theirs.wait());
/// work.notify_one();
/// worker.join().unwrap();
/// ```
#[derive(Default)]
pub struct Notify {
    /// Whether a notification is kept. If so, nobody is in the line.
    line: WaitQueue<bool>,
}

impl Notify {
    /// One without a notification.
    ///
    /// # Examples
    ///
    /// ```
    /// static CHANGED: sward::sync::Notify = sward::sync::Notify::new();
    /// CHANGED.notify_one();
    /// CHANGED.wait();
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        Self {
            line: WaitQueue::new(false),
        }
    }

    /// Wakes the one that has waited longest, or the next one to come if nobody waits.
    ///
    /// # Examples
    ///
    /// ```
    /// let notify = sward::sync::Notify::new();
    /// notify.notify_one();
    /// notify.notify_one();
    /// // They count as one.
    /// assert!(notify.try_wait());
    /// assert!(!notify.try_wait());
    /// ```
    pub fn notify_one(&self) {
        let mut line = self.line.lock();
        let claimed = line.claim_first();
        *line |= claimed.is_none();
        drop(line);
        if let Some(claimed) = claimed {
            claimed.wake();
        }
    }

    /// Wakes all that wait now. For those who come later nothing is kept.
    ///
    /// # Examples
    ///
    /// ```
    /// let notify = sward::sync::Notify::new();
    /// notify.notify_all();
    /// assert!(!notify.try_wait());
    /// ```
    pub fn notify_all(&self) {
        self.line.fire_all();
    }

    /// Waits for a notification, and takes it.
    ///
    /// # Examples
    ///
    /// See [`Notify`].
    pub fn wait(&self) {
        let notified = self.wait_until(None);
        debug_assert!(notified);
    }

    /// Takes the notification that is kept. Whether there was one.
    ///
    /// # Examples
    ///
    /// See [`notify_one`](Self::notify_one).
    #[must_use = "it says whether there was a notification"]
    pub fn try_wait(&self) -> bool {
        std::mem::take(&mut *self.line.lock())
    }

    /// As [`wait`](Self::wait), but no longer than `limit`. Whether there was a notification.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let notify = sward::sync::Notify::new();
    /// assert!(!notify.wait_timeout(Duration::from_millis(5)));
    /// notify.notify_one();
    /// assert!(notify.wait_timeout(Duration::from_millis(5)));
    /// ```
    #[must_use = "it says whether there was a notification"]
    pub fn wait_timeout(&self, limit: Duration) -> bool {
        self.wait_until(Instant::now().checked_add(limit))
    }

    fn wait_until(&self, deadline: Option<Instant>) -> bool {
        if self.try_wait() {
            return true;
        }
        let wait = Wait::begin(Reason::Notification);
        let place = pin!(self.line.place(()));
        {
            let mut line = self.line.lock();
            if std::mem::take(&mut *line) {
                return true;
            }
            line.enlist(place.as_ref(), wait.token(0));
        }
        wait.park_until(deadline) != Ended::TimedOut
    }

    /// Waits for it in `select!`.
    #[doc(hidden)]
    pub fn __select_wait(&self) -> NotifyArm<'_> {
        NotifyArm {
            notify: self,
            place: self.line.place(()),
        }
    }
}

impl fmt::Debug for Notify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notify").finish_non_exhaustive()
    }
}

/// A notification as one of several things to wait for.
#[doc(hidden)]
#[derive(Debug)]
pub struct NotifyArm<'a> {
    notify: &'a Notify,
    /// Pinned with the arm.
    place: Place<'a, bool, ()>,
}

impl<'a> NotifyArm<'a> {
    fn place<'p>(self: Pin<&'p Self>) -> Pin<&'p Place<'a, bool, ()>> {
        // SAFETY: the place is pinned with the arm: nothing moves it out, and it is dropped where it is.
        unsafe { self.map_unchecked(|arm| &arm.place) }
    }
}

impl Arm for NotifyArm<'_> {
    fn try_now(self: Pin<&mut Self>) -> bool {
        self.notify.try_wait()
    }

    fn enlist(self: Pin<&mut Self>, wait: &Wait, tag: u16) -> bool {
        let notify = self.notify;
        let mut line = notify.line.lock();
        // A notification that is kept stays, to be taken by `try_now`.
        if *line {
            return true;
        }
        line.enlist(self.as_ref().place(), wait.token(tag));
        false
    }

    fn leave(self: Pin<&mut Self>) {
        self.place.leave();
    }

    fn fired(self: Pin<&mut Self>) -> bool {
        // The notification was for this wait, and is used up.
        true
    }
}

impl Outcome for NotifyArm<'_> {
    type Value = ();

    fn take(self: Pin<&mut Self>) {}
}
