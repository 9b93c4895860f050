//! A receiver's channel that nothing but time sends to.
//!
//! Nobody is in any line: who waits does so until the next message is due, then tries again.
#![forbid(unsafe_code)]

use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use super::errors::{RecvTimeoutError, TryRecvError};
use crate::base::lock::lock;
use crate::park::{Reason, Wait};

/// See the module. Those with messages have an `Instant` for a `T`, which `make` says.
#[derive(Debug)]
pub(super) enum Timer<T> {
    /// There is never a message.
    Never,
    /// One message, at this time.
    Once {
        at: Instant,
        /// Relaxed, for it brings nothing but itself.
        taken: AtomicBool,
        make: fn(Instant) -> T,
    },
    /// A message each time that the period is over.
    Tick {
        period: Duration,
        next: Mutex<Option<Instant>>,
        make: fn(Instant) -> T,
    },
}

impl Timer<Instant> {
    pub(super) fn once(at: Instant) -> Self {
        Self::Once {
            at,
            taken: AtomicBool::new(false),
            make: |at| at,
        }
    }

    pub(super) fn tick(period: Duration) -> Self {
        Self::Tick {
            period,
            next: Mutex::new(Instant::now().checked_add(period)),
            make: |at| at,
        }
    }
}

impl<T> Timer<T> {
    pub(super) fn try_recv(&self) -> Result<T, TryRecvError> {
        let due = match self {
            Self::Never => None,
            Self::Once { at, taken, make } => {
                let due = !taken.load(Relaxed) && *at <= Instant::now();
                (due && !taken.swap(true, Relaxed)).then(|| make(*at))
            }
            Self::Tick { period, next, make } => {
                let mut next = lock(next);
                let now = Instant::now();
                let due = next.filter(|due| *due <= now);
                if let Some(due) = due {
                    *next = following(due, *period, now);
                }
                due.map(make)
            }
        };
        due.ok_or(TryRecvError::Empty)
    }

    pub(super) fn recv(&self, deadline: Option<Instant>) -> Result<T, RecvTimeoutError> {
        loop {
            if let Ok(value) = self.try_recv() {
                return Ok(value);
            }
            if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                return Err(RecvTimeoutError::Timeout);
            }
            let until = match (deadline, self.next()) {
                (Some(deadline), Some(next)) => Some(deadline.min(next)),
                (one, other) => one.or(other),
            };
            let _ = Wait::begin(Reason::Receive).park_until(until);
        }
    }

    /// When the next message is due, if there is to be one.
    pub(super) fn next(&self) -> Option<Instant> {
        match self {
            Self::Never => None,
            Self::Once { at, taken, .. } => (!taken.load(Relaxed)).then_some(*at),
            Self::Tick { next, .. } => *lock(next),
        }
    }

    /// Whether a message is due.
    pub(super) fn is_due(&self) -> bool {
        self.next().is_some_and(|at| at <= Instant::now())
    }

    pub(super) fn capacity(&self) -> usize {
        usize::from(!matches!(self, Self::Never))
    }
}

/// When the tick after `due` is, one of those that are a number of periods later, but after `now`: those that nobody has taken in
/// time are dropped, as Go's ticker does it. `None` if that is too far away to be told.
fn following(due: Instant, period: Duration, now: Instant) -> Option<Instant> {
    if period.is_zero() {
        return Some(now);
    }
    let late = (now - due).as_nanos();
    // What is left of the period at `now`. Not longer than the period, hence told in its own units.
    let into = late % period.as_nanos();
    let into = Duration::new(
        u64::try_from(into / 1_000_000_000).ok()?,
        u32::try_from(into % 1_000_000_000).ok()?,
    );
    now.checked_add(period - into)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_that_are_missed_are_dropped() {
        let (start, ms) = (Instant::now(), Duration::from_millis);
        let next = |late| following(start, ms(10), start + late).map(|next| next - start);
        assert_eq!(next(ms(0)), Some(ms(10)));
        assert_eq!(next(ms(9)), Some(ms(10)));
        assert_eq!(next(ms(10)), Some(ms(20)));
        assert_eq!(next(ms(35)), Some(ms(40)));
        assert_eq!(
            following(start, Duration::ZERO, start + ms(3)),
            Some(start + ms(3))
        );
        assert_eq!(following(start, Duration::MAX, start), None);
    }
}
