//! `Sender`.
#![forbid(unsafe_code)]

use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::arm::SendArm;
use super::errors::{SendError, SendTimeoutError, TrySendError};
use super::shared::Shared;
use crate::park;

/// The side of a channel that sends. The counterpart of `crossbeam_channel::Sender`, and of [`std::sync::mpsc::Sender`] and
/// [`SyncSender`](std::sync::mpsc::SyncSender).
///
/// Who has to wait parks, if it is a greenlet, and blocks its thread, if it is a plain one. Who waits for room is woken in the
/// order in which it came; room may be taken by others meanwhile, and then it waits on as the first. When the last sender is dropped, the
/// channel is closed.
///
/// # Cancellation
///
/// One that waits can be cancelled: it has not sent its message then, which is dropped with it. (sward has no cancellation yet.)
///
/// # Examples
///
/// ```
/// let (sender, receiver) = sward::channel::bounded(10);
/// let other = sender.clone();
/// sward::go!(other.send("from a greenlet").unwrap());
/// std::thread::spawn(move || sender.send("from a thread").unwrap());
/// assert_eq!(receiver.iter().count(), 2);
/// ```
pub struct Sender<T> {
    shared: Arc<Shared<T>>,
}

// As crossbeam-channel's: no panic leaves a channel half done.
impl<T> UnwindSafe for Sender<T> {}
impl<T> RefUnwindSafe for Sender<T> {}

impl<T> Sender<T> {
    pub(super) fn new(shared: Arc<Shared<T>>) -> Self {
        Self { shared }
    }

    pub(super) fn shared(&self) -> &Arc<Shared<T>> {
        &self.shared
    }

    /// Sends a message. Waits until there is room for it, or in a channel without room, until somebody has received it.
    ///
    /// That it was sent does not say that it will be received: the receivers may be dropped before they come to it.
    ///
    /// # Errors
    ///
    /// If all receivers are gone, or go meanwhile; the error has the message.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, receiver) = sward::channel::bounded(1);
    /// sender.send(7).unwrap();
    /// assert_eq!(receiver.recv(), Ok(7));
    /// ```
    pub fn send(&self, message: T) -> Result<(), SendError<T>> {
        let sent = self.shared.send(message, None);
        park::spend_budget();
        sent.map_err(|error| SendError(error.into_inner()))
    }

    /// Sends a message if it need not wait.
    ///
    /// # Errors
    ///
    /// If there is no room, or in a channel without room, nobody who waits to receive; or if all receivers are gone. The error has
    /// the message.
    ///
    /// # Examples
    ///
    /// ```
    /// use sward::channel::TrySendError;
    ///
    /// let (sender, receiver) = sward::channel::bounded(1);
    /// assert_eq!(sender.try_send(1), Ok(()));
    /// assert_eq!(sender.try_send(2), Err(TrySendError::Full(2)));
    /// drop(receiver);
    /// assert_eq!(sender.try_send(3), Err(TrySendError::Disconnected(3)));
    /// ```
    pub fn try_send(&self, message: T) -> Result<(), TrySendError<T>> {
        let sent = self.shared.try_send(message);
        park::spend_budget();
        sent
    }

    /// Sends a message unless it would have to wait for longer than `timeout`.
    ///
    /// # Errors
    ///
    /// If the time is up, or if all receivers are gone; the error has the message.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let (sender, receiver) = sward::channel::bounded(1);
    /// let timeout = Duration::from_millis(1);
    /// assert!(sender.send_timeout(1, timeout).is_ok());
    /// assert_eq!(sender.send_timeout(2, timeout).unwrap_err().into_inner(), 2);
    /// # drop(receiver);
    /// ```
    pub fn send_timeout(&self, message: T, timeout: Duration) -> Result<(), SendTimeoutError<T>> {
        self.send_until(message, Instant::now().checked_add(timeout))
    }

    /// Sends a message unless it would have to wait for longer than until `deadline`.
    ///
    /// # Errors
    ///
    /// If the time is up, or if all receivers are gone; the error has the message.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Instant;
    ///
    /// let (sender, receiver) = sward::channel::bounded(1);
    /// assert!(sender.send_deadline(1, Instant::now()).is_ok(), "there is room");
    /// assert!(sender.send_deadline(2, Instant::now()).unwrap_err().is_timeout());
    /// # drop(receiver);
    /// ```
    pub fn send_deadline(&self, message: T, deadline: Instant) -> Result<(), SendTimeoutError<T>> {
        self.send_until(message, Some(deadline))
    }

    fn send_until(&self, message: T, deadline: Option<Instant>) -> Result<(), SendTimeoutError<T>> {
        let sent = self.shared.send(message, deadline);
        park::spend_budget();
        sent
    }

    /// Whether there are no messages in the channel. Always true without room.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, _receiver) = sward::channel::unbounded();
    /// assert!(sender.is_empty());
    /// sender.send(1).unwrap();
    /// assert!(!sender.is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.shared.is_empty()
    }

    /// Whether there is no room in the channel. Always true without any.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, _receiver) = sward::channel::bounded(1);
    /// assert!(!sender.is_full());
    /// sender.send(1).unwrap();
    /// assert!(sender.is_full());
    /// ```
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.shared.is_full()
    }

    /// How many messages are in the channel.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, _receiver) = sward::channel::unbounded();
    /// sender.send(1).unwrap();
    /// assert_eq!(sender.len(), 1);
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.shared.len()
    }

    /// For how many messages there is room; `None` if there is no bound.
    ///
    /// # Examples
    ///
    /// ```
    /// use sward::channel::{bounded, unbounded};
    ///
    /// assert_eq!(bounded::<u32>(3).0.capacity(), Some(3));
    /// assert_eq!(unbounded::<u32>().0.capacity(), None);
    /// ```
    #[must_use]
    pub fn capacity(&self) -> Option<usize> {
        self.shared.capacity()
    }

    /// How many senders the channel has.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, _receiver) = sward::channel::unbounded::<u32>();
    /// let other = sender.clone();
    /// assert_eq!((other.sender_count(), other.receiver_count()), (2, 1));
    /// ```
    #[must_use]
    pub fn sender_count(&self) -> usize {
        self.shared.senders()
    }

    /// How many receivers the channel has.
    ///
    /// # Examples
    ///
    /// See [`sender_count`](Self::sender_count).
    #[must_use]
    pub fn receiver_count(&self) -> usize {
        self.shared.receivers()
    }

    /// Whether both belong to the same channel.
    ///
    /// # Examples
    ///
    /// ```
    /// use sward::channel::unbounded;
    ///
    /// let (sender, _receiver) = unbounded::<u32>();
    /// assert!(sender.same_channel(&sender.clone()));
    /// assert!(!sender.same_channel(&unbounded().0));
    /// ```
    #[must_use]
    pub fn same_channel(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    /// `send` for `select!`: of what is in `value`, which is left there if another arm is chosen. While there is nothing, it waits for ever.
    #[doc(hidden)]
    pub fn __select_send_from<'a>(&'a self, value: &'a mut Option<T>) -> SendArm<'a, T> {
        SendArm::new(&self.shared, value)
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.shared.add_sender();
        Self::new(self.shared.clone())
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.shared.remove_sender();
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("len", &self.len())
            .field("capacity", &self.capacity())
            .finish_non_exhaustive()
    }
}
