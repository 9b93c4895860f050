//! `Mutex` and its guards.

use std::any::type_name;
use std::cell::UnsafeCell;
use std::fmt;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};
use std::panic::Location;
use std::ptr::{self, NonNull};
use std::sync::{LockResult, TryLockError, TryLockResult};
use std::time::{Duration, Instant};

use super::poison::{Held, Poison};
use super::raw_mutex::RawMutex;
use crate::park::graph::{self, How, Lock};

/// A lock that one greenlet or thread has at a time. The counterpart of [`std::sync::Mutex`].
///
/// Who waits for it parks, if it is a greenlet, and blocks its thread, if it is a plain one; both may use the same lock.
/// Unlike a `std` mutex it may be held across anything that waits.
///
/// In builds with debug assertions, and where [deadlocks are reported](crate::RuntimeBuilder::report_deadlocks), those who wait for
/// each other's locks in a circle are told of on standard error as soon as they do.
///
/// Taking a free lock, and giving one back that nobody waits for, is one atomic operation. The one who unlocks wakes the one
/// that has waited longest, and until that comes the lock is free for anybody; one that has waited for half a millisecond is handed
/// the lock, so that nobody starves.
///
/// It is poisoned as `std`'s: by a panic of its holder. A lock that a greenlet holds when it is given up at the end of its runtime
/// stays locked.
///
/// # Differences to std
///
/// [`lock_timeout`](Self::lock_timeout), and mapped guards, which `std` has on nightly only. To lock it twice in one
/// greenlet waits for ever (`std` leaves it open), or until the timeout.
///
/// # Cancellation
///
/// One that waits for the lock can be cancelled: it has not taken the lock then. Unwinding by a cancellation does not poison.
/// (sward has no cancellation yet.)
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use sward::sync::Mutex;
///
/// let count = Arc::new(Mutex::new(0));
/// let greenlets: Vec<_> = (0..10)
///     .map(|_| {
///         let count = count.clone();
///         sward::spawn(move || *count.lock().unwrap() += 1)
///     })
///     .collect();
/// for greenlet in greenlets {
///     greenlet.join().unwrap();
/// }
/// assert_eq!(*count.lock().unwrap(), 10);
/// ```
pub struct Mutex<T: ?Sized> {
    raw: RawMutex,
    poison: Poison,
    value: UnsafeCell<T>,
}

// SAFETY: who has the lock has the value alone, on whatever thread.
unsafe impl<T: ?Sized + Send> Send for Mutex<T> {}
// SAFETY: as above.
unsafe impl<T: ?Sized + Send> Sync for Mutex<T> {}

// As std's: a value that a panic left half done is told of by poisoning.
impl<T: ?Sized> std::panic::UnwindSafe for Mutex<T> {}
impl<T: ?Sized> std::panic::RefUnwindSafe for Mutex<T> {}

impl<T> Mutex<T> {
    /// An unlocked mutex.
    ///
    /// # Examples
    ///
    /// ```
    /// static COUNT: sward::sync::Mutex<u32> = sward::sync::Mutex::new(0);
    /// *COUNT.lock().unwrap() += 1;
    /// ```
    pub const fn new(value: T) -> Self {
        Self {
            raw: RawMutex::new(),
            poison: Poison::new(),
            value: UnsafeCell::new(value),
        }
    }

    /// The value.
    ///
    /// # Errors
    ///
    /// If the mutex is poisoned; the error has the value.
    ///
    /// # Examples
    ///
    /// ```
    /// assert_eq!(sward::sync::Mutex::new(7).into_inner().unwrap(), 7);
    /// ```
    pub fn into_inner(self) -> LockResult<T> {
        let Self { poison, value, .. } = self;
        poison.wrap(value.into_inner())
    }
}

