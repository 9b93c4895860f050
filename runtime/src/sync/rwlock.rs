//! `RwLock` and its guards.

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
use super::raw_rwlock::RawRwLock;
use crate::park::graph::{self, How, Lock};

/// A lock that many have to read, or one to write. The counterpart of [`std::sync::RwLock`].
///
/// Who waits for it parks, if it is a greenlet, and blocks its thread, if it is a plain one; both may use the same lock.
/// Unlike a `std` lock it may be held across anything that waits.
///
/// Those who wait stand in one line. A reader that comes when somebody waits goes to its end, so readers cannot starve a writer;
/// the readers that are next in the line are let in together. A writer that is next is woken, and until it comes another may take the
/// lock; one that has waited for half a millisecond is handed it. Without contention, to take the lock or a share of it is one
/// atomic operation, and to give it back another.
///
/// It is poisoned as `std`'s: by a panic of who has it to write. What a greenlet holds when it is given up at the end of its
/// runtime stays held.
///
/// # Differences to std
///
/// [`read_timeout`](Self::read_timeout), [`write_timeout`](Self::write_timeout), and mapped guards, which `std` has on nightly only.
/// One that has it and takes it again may wait for ever (`std` leaves it open; to read twice does so if a writer waits).
///
/// # Cancellation
///
/// One that waits for the lock can be cancelled: it has not taken the lock then. Unwinding by a cancellation does not poison.
/// (sward has no cancellation yet.)
///
/// # Examples
///
/// ```
/// use sward::sync::RwLock;
///
/// let lock = RwLock::new(5);
/// {
///     let (one, other) = (lock.read().unwrap(), lock.read().unwrap());
///     assert_eq!(*one + *other, 10);
/// }
/// *lock.write().unwrap() += 1;
/// assert_eq!(*lock.read().unwrap(), 6);
/// ```
pub struct RwLock<T: ?Sized> {
    raw: RawRwLock,
    poison: Poison,
    value: UnsafeCell<T>,
}

// SAFETY: the value goes with the lock.
unsafe impl<T: ?Sized + Send> Send for RwLock<T> {}
// SAFETY: one has the value alone, on whatever thread (`Send`), or many share it (`Sync`).
unsafe impl<T: ?Sized + Send + Sync> Sync for RwLock<T> {}

// As std's: a value that a panic left half done is told of by poisoning.
impl<T: ?Sized> std::panic::UnwindSafe for RwLock<T> {}
impl<T: ?Sized> std::panic::RefUnwindSafe for RwLock<T> {}

impl<T> RwLock<T> {
    /// A lock that nobody has.
    ///
    /// # Examples
    ///
    /// ```
    /// static LIMIT: sward::sync::RwLock<u32> = sward::sync::RwLock::new(10);
    /// assert_eq!(*LIMIT.read().unwrap(), 10);
    /// ```
    pub const fn new(value: T) -> Self {
        Self {
            raw: RawRwLock::new(),
            poison: Poison::new(),
            value: UnsafeCell::new(value),
        }
    }

    /// The value.
    ///
    /// # Errors
    ///
    /// If the lock is poisoned; the error has the value.
    ///
    /// # Examples
    ///
    /// ```
    /// assert_eq!(sward::sync::RwLock::new(7).into_inner().unwrap(), 7);
    /// ```
    pub fn into_inner(self) -> LockResult<T> {
        let Self { poison, value, .. } = self;
        poison.wrap(value.into_inner())
    }
}

