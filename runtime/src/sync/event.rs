//! `Event`.

use std::fmt;
use std::pin::{Pin, pin};
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::time::{Duration, Instant};

use crate::park::{Arm, Ended, Outcome, Place, Reason, Wait, WaitQueue};

/// Something that has happened or not, and that any number may wait for: gevent's and Python's `Event`.
///
/// Once it is [set](Self::set), all that wait go on, and nobody waits any more, until it is [cleared](Self::clear). What was done
/// before `set` is seen by those who find it set.
///
/// # Cancellation
///
/// A wait that is cancelled has changed nothing. (sward has no cancellation yet.)
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use sward::sync::Event;
///
/// let ready = Arc::new(Event::new());
/// let waiters: Vec<_> = (0..3)
///     .map(|_| {
///         let ready = ready.clone();
///         sward::spawn(move || ready.wait())
///     })
///     .collect();
/// ready.set();
/// waiters.into_iter().for_each(|waiter| waiter.join().unwrap());
/// ```
#[derive(Default)]
pub struct Event {
    /// Changed under the line's lock only, so that who gets in line finds it as it is. Read without it.
    is_set: AtomicBool,
    line: WaitQueue,
}

impl Event {
    /// One that is not set.
    ///
    /// # Examples
    ///
    /// ```
    /// static STARTED: sward::sync::Event = sward::sync::Event::new();
    /// assert!(!STARTED.is_set());
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        Self {
            is_set: AtomicBool::new(false),
            line: WaitQueue::new(()),
        }
    }

    /// It has happened: all that wait go on.
    ///
    /// # Examples
    ///
    /// See [`Event`].
    pub fn set(&self) {
        let line = self.line.lock();
        // Release: pairs with the acquire in `is_set`.
        self.is_set.store(true, Release);
        line.fire_all();
    }

    /// It has not happened: those who come from now on wait.
    ///
    /// # Examples
    ///
    /// ```
    /// let event = sward::sync::Event::new();
    /// event.set();
    /// event.clear();
    /// assert!(!event.is_set());
    /// ```
    pub fn clear(&self) {
        let _line = self.line.lock();
        // Relaxed: nothing follows from its not being set.
        self.is_set.store(false, Relaxed);
    }

    /// Whether it is set.
    ///
    /// # Examples
    ///
    /// See [`clear`](Self::clear).
    #[must_use]
    #[inline]
    pub fn is_set(&self) -> bool {
        // Acquire: pairs with the release in `set`.
        self.is_set.load(Acquire)
    }

    /// Waits until it is set. Who waits when it is set goes on, also if it is cleared at once.
    ///
    /// # Examples
    ///
    /// See [`Event`].
    pub fn wait(&self) {
        let set = self.wait_until(None);
        debug_assert!(set);
    }

    /// As [`wait`](Self::wait), but no longer than `limit`. Whether it was set in time.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let event = sward::sync::Event::new();
    /// assert!(!event.wait_timeout(Duration::from_millis(5)));
    /// event.set();
    /// assert!(event.wait_timeout(Duration::ZERO));
    /// ```
    #[must_use = "it says whether the event was set"]
    pub fn wait_timeout(&self, limit: Duration) -> bool {
        self.is_set() || self.wait_until(Instant::now().checked_add(limit))
    }

    fn wait_until(&self, deadline: Option<Instant>) -> bool {
        if self.is_set() {
            return true;
        }
        let wait = Wait::begin(Reason::Event);
        let place = pin!(self.line.place(()));
        if self.enlist(place.as_ref(), &wait, 0) {
            return true;
        }
        match wait.park_until(deadline) {
            Ended::Fired(_) => true,
            Ended::TimedOut => self.is_set(),
        }
    }

    /// Gets in line, unless it is set. Whether it is.
    fn enlist<'a>(&'a self, place: Pin<&Place<'a, (), ()>>, wait: &Wait, tag: u16) -> bool {
        let mut line = self.line.lock();
        if self.is_set() {
            return true;
        }
        line.enlist(place, wait.token(tag));
        false
    }

    /// Waits for it in `select!`.
    #[doc(hidden)]
    pub fn __select_wait(&self) -> EventArm<'_> {
        EventArm {
            event: self,
            place: self.line.place(()),
        }
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("is_set", &self.is_set())
            .finish_non_exhaustive()
    }
}

/// An event as one of several things to wait for.
#[doc(hidden)]
#[derive(Debug)]
pub struct EventArm<'a> {
    event: &'a Event,
    /// Pinned with the arm.
    place: Place<'a, (), ()>,
}

impl<'a> EventArm<'a> {
    fn place<'p>(self: Pin<&'p Self>) -> Pin<&'p Place<'a, (), ()>> {
        // SAFETY: the place is pinned with the arm: nothing moves it out, and it is dropped where it is.
        unsafe { self.map_unchecked(|arm| &arm.place) }
    }
}

impl Arm for EventArm<'_> {
    fn try_now(self: Pin<&mut Self>) -> bool {
        self.event.is_set()
    }

    fn enlist(self: Pin<&mut Self>, wait: &Wait, tag: u16) -> bool {
        let event = self.event;
        event.enlist(self.as_ref().place(), wait, tag)
    }

    fn leave(self: Pin<&mut Self>) {
        self.place.leave();
    }

    fn fired(self: Pin<&mut Self>) -> bool {
        // It was set, and may have been cleared again.
        true
    }
}

impl Outcome for EventArm<'_> {
    type Value = ();

    fn take(self: Pin<&mut Self>) {}
}