impl<T: ?Sized> Mutex<T> {
    /// Waits until the mutex is free, and takes it.
    ///
    /// # Errors
    ///
    /// If it is poisoned; the error has the guard.
    ///
    /// # Cancellation
    ///
    /// A wait that is cancelled has not taken the lock.
    ///
    /// # Examples
    ///
    /// ```
    /// let mutex = sward::sync::Mutex::new(6);
    /// *mutex.lock().unwrap() += 1;
    /// assert_eq!(*mutex.lock().unwrap(), 7);
    /// ```
    #[inline]
    #[track_caller]
    pub fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
        let at = Location::caller();
        self.raw.lock(|| self.as_lock(at));
        MutexGuard::new(self)
    }

    /// What the report of a deadlock says of it.
    fn as_lock(&self, at: &'static Location<'static>) -> Lock {
        Lock {
            address: ptr::from_ref(&self.raw).addr(),
            guards: type_name::<T>(),
            how: How::Mutex,
            at,
        }
    }

    /// Takes the mutex if it is free.
    ///
    /// # Errors
    ///
    /// [`TryLockError::WouldBlock`] if it is not; [`TryLockError::Poisoned`], with the guard, if it is poisoned.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::TryLockError;
    ///
    /// let mutex = sward::sync::Mutex::new(());
    /// let guard = mutex.try_lock().unwrap();
    /// assert!(matches!(mutex.try_lock(), Err(TryLockError::WouldBlock)));
    /// ```
    #[inline]
    #[track_caller]
    pub fn try_lock(&self) -> TryLockResult<MutexGuard<'_, T>> {
        match self.raw.try_lock() {
            true => Ok(MutexGuard::new(self)?),
            false => Err(TryLockError::WouldBlock),
        }
    }

    /// As [`lock`](Self::lock), but waits no longer than `limit`.
    ///
    /// # Errors
    ///
    /// As for [`try_lock`](Self::try_lock).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let mutex = sward::sync::Mutex::new(());
    /// let guard = mutex.lock().unwrap();
    /// assert!(mutex.lock_timeout(Duration::from_millis(5)).is_err());
    /// drop(guard);
    /// assert!(mutex.lock_timeout(Duration::from_millis(5)).is_ok());
    /// ```
    #[track_caller]
    pub fn lock_timeout(&self, limit: Duration) -> TryLockResult<MutexGuard<'_, T>> {
        let deadline = Instant::now().checked_add(limit);
        let at = Location::caller();
        match self.raw.lock_until(deadline, || self.as_lock(at)) {
            true => Ok(MutexGuard::new(self)?),
            false => Err(TryLockError::WouldBlock),
        }
    }

    /// The value, by who has the mutex alone.
    ///
    /// # Errors
    ///
    /// If it is poisoned; the error has the reference.
    ///
    /// # Examples
    ///
    /// ```
    /// let mut mutex = sward::sync::Mutex::new(6);
    /// *mutex.get_mut().unwrap() = 7;
    /// assert_eq!(mutex.into_inner().unwrap(), 7);
    /// ```
    pub fn get_mut(&mut self) -> LockResult<&mut T> {
        let Self { poison, value, .. } = self;
        poison.wrap(value.get_mut())
    }

    /// Whether a holder has panicked.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use sward::sync::Mutex;
    ///
    /// let mutex = Arc::new(Mutex::new(()));
    /// let other = mutex.clone();
    /// sward::spawn(move || {
    ///     let _guard = other.lock().unwrap();
    ///     panic!("out of cheese");
    /// })
    /// .join()
    /// .unwrap_err();
    /// assert!(mutex.is_poisoned());
    /// mutex.clear_poison();
    /// assert!(mutex.lock().is_ok());
    /// ```
    #[must_use]
    pub fn is_poisoned(&self) -> bool {
        self.poison.get()
    }

    /// From now on it is not poisoned.
    ///
    /// # Examples
    ///
    /// See [`is_poisoned`](Self::is_poisoned).
    pub fn clear_poison(&self) {
        self.poison.clear();
    }
}

