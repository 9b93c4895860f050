//! Time: sleeping, and what is due again and again. [`sleep`] and [`sleep_until`] are also at the top of the crate.
//!
//! For time as one of several things to wait for there are `timeout` and `deadline` in [`select!`](crate::select!), and
//! [`channel::after`](crate::channel::after) and its kin.
#![forbid(unsafe_code)]

// Floor 10.

mod interval;

use std::time::{Duration, Instant};

use crate::park::{Reason, Wait};

pub use interval::{Interval, MissedTicks};

/// Sleeps for at least `duration`. The counterpart of [`std::thread::sleep`].
///
/// In a greenlet only that greenlet sleeps, its worker goes on with others; on a plain thread the thread does. The sleep
/// ends at the first of the runtime's clock ticks (65.5 µs) after `duration`, never before, when a worker is free.
/// [`unpark`](crate::Greenlet::unpark) does not end it. A zero duration yields.
///
/// # Examples
///
/// ```
/// use std::time::{Duration, Instant};
///
/// let begun = Instant::now();
/// sward::spawn(|| sward::sleep(Duration::from_millis(5))).join().unwrap();
/// assert!(begun.elapsed() >= Duration::from_millis(5));
/// ```
pub fn sleep(duration: Duration) {
    if duration.is_zero() {
        return crate::park::yield_now();
    }
    sleep_until_or_ever(Instant::now().checked_add(duration));
}

/// Sleeps until `deadline` or a little later. Returns after a yield if it has passed. As [`sleep`] otherwise.
///
/// # Examples
///
/// ```
/// use std::time::{Duration, Instant};
///
/// let deadline = Instant::now() + Duration::from_millis(5);
/// sward::sleep_until(deadline);
/// assert!(Instant::now() >= deadline);
/// ```
pub fn sleep_until(deadline: Instant) {
    if deadline <= Instant::now() {
        return crate::park::yield_now();
    }
    sleep_until_or_ever(Some(deadline));
}

/// Without a deadline, for one too far to be told: for ever.
fn sleep_until_or_ever(deadline: Option<Instant>) {
    let _ = Wait::begin(Reason::Sleep).park_until(deadline);
}
