//! `JoinHandle` and `JoinError`.
#![forbid(unsafe_code)]

use std::any::Any;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use std::{error, fmt, io};

use crate::base::fork;
use crate::greenlet::{Failure, Greenlet, RawHandle};
use crate::park::graph;
use crate::park::{Arm, Ended, Outcome, Reason, Wait};

/// The right to wait for a greenlet and to have its value. The counterpart of [`std::thread::JoinHandle`].
///
/// Dropping it detaches the greenlet, which goes on; its value is dropped when it ends.
///
/// If the greenlet panics, the panic hook runs in it at once, as in a thread: std's prints the message, where it was, and
/// the name of the greenlet's home as that of the thread. If then nobody can join it any more, since the handle has been
/// dropped before or is dropped after, sward prints one line more, which names the greenlet and where it was spawned:
///
/// ```text
/// thread 'sward-home-0' (4711) panicked at src/main.rs:7:9:
/// out of cheese
/// sward: greenlet 'kitchen' (id 3, spawned at src/main.rs:5:5) panicked, and nobody joined it
/// ```
///
/// A handle can be sent to and joined on any thread or greenlet, if the value can be sent; that of a
/// [`spawn_local`](crate::spawn_local) greenlet with another value stays in its home.
///
/// # Examples
///
/// ```
/// let handle = sward::spawn(|| 6 * 7);
/// assert_eq!(handle.join().unwrap(), 42);
/// ```
#[derive(Debug)]
pub struct JoinHandle<T> {
    raw: RawHandle<T>,
}

impl<T> JoinHandle<T> {
    pub(super) fn new(raw: RawHandle<T>) -> Self {
        Self { raw }
    }

    /// Waits for the greenlet to end, and returns its value. What it did is seen after.
    ///
    /// In a greenlet it parks; on a plain thread it blocks that thread.
    ///
    /// # Errors
    ///
    /// If the greenlet panicked, or was given up at its runtime's shutdown, or there was no memory for its stack.
    ///
    /// # Examples
    ///
    /// ```
    /// let error = sward::spawn(|| panic!("out of cheese")).join().unwrap_err();
    /// assert!(error.is_panic());
    /// ```
    pub fn join(mut self) -> Result<T, JoinError> {
        let done = self.wait_until(None);
        debug_assert!(done);
        self.take()
    }

    /// As [`join`](Self::join), but waits no longer than `limit`; then the handle is given back.
    ///
    /// # Errors
    ///
    /// The handle, if the greenlet has not ended in time.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let handle = sward::spawn(|| { sward::park(); 7 });
    /// let handle = handle.join_timeout(Duration::from_millis(5)).unwrap_err();
    /// handle.greenlet().unpark();
    /// assert_eq!(handle.join_timeout(Duration::from_secs(60)).unwrap().unwrap(), 7);
    /// ```
    pub fn join_timeout(mut self, limit: Duration) -> Result<Result<T, JoinError>, Self> {
        // A time too far to be told is none.
        match self.wait_until(Instant::now().checked_add(limit)) {
            true => Ok(self.take()),
            false => Err(self),
        }
    }

    /// Whether the greenlet has ended: `join` would not wait.
    ///
    /// # Examples
    ///
    /// ```
    /// let handle = sward::spawn(sward::park);
    /// assert!(!handle.is_finished());
    /// handle.greenlet().unpark();
    /// while !handle.is_finished() {
    ///     sward::yield_now();
    /// }
    /// handle.join().unwrap();
    /// ```
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.raw.is_done()
    }

    /// The greenlet.
    ///
    /// # Examples
    ///
    /// ```
    /// let handle = sward::spawn(|| sward::current().id());
    /// let id = handle.greenlet().id();
    /// assert_eq!(handle.join().unwrap(), id);
    /// ```
    #[must_use]
    pub fn greenlet(&self) -> &Greenlet {
        self.raw.greenlet()
    }

    /// Waits for the end. False if `deadline` came first.
    fn wait_until(&mut self, deadline: Option<Instant>) -> bool {
        if self.raw.is_done() {
            return true;
        }
        self.assert_not_left_behind();
        let wait = Wait::begin(Reason::Join(self.greenlet().id()));
        if !self.raw.register(wait.token(0)) {
            return true;
        }
        let mut waiting = None;
        if deadline.is_none() && graph::is_kept() {
            let waiting = waiting.insert(graph::joins(self.greenlet().id(), &wait));
            waiting.tell();
        }
        match wait.park_until(deadline) {
            Ended::Fired(_) => true,
            Ended::TimedOut => {
                self.raw.unregister();
                self.raw.is_done()
            }
        }
    }

    fn assert_not_left_behind(&self) {
        if fork::is_left_behind(self.raw.greenlet().id()) {
            fork::panic_left_behind();
        }
    }

    /// Waits for it in `select!`.
    #[doc(hidden)]
    pub fn __select_join(&mut self) -> JoinArm<'_, T> {
        JoinArm {
            handle: self,
            registered: false,
        }
    }

    fn take(&mut self) -> Result<T, JoinError> {
        self.raw.take().map_err(|(failure, greenlet)| JoinError {
            greenlet,
            kind: failure.into(),
        })
    }
}

/// The end of a greenlet as one of several things to wait for.
#[doc(hidden)]
#[derive(Debug)]
pub struct JoinArm<'a, T> {
    handle: &'a mut JoinHandle<T>,
    registered: bool,
}

impl<T> Arm for JoinArm<'_, T> {
    fn try_now(self: Pin<&mut Self>) -> bool {
        self.handle.raw.is_done()
    }

    fn enlist(mut self: Pin<&mut Self>, wait: &Wait, tag: u16) -> bool {
        self.handle.assert_not_left_behind();
        self.registered = self.handle.raw.register(wait.token(tag));
        !self.registered
    }

    fn leave(mut self: Pin<&mut Self>) {
        if std::mem::take(&mut self.registered) {
            self.handle.raw.unregister();
        }
    }
}