impl<T> From<T> for Mutex<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: Default> Default for Mutex<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut this = f.debug_struct("Mutex");
        match self.try_lock() {
            Ok(guard) => this.field("data", &&*guard),
            Err(TryLockError::Poisoned(error)) => this.field("data", &&**error.get_ref()),
            Err(TryLockError::WouldBlock) => this.field("data", &format_args!("<locked>")),
        };
        this.field("poisoned", &self.is_poisoned())
            .finish_non_exhaustive()
    }
}

/// The right to a mutex's value, until it is dropped. The counterpart of [`std::sync::MutexGuard`].
///
/// As `std`'s it cannot be sent to another thread: what is said of a lock's holder (poison, reports of deadlocks) is said of the
/// greenlet that took it.
///
/// # Examples
///
/// ```
/// let mutex = sward::sync::Mutex::new(1);
/// let mut guard = mutex.lock().unwrap();
/// *guard += 1;
/// assert_eq!(*guard, 2);
/// ```
#[must_use = "if unused the mutex is unlocked at once"]
#[clippy::has_significant_drop]
pub struct MutexGuard<'a, T: ?Sized> {
    mutex: &'a Mutex<T>,
    held: Held,
    /// Not `Send`.
    _holder: PhantomData<*const ()>,
}

// SAFETY: a reference to the guard gives references to the value and nothing else.
unsafe impl<T: ?Sized + Sync> Sync for MutexGuard<'_, T> {}

impl<'a, T: ?Sized> MutexGuard<'a, T> {
    /// Of a mutex whose lock the caller has taken.
    #[inline]
    #[track_caller]
    fn new(mutex: &'a Mutex<T>) -> LockResult<Self> {
        if graph::is_kept() {
            graph::took(mutex.as_lock(Location::caller()));
        }
        let held = mutex.poison.held();
        mutex.poison.wrap(Self {
            mutex,
            held,
            _holder: PhantomData,
        })
    }

    /// The mutex.
    pub(super) fn mutex(guard: &Self) -> &'a Mutex<T> {
        guard.mutex
    }

    /// A guard of a part of the value. An associated function: `MutexGuard::map(guard, |pair| &mut pair.0)`.
    ///
    /// # Examples
    ///
    /// ```
    /// use sward::sync::{Mutex, MutexGuard};
    ///
    /// let pair = Mutex::new((1, "one"));
    /// let mut first = MutexGuard::map(pair.lock().unwrap(), |pair| &mut pair.0);
    /// *first += 1;
    /// drop(first);
    /// assert_eq!(pair.lock().unwrap().0, 2);
    /// ```
    pub fn map<U: ?Sized>(
        guard: Self,
        part: impl FnOnce(&mut T) -> &mut U,
    ) -> MappedMutexGuard<'a, U> {
        let guard = ManuallyDrop::new(guard);
        let unlock = Unlock::of(&guard);
        // SAFETY: the guard has the value alone, and goes on in what is returned. If `part` panics, `unlock` gives the lock back.
        let part = NonNull::from(part(unsafe { &mut *guard.mutex.value.get() }));
        MappedMutexGuard::new(unlock, part)
    }

    /// As [`map`](Self::map), if there is such a part.
    ///
    /// # Errors
    ///
    /// The guard, if there is none.
    ///
    /// # Examples
    ///
    /// ```
    /// use sward::sync::{Mutex, MutexGuard};
    ///
    /// let list = Mutex::new(vec![7]);
    /// let guard = MutexGuard::filter_map(list.lock().unwrap(), |list| list.get_mut(1)).unwrap_err();
    /// assert_eq!(*MutexGuard::filter_map(guard, |list| list.get_mut(0)).unwrap(), 7);
    /// ```
    pub fn filter_map<U: ?Sized>(
        guard: Self,
        part: impl FnOnce(&mut T) -> Option<&mut U>,
    ) -> Result<MappedMutexGuard<'a, U>, Self> {
        let guard = ManuallyDrop::new(guard);
        let unlock = Unlock::of(&guard);
        // SAFETY: as in `map`.
        match part(unsafe { &mut *guard.mutex.value.get() }).map(NonNull::from) {
            Some(part) => Ok(MappedMutexGuard::new(unlock, part)),
            None => {
                std::mem::forget(unlock);
                Err(ManuallyDrop::into_inner(guard))
            }
        }
    }
}

