//! `Promise` and `PromiseError`.
#![forbid(unsafe_code)]

use std::any::Any;
use std::error;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::once_lock::OnceLock;
use crate::base::lock::lock;
use crate::park::Reason;

/// A result that comes once, as a value or as a panic, and that any number may wait for and look at: gevent's `AsyncResult`.
///
/// To share it, put it into an [`Arc`] or a static. Unlike a [`JoinHandle`](crate::JoinHandle) it does not belong to a greenlet: whoever
/// has the result sets it.
///
/// # Cancellation
///
/// A wait that is cancelled has changed nothing. If [`fulfil`](Self::fulfil) is cancelled in its closure, the promise is as it was. (sward
/// has no cancellation yet.)
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use sward::sync::Promise;
///
/// let answer = Arc::new(Promise::new());
/// let readers: Vec<_> = (0..3)
///     .map(|_| {
///         let answer = answer.clone();
///         sward::spawn(move || *answer.wait().unwrap())
///     })
///     .collect();
/// answer.set(42).unwrap();
/// assert!(readers.into_iter().all(|reader| reader.join().unwrap() == 42));
/// ```
pub struct Promise<T> {
    result: OnceLock<Result<T, PromiseError>>,
}

/// That a promise was not kept: whoever was to set it has panicked.
///
/// # Examples
///
/// ```
/// let promise = sward::sync::Promise::<u32>::new();
/// promise.fulfil(|| panic!("out of cheese"));
/// let error = promise.wait().unwrap_err();
/// assert_eq!(error.to_string(), "a promise was not kept: out of cheese");
/// ```
#[derive(Clone)]
pub struct PromiseError {
    text: Option<Arc<str>>,
    payload: Arc<Mutex<Option<Box<dyn Any + Send>>>>,
}

impl<T> Promise<T> {
    /// One whose result has not come.
    ///
    /// # Examples
    ///
    /// ```
    /// static LIMIT: sward::sync::Promise<u32> = sward::sync::Promise::new();
    /// assert!(!LIMIT.is_set());
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        Self {
            result: OnceLock::new(),
        }
    }

    /// Here is the value.
    ///
    /// # Errors
    ///
    /// The value, if there is a result already.
    ///
    /// # Examples
    ///
    /// ```
    /// let promise = sward::sync::Promise::new();
    /// assert_eq!(promise.set(1), Ok(()));
    /// assert_eq!(promise.set(2), Err(2));
    /// assert_eq!(promise.wait().unwrap(), &1);
    /// ```
    pub fn set(&self, value: T) -> Result<(), T> {
        match self.result.set(Ok(value)) {
            Ok(()) => Ok(()),
            Err(Ok(value)) => Err(value),
            Err(Err(_)) => unreachable!("it was a value"),
        }
    }

    /// There will be no value, but this payload of a panic.
    ///
    /// # Errors
    ///
    /// The payload, if there is a result already.
    ///
    /// # Examples
    ///
    /// ```
    /// let promise = sward::sync::Promise::<u32>::new();
    /// promise.fail(Box::new("out of cheese")).unwrap();
    /// assert!(promise.wait().is_err());
    /// ```
    pub fn fail(&self, payload: Box<dyn Any + Send>) -> Result<(), Box<dyn Any + Send>> {
        match self.result.set(Err(PromiseError::new(payload))) {
            Ok(()) => Ok(()),
            Err(Err(error)) => Err(error.take_payload().expect("nobody has seen it")),
            Err(Ok(_)) => unreachable!("it was a payload"),
        }
    }

    /// Runs the closure, and sets what comes of it: its value or its panic. False if there was a result already: then what came of it is
    /// dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// let promise = sward::sync::Promise::new();
    /// assert!(promise.fulfil(|| 6 * 7));
    /// assert_eq!(promise.try_get().unwrap().unwrap(), &42);
    /// ```
    pub fn fulfil(&self, f: impl FnOnce() -> T) -> bool {
        match catch_unwind(AssertUnwindSafe(f)) {
            Ok(value) => self.set(value).is_ok(),
            Err(payload) => self.fail(payload).is_ok(),
        }
    }

    /// Whether there is a result.
    ///
    /// # Examples
    ///
    /// See [`new`](Self::new).
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.result.get().is_some()
    }

    /// The result, if it has come.
    ///
    /// # Examples
    ///
    /// See [`fulfil`](Self::fulfil).
    #[must_use]
    pub fn try_get(&self) -> Option<Result<&T, PromiseError>> {
        self.result.get().map(as_given)
    }

    /// Waits for the result.
    ///
    /// # Errors
    ///
    /// If it is a panic.
    ///
    /// # Examples
    ///
    /// See [`Promise`].
    pub fn wait(&self) -> Result<&T, PromiseError> {
        match self.result.wait_until(Reason::Promise, None) {
            Some(result) => as_given(result),
            None => unreachable!("a wait without a limit is over"),
        }
    }

    /// As [`wait`](Self::wait), but no longer than `limit`. `None` if the result did not come in time.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let promise = sward::sync::Promise::<u32>::new();
    /// assert!(promise.wait_timeout(Duration::from_millis(5)).is_none());
    /// ```
    #[must_use]
    pub fn wait_timeout(&self, limit: Duration) -> Option<Result<&T, PromiseError>> {
        let deadline = Instant::now().checked_add(limit);
        let result = self.result.wait_until(Reason::Promise, deadline);
        result.map(as_given)
    }

    /// The result, if it has come.
    ///
    /// # Examples
    ///
    /// ```
    /// let promise = sward::sync::Promise::new();
    /// promise.set(String::from("Ada")).unwrap();
    /// assert_eq!(promise.into_inner().unwrap().unwrap(), "Ada");
    /// ```
    #[must_use]
    pub fn into_inner(self) -> Option<Result<T, PromiseError>> {
        self.result.into_inner()
    }
}

fn as_given<T>(result: &Result<T, PromiseError>) -> Result<&T, PromiseError> {
    result.as_ref().map_err(PromiseError::clone)
}

impl PromiseError {
    fn new(payload: Box<dyn Any + Send>) -> Self {
        let literal = payload.downcast_ref::<&str>().copied();
        let text = literal.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        Self {
            text: text.map(Arc::from),
            payload: Arc::new(Mutex::new(Some(payload))),
        }
    }

    /// The payload of the panic. All who wait for a promise have the same, so only the first to take it has it.
    ///
    /// # Examples
    ///
    /// ```
    /// let promise = sward::sync::Promise::<u32>::new();
    /// promise.fulfil(|| std::panic::panic_any(7));
    /// let error = promise.wait().unwrap_err();
    /// assert_eq!(error.take_payload().unwrap().downcast_ref(), Some(&7));
    /// assert!(error.take_payload().is_none());
    /// ```
    #[must_use]
    pub fn take_payload(&self) -> Option<Box<dyn Any + Send>> {
        lock(&self.payload).take()
    }
}

impl fmt::Display for PromiseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.text {
            Some(text) => write!(f, "a promise was not kept: {text}"),
            None => f.write_str("a promise was not kept"),
        }
    }
}

impl fmt::Debug for PromiseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PromiseError")
            .field("text", &self.text)
            .finish_non_exhaustive()
    }
}

impl error::Error for PromiseError {}

impl<T> Default for Promise<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: fmt::Debug> fmt::Debug for Promise<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut this = f.debug_tuple("Promise");
        match self.result.get() {
            Some(result) => this.field(result),
            None => this.field(&format_args!("<not set>")),
        };
        this.finish()
    }
}
