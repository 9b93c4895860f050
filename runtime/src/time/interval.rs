//! `Interval` and `MissedTicks`.
#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

use super::{sleep_until, sleep_until_or_ever};
use crate::park::spend_budget;

/// Something that is due again and again, a period apart. The counterpart of tokio's `Interval`, in which waiting parks.
///
/// It is due first one period after it was made, or at a time that is given ([`at`](Self::at)). Whoever comes late decides by
/// [`MissedTicks`] what becomes of what was missed. In [`select!`](crate::select!) there is
/// [`channel::tick`](crate::channel::tick).
///
/// # Cancellation
///
/// A wait that is cancelled has not counted: the next one waits for the same time. (sward has no cancellation yet.)
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use sward::time::Interval;
///
/// let period = Duration::from_millis(2);
/// let mut interval = Interval::new(period);
/// let first = interval.tick();
/// let second = interval.tick();
/// assert_eq!(second - first, period, "however late it was");
/// ```
#[derive(Debug)]
pub struct Interval {
    period: Duration,
    /// `None`, if it is too far to be told.
    next: Option<Instant>,
    missed: MissedTicks,
}

/// What becomes of the times at which an [`Interval`] was due and nobody waited for it. Tokio's `MissedTickBehavior`.
///
/// # Examples
///
/// See [`Interval::missed_ticks`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum MissedTicks {
    /// They come one after the other, at once, until all have been made up for. The times stay what they would have been.
    #[default]
    Burst,
    /// They are dropped, and the next one is due one period after the late one was noticed: so all later times are moved.
    Delay,
    /// They are dropped. The times stay what they would have been.
    Skip,
}

impl Interval {
    /// One that is due first after `period`.
    ///
    /// # Panics
    ///
    /// If `period` is zero.
    ///
    /// # Examples
    ///
    /// See [`Interval`].
    #[must_use]
    #[track_caller]
    pub fn new(period: Duration) -> Self {
        let next = Instant::now().checked_add(period);
        Self::starting(next, period)
    }

    /// One that is due first at `start`, which may have passed.
    ///
    /// # Panics
    ///
    /// If `period` is zero.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    /// use sward::time::Interval;
    ///
    /// let now = Instant::now();
    /// assert_eq!(Interval::at(now, Duration::from_secs(60)).tick(), now);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn at(start: Instant, period: Duration) -> Self {
        Self::starting(Some(start), period)
    }

    #[track_caller]
    fn starting(next: Option<Instant>, period: Duration) -> Self {
        assert!(!period.is_zero(), "an interval of zero is always due");
        Self {
            period,
            next,
            missed: MissedTicks::default(),
        }
    }

    /// Sets what becomes of what is missed; at first they come all at once.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    /// use sward::time::{Interval, MissedTicks};
    ///
    /// let period = Duration::from_millis(1);
    /// let start = Instant::now();
    /// let mut interval = Interval::at(start, period).missed_ticks(MissedTicks::Skip);
    /// sward::sleep(10 * period);
    /// assert_eq!(interval.tick(), start);
    /// assert!(interval.tick() >= start + 10 * period);
    /// ```
    #[must_use]
    pub fn missed_ticks(mut self, missed: MissedTicks) -> Self {
        self.missed = missed;
        self
    }

    /// Waits until it is due; if it is too far to be told, for ever. When it was due: how late the caller is, is what has passed since.
    ///
    /// # Examples
    ///
    /// See [`Interval`].
    pub fn tick(&mut self) -> Instant {
        let due = loop {
            match self.next {
                Some(due) => break due,
                None => sleep_until_or_ever(None),
            }
        };
        match due > Instant::now() {
            true => sleep_until(due),
            false => spend_budget(),
        }
        let now = Instant::now();
        self.next = match self.missed {
            MissedTicks::Burst => due.checked_add(self.period),
            MissedTicks::Delay => now.checked_add(self.period),
            MissedTicks::Skip => due.checked_add(self.skipped(now - due)),
        };
        due
    }

    /// From a time at which it was due, so long ago, to the next that has not passed.
    fn skipped(&self, late: Duration) -> Duration {
        let periods = late.as_nanos() / self.period.as_nanos() + 1;
        let nanoseconds = self.period.as_nanos().saturating_mul(periods);
        let seconds = u64::try_from(nanoseconds / 1_000_000_000).unwrap_or(u64::MAX);
        // Below a thousand million.
        Duration::new(seconds, (nanoseconds % 1_000_000_000) as u32)
    }

    /// It is due again one period from now.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    /// use sward::time::Interval;
    ///
    /// let period = Duration::from_millis(5);
    /// let mut interval = Interval::at(Instant::now(), period);
    /// let now = Instant::now();
    /// interval.reset();
    /// assert!(interval.tick() >= now + period);
    /// ```
    pub fn reset(&mut self) {
        self.next = Instant::now().checked_add(self.period);
    }

    /// It is due next at `when`, and then a period apart.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    /// use sward::time::Interval;
    ///
    /// let mut interval = Interval::new(Duration::from_secs(60));
    /// let now = Instant::now();
    /// interval.reset_at(now);
    /// assert_eq!(interval.tick(), now);
    /// ```
    pub fn reset_at(&mut self, when: Instant) {
        self.next = Some(when);
    }

    /// The time between two.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let period = Duration::from_secs(60);
    /// assert_eq!(sward::time::Interval::new(period).period(), period);
    /// ```
    #[must_use]
    pub fn period(&self) -> Duration {
        self.period
    }
}