impl<T> Outcome for JoinArm<'_, T> {
    type Value = Result<T, JoinError>;

    fn take(self: Pin<&mut Self>) -> Result<T, JoinError> {
        self.get_mut().handle.take()
    }
}

impl<T> Drop for JoinArm<'_, T> {
    fn drop(&mut self) {
        Pin::new(self).leave();
    }
}

/// Why a greenlet gave no value.
///
/// # Examples
///
/// ```
/// let handle = sward::go!(name = "kitchen"; panic!("out of cheese"));
/// let error = handle.join().map(|()| ()).unwrap_err();
/// let text = error.to_string();
/// assert!(text.contains("kitchen") && text.contains("out of cheese"));
/// assert_eq!(*error.into_panic().downcast::<&str>().unwrap(), "out of cheese");
/// ```
pub struct JoinError {
    greenlet: Greenlet,
    kind: Kind,
}

/// `Failure`, made fit to be shared between threads: the payload of a panic can be sent, but not looked at by two.
enum Kind {
    Panic {
        text: Option<Box<str>>,
        payload: Mutex<Box<dyn Any + Send>>,
    },
    Cancelled,
    NoStack(io::Error),
}

impl From<Failure> for Kind {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Panic(payload) => {
                let literal = payload.downcast_ref::<&str>().copied();
                let text = literal.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
                Self::Panic {
                    text: text.map(Box::from),
                    payload: Mutex::new(payload),
                }
            }
            Failure::Cancelled => Self::Cancelled,
            Failure::NoStack(error) => Self::NoStack(error),
        }
    }
}

impl JoinError {
    /// Whether the greenlet panicked.
    ///
    /// # Examples
    ///
    /// ```
    /// let error = sward::spawn(|| panic!("out of cheese")).join().unwrap_err();
    /// assert!(error.is_panic() && !error.is_cancelled());
    /// ```
    #[must_use]
    pub fn is_panic(&self) -> bool {
        matches!(self.kind, Kind::Panic { .. })
    }

    /// Whether the greenlet was given up before it had ended: today, because its runtime was shut down.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let runtime = sward::Runtime::builder().workers(1).build()?;
    /// let parked = runtime.spawn(sward::park);
    /// runtime.shutdown(Duration::ZERO).unwrap_err();
    /// let error = parked.join().unwrap_err();
    /// assert!(error.is_cancelled() && !error.is_panic());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        matches!(self.kind, Kind::Cancelled)
    }

    /// What the OS said, if the greenlet could not run because there was no memory for its stack.
    ///
    /// # Examples
    ///
    /// ```
    /// let handle = sward::spawn(|| panic!("out of cheese"));
    /// let error = handle.join().map(|()| ()).unwrap_err();
    /// match error.os_error() {
    ///     Some(error) => println!("too many greenlets for this machine: {error}"),
    ///     None => assert!(error.is_panic(), "it had a stack"),
    /// }
    /// ```
    #[must_use]
    pub fn os_error(&self) -> Option<&io::Error> {
        match &self.kind {
            Kind::NoStack(error) => Some(error),
            _ => None,
        }
    }

    /// What the greenlet panicked with, for [`resume_unwind`](std::panic::resume_unwind) or to look at.
    ///
    /// # Panics
    ///
    /// If it did not panic.
    ///
    /// # Examples
    ///
    /// ```
    /// let error = sward::spawn(|| std::panic::panic_any(7)).join().unwrap_err();
    /// assert_eq!(error.into_panic().downcast_ref(), Some(&7));
    /// ```
    #[must_use]
    #[track_caller]
    pub fn into_panic(self) -> Box<dyn Any + Send> {
        match self.kind {
            Kind::Panic { payload, .. } => {
                payload.into_inner().unwrap_or_else(PoisonError::into_inner)
            }
            _ => panic!("into_panic on a greenlet that did not panic: {self}"),
        }
    }

    /// The greenlet.
    ///
    /// # Examples
    ///
    /// ```
    /// let error = sward::go!(name = "kitchen"; panic!("out of cheese")).join().map(|()| ()).unwrap_err();
    /// assert_eq!(error.greenlet().name(), Some("kitchen"));
    /// ```
    #[must_use]
    pub fn greenlet(&self) -> &Greenlet {
        &self.greenlet
    }

    /// The panic's text, if it is one.
    fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Panic { text, .. } => text.as_deref(),
            _ => None,
        }
    }
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.greenlet.name() {
            Some(name) => write!(f, "greenlet '{name}'")?,
            None => write!(f, "greenlet {}", self.greenlet.id())?,
        }
        match (&self.kind, self.text()) {
            (Kind::Panic { .. }, Some(text)) => write!(f, " panicked: {text}"),
            (Kind::Panic { .. }, None) => write!(f, " panicked"),
            (Kind::Cancelled, _) => write!(f, " was cancelled: its runtime has shut down"),
            (Kind::NoStack(error), _) => write!(f, " could not run: {error}"),
        }
    }
}

impl fmt::Debug for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.kind {
            Kind::Panic { .. } => "Panic",
            Kind::Cancelled => "Cancelled",
            Kind::NoStack(_) => "NoStack",
        };
        f.debug_struct("JoinError")
            .field("greenlet", &self.greenlet)
            .field("kind", &kind)
            .field("text", &self.text())
            .finish()
    }
}

impl error::Error for JoinError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match &self.kind {
            Kind::NoStack(error) => Some(error),
            _ => None,
        }
    }
}
