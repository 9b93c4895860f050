//! `OnceLock`.

use std::cell::UnsafeCell;
use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::time::Instant;

use super::once::Once;
use crate::park::Reason;

/// A value that is set once. The counterpart of [`std::sync::OnceLock`].
///
/// What initializes it may wait itself, and others that need the value park meanwhile.
///
/// # Cancellation
///
/// As for [`Once`]: if it is cancelled while it initializes, the next one does. (sward has no cancellation yet.)
///
/// # Examples
///
/// ```
/// use sward::sync::OnceLock;
///
/// static NAME: OnceLock<String> = OnceLock::new();
/// assert_eq!(NAME.get(), None);
/// assert_eq!(NAME.get_or_init(|| "Ada".into()), "Ada");
/// assert_eq!(NAME.set("Bob".into()), Err("Bob".into()));
/// ```
pub struct OnceLock<T> {
    once: Once,
    /// # Invariant
    /// `Some` once `once` is completed, and not changed from then on through a shared reference; before that touched by the closure of
    /// `once` alone.
    value: UnsafeCell<Option<T>>,
}

// SAFETY: the value is given out by shared references, to any thread (`Sync`), and may have been made on another (`Send`).
unsafe impl<T: Send + Sync> Sync for OnceLock<T> {}

impl<T: UnwindSafe> UnwindSafe for OnceLock<T> {}
impl<T: RefUnwindSafe + UnwindSafe> RefUnwindSafe for OnceLock<T> {}

impl<T> OnceLock<T> {
    /// One without a value.
    ///
    /// # Examples
    ///
    /// See [`OnceLock`].
    #[must_use]
    pub const fn new() -> Self {
        Self {
            once: Once::new(),
            value: UnsafeCell::new(None),
        }
    }

    /// The value, if it is set.
    ///
    /// # Examples
    ///
    /// See [`OnceLock`].
    #[must_use]
    #[inline]
    pub fn get(&self) -> Option<&T> {
        if !self.once.is_completed() {
            return None;
        }
        // SAFETY: completed, so the value is there and nobody changes it.
        unsafe { &*self.value.get() }.as_ref()
    }

    /// The value, by who has the lock alone.
    ///
    /// # Examples
    ///
    /// ```
    /// let mut lock = sward::sync::OnceLock::from(6);
    /// *lock.get_mut().unwrap() += 1;
    /// assert_eq!(lock.into_inner(), Some(7));
    /// ```
    pub fn get_mut(&mut self) -> Option<&mut T> {
        self.value.get_mut().as_mut()
    }

    /// Sets the value, if none is set. Waits if one is being made.
    ///
    /// # Errors
    ///
    /// The new value, if there is one.
    ///
    /// # Examples
    ///
    /// See [`OnceLock`].
    pub fn set(&self, value: T) -> Result<(), T> {
        let mut value = Some(value);
        self.get_or_init(|| value.take().expect("called once"));
        match value {
            None => Ok(()),
            Some(value) => Err(value),
        }
    }

    /// The value; if none is set, the one that the closure makes. Waits if one is being made.
    ///
    /// # Panics
    ///
    /// If the closure does. There is no value then, and the next one to come makes one.
    ///
    /// # Examples
    ///
    /// See [`OnceLock`].
    #[inline]
    pub fn get_or_init(&self, f: impl FnOnce() -> T) -> &T {
        if self.get().is_none() {
            self.once.call_once_force(|_| {
                let value = f();
                // SAFETY: the closure of the `once` is alone with the value until it has returned.
                unsafe { *self.value.get() = Some(value) };
            });
        }
        self.get().expect("it was set")
    }

    /// Waits until it is set, by whomever.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use sward::sync::OnceLock;
    ///
    /// let lock = Arc::new(OnceLock::new());
    /// let theirs = lock.clone();
    /// sward::go!(theirs.set(7));
    /// assert_eq!(lock.wait(), &7);
    /// ```
    pub fn wait(&self) -> &T {
        self.once.wait_force();
        self.get().expect("it was set")
    }

    /// Waits until it is set, or until `deadline`. The value, if it is.
    pub(super) fn wait_until(&self, reason: Reason, deadline: Option<Instant>) -> Option<&T> {
        self.once.completed_until(reason, deadline);
        self.get()
    }

    /// The value, if one is set.
    ///
    /// # Examples
    ///
    /// See [`get_mut`](Self::get_mut).
    pub fn into_inner(self) -> Option<T> {
        self.value.into_inner()
    }

    /// The value, if one is set; then none is.
    ///
    /// # Examples
    ///
    /// ```
    /// let mut lock = sward::sync::OnceLock::from(7);
    /// assert_eq!(lock.take(), Some(7));
    /// assert_eq!(lock.get(), None);
    /// ```
    pub fn take(&mut self) -> Option<T> {
        std::mem::take(self).into_inner()
    }
}

impl<T> Default for OnceLock<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: fmt::Debug> fmt::Debug for OnceLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut this = f.debug_tuple("OnceLock");
        match self.get() {
            Some(value) => this.field(value),
            None => this.field(&format_args!("<uninit>")),
        };
        this.finish()
    }
}

impl<T: Clone> Clone for OnceLock<T> {
    fn clone(&self) -> Self {
        self.get().cloned().map_or_else(Self::new, Self::from)
    }
}

impl<T> From<T> for OnceLock<T> {
    fn from(value: T) -> Self {
        let lock = Self::new();
        let _ = lock.set(value);
        lock
    }
}

impl<T: PartialEq> PartialEq for OnceLock<T> {
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

impl<T: Eq> Eq for OnceLock<T> {}