impl<T: ?Sized> RwLock<T> {
    /// Waits until nobody has it to write and nobody is before it in the line, and takes it to read.
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
    /// let lock = sward::sync::RwLock::new(7);
    /// assert_eq!(*lock.read().unwrap(), 7);
    /// ```
    #[inline]
    #[track_caller]
    pub fn read(&self) -> LockResult<RwLockReadGuard<'_, T>> {
        let at = Location::caller();
        let taken = self.raw.read_until(None, || self.as_lock(How::Read, at));
        debug_assert!(taken);
        RwLockReadGuard::new(self)
    }

    /// Takes it to read if that is possible at once.
    ///
    /// # Errors
    ///
    /// [`TryLockError::WouldBlock`] if it is not; [`TryLockError::Poisoned`], with the guard, if it is poisoned.
    ///
    /// # Examples
    ///
    /// ```
    /// let lock = sward::sync::RwLock::new(());
    /// let guard = lock.write().unwrap();
    /// assert!(lock.try_read().is_err());
    /// drop(guard);
    /// assert!(lock.try_read().is_ok());
    /// ```
    #[inline]
    #[track_caller]
    pub fn try_read(&self) -> TryLockResult<RwLockReadGuard<'_, T>> {
        match self.raw.try_read() {
            true => Ok(RwLockReadGuard::new(self)?),
            false => Err(TryLockError::WouldBlock),
        }
    }

    /// As [`read`](Self::read), but waits no longer than `limit`.
    ///
    /// # Errors
    ///
    /// As for [`try_read`](Self::try_read).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let lock = sward::sync::RwLock::new(());
    /// let guard = lock.write().unwrap();
    /// assert!(lock.read_timeout(Duration::from_millis(5)).is_err());
    /// drop(guard);
    /// assert!(lock.read_timeout(Duration::from_millis(5)).is_ok());
    /// ```
    #[track_caller]
    pub fn read_timeout(&self, limit: Duration) -> TryLockResult<RwLockReadGuard<'_, T>> {
        let deadline = Instant::now().checked_add(limit);
        let at = Location::caller();
        match self
            .raw
            .read_until(deadline, || self.as_lock(How::Read, at))
        {
            true => Ok(RwLockReadGuard::new(self)?),
            false => Err(TryLockError::WouldBlock),
        }
    }

    /// Waits until nobody has it, and takes it to write.
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
    /// let lock = sward::sync::RwLock::new(7);
    /// assert_eq!(*lock.write().unwrap(), 7);
    /// ```
    #[inline]
    #[track_caller]
    pub fn write(&self) -> LockResult<RwLockWriteGuard<'_, T>> {
        let at = Location::caller();
        let taken = self.raw.write_until(None, || self.as_lock(How::Write, at));
        debug_assert!(taken);
        RwLockWriteGuard::new(self)
    }

    /// Takes it to write if that is possible at once.
    ///
    /// # Errors
    ///
    /// [`TryLockError::WouldBlock`] if it is not; [`TryLockError::Poisoned`], with the guard, if it is poisoned.
    ///
    /// # Examples
    ///
    /// ```
    /// let lock = sward::sync::RwLock::new(());
    /// let guard = lock.write().unwrap();
    /// assert!(lock.try_write().is_err());
    /// drop(guard);
    /// assert!(lock.try_write().is_ok());
    /// ```
    #[inline]
    #[track_caller]
    pub fn try_write(&self) -> TryLockResult<RwLockWriteGuard<'_, T>> {
        match self.raw.try_write() {
            true => Ok(RwLockWriteGuard::new(self)?),
            false => Err(TryLockError::WouldBlock),
        }
    }

    /// As [`write`](Self::write), but waits no longer than `limit`.
    ///
    /// # Errors
    ///
    /// As for [`try_write`](Self::try_write).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let lock = sward::sync::RwLock::new(());
    /// let guard = lock.write().unwrap();
    /// assert!(lock.write_timeout(Duration::from_millis(5)).is_err());
    /// drop(guard);
    /// assert!(lock.write_timeout(Duration::from_millis(5)).is_ok());
    /// ```
    #[track_caller]
    pub fn write_timeout(&self, limit: Duration) -> TryLockResult<RwLockWriteGuard<'_, T>> {
        let deadline = Instant::now().checked_add(limit);
        let at = Location::caller();
        match self
            .raw
            .write_until(deadline, || self.as_lock(How::Write, at))
        {
            true => Ok(RwLockWriteGuard::new(self)?),
            false => Err(TryLockError::WouldBlock),
        }
    }

    /// What the report of a deadlock says of it.
    fn as_lock(&self, how: How, at: &'static Location<'static>) -> Lock {
        Lock {
            address: ptr::from_ref(&self.raw).addr(),
            guards: type_name::<T>(),
            how,
            at,
        }
    }

    /// The value, by who has the lock alone.
    ///
    /// # Errors
    ///
    /// If it is poisoned; the error has the reference.
    ///
    /// # Examples
    ///
    /// ```
    /// let mut lock = sward::sync::RwLock::new(6);
    /// *lock.get_mut().unwrap() = 7;
    /// assert_eq!(lock.into_inner().unwrap(), 7);
    /// ```
    pub fn get_mut(&mut self) -> LockResult<&mut T> {
        let Self { poison, value, .. } = self;
        poison.wrap(value.get_mut())
    }

    /// Whether one that had it to write has panicked.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use sward::sync::RwLock;
    ///
    /// let lock = Arc::new(RwLock::new(()));
    /// let other = lock.clone();
    /// sward::spawn(move || {
    ///     let _guard = other.write().unwrap();
    ///     panic!("out of cheese");
    /// })
    /// .join()
    /// .unwrap_err();
    /// assert!(lock.is_poisoned() && lock.read().is_err());
    /// lock.clear_poison();
    /// assert!(lock.read().is_ok());
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

