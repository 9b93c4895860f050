//! Channels for one message. The API is that of tokio's `sync::oneshot`, in which waiting parks instead.
//!
//! To send never waits. Each side hears when the other is gone: the receiver gets an error, the sender its message back.
//!
//! # Examples
//!
//! ```
//! use sward::channel::oneshot;
//!
//! let (sender, receiver) = oneshot::channel();
//! sward::go!(sender.send(6 * 7).unwrap());
//! assert_eq!(receiver.recv(), Ok(42));
//! ```
#![forbid(unsafe_code)]

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::errors::{RecvError, TryRecvError};
use super::told::{Look, LookArm, Told};
use crate::park::{self, Reason};

/// What both sides share.
#[doc(hidden)]
pub struct State<T> {
    message: Option<T>,
    sender: bool,
    receiver: bool,
}

impl<T> fmt::Debug for State<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").finish_non_exhaustive()
    }
}

/// The side that sends.
///
/// Dropped, it tells the receiver that nothing comes.
///
/// # Examples
///
/// See the [module](self).
pub struct Sender<T> {
    shared: Arc<Told<State<T>>>,
    /// The other side knows all that there is to know of this one.
    done: bool,
}

/// The side that receives.
///
/// # Cancellation
///
/// A wait that is cancelled has received nothing; the message, if it comes, is dropped with the channel. With
/// [`recv_timeout`](Self::recv_timeout) and in [`select!`](crate::select!) the receiver stays, and nothing is lost. (sward has no
/// cancellation yet.)
///
/// # Examples
///
/// See the [module](self).
pub struct Receiver<T> {
    shared: Arc<Told<State<T>>>,
    /// The other side is gone, and there is no message any more.
    done: bool,
}

/// A channel for one message.
///
/// # Examples
///
/// See the [module](self).
#[must_use]
pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
    let shared = Arc::new(Told::new(State {
        message: None,
        sender: true,
        receiver: true,
    }));
    let sender = Sender {
        shared: shared.clone(),
        done: false,
    };
    let receiver = Receiver {
        shared,
        done: false,
    };
    (sender, receiver)
}

impl<T> Sender<T> {
    /// Sends the message. Never waits.
    ///
    /// That it was sent does not mean that it will be received: the receiver may go before it looks.
    ///
    /// # Errors
    ///
    /// The message, if the receiver is gone or closed.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, receiver) = sward::channel::oneshot::channel();
    /// drop(receiver);
    /// assert_eq!(sender.send(7), Err(7));
    /// ```
    pub fn send(mut self, message: T) -> Result<(), T> {
        self.done = true;
        self.shared.change(|state| {
            state.sender = false;
            if !state.receiver {
                return Err(message);
            }
            state.message = Some(message);
            Ok(())
        })
    }

    /// Whether the receiver is gone or closed: the message would come back.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, receiver) = sward::channel::oneshot::channel::<u32>();
    /// assert!(!sender.is_closed());
    /// drop(receiver);
    /// assert!(sender.is_closed());
    /// ```
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.shared.with(|state| !state.receiver)
    }

    /// Waits until the receiver is gone or closed: nobody wants the message any more.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, receiver) = sward::channel::oneshot::channel::<u32>();
    /// sward::go!(drop(receiver));
    /// sender.closed();
    /// assert!(sender.is_closed());
    /// ```
    pub fn closed(&self) {
        let closed = self.closed_until(None);
        debug_assert!(closed);
    }

    /// As [`closed`](Self::closed), but no longer than `limit`. Whether it is closed.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let (sender, receiver) = sward::channel::oneshot::channel::<u32>();
    /// assert!(!sender.closed_timeout(Duration::from_millis(1)));
    /// # drop(receiver);
    /// ```
    #[must_use = "it says whether it is closed"]
    pub fn closed_timeout(&self, limit: Duration) -> bool {
        self.closed_until(Instant::now().checked_add(limit))
    }

    fn closed_until(&self, deadline: Option<Instant>) -> bool {
        let closed = self.shared.wait(&mut Closed, Reason::Closed, deadline);
        closed.is_some()
    }
}

impl<T> Receiver<T> {
    /// Waits for the message.
    ///
    /// # Errors
    ///
    /// If the sender goes without having sent one.
    ///
    /// # Examples
    ///
    /// ```
    /// use sward::channel::{RecvError, oneshot};
    ///
    /// let (sender, receiver) = oneshot::channel::<u32>();
    /// drop(sender);
    /// assert_eq!(receiver.recv(), Err(RecvError));
    /// ```
    pub fn recv(mut self) -> Result<T, RecvError> {
        let received = self.shared.wait(&mut Message, Reason::Receive, None);
        self.done = true;
        park::spend_budget();
        received.expect("a wait without a limit is over")
    }

