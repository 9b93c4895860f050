//! Floor 10: what `std::thread` offers to the running thread, for greenlets and threads alike.
#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

use crate::base::fork;
use crate::greenlet::{Greenlet, Myself, is_severed};

/// Parks the caller until [`Greenlet::unpark`]. The counterpart of [`std::thread::park`].
///
/// If an `unpark` came before, it returns at once and consumes that one. A greenlet's park has no spurious returns, but
/// code that relies on it should check its condition all the same, as with `std`. On a plain thread this **is**
/// [`std::thread::park`].
///
/// # Examples
///
/// ```
/// let handle = sward::spawn(|| {
///     sward::park();
///     "woken"
/// });
/// handle.greenlet().unpark();
/// assert_eq!(handle.join().unwrap(), "woken");
/// ```
pub fn park() {
    crate::park::park();
}

/// Parks the caller until [`Greenlet::unpark`], or until `limit` has passed. The counterpart of
/// [`std::thread::park_timeout`].
///
/// # Examples
///
/// ```
/// use std::time::{Duration, Instant};
///
/// let begun = Instant::now();
/// sward::spawn(|| sward::park_timeout(Duration::from_millis(5))).join().unwrap();
/// assert!(begun.elapsed() >= Duration::from_millis(5));
/// ```
pub fn park_timeout(limit: Duration) {
    match Instant::now().checked_add(limit) {
        Some(deadline) => crate::park::park_until(deadline),
        None => crate::park::park(),
    }
}

/// Lets others run first. The counterpart of [`std::thread::yield_now`].
///
/// A greenlet goes to the end of its worker's queue, from where it may be taken by another worker. If nobody else can run
/// there, it goes on at once.
///
/// # Examples
///
/// ```
/// sward::spawn(|| {
///     let child = sward::spawn_local(|| ());
///     while !child.is_finished() {
///         sward::yield_now();
///     }
/// })
/// .join()
/// .unwrap();
/// ```
pub fn yield_now() {
    crate::park::yield_now();
}

/// The greenlet that calls.
///
/// # Panics
///
/// On a plain thread: use [`try_current`] there.
///
/// # Examples
///
/// ```
/// let handle = sward::spawn(|| sward::current().id());
/// let id = handle.greenlet().id();
/// assert_eq!(handle.join().unwrap(), id);
/// ```
#[must_use]
#[track_caller]
pub fn current() -> Greenlet {
    match try_current() {
        Some(greenlet) => greenlet,
        None if is_severed() => fork::panic_left_behind(),
        None => panic!("sward::current was called on a plain thread; use sward::try_current there"),
    }
}

/// The greenlet that calls, or `None` on a plain thread.
///
/// # Examples
///
/// ```
/// assert!(sward::try_current().is_none());
/// assert!(sward::spawn(|| sward::try_current().is_some()).join().unwrap());
/// ```
#[must_use]
pub fn try_current() -> Option<Greenlet> {
    Myself::current().map(|greenlet| Greenlet::new(greenlet.reference()))
}
