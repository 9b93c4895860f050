//! `LazyLock`.
#![forbid(unsafe_code)]

use std::fmt;
use std::ops::Deref;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Mutex;

use super::once::Once;
use super::once_lock::OnceLock;
use crate::base::lock::lock;

/// A value that is made when it is first needed. The counterpart of [`std::sync::LazyLock`].
///
/// What makes it may wait itself, and others that need the value park meanwhile.
///
/// # Cancellation
///
/// If it is cancelled while it makes the value, it is poisoned, as by a panic: the closure is used up. (sward has no cancellation yet.)
///
/// # Examples
///
/// ```
/// use sward::sync::LazyLock;
///
/// static NAME: LazyLock<String> = LazyLock::new(|| "Ada".into());
/// assert_eq!(*NAME, "Ada");
/// ```
pub struct LazyLock<T, F = fn() -> T> {
    once: Once,
    value: OnceLock<T>,
    /// Taken by whoever makes the value.
    make: Mutex<Option<F>>,
}

impl<T: UnwindSafe + RefUnwindSafe, F: UnwindSafe> RefUnwindSafe for LazyLock<T, F> {}
impl<T: UnwindSafe, F: UnwindSafe> UnwindSafe for LazyLock<T, F> {}

impl<T, F: FnOnce() -> T> LazyLock<T, F> {
    /// One whose value is made by the closure.
    ///
    /// # Examples
    ///
    /// See [`LazyLock`].
    pub const fn new(make: F) -> Self {
        Self {
            once: Once::new(),
            value: OnceLock::new(),
            make: Mutex::new(Some(make)),
        }
    }

    /// The value. To dereference it does the same.
    ///
    /// # Panics
    ///
    /// If the closure does, now or before.
    ///
    /// # Examples
    ///
    /// ```
    /// use sward::sync::LazyLock;
    ///
    /// let lazy = LazyLock::new(|| 7);
    /// assert_eq!(LazyLock::force(&lazy), &7);
    /// ```
    #[inline]
    #[track_caller]
    pub fn force(this: &Self) -> &T {
        match this.value.get() {
            Some(value) => value,
            None => this.make(),
        }
    }

    #[cold]
    #[track_caller]
    fn make(&self) -> &T {
        self.once.call_once(|| {
            let make = lock(&self.make).take();
            let value = make.expect("called once")();
            let set = self.value.set(value);
            debug_assert!(set.is_ok());
        });
        self.value.get().expect("it was made")
    }
}

impl<T, F: FnOnce() -> T> Deref for LazyLock<T, F> {
    type Target = T;

    #[inline]
    #[track_caller]
    fn deref(&self) -> &T {
        Self::force(self)
    }
}

impl<T: Default> Default for LazyLock<T> {
    fn default() -> Self {
        Self::new(T::default)
    }
}

impl<T: fmt::Debug, F> fmt::Debug for LazyLock<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut this = f.debug_tuple("LazyLock");
        match self.value.get() {
            Some(value) => this.field(value),
            None => this.field(&format_args!("<uninit>")),
        };
        this.finish()
    }
}
