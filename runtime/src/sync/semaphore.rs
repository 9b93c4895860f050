//! `Semaphore` and its permits.
#![forbid(unsafe_code)]

use std::error;
use std::fmt;
use std::mem;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::greenlet::Claimed;
use crate::park::{Ended, Locked, Reason, Turn, Wait, WaitQueue};

/// A number of permits: who has one may go on. The counterpart of tokio's `Semaphore`.
///
/// Permits are given in the order in which they were asked for: one that wants many is not overtaken by others that want few. They come back when
/// they are dropped. They may be sent to other greenlets and threads.
///
/// # Cancellation
///
/// A wait that is cancelled has taken no permit; those that waited behind it for fewer go on if there are enough. (sward has no
/// cancellation yet.)
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use sward::sync::Semaphore;
///
/// // Two at a time.
/// let seats = Arc::new(Semaphore::new(2));
/// let guests: Vec<_> = (0..5)
///     .map(|_| {
///         let seats = seats.clone();
///         sward::spawn(move || {
///             let _seat = seats.acquire().unwrap();
///             sward::yield_now();
///         })
///     })
///     .collect();
/// guests.into_iter().for_each(|guest| guest.join().unwrap());
/// assert_eq!(seats.available_permits(), 2);
/// ```
pub struct Semaphore {
    /// With each waiter, how many it wants.
    line: WaitQueue<State, usize>,
}

#[derive(Debug)]
struct State {
    permits: usize,
    closed: bool,
}

/// How a wait ends: the permits are the waiter's.
const GRANTED: u16 = 0;
/// How a wait ends: the semaphore is closed.
const CLOSED: u16 = 1;

/// The semaphore is [closed](Semaphore::close).
///
/// # Examples
///
/// ```
/// let semaphore = sward::sync::Semaphore::new(1);
/// semaphore.close();
/// assert_eq!(semaphore.acquire().unwrap_err().to_string(), "the semaphore is closed");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AcquireError(());

/// Why there is no permit at once, or in time.
///
/// # Examples
///
/// ```
/// use sward::sync::{Semaphore, TryAcquireError};
///
/// let semaphore = Semaphore::new(0);
/// assert_eq!(semaphore.try_acquire().unwrap_err(), TryAcquireError::NoPermits);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TryAcquireError {
    /// The semaphore is closed.
    Closed,
    /// There are not enough, or others were first.
    NoPermits,
}

impl fmt::Display for AcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the semaphore is closed")
    }
}

impl fmt::Display for TryAcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "the semaphore is closed",
            Self::NoPermits => "no permits available",
        })
    }
}

impl error::Error for AcquireError {}
impl error::Error for TryAcquireError {}

impl From<AcquireError> for TryAcquireError {
    fn from(_: AcquireError) -> Self {
        Self::Closed
    }
}

impl Semaphore {
    /// The most permits that there may be.
    ///
    /// # Examples
    ///
    /// ```
    /// assert!(sward::sync::Semaphore::MAX_PERMITS > 1_000_000);
    /// ```
    pub const MAX_PERMITS: usize = usize::MAX >> 3;

    /// A semaphore with so many permits.
    ///
    /// # Panics
    ///
    /// If there are more than [`MAX_PERMITS`](Self::MAX_PERMITS).
    ///
    /// # Examples
    ///
    /// ```
    /// static SEATS: sward::sync::Semaphore = sward::sync::Semaphore::new(4);
    /// assert_eq!(SEATS.available_permits(), 4);
    /// ```
    #[must_use]
    pub const fn new(permits: usize) -> Self {
        assert!(permits <= Self::MAX_PERMITS, "too many permits");
        let closed = false;
        Self {
            line: WaitQueue::new(State { permits, closed }),
        }
    }

