//! `ScopedValue`: the typed side of what is bound for the run of a closure (`greenlet/inherited.rs`).
#![forbid(unsafe_code)]

use std::any::Any;
use std::fmt;
use std::marker::PhantomData;

use crate::greenlet::{Key, bind, with_bound};

/// A value that is bound for the run of a closure, and seen by whatever that calls and by the greenlets that it spawns.
///
/// For what accompanies a piece of work and is not an argument of each of its functions: the user, the request, a deadline. Like
/// Java's `ScopedValue`; std has nothing like it.
///
/// [`bind`](Self::bind) binds a value while it runs a closure. A binding inside another hides that one until it ends. A greenlet
/// sees, all its life, the binding that was in force where it was spawned, also when that has ended since: by
/// [`spawn`](crate::spawn), [`spawn_local`](crate::spawn_local), [`go!`](crate::go), [`Builder`](crate::Builder), on another
/// [runtime](crate::Runtime), and by its own descendants. Values are shared, not copied, so `T` is `Send` and `Sync`. A value is
/// dropped when its binding has ended and so have all greenlets that inherited it: by the last of them, before those that join it
/// are told. If that destructor panics in a greenlet that inherited it, the panic has printed its message and goes no
/// further.
///
/// On a plain thread all is the same, but [`std::thread::spawn`] passes nothing on. In a child process made by `fork` in a greenlet
/// nothing is bound that was bound there.
///
/// # Cost
///
/// To spawn where nothing is bound costs a look at a pointer, else the counting of a reference. A binding allocates twice. To look
/// a value up goes from the innermost binding outwards, through those of other values, by one comparison each. A greenlet that
/// inherits a binding keeps those around it too.
///
/// # Cancellation
///
/// Nothing here waits but the closures given to it. (sward has no cancellation yet.)
///
/// # Examples
///
/// ```
/// use sward::ScopedValue;
///
/// static USER: ScopedValue<String> = ScopedValue::new();
///
/// fn greeting() -> String {
///     USER.with(|user| format!("hello, {user}"))
/// }
///
/// let handle = USER.bind("ada".to_owned(), || {
///     assert_eq!(greeting(), "hello, ada");
///     sward::spawn(greeting)
/// });
/// assert!(!USER.is_bound());
/// assert_eq!(handle.join().unwrap(), "hello, ada");
/// ```
pub struct ScopedValue<T: 'static> {
    key: Key,
    /// It takes and gives values of exactly this type.
    values: PhantomData<fn(T) -> T>,
}

impl<T: Send + Sync + 'static> ScopedValue<T> {
    /// One that is not bound. Each is bound for itself, also two of one type; it is usually a `static`, but need not be.
    ///
    /// # Examples
    ///
    /// ```
    /// static DEPTH: sward::ScopedValue<u32> = sward::ScopedValue::new();
    ///
    /// assert!(!DEPTH.is_bound());
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        Self {
            key: Key::new(),
            values: PhantomData,
        }
    }

    /// Calls `f` with `value` bound. What was bound before is again when `f` has returned or panicked.
    ///
    /// # Examples
    ///
    /// ```
    /// static DEPTH: sward::ScopedValue<u32> = sward::ScopedValue::new();
    ///
    /// let inner = DEPTH.bind(1, || {
    ///     let inner = DEPTH.bind(2, || DEPTH.get());
    ///     assert_eq!(DEPTH.get(), Some(1));
    ///     inner
    /// });
    /// assert_eq!(inner, Some(2));
    /// ```
    pub fn bind<R>(&self, value: T, f: impl FnOnce() -> R) -> R {
        bind(&self.key, Box::new(value), f)
    }

    /// Calls `f` with the value that is bound.
    ///
    /// # Panics
    ///
    /// If none is: use [`try_with`](Self::try_with) there.
    ///
    /// # Examples
    ///
    /// ```
    /// static NAME: sward::ScopedValue<String> = sward::ScopedValue::new();
    ///
    /// let length = NAME.bind("ada".to_owned(), || NAME.with(String::len));
    /// assert_eq!(length, 3);
    /// ```
    #[inline]
    #[track_caller]
    pub fn with<R>(&self, f: impl FnOnce(&T) -> R) -> R {
        match self.try_with(f) {
            Some(result) => result,
            None => panic!("this ScopedValue is not bound here"),
        }
    }

    /// Calls `f` with the value that is bound; `None` if none is, and `f` is not called.
    ///
    /// # Examples
    ///
    /// ```
    /// static NAME: sward::ScopedValue<String> = sward::ScopedValue::new();
    ///
    /// assert_eq!(NAME.try_with(String::len), None);
    /// ```
    #[inline]
    pub fn try_with<R>(&self, f: impl FnOnce(&T) -> R) -> Option<R> {
        with_bound(&self.key, |value| {
            let value: &dyn Any = value?;
            value.downcast_ref().map(f)
        })
    }

    /// A clone of the value that is bound, if one is.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// static NAME: sward::ScopedValue<Arc<str>> = sward::ScopedValue::new();
    ///
    /// assert_eq!(NAME.get(), None);
    /// let name = NAME.bind("ada".into(), || sward::spawn(|| NAME.get()).join().unwrap());
    /// assert_eq!(name.as_deref(), Some("ada"));
    /// ```
    #[must_use]
    pub fn get(&self) -> Option<T>
    where
        T: Clone,
    {
        self.try_with(T::clone)
    }

    /// Whether a value is bound where the caller runs.
    ///
    /// # Examples
    ///
    /// ```
    /// static DEPTH: sward::ScopedValue<u32> = sward::ScopedValue::new();
    ///
    /// assert!(DEPTH.bind(1, || DEPTH.is_bound()));
    /// assert!(!DEPTH.is_bound());
    /// ```
    #[must_use]
    pub fn is_bound(&self) -> bool {
        with_bound(&self.key, |value| value.is_some())
    }
}

impl<T: Send + Sync + 'static> Default for ScopedValue<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// With what is bound where the caller runs.
impl<T: Send + Sync + fmt::Debug + 'static> fmt::Debug for ScopedValue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.try_with(|value| f.debug_tuple("ScopedValue").field(value).finish())
            .unwrap_or_else(|| f.write_str("ScopedValue(<not bound>)"))
    }
}