impl<T> From<T> for RwLock<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: Default> Default for RwLock<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut this = f.debug_struct("RwLock");
        match self.try_read() {
            Ok(guard) => this.field("data", &&*guard),
            Err(TryLockError::Poisoned(error)) => this.field("data", &&**error.get_ref()),
            Err(TryLockError::WouldBlock) => this.field("data", &format_args!("<locked>")),
        };
        this.field("poisoned", &self.is_poisoned())
            .finish_non_exhaustive()
    }
}

/// The right to read what is in a lock, until it is dropped. The counterpart of [`std::sync::RwLockReadGuard`].
///
/// As `std`'s it cannot be sent to another thread.
///
/// # Examples
///
/// ```
/// let lock = sward::sync::RwLock::new(7);
/// let guard = lock.read().unwrap();
/// assert_eq!(*guard, 7);
/// ```
#[must_use = "if unused the lock is given back at once"]
#[clippy::has_significant_drop]
pub struct RwLockReadGuard<'a, T: ?Sized> {
    lock: &'a RwLock<T>,
    /// Not `Send`.
    _holder: PhantomData<*const ()>,
}

// SAFETY: a reference to the guard gives references to the value and nothing else.
unsafe impl<T: ?Sized + Sync> Sync for RwLockReadGuard<'_, T> {}

impl<'a, T: ?Sized> RwLockReadGuard<'a, T> {
    /// Of a lock of which the caller has taken a share.
    #[inline]
    #[track_caller]
    fn new(lock: &'a RwLock<T>) -> LockResult<Self> {
        if graph::is_kept() {
            graph::took(lock.as_lock(How::Read, Location::caller()));
        }
        lock.poison.wrap(Self {
            lock,
            _holder: PhantomData,
        })
    }

    /// A guard of a part of the value. An associated function: `RwLockReadGuard::map(guard, |pair| &pair.0)`.
    ///
    /// # Examples
    ///
    /// ```
    /// use sward::sync::{RwLock, RwLockReadGuard};
    ///
    /// let pair = RwLock::new((1, "one"));
    /// let name = RwLockReadGuard::map(pair.read().unwrap(), |pair| pair.1);
    /// assert_eq!(&*name, "one");
    /// ```
    pub fn map<U: ?Sized>(
        guard: Self,
        part: impl FnOnce(&T) -> &U,
    ) -> MappedRwLockReadGuard<'a, U> {
        let guard = ManuallyDrop::new(guard);
        let unlock = UnlockRead(&guard.lock.raw);
        // SAFETY: nobody writes while the share is held, and that goes on in what is returned. If `part` panics, `unlock`
        // gives it back.
        let part = NonNull::from(part(unsafe { &*guard.lock.value.get() }));
        MappedRwLockReadGuard::new(unlock, part)
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
    /// use sward::sync::{RwLock, RwLockReadGuard};
    ///
    /// let list = RwLock::new(vec![7]);
    /// let guard = RwLockReadGuard::filter_map(list.read().unwrap(), |list| list.get(1)).unwrap_err();
    /// assert_eq!(*RwLockReadGuard::filter_map(guard, |list| list.first()).unwrap(), 7);
    /// ```
    pub fn filter_map<U: ?Sized>(
        guard: Self,
        part: impl FnOnce(&T) -> Option<&U>,
    ) -> Result<MappedRwLockReadGuard<'a, U>, Self> {
        let guard = ManuallyDrop::new(guard);
        let unlock = UnlockRead(&guard.lock.raw);
        // SAFETY: as in `map`.
        match part(unsafe { &*guard.lock.value.get() }).map(NonNull::from) {
            Some(part) => Ok(MappedRwLockReadGuard::new(unlock, part)),
            None => {
                std::mem::forget(unlock);
                Err(ManuallyDrop::into_inner(guard))
            }
        }
    }
}