    /// Waits for a permit.
    ///
    /// # Errors
    ///
    /// If the semaphore is closed, or is meanwhile.
    ///
    /// # Examples
    ///
    /// See [`Semaphore`].
    pub fn acquire(&self) -> Result<Permit<'_>, AcquireError> {
        self.acquire_many(1)
    }

    /// Waits for so many permits at once. If there will never be so many, it waits until the semaphore is closed, and so does everybody
    /// who comes later.
    ///
    /// # Errors
    ///
    /// If the semaphore is closed, or is meanwhile.
    ///
    /// # Examples
    ///
    /// ```
    /// let semaphore = sward::sync::Semaphore::new(5);
    /// let permits = semaphore.acquire_many(3).unwrap();
    /// assert_eq!((permits.count(), semaphore.available_permits()), (3, 2));
    /// ```
    pub fn acquire_many(&self, count: usize) -> Result<Permit<'_>, AcquireError> {
        match self.take(count, None) {
            Ok(()) => Ok(Permit::new(self, count)),
            Err(_) => Err(AcquireError(())),
        }
    }

    /// Takes a permit if there is one, and nobody was first.
    ///
    /// # Errors
    ///
    /// If there is none, or the semaphore is closed.
    ///
    /// # Examples
    ///
    /// ```
    /// let semaphore = sward::sync::Semaphore::new(1);
    /// let permit = semaphore.try_acquire().unwrap();
    /// assert!(semaphore.try_acquire().is_err());
    /// ```
    pub fn try_acquire(&self) -> Result<Permit<'_>, TryAcquireError> {
        self.try_acquire_many(1)
    }

    /// Takes so many permits if there are enough, and nobody was first.
    ///
    /// # Errors
    ///
    /// If there are not, or the semaphore is closed.
    ///
    /// # Examples
    ///
    /// ```
    /// let semaphore = sward::sync::Semaphore::new(2);
    /// assert!(semaphore.try_acquire_many(3).is_err());
    /// assert!(semaphore.try_acquire_many(2).is_ok());
    /// ```
    pub fn try_acquire_many(&self, count: usize) -> Result<Permit<'_>, TryAcquireError> {
        self.try_take(count)?;
        Ok(Permit::new(self, count))
    }

    /// As [`acquire`](Self::acquire), but waits no longer than `limit`.
    ///
    /// # Errors
    ///
    /// If there was no permit in time, or the semaphore is closed.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use sward::sync::{Semaphore, TryAcquireError};
    ///
    /// let semaphore = Semaphore::new(0);
    /// let error = semaphore.acquire_timeout(Duration::from_millis(5)).unwrap_err();
    /// assert_eq!(error, TryAcquireError::NoPermits);
    /// ```
    pub fn acquire_timeout(&self, limit: Duration) -> Result<Permit<'_>, TryAcquireError> {
        self.acquire_many_timeout(1, limit)
    }

    /// As [`acquire_many`](Self::acquire_many), but waits no longer than `limit`.
    ///
    /// # Errors
    ///
    /// If there were not enough permits in time, or the semaphore is closed.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let semaphore = sward::sync::Semaphore::new(1);
    /// assert!(semaphore.acquire_many_timeout(2, Duration::from_millis(5)).is_err());
    /// ```
    pub fn acquire_many_timeout(
        &self,
        count: usize,
        limit: Duration,
    ) -> Result<Permit<'_>, TryAcquireError> {
        self.take(count, Some(limit))?;
        Ok(Permit::new(self, count))
    }

    /// As [`acquire`](Self::acquire); the permit does not borrow the semaphore.
    ///
    /// # Errors
    ///
    /// If the semaphore is closed, or is meanwhile.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// let semaphore = Arc::new(sward::sync::Semaphore::new(1));
    /// let permit = semaphore.clone().acquire_owned().unwrap();
    /// sward::spawn(move || drop(permit)).join().unwrap();
    /// assert_eq!(semaphore.available_permits(), 1);
    /// ```
    pub fn acquire_owned(self: Arc<Self>) -> Result<OwnedPermit, AcquireError> {
        self.acquire_many_owned(1)
    }

    /// As [`acquire_many`](Self::acquire_many); the permits do not borrow the semaphore.
    ///
    /// # Errors
    ///
    /// If the semaphore is closed, or is meanwhile.
    ///
    /// # Examples
    ///
    /// See [`acquire_owned`](Self::acquire_owned).
    pub fn acquire_many_owned(self: Arc<Self>, count: usize) -> Result<OwnedPermit, AcquireError> {
        match self.take(count, None) {
            Ok(()) => Ok(OwnedPermit::new(self, count)),
            Err(_) => Err(AcquireError(())),
        }
    }

    /// As [`try_acquire`](Self::try_acquire); the permit does not borrow the semaphore.
    ///
    /// # Errors
    ///
    /// If there is none, or the semaphore is closed.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// let semaphore = Arc::new(sward::sync::Semaphore::new(1));
    /// let permit = semaphore.clone().try_acquire_owned().unwrap();
    /// assert!(semaphore.try_acquire_owned().is_err());
    /// # drop(permit);
    /// ```
    pub fn try_acquire_owned(self: Arc<Self>) -> Result<OwnedPermit, TryAcquireError> {
        self.try_acquire_many_owned(1)
    }

    /// As [`try_acquire_many`](Self::try_acquire_many); the permits do not borrow the semaphore.
    ///
    /// # Errors
    ///
    /// If there are not enough, or the semaphore is closed.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// let semaphore = Arc::new(sward::sync::Semaphore::new(2));
    /// assert!(semaphore.clone().try_acquire_many_owned(3).is_err());
    /// assert!(semaphore.try_acquire_many_owned(2).is_ok());
    /// ```
    pub fn try_acquire_many_owned(
        self: Arc<Self>,
        count: usize,
    ) -> Result<OwnedPermit, TryAcquireError> {
        self.try_take(count)?;
        Ok(OwnedPermit::new(self, count))
    }

    /// As [`acquire_timeout`](Self::acquire_timeout); the permit does not borrow the semaphore.
    ///
    /// # Errors
    ///
    /// If there was none in time, or the semaphore is closed.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use std::time::Duration;
    ///
    /// let semaphore = Arc::new(sward::sync::Semaphore::new(0));
    /// assert!(semaphore.acquire_owned_timeout(Duration::from_millis(5)).is_err());
    /// ```
    pub fn acquire_owned_timeout(
        self: Arc<Self>,
        limit: Duration,
    ) -> Result<OwnedPermit, TryAcquireError> {
        self.acquire_many_owned_timeout(1, limit)
    }

    /// As [`acquire_many_timeout`](Self::acquire_many_timeout); the permits do not borrow the semaphore.
    ///
    /// # Errors
    ///
    /// If there were not enough permits in time, or the semaphore is closed.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use std::time::Duration;
    ///
    /// let semaphore = Arc::new(sward::sync::Semaphore::new(1));
    /// assert!(semaphore.acquire_many_owned_timeout(2, Duration::from_millis(5)).is_err());
    /// ```
    pub fn acquire_many_owned_timeout(
        self: Arc<Self>,
        count: usize,
        limit: Duration,
    ) -> Result<OwnedPermit, TryAcquireError> {
        self.take(count, Some(limit))?;
        Ok(OwnedPermit::new(self, count))
    }

    /// How many permits nobody has: a hint, for it may change at once.
    ///
    /// # Examples
    ///
    /// See [`Semaphore`].
    #[must_use]
    pub fn available_permits(&self) -> usize {
        self.line.lock().permits
    }

    /// Adds permits to those that there are.
    ///
    /// # Panics
    ///
    /// If there were more than [`MAX_PERMITS`](Self::MAX_PERMITS) then.
    ///
    /// # Examples
    ///
    /// ```
    /// let semaphore = sward::sync::Semaphore::new(0);
    /// semaphore.add_permits(2);
    /// assert!(semaphore.try_acquire_many(2).is_ok());
    /// ```
    #[track_caller]
    pub fn add_permits(&self, count: usize) {
        let mut line = self.line.lock();
        let fits = line.permits.checked_add(count);
        match fits.filter(|&permits| permits <= Self::MAX_PERMITS) {
            Some(permits) => line.permits = permits,
            None => {
                drop(line);
                panic!("a semaphore has {} permits at most", Self::MAX_PERMITS);
            }
        }
        grant(line);
    }

    /// Takes away up to so many of the permits that nobody has. How many were there.
    ///
    /// # Examples
    ///
    /// ```
    /// let semaphore = sward::sync::Semaphore::new(3);
    /// assert_eq!(semaphore.forget_permits(5), 3);
    /// assert_eq!(semaphore.available_permits(), 0);
    /// ```
    pub fn forget_permits(&self, count: usize) -> usize {
        let mut line = self.line.lock();
        let gone = count.min(line.permits);
        line.permits -= gone;
        gone
    }

    /// From now on nobody gets a permit, and those who wait get an error. Permits that were given stay good.
    ///
    /// # Examples
    ///
    /// See [`AcquireError`].
    pub fn close(&self) {
        let mut line = self.line.lock();
        line.closed = true;
        while let Some(claimed) = line.claim(|_, _| Turn::As(CLOSED), |_, _| {}) {
            drop(line);
            claimed.wake();
            line = self.line.lock();
        }
    }

    /// Whether it is closed.
    ///
    /// # Examples
    ///
    /// ```
    /// let semaphore = sward::sync::Semaphore::new(1);
    /// semaphore.close();
    /// assert!(semaphore.is_closed());
    /// ```
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.line.lock().closed
    }

    /// Permits that were given come back. More than `MAX_PERMITS` may be free then, if others were added meanwhile; that is nothing to
    /// fail for.
    fn take_back(&self, count: usize) {
        let mut line = self.line.lock();
        line.permits = line.permits.saturating_add(count);
        grant(line);
    }

    fn try_take(&self, count: usize) -> Result<(), TryAcquireError> {
        let mut line = self.line.lock();
        if line.closed {
            return Err(TryAcquireError::Closed);
        }
        if line.permits < count || !line.is_empty() {
            return Err(TryAcquireError::NoPermits);
        }
        line.permits -= count;
        Ok(())
    }

    fn take(&self, count: usize, limit: Option<Duration>) -> Result<(), TryAcquireError> {
        match self.try_take(count) {
            Err(TryAcquireError::NoPermits) => {}
            outcome => return outcome,
        }
        // A time too far to be told is none.
        let deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
        let wait = Wait::begin(Reason::Permits);
        let place = pin!(self.line.place(count));
        {
            let mut line = self.line.lock();
            if line.closed {
                return Err(TryAcquireError::Closed);
            }
            if line.permits >= count && line.is_empty() {
                line.permits -= count;
                return Ok(());
            }
            line.enlist(place.as_ref(), wait.token(GRANTED));
        }
        match wait.park_until(deadline) {
            Ended::Fired(GRANTED) => Ok(()),
            Ended::Fired(_) => Err(TryAcquireError::Closed),
            Ended::TimedOut => {
                place.leave();
                // Those behind it may want less.
                grant(self.line.lock());
                Err(TryAcquireError::NoPermits)
            }
        }
    }
}

