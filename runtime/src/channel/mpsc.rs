//! Channels with the names, the types and the errors of [`std::sync::mpsc`].
//!
//! They are those of [`channel`](super): what is said there holds. What `std` says of its own holds too: a [`Receiver`] cannot be
//! cloned, [`Sender`] never waits, [`SyncSender`] waits while there is no room.
//!
//! # Differences to std
//!
//! A [`Receiver`] is `Sync`. All three can be waited for by [`select!`](crate::select!).
//!
//! # Cancellation
//!
//! One that waits can be cancelled: it has not sent or received anything then, and nothing is lost but what it was about to
//! send. (sward has no cancellation yet.)
//!
//! # Examples
//!
//! ```
//! use sward::sync::mpsc;
//!
//! let (sender, receiver) = mpsc::channel();
//! for number in 0..3 {
//!     let sender = sender.clone();
//!     sward::go!(sender.send(number).unwrap());
//! }
//! drop(sender);
//! assert_eq!(receiver.iter().sum::<i32>(), 3);
//! ```
#![forbid(unsafe_code)]

use std::fmt;
use std::time::Duration;

pub use std::sync::mpsc::{RecvError, RecvTimeoutError, SendError, TryRecvError, TrySendError};

use super::arm::{RecvArm, SendArm};

/// The side that sends and never waits. The counterpart of [`std::sync::mpsc::Sender`].
///
/// # Examples
///
/// See [`channel`].
pub struct Sender<T>(super::Sender<T>);

/// The side that sends and waits for room. The counterpart of [`std::sync::mpsc::SyncSender`].
///
/// # Examples
///
/// See [`sync_channel`].
pub struct SyncSender<T>(super::Sender<T>);

/// The one that receives. The counterpart of [`std::sync::mpsc::Receiver`].
///
/// # Examples
///
/// See [`channel`].
pub struct Receiver<T>(super::Receiver<T>);

/// The messages, waiting for each. The counterpart of [`std::sync::mpsc::Iter`].
///
/// # Examples
///
/// See [`Receiver::iter`].
#[derive(Debug)]
pub struct Iter<'a, T>(super::Iter<'a, T>);

/// The messages that are there. The counterpart of [`std::sync::mpsc::TryIter`].
///
/// # Examples
///
/// See [`Receiver::try_iter`].
#[derive(Debug)]
pub struct TryIter<'a, T>(super::TryIter<'a, T>);

/// The messages, waiting for each, with the receiver. The counterpart of [`std::sync::mpsc::IntoIter`].
///
/// # Examples
///
/// ```
/// let (sender, receiver) = sward::sync::mpsc::channel();
/// sward::go!(sender.send(7).unwrap());
/// assert!(receiver.into_iter().eq([7]));
/// ```
#[derive(Debug)]
pub struct IntoIter<T>(super::IntoIter<T>);

/// A channel with room for any number of messages. The counterpart of [`std::sync::mpsc::channel`].
///
/// # Examples
///
/// ```
/// let (sender, receiver) = sward::sync::mpsc::channel();
/// sward::go!(sender.send(7).unwrap());
/// assert_eq!(receiver.recv(), Ok(7));
/// assert!(receiver.recv().is_err(), "the sender is gone");
/// ```
#[must_use]
pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
    let (sender, receiver) = super::unbounded();
    (Sender(sender), Receiver(receiver))
}

/// A channel with room for `bound` messages; with none, who sends waits for who receives. The counterpart of
/// [`std::sync::mpsc::sync_channel`].
///
/// # Examples
///
/// ```
/// let (sender, receiver) = sward::sync::mpsc::sync_channel(0);
/// sward::go!(sender.send(7).unwrap());
/// assert_eq!(receiver.recv(), Ok(7));
/// ```
#[must_use]
pub fn sync_channel<T>(bound: usize) -> (SyncSender<T>, Receiver<T>) {
    let (sender, receiver) = super::bounded(bound);
    (SyncSender(sender), Receiver(receiver))
}

impl<T> Sender<T> {
    /// Sends a message. Does not wait.
    ///
    /// # Errors
    ///
    /// If the receiver is gone; the error has the message.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, receiver) = sward::sync::mpsc::channel();
    /// assert_eq!(sender.send(1), Ok(()));
    /// drop(receiver);
    /// assert_eq!(sender.send(2).unwrap_err().0, 2);
    /// ```
    pub fn send(&self, message: T) -> Result<(), SendError<T>> {
        self.0.send(message).map_err(SendError::from)
    }

    /// `send` for `select!`.
    #[doc(hidden)]
    pub fn __select_send_from<'a>(
        &'a self,
        value: &'a mut Option<T>,
    ) -> SendArm<'a, T, SendError<T>> {
        SendArm::new(self.0.shared(), value)
    }
}

impl<T> SyncSender<T> {
    /// Sends a message. Waits until there is room for it; in a channel without room, until it is received.
    ///
    /// # Errors
    ///
    /// If the receiver is gone, or goes meanwhile; the error has the message.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, receiver) = sward::sync::mpsc::sync_channel(1);
    /// assert_eq!(sender.send(1), Ok(()));
    /// drop(receiver);
    /// assert_eq!(sender.send(2).unwrap_err().0, 2);
    /// ```
    pub fn send(&self, message: T) -> Result<(), SendError<T>> {
        self.0.send(message).map_err(SendError::from)
    }