impl<T: ?Sized> Deref for RwLockReadGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: while the guard lives nobody writes.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T: ?Sized> Drop for RwLockReadGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.lock.raw.release_read();
    }
}

/// The right to write what is in a lock, until it is dropped. The counterpart of [`std::sync::RwLockWriteGuard`].
///
/// As `std`'s it cannot be sent to another thread.
///
/// # Examples
///
/// ```
/// let lock = sward::sync::RwLock::new(6);
/// let mut guard = lock.write().unwrap();
/// *guard += 1;
/// assert_eq!(*guard, 7);
/// ```
#[must_use = "if unused the lock is given back at once"]
#[clippy::has_significant_drop]
pub struct RwLockWriteGuard<'a, T: ?Sized> {
    lock: &'a RwLock<T>,
    held: Held,
    /// Not `Send`.
    _holder: PhantomData<*const ()>,
}

// SAFETY: a reference to the guard gives references to the value and nothing else.
unsafe impl<T: ?Sized + Sync> Sync for RwLockWriteGuard<'_, T> {}

impl<'a, T: ?Sized> RwLockWriteGuard<'a, T> {
    /// Of a lock that the caller has taken exclusively.
    #[inline]
    #[track_caller]
    fn new(lock: &'a RwLock<T>) -> LockResult<Self> {
        if graph::is_kept() {
            graph::took(lock.as_lock(How::Write, Location::caller()));
        }
        let held = lock.poison.held();
        lock.poison.wrap(Self {
            lock,
            held,
            _holder: PhantomData,
        })
    }

    /// From now on the lock is held to read, and nobody has had it to write in between. Readers that are next in the line are let
    /// in. An associated function: `RwLockWriteGuard::downgrade(guard)`.
    ///
    /// # Examples
    ///
    /// ```
    /// use sward::sync::{RwLock, RwLockWriteGuard};
    ///
    /// let lock = RwLock::new(6);
    /// let mut guard = lock.write().unwrap();
    /// *guard += 1;
    /// let guard = RwLockWriteGuard::downgrade(guard);
    /// assert_eq!(*guard + *lock.read().unwrap(), 14);
    /// ```
    #[track_caller]
    pub fn downgrade(guard: Self) -> RwLockReadGuard<'a, T> {
        let guard = ManuallyDrop::new(guard);
        let lock = guard.lock;
        lock.poison.done(guard.held);
        if graph::is_kept() {
            let had = lock.as_lock(How::Write, Location::caller());
            graph::gives(had.address, Some(had.how));
            graph::took(lock.as_lock(How::Read, Location::caller()));
        }
        lock.raw.downgrade();
        RwLockReadGuard {
            lock,
            _holder: PhantomData,
        }
    }

    /// A guard of a part of the value. An associated function: `RwLockWriteGuard::map(guard, |pair| &mut pair.0)`.
    ///
    /// # Examples
    ///
    /// ```
    /// use sward::sync::{RwLock, RwLockWriteGuard};
    ///
    /// let pair = RwLock::new((1, "one"));
    /// *RwLockWriteGuard::map(pair.write().unwrap(), |pair| &mut pair.0) += 1;
    /// assert_eq!(pair.read().unwrap().0, 2);
    /// ```
    pub fn map<U: ?Sized>(
        guard: Self,
        part: impl FnOnce(&mut T) -> &mut U,
    ) -> MappedRwLockWriteGuard<'a, U> {
        let guard = ManuallyDrop::new(guard);
        let unlock = UnlockWrite::of(&guard);
        // SAFETY: the guard has the value alone, and goes on in what is returned. If `part` panics, `unlock` gives the lock
        // back.
        let part = NonNull::from(part(unsafe { &mut *guard.lock.value.get() }));
        MappedRwLockWriteGuard::new(unlock, part)
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
    /// use sward::sync::{RwLock, RwLockWriteGuard};
    ///
    /// let list = RwLock::new(vec![7]);
    /// let guard = RwLockWriteGuard::filter_map(list.write().unwrap(), |list| list.get_mut(1));
    /// assert!(RwLockWriteGuard::filter_map(guard.unwrap_err(), |list| list.first_mut()).is_ok());
    /// ```
    pub fn filter_map<U: ?Sized>(
        guard: Self,
        part: impl FnOnce(&mut T) -> Option<&mut U>,
    ) -> Result<MappedRwLockWriteGuard<'a, U>, Self> {
        let guard = ManuallyDrop::new(guard);
        let unlock = UnlockWrite::of(&guard);
        // SAFETY: as in `map`.
        match part(unsafe { &mut *guard.lock.value.get() }).map(NonNull::from) {
            Some(part) => Ok(MappedRwLockWriteGuard::new(unlock, part)),
            None => {
                std::mem::forget(unlock);
                Err(ManuallyDrop::into_inner(guard))
            }
        }
    }
}