/// Gives permits to those who are first in the line, for as long as there are enough.
fn grant(mut line: Locked<'_, State, usize>) {
    loop {
        let turn = |state: &mut State, wanted: &usize| match *wanted <= state.permits {
            true => Turn::Now,
            false => Turn::Stop,
        };
        let give = |state: &mut State, wanted: &mut usize| state.permits -= *wanted;
        let mut granted: [Option<Claimed>; 8] = [const { None }; 8];
        let mut more = true;
        for place in &mut granted {
            *place = line.claim(turn, give);
            more = place.is_some();
            if !more {
                break;
            }
        }
        let queue = line.unlock();
        granted.into_iter().flatten().for_each(Claimed::wake);
        if !more {
            return;
        }
        line = queue.lock();
    }
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = self.line.lock();
        let (permits, closed) = (line.permits, line.closed);
        drop(line);
        f.debug_struct("Semaphore")
            .field("available_permits", &permits)
            .field("is_closed", &closed)
            .finish()
    }
}

/// Permits of a semaphore, which go back when this is dropped.
///
/// # Examples
///
/// ```
/// let semaphore = sward::sync::Semaphore::new(3);
/// let mut permits = semaphore.acquire_many(3).unwrap();
/// let one = permits.split(1).unwrap();
/// drop(permits);
/// assert_eq!((one.count(), semaphore.available_permits()), (1, 2));
/// one.forget();
/// assert_eq!(semaphore.available_permits(), 2);
/// ```
#[must_use = "if unused the permits go back at once"]
#[clippy::has_significant_drop]
pub struct Permit<'a> {
    semaphore: &'a Semaphore,
    count: usize,
}

