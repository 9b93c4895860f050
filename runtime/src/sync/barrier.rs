//! `Barrier`.
#![forbid(unsafe_code)]

use std::fmt;
use std::pin::pin;
use std::time::{Duration, Instant};

use crate::park::{Ended, Reason, Wait, WaitQueue};

/// A place where several wait for each other. The counterpart of [`std::sync::Barrier`].
///
/// When as many have come as it is for, all go on, and it is ready for the next round.
///
/// # Differences to std
///
/// [`wait_timeout`](Self::wait_timeout).
///
/// # Cancellation
///
/// One whose wait is cancelled is not counted: the others wait for another one to come. (sward has no cancellation yet.)
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use sward::sync::Barrier;
///
/// let barrier = Arc::new(Barrier::new(3));
/// let all: Vec<_> = (0..3)
///     .map(|_| {
///         let barrier = barrier.clone();
///         sward::spawn(move || barrier.wait().is_leader())
///     })
///     .collect();
/// let leaders = all.into_iter().map(|one| one.join().unwrap());
/// assert_eq!(leaders.filter(|&leader| leader).count(), 1);
/// ```
pub struct Barrier {
    /// How many all are.
    all: usize,
    line: WaitQueue<Round>,
}

#[derive(Debug)]
struct Round {
    number: u64,
    /// How many have come; fewer than all.
    arrived: usize,
}

/// Whether one is the leader of a round: the one that came last. The counterpart of [`std::sync::BarrierWaitResult`].
///
/// # Examples
///
/// ```
/// assert!(sward::sync::Barrier::new(1).wait().is_leader());
/// ```
#[derive(Debug)]
pub struct BarrierWaitResult(bool);

impl BarrierWaitResult {
    /// Whether it is; each round has one.
    ///
    /// # Examples
    ///
    /// See [`BarrierWaitResult`].
    #[must_use]
    pub fn is_leader(&self) -> bool {
        self.0
    }
}

impl Barrier {
    /// One for so many; with none or one, nobody waits.
    ///
    /// # Examples
    ///
    /// ```
    /// static START: sward::sync::Barrier = sward::sync::Barrier::new(1);
    /// START.wait();
    /// ```
    #[must_use]
    pub const fn new(all: usize) -> Self {
        Self {
            all,
            line: WaitQueue::new(Round {
                number: 0,
                arrived: 0,
            }),
        }
    }

    /// Waits for the others.
    ///
    /// # Examples
    ///
    /// See [`Barrier`].
    pub fn wait(&self) -> BarrierWaitResult {
        match self.wait_until(None) {
            Some(result) => result,
            None => unreachable!("a wait without a limit is over"),
        }
    }

    /// As [`wait`](Self::wait), but no longer than `limit`. `None` if the others did not come in time; then the caller is not counted any
    /// more.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let barrier = sward::sync::Barrier::new(2);
    /// assert!(barrier.wait_timeout(Duration::from_millis(5)).is_none());
    /// ```
    #[must_use = "it says whether the others have come"]
    pub fn wait_timeout(&self, limit: Duration) -> Option<BarrierWaitResult> {
        self.wait_until(Instant::now().checked_add(limit))
    }

    fn wait_until(&self, deadline: Option<Instant>) -> Option<BarrierWaitResult> {
        let wait = Wait::begin(Reason::Barrier);
        let place = pin!(self.line.place(()));
        let number = {
            let mut line = self.line.lock();
            if line.arrived + 1 >= self.all {
                // All that are counted are in the line. They are taken out one by one, and one whose wait is over may come before its
                // turn: it sees by the number that it was counted.
                *line = Round {
                    number: line.number.wrapping_add(1),
                    arrived: 0,
                };
                line.fire_all();
                return Some(BarrierWaitResult(true));
            }
            line.arrived += 1;
            line.enlist(place.as_ref(), wait.token(0));
            line.number
        };
        if let Ended::Fired(_) = wait.park_until(deadline) {
            return Some(BarrierWaitResult(false));
        }
        let mut line = self.line.lock();
        if line.number != number {
            // The round ended in the last moment, and the caller was counted.
            return Some(BarrierWaitResult(false));
        }
        // The round goes on without the caller.
        line.arrived -= 1;
        None
    }
}

impl fmt::Debug for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Barrier")
            .field("all", &self.all)
            .finish_non_exhaustive()
    }
}