    /// The message, if it has come.
    ///
    /// # Errors
    ///
    /// If it has not: not yet, or the sender is gone, or the message was received already.
    ///
    /// # Examples
    ///
    /// ```
    /// use sward::channel::{TryRecvError, oneshot};
    ///
    /// let (sender, mut receiver) = oneshot::channel();
    /// assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    /// sender.send(7).unwrap();
    /// assert_eq!(receiver.try_recv(), Ok(7));
    /// assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected));
    /// ```
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        let received = self.shared.look(&mut Message);
        park::spend_budget();
        match received {
            Some(received) => received.map_err(TryRecvError::from),
            None => Err(TryRecvError::Empty),
        }
    }

    /// As [`recv`](Self::recv), but no longer than `limit`.
    ///
    /// # Errors
    ///
    /// The receiver, if the time is up.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let (sender, receiver) = sward::channel::oneshot::channel();
    /// let receiver = receiver.recv_timeout(Duration::from_millis(1)).unwrap_err();
    /// sender.send(7).unwrap();
    /// assert_eq!(receiver.recv_timeout(Duration::ZERO).unwrap(), Ok(7));
    /// ```
    pub fn recv_timeout(self, limit: Duration) -> Result<Result<T, RecvError>, Self> {
        self.recv_until(Instant::now().checked_add(limit))
    }

    /// As [`recv`](Self::recv), but no longer than until `deadline`.
    ///
    /// # Errors
    ///
    /// The receiver, if the time is up.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, receiver) = sward::channel::oneshot::channel::<u32>();
    /// assert!(receiver.recv_deadline(std::time::Instant::now()).is_err());
    /// # drop(sender);
    /// ```
    pub fn recv_deadline(self, deadline: Instant) -> Result<Result<T, RecvError>, Self> {
        self.recv_until(Some(deadline))
    }

    fn recv_until(self, deadline: Option<Instant>) -> Result<Result<T, RecvError>, Self> {
        let received = self.shared.wait(&mut Message, Reason::Receive, deadline);
        park::spend_budget();
        received.ok_or(self)
    }

    /// From now on nothing can be sent. What was sent already can still be received.
    ///
    /// # Examples
    ///
    /// ```
    /// use sward::channel::{TryRecvError, oneshot};
    ///
    /// let (sender, mut receiver) = oneshot::channel();
    /// receiver.close();
    /// assert_eq!(sender.send(7), Err(7));
    /// assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected));
    /// ```
    pub fn close(&mut self) {
        self.shared.change(|state| state.receiver = false);
    }

    /// `recv` for `select!`. What comes of a receiver whose message was received already is an error.
    #[doc(hidden)]
    pub fn __select_recv(&mut self) -> LookArm<'_, State<T>, Message> {
        self.shared.arm(Message)
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        if !self.done {
            self.shared.change(|state| state.sender = false);
        }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        if self.done {
            return;
        }
        let message = self.shared.change(|state| {
            state.receiver = false;
            state.message.take()
        });
        drop(message);
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").finish_non_exhaustive()
    }
}

/// The message, or that none comes.
#[doc(hidden)]
#[derive(Debug)]
pub struct Message;

impl<T> Look<State<T>> for Message {
    type Found = Result<T, RecvError>;
    type Value = Result<T, RecvError>;

    fn is_there(&self, state: &State<T>) -> bool {
        state.message.is_some() || !state.sender || !state.receiver
    }

    fn take(&mut self, state: &mut State<T>) -> Option<Self::Found> {
        match state.message.take() {
            Some(message) => Some(Ok(message)),
            // The receiver looks itself, so if it is gone, it is closed.
            None => (!state.sender || !state.receiver).then_some(Err(RecvError)),
        }
    }

    fn finish(found: Self::Found) -> Self::Value {
        found
    }
}

/// That the receiver is gone.
struct Closed;

impl<T> Look<State<T>> for Closed {
    type Found = ();
    type Value = ();

    fn is_there(&self, state: &State<T>) -> bool {
        !state.receiver
    }

    fn take(&mut self, state: &mut State<T>) -> Option<()> {
        self.is_there(state).then_some(())
    }

    fn finish((): ()) {}
}
