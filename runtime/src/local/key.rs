//! `greenlet_local!`, its key, and how a value is reached: in the greenlet's own table (`greenlet/locals.rs`), or on a plain
//! thread in a thread-local of std's, which the macro declares beside.
#![forbid(unsafe_code)]

use std::error::Error;
use std::fmt;
use std::thread;

use crate::greenlet::{Gone, Local, Myself};

/// Declares values of which each greenlet has its own. The counterpart of [`std::thread_local!`], in the same shape.
///
/// Each name becomes a `static` of type [`LocalKey`], so `static` may have attributes and a visibility. The value is made
/// by its initializer when a greenlet first uses it, and dropped at the greenlet's end; on a plain thread there is one a
/// thread, as with `thread_local!`. `const { .. }` promises an initializer that is a constant, which is quicker on plain threads.
///
/// # Examples
///
/// ```
/// use std::cell::{Cell, RefCell};
///
/// sward::greenlet_local! {
///     static SEEN: RefCell<Vec<u32>> = RefCell::new(Vec::new());
///     /// How often.
///     pub static COUNT: Cell<u32> = const { Cell::new(0) };
/// }
///
/// let handles: Vec<_> = (0..3_u32)
///     .map(|number| {
///         sward::spawn(move || {
///             SEEN.with_borrow_mut(|seen| seen.push(number));
///             sward::yield_now();
///             COUNT.set(COUNT.get() + 1);
///             (SEEN.take(), COUNT.get())
///         })
///     })
///     .collect();
/// for (number, handle) in (0..).zip(handles) {
///     assert_eq!(handle.join().unwrap(), (vec![number], 1));
/// }
/// assert_eq!(COUNT.get(), 0);
/// ```
#[macro_export]
macro_rules! greenlet_local {
    () => {};
    ($(#[$attribute:meta])* $vis:vis static $name:ident: $type:ty = const $init:block; $($rest:tt)*) => {
        $crate::greenlet_local!($(#[$attribute])* $vis static $name: $type = const $init);
        $crate::greenlet_local!($($rest)*);
    };
    ($(#[$attribute:meta])* $vis:vis static $name:ident: $type:ty = const $init:block) => {
        $(#[$attribute])*
        $vis static $name: $crate::LocalKey<$type> = {
            // Names that nobody else has: the user's would be taken for these, for items of a macro have no hygiene.
            #[allow(clippy::declare_interior_mutable_const)]
            const __SWARD_LOCAL_INIT: $type = $init;
            ::std::thread_local! {
                static __SWARD_LOCAL_OF_THREAD: $type = const { $init };
            }
            $crate::LocalKey::__new(|| __SWARD_LOCAL_INIT, &__SWARD_LOCAL_OF_THREAD)
        };
    };
    ($(#[$attribute:meta])* $vis:vis static $name:ident: $type:ty = $init:expr; $($rest:tt)*) => {
        $crate::greenlet_local!($(#[$attribute])* $vis static $name: $type = $init);
        $crate::greenlet_local!($($rest)*);
    };
    ($(#[$attribute:meta])* $vis:vis static $name:ident: $type:ty = $init:expr) => {
        $(#[$attribute])*
        $vis static $name: $crate::LocalKey<$type> = {
            fn __sward_local_init() -> $type {
                $init
            }
            ::std::thread_local! {
                static __SWARD_LOCAL_OF_THREAD: $type = __sward_local_init();
            }
            $crate::LocalKey::__new(__sward_local_init, &__SWARD_LOCAL_OF_THREAD)
        };
    };
}

/// A value of which each greenlet has its own, as [`greenlet_local!`](crate::greenlet_local) declares it. The counterpart of
/// [`std::thread::LocalKey`], with its methods.
///
/// # Whose value
///
/// A greenlet's value is its own, whatever worker it runs on and whoever shares its home: a greenlet spawned by
/// [`spawn_local`](crate::spawn_local) has another one than its parent. A plain thread has one too. A reference from
/// [`with`](Self::with) may be held while the greenlet waits: the value does not move while the greenlet lives. `T` need be neither
/// `Send` nor `Sync`.
///
/// A `thread_local!` is different in a greenlet: it is the home's, and others that share the home see it.
///
/// # Initialization
///
/// At the first use, in the greenlet; the initializer may wait and may use other values. If it panics, the next use calls it again. If it
/// asks for its own value, that panics in a greenlet; on a plain thread it does what std does, which promises nothing there.
///
/// # Destruction
///
/// At the greenlet's end, in the greenlet: after its closure has returned or panicked, and, if its
/// [`JoinHandle`](crate::JoinHandle) is gone, its result has been dropped; before those that join it are told. The order among
/// several is not specified, as in std. A destructor may wait, and may use other values, also ones not used before, which are then
/// dropped as well. One that has been dropped, or is being dropped, is not made again: [`try_with`](Self::try_with) gives an
/// error, and the other methods panic. A destructor that panics ends the process, as in std.
///
/// What a greenlet has that is given up by a [shutdown](crate::Runtime::shutdown) is not dropped, like all else in its frames.
/// In a greenlet that has called `fork` the child process has the values of a plain thread.
///
/// # Cost
///
/// A greenlet that uses none pays a pointer; the first use of each allocates, and the table of a greenlet has 16 bytes for each
/// key of the program up to the latest it uses, in the order in which the program first used them.
///
/// # Cancellation
///
/// Nothing here waits but what the user's own code waits for, so there is nothing to lose. (sward has no cancellation yet.)
///
/// # Examples
///
/// ```
/// sward::greenlet_local! {
///     static ME: u64 = sward::current().id();
/// }
///
/// let handle = sward::spawn(|| ME.with(|&id| id));
/// let id = handle.greenlet().id();
/// assert_eq!(handle.join().unwrap(), id);
/// ```
pub struct LocalKey<T: 'static> {
    local: Local<T>,
    init: fn() -> T,
    of_thread: &'static thread::LocalKey<T>,
}

/// The value has been dropped, or is being dropped, and is not made again. The counterpart of [`std::thread::AccessError`].
///
/// # Examples
///
/// ```
/// use std::sync::mpsc;
///
/// struct Asks(mpsc::Sender<sward::AccessError>);
/// impl Drop for Asks {
///     fn drop(&mut self) {
///         self.0.send(ASKS.try_with(|_| ()).unwrap_err()).unwrap();
///     }
/// }
/// sward::greenlet_local! {
///     static ASKS: std::cell::RefCell<Option<Asks>> = const { std::cell::RefCell::new(None) };
/// }
///
/// let (sender, errors) = mpsc::channel();
/// sward::spawn(move || ASKS.set(Some(Asks(sender)))).join().unwrap();
/// assert_eq!(errors.recv().unwrap().to_string(), "already destroyed");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct AccessError;

impl fmt::Display for AccessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("already destroyed")
    }
}

impl Error for AccessError {}

impl<T> LocalKey<T> {
    /// For the macro.
    #[doc(hidden)]
    #[must_use]
    pub const fn __new(init: fn() -> T, of_thread: &'static thread::LocalKey<T>) -> Self {
        Self {
            local: Local::new(),
            init,
            of_thread,
        }
    }

    /// Calls `f` with the caller's value, which is made if this is the first use.
    ///
    /// # Panics
    ///
    /// If the value has been dropped or is being dropped; if its initializer panics or asks for the value itself.
    ///
    /// # Examples
    ///
    /// ```
    /// sward::greenlet_local! {
    ///     static BUFFER: Vec<u8> = vec![0; 1024];
    /// }
    ///
    /// assert_eq!(sward::spawn(|| BUFFER.with(Vec::len)).join().unwrap(), 1024);
    /// ```
    #[inline]
    #[track_caller]
    pub fn with<R>(&'static self, f: impl FnOnce(&T) -> R) -> R {
        match self.try_with(f) {
            Ok(result) => result,
            Err(error) => refused(error),
        }
    }

    /// Calls `f` with the caller's value, which is made if this is the first use.
    ///
    /// # Errors
    ///
    /// [`AccessError`] if the value has been dropped or is being dropped: in a destructor of a greenlet-local value, or on a plain
    /// thread in one of a thread-local.
    ///
    /// # Panics
    ///
    /// If the initializer panics or asks for the value itself.
    ///
    /// # Examples
    ///
    /// ```
    /// sward::greenlet_local! {
    ///     static NUMBER: u32 = 7;
    /// }
    ///
    /// assert_eq!(sward::spawn(|| NUMBER.try_with(|&number| number)).join().unwrap(), Ok(7));
    /// assert_eq!(NUMBER.try_with(|&number| number), Ok(7));
    /// ```
    #[inline]
    #[track_caller]
    pub fn try_with<R>(&'static self, f: impl FnOnce(&T) -> R) -> Result<R, AccessError> {
        match Myself::current() {
            Some(me) => match self.local.find(&me, self.init) {
                Ok(value) => Ok(f(value)),
                Err(Gone) => Err(AccessError),
            },
            None => self.of_thread.try_with(f).map_err(|_| AccessError),
        }
    }

    /// Puts `value` in: as the first value, without the initializer, or by `replace`, which drops the one that was there.
    #[track_caller]
    pub(super) fn put<V>(
        &'static self,
        value: V,
        make: impl FnOnce(V) -> T,
        on_thread: impl FnOnce(&'static thread::LocalKey<T>, V),
        replace: impl FnOnce(&T, V),
    ) {
        let Some(me) = Myself::current() else {
            return on_thread(self.of_thread, value);
        };
        let mut value = Some(value);
        let found = self.local.find(&me, || {
            make(value.take().expect("a value is made once at most"))
        });
        match (found, value) {
            (Ok(there), Some(value)) => replace(there, value),
            (Ok(_), None) => {}
            (Err(Gone), _) => refused(AccessError),
        }
    }
}

/// The panic of those that give no error.
#[cold]
#[track_caller]
fn refused(error: AccessError) -> ! {
    panic!("a greenlet-local value cannot be used during or after its destruction: {error}")
}

impl<T> fmt::Debug for LocalKey<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalKey").finish_non_exhaustive()
    }
}