impl<T: ?Sized> Deref for RwLockWriteGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: while the guard lives, its holder has the value alone.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T: ?Sized> DerefMut for RwLockWriteGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`, and the guard is borrowed exclusively.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T: ?Sized> Drop for RwLockWriteGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.lock.poison.done(self.held);
        self.lock.raw.release_write();
    }
}

/// The duty to give a share back.
struct UnlockRead<'a>(&'a RawRwLock);

impl Drop for UnlockRead<'_> {
    fn drop(&mut self) {
        self.0.release_read();
    }
}

/// The duty to give the exclusive lock back.
struct UnlockWrite<'a> {
    raw: &'a RawRwLock,
    poison: &'a Poison,
    held: Held,
}

impl<'a> UnlockWrite<'a> {
    /// That of a guard which will not be dropped.
    fn of<T: ?Sized>(guard: &RwLockWriteGuard<'a, T>) -> Self {
        Self {
            raw: &guard.lock.raw,
            poison: &guard.lock.poison,
            held: guard.held,
        }
    }
}

impl Drop for UnlockWrite<'_> {
    fn drop(&mut self) {
        self.poison.done(self.held);
        self.raw.release_write();
    }
}

/// The right to read a part of what is in a lock: see [`RwLockReadGuard::map`].
///
/// # Examples
///
/// ```
/// use sward::sync::{MappedRwLockReadGuard, RwLock, RwLockReadGuard};
///
/// let names = RwLock::new(vec!["Ada"]);
/// let name: MappedRwLockReadGuard<'_, &str> = RwLockReadGuard::map(names.read().unwrap(), |names| &names[0]);
/// assert_eq!(*name, "Ada");
/// ```
#[must_use = "if unused the lock is given back at once"]
#[clippy::has_significant_drop]
pub struct MappedRwLockReadGuard<'a, T: ?Sized> {
    part: NonNull<T>,
    unlock: UnlockRead<'a>,
    /// As a reference; the pointer makes it not `Send`.
    _part: PhantomData<&'a T>,
}

// SAFETY: a reference to the guard gives references to the part and nothing else.
unsafe impl<T: ?Sized + Sync> Sync for MappedRwLockReadGuard<'_, T> {}

impl<'a, T: ?Sized> MappedRwLockReadGuard<'a, T> {
    fn new(unlock: UnlockRead<'a>, part: NonNull<T>) -> Self {
        Self {
            part,
            unlock,
            _part: PhantomData,
        }
    }