    /// Sends a message if it need not wait.
    ///
    /// # Errors
    ///
    /// If there is no room, or in a channel without room, if nobody waits to receive; or if the receiver is gone. The error has the
    /// message.
    ///
    /// # Examples
    ///
    /// ```
    /// use sward::sync::mpsc::{TrySendError, sync_channel};
    ///
    /// let (sender, receiver) = sync_channel(1);
    /// assert_eq!(sender.try_send(1), Ok(()));
    /// assert_eq!(sender.try_send(2), Err(TrySendError::Full(2)));
    /// # drop(receiver);
    /// ```
    pub fn try_send(&self, message: T) -> Result<(), TrySendError<T>> {
        self.0.try_send(message).map_err(TrySendError::from)
    }

    /// `send` for `select!`.
    #[doc(hidden)]
    pub fn __select_send_from<'a>(
        &'a self,
        value: &'a mut Option<T>,
    ) -> SendArm<'a, T, SendError<T>> {
        SendArm::new(self.0.shared(), value)
    }
}

impl<T> Receiver<T> {
    /// Receives a message. Waits until there is one.
    ///
    /// # Errors
    ///
    /// If there is none and all senders are gone, or go meanwhile.
    ///
    /// # Examples
    ///
    /// See [`channel`].
    pub fn recv(&self) -> Result<T, RecvError> {
        self.0.recv().map_err(RecvError::from)
    }

    /// Receives a message if there is one.
    ///
    /// # Errors
    ///
    /// If there is none.
    ///
    /// # Examples
    ///
    /// ```
    /// use sward::sync::mpsc::{TryRecvError, channel};
    ///
    /// let (sender, receiver) = channel::<u32>();
    /// assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    /// drop(sender);
    /// assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected));
    /// ```
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        self.0.try_recv().map_err(TryRecvError::from)
    }

    /// Receives a message unless it would have to wait for longer than `timeout`.
    ///
    /// # Errors
    ///
    /// If the time is up, or if there is no message and all senders are gone.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use sward::sync::mpsc::{RecvTimeoutError, channel};
    ///
    /// let (sender, receiver) = channel::<u32>();
    /// let timeout = Duration::from_millis(1);
    /// assert_eq!(receiver.recv_timeout(timeout), Err(RecvTimeoutError::Timeout));
    /// drop(sender);
    /// assert_eq!(receiver.recv_timeout(timeout), Err(RecvTimeoutError::Disconnected));
    /// ```
    pub fn recv_timeout(&self, timeout: Duration) -> Result<T, RecvTimeoutError> {
        self.0.recv_timeout(timeout).map_err(RecvTimeoutError::from)
    }

    /// The messages, one after the other, waiting for each, until all senders are gone and there is none left.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, receiver) = sward::sync::mpsc::sync_channel(1);
    /// sward::go!((0..5).for_each(|number| sender.send(number).unwrap()));
    /// assert!(receiver.iter().eq(0..5));
    /// ```
    pub fn iter(&self) -> Iter<'_, T> {
        Iter(self.0.iter())
    }

    /// The messages that are there, until there is none.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, receiver) = sward::sync::mpsc::channel();
    /// sender.send(7).unwrap();
    /// assert!(receiver.try_iter().eq([7]));
    /// ```
    pub fn try_iter(&self) -> TryIter<'_, T> {
        TryIter(self.0.try_iter())
    }

    /// `recv` for `select!`.
    #[doc(hidden)]
    pub fn __select_recv(&self) -> RecvArm<'_, T, RecvError> {
        RecvArm::new(self.0.shared())
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Clone for SyncSender<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for SyncSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SyncSender").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").finish_non_exhaustive()
    }
}

impl<T> Iterator for Iter<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.0.next()
    }
}

impl<T> Iterator for TryIter<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.0.next()
    }
}

impl<T> Iterator for IntoIter<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.0.next()
    }
}

impl<'a, T> IntoIterator for &'a Receiver<T> {
    type Item = T;
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}

impl<T> IntoIterator for Receiver<T> {
    type Item = T;
    type IntoIter = IntoIter<T>;

    fn into_iter(self) -> IntoIter<T> {
        IntoIter(self.0.into_iter())
    }
}

impl<T> From<super::SendError<T>> for SendError<T> {
    fn from(error: super::SendError<T>) -> Self {
        Self(error.0)
    }
}

impl<T> From<super::TrySendError<T>> for TrySendError<T> {
    fn from(error: super::TrySendError<T>) -> Self {
        match error {
            super::TrySendError::Full(message) => Self::Full(message),
            super::TrySendError::Disconnected(message) => Self::Disconnected(message),
        }
    }
}

impl From<super::RecvError> for RecvError {
    fn from(_: super::RecvError) -> Self {
        Self
    }
}

impl From<super::TryRecvError> for TryRecvError {
    fn from(error: super::TryRecvError) -> Self {
        match error {
            super::TryRecvError::Empty => Self::Empty,
            super::TryRecvError::Disconnected => Self::Disconnected,
        }
    }
}

impl From<super::RecvTimeoutError> for RecvTimeoutError {
    fn from(error: super::RecvTimeoutError) -> Self {
        match error {
            super::RecvTimeoutError::Timeout => Self::Timeout,
            super::RecvTimeoutError::Disconnected => Self::Disconnected,
        }
    }
}