/// Permits of a semaphore, which go back when this is dropped, and which keep the semaphore alive: see
/// [`Semaphore::acquire_owned`].
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
///
/// let semaphore = Arc::new(sward::sync::Semaphore::new(2));
/// let mut one = semaphore.clone().try_acquire_owned().unwrap();
/// one.merge(semaphore.clone().try_acquire_owned().unwrap());
/// assert_eq!((one.count(), semaphore.available_permits()), (2, 0));
/// ```
#[must_use = "if unused the permits go back at once"]
#[clippy::has_significant_drop]
pub struct OwnedPermit {
    semaphore: Arc<Semaphore>,
    count: usize,
}

macro_rules! permits {
    ($permit:ident $(<$lifetime:lifetime>)?, $semaphore:ty, $name:literal) => {
        impl $(<$lifetime>)? $permit $(<$lifetime>)? {
            fn new(semaphore: $semaphore, count: usize) -> Self {
                Self { semaphore, count }
            }

            /// How many they are.
            ///
            /// # Examples
            ///
            #[doc = concat!("See [`", $name, "`].")]
            #[must_use]
            pub fn count(&self) -> usize {
                self.count
            }

            /// They are gone: the semaphore has fewer from now on.
            ///
            /// # Examples
            ///
            /// See [`Permit`].
            pub fn forget(mut self) {
                self.count = 0;
            }

            /// Takes so many out, if there are that many.
            ///
            /// # Examples
            ///
            /// See [`Permit`].
            pub fn split(&mut self, count: usize) -> Option<Self> {
                self.count = self.count.checked_sub(count)?;
                Some(Self::new(self.semaphore.clone(), count))
            }

            /// Adds those of another.
            ///
            /// # Panics
            ///
            /// If they are another semaphore's.
            ///
            /// # Examples
            ///
            /// See [`OwnedPermit`].
            #[track_caller]
            pub fn merge(&mut self, mut other: Self) {
                let (this, that): (&Semaphore, &Semaphore) = (&self.semaphore, &other.semaphore);
                assert!(std::ptr::eq(this, that), "permits of another semaphore");
                self.count += mem::take(&mut other.count);
            }
        }

        impl $(<$lifetime>)? Drop for $permit $(<$lifetime>)? {
            fn drop(&mut self) {
                if self.count != 0 {
                    self.semaphore.take_back(self.count);
                }
            }
        }

        impl $(<$lifetime>)? fmt::Debug for $permit $(<$lifetime>)? {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct($name)
                    .field("count", &self.count)
                    .finish_non_exhaustive()
            }
        }
    };
}

permits!(Permit<'a>, &'a Semaphore, "Permit");
permits!(OwnedPermit, Arc<Semaphore>, "OwnedPermit");