    /// A guard of a part of the part: see [`RwLockReadGuard::map`].
    ///
    /// # Examples
    ///
    /// ```
    /// use sward::sync::{MappedRwLockReadGuard, RwLock, RwLockReadGuard};
    ///
    /// let nested = RwLock::new(((1, 2), 3));
    /// let outer = RwLockReadGuard::map(nested.read().unwrap(), |nested| &nested.0);
    /// assert_eq!(*MappedRwLockReadGuard::map(outer, |outer| &outer.1), 2);
    /// ```
    pub fn map<U: ?Sized>(
        guard: Self,
        part: impl FnOnce(&T) -> &U,
    ) -> MappedRwLockReadGuard<'a, U> {
        let Self {
            part: whole,
            unlock,
            ..
        } = guard;
        // SAFETY: what the guard has a right to goes on in what is returned.
        let part = NonNull::from(part(unsafe { whole.as_ref() }));
        MappedRwLockReadGuard::new(unlock, part)
    }
}

impl<T: ?Sized> Deref for MappedRwLockReadGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: while the guard lives, nobody else writes.
        unsafe { self.part.as_ref() }
    }
}

/// The right to write a part of what is in a lock: see [`RwLockWriteGuard::map`].
///
/// # Examples
///
/// ```
/// use sward::sync::{MappedRwLockWriteGuard, RwLock, RwLockWriteGuard};
///
/// let names = RwLock::new(vec!["Ada"]);
/// let name: MappedRwLockWriteGuard<'_, &str> = RwLockWriteGuard::map(names.write().unwrap(), |names| &mut names[0]);
/// assert_eq!(*name, "Ada");
/// ```
#[must_use = "if unused the lock is given back at once"]
#[clippy::has_significant_drop]
pub struct MappedRwLockWriteGuard<'a, T: ?Sized> {
    part: NonNull<T>,
    unlock: UnlockWrite<'a>,
    /// As a reference; the pointer makes it not `Send`.
    _part: PhantomData<&'a mut T>,
}

// SAFETY: a reference to the guard gives references to the part and nothing else.
unsafe impl<T: ?Sized + Sync> Sync for MappedRwLockWriteGuard<'_, T> {}

impl<'a, T: ?Sized> MappedRwLockWriteGuard<'a, T> {
    fn new(unlock: UnlockWrite<'a>, part: NonNull<T>) -> Self {
        Self {
            part,
            unlock,
            _part: PhantomData,
        }
    }

    /// A guard of a part of the part: see [`RwLockWriteGuard::map`].
    ///
    /// # Examples
    ///
    /// ```
    /// use sward::sync::{MappedRwLockWriteGuard, RwLock, RwLockWriteGuard};
    ///
    /// let nested = RwLock::new(((1, 2), 3));
    /// let outer = RwLockWriteGuard::map(nested.write().unwrap(), |nested| &mut nested.0);
    /// assert_eq!(*MappedRwLockWriteGuard::map(outer, |outer| &mut outer.1), 2);
    /// ```
    pub fn map<U: ?Sized>(
        guard: Self,
        part: impl FnOnce(&mut T) -> &mut U,
    ) -> MappedRwLockWriteGuard<'a, U> {
        let Self {
            part: mut whole,
            unlock,
            ..
        } = guard;
        // SAFETY: what the guard has a right to goes on in what is returned.
        let part = NonNull::from(part(unsafe { whole.as_mut() }));
        MappedRwLockWriteGuard::new(unlock, part)
    }
}

impl<T: ?Sized> Deref for MappedRwLockWriteGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: while the guard lives, nobody else writes.
        unsafe { self.part.as_ref() }
    }
}

impl<T: ?Sized> DerefMut for MappedRwLockWriteGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: its holder has the part alone, and the guard is borrowed exclusively.
        unsafe { self.part.as_mut() }
    }
}

macro_rules! shown_as_what_they_guard {
    ($($guard:ident)*) => {$(
        impl<T: ?Sized + fmt::Debug> fmt::Debug for $guard<'_, T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                (**self).fmt(f)
            }
        }

        impl<T: ?Sized + fmt::Display> fmt::Display for $guard<'_, T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                (**self).fmt(f)
            }
        }
    )*};
}

shown_as_what_they_guard! {
    RwLockReadGuard RwLockWriteGuard MappedRwLockReadGuard MappedRwLockWriteGuard
}