impl<T: ?Sized> Deref for MutexGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: while the guard lives, its holder has the value alone.
        unsafe { &*self.mutex.value.get() }
    }
}

impl<T: ?Sized> DerefMut for MutexGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`, and the guard is borrowed exclusively.
        unsafe { &mut *self.mutex.value.get() }
    }
}

impl<T: ?Sized> Drop for MutexGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.mutex.poison.done(self.held);
        self.mutex.raw.release();
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

/// The duty to give a mutex back.
struct Unlock<'a> {
    raw: &'a RawMutex,
    poison: &'a Poison,
    held: Held,
}

impl<'a> Unlock<'a> {
    /// That of a guard which will not be dropped.
    fn of<T: ?Sized>(guard: &MutexGuard<'a, T>) -> Self {
        Self {
            raw: &guard.mutex.raw,
            poison: &guard.mutex.poison,
            held: guard.held,
        }
    }
}

impl Drop for Unlock<'_> {
    fn drop(&mut self) {
        self.poison.done(self.held);
        self.raw.release();
    }
}

/// The right to a part of a mutex's value: see [`MutexGuard::map`].
///
/// # Examples
///
/// ```
/// use sward::sync::{MappedMutexGuard, Mutex, MutexGuard};
///
/// let names = Mutex::new(vec!["Ada"]);
/// let name: MappedMutexGuard<'_, &str> =
///     MutexGuard::map(names.lock().unwrap(), |names| &mut names[0]);
/// assert_eq!(*name, "Ada");
/// ```
#[must_use = "if unused the mutex is unlocked at once"]
#[clippy::has_significant_drop]
pub struct MappedMutexGuard<'a, T: ?Sized> {
    part: NonNull<T>,
    unlock: Unlock<'a>,
    /// As a `&mut T`; the pointer makes it not `Send`.
    _part: PhantomData<&'a mut T>,
}

// SAFETY: a reference to the guard gives references to the part and nothing else.
unsafe impl<T: ?Sized + Sync> Sync for MappedMutexGuard<'_, T> {}

impl<'a, T: ?Sized> MappedMutexGuard<'a, T> {
    fn new(unlock: Unlock<'a>, part: NonNull<T>) -> Self {
        Self {
            part,
            unlock,
            _part: PhantomData,
        }
    }

    /// A guard of a part of the part: see [`MutexGuard::map`].
    ///
    /// # Examples
    ///
    /// ```
    /// use sward::sync::{MappedMutexGuard, Mutex, MutexGuard};
    ///
    /// let nested = Mutex::new(((1, 2), 3));
    /// let outer = MutexGuard::map(nested.lock().unwrap(), |nested| &mut nested.0);
    /// let inner = MappedMutexGuard::map(outer, |outer| &mut outer.1);
    /// assert_eq!(*inner, 2);
    /// ```
    pub fn map<U: ?Sized>(
        guard: Self,
        part: impl FnOnce(&mut T) -> &mut U,
    ) -> MappedMutexGuard<'a, U> {
        let Self {
            part: mut whole,
            unlock,
            ..
        } = guard;
        // SAFETY: the guard has the part alone, and goes on in what is returned.
        let part = NonNull::from(part(unsafe { whole.as_mut() }));
        MappedMutexGuard::new(unlock, part)
    }
}

impl<T: ?Sized> Deref for MappedMutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: while the guard lives, its holder has the part alone.
        unsafe { self.part.as_ref() }
    }
}

impl<T: ?Sized> DerefMut for MappedMutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`, and the guard is borrowed exclusively.
        unsafe { self.part.as_mut() }
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for MappedMutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for MappedMutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
