//! `Receiver`.
#![forbid(unsafe_code)]

use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::arm::RecvArm;
use super::errors::{RecvError, RecvTimeoutError, TryRecvError};
use super::iter::{IntoIter, Iter, TryIter};
use super::shared::Shared;
use crate::park;

/// The side of a channel that receives. The counterpart of `crossbeam_channel::Receiver`, and of [`std::sync::mpsc::Receiver`].
///
/// Each message goes to one receiver. Who has to wait parks, if it is a greenlet, and blocks its thread, if it is a plain one. Who waits is
/// woken in the order in which it came; its message may be taken by others meanwhile, and then it waits on as the first. When the last receiver is
/// dropped, the channel is closed, and the messages that are left are dropped.
///
/// # Cancellation
///
/// One that waits can be cancelled: it has received nothing then, and no message is lost. (sward has no cancellation yet.)
///
/// # Examples
///
/// ```
/// let (sender, receiver) = sward::channel::unbounded();
/// let workers: Vec<_> = (0..3)
///     .map(|_| {
///         let receiver = receiver.clone();
///         sward::spawn(move || receiver.iter().sum::<u32>())
///     })
///     .collect();
/// (0..100).for_each(|number| sender.send(number).unwrap());
/// drop(sender);
/// let sum: u32 = workers.into_iter().map(|worker| worker.join().unwrap()).sum();
/// assert_eq!(sum, 99 * 100 / 2);
/// ```
pub struct Receiver<T> {
    shared: Arc<Shared<T>>,
}

// As crossbeam-channel's: no panic leaves a channel half done.
impl<T> UnwindSafe for Receiver<T> {}
impl<T> RefUnwindSafe for Receiver<T> {}

impl<T> Receiver<T> {
    pub(super) fn new(shared: Arc<Shared<T>>) -> Self {
        Self { shared }
    }

    pub(super) fn shared(&self) -> &Arc<Shared<T>> {
        &self.shared
    }

    /// Receives a message. Waits until there is one.
    ///
    /// # Errors
    ///
    /// If there is none and all senders are gone, or go meanwhile.
    ///
    /// # Examples
    ///
    /// ```
    /// use sward::channel::{RecvError, unbounded};
    ///
    /// let (sender, receiver) = unbounded();
    /// sward::go!(sender.send(7).unwrap());
    /// assert_eq!(receiver.recv(), Ok(7));
    /// assert_eq!(receiver.recv(), Err(RecvError));
    /// ```
    pub fn recv(&self) -> Result<T, RecvError> {
        let received = self.shared.recv(None);
        park::spend_budget();
        received.map_err(|_| RecvError)
    }

    /// Receives a message if there is one, or in a channel without room, if somebody waits to send one.
    ///
    /// # Errors
    ///
    /// If there is none.
    ///
    /// # Examples
    ///
    /// ```
    /// use sward::channel::{TryRecvError, unbounded};
    ///
    /// let (sender, receiver) = unbounded();
    /// assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    /// sender.send(7).unwrap();
    /// drop(sender);
    /// assert_eq!(receiver.try_recv(), Ok(7));
    /// assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected));
    /// ```
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        let received = self.shared.try_recv();
        park::spend_budget();
        received
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
    ///
    /// let (sender, receiver) = sward::channel::unbounded();
    /// assert!(receiver.recv_timeout(Duration::from_millis(1)).unwrap_err().is_timeout());
    /// sender.send(7).unwrap();
    /// assert_eq!(receiver.recv_timeout(Duration::ZERO), Ok(7));
    /// ```
    pub fn recv_timeout(&self, timeout: Duration) -> Result<T, RecvTimeoutError> {
        self.recv_until(Instant::now().checked_add(timeout))
    }

    /// Receives a message unless it would have to wait for longer than until `deadline`.
    ///
    /// # Errors
    ///
    /// If the time is up, or if there is no message and all senders are gone.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Instant;
    ///
    /// let (sender, receiver) = sward::channel::unbounded::<u32>();
    /// assert!(receiver.recv_deadline(Instant::now()).unwrap_err().is_timeout());
    /// drop(sender);
    /// assert!(receiver.recv_deadline(Instant::now()).unwrap_err().is_disconnected());
    /// ```
    pub fn recv_deadline(&self, deadline: Instant) -> Result<T, RecvTimeoutError> {
        self.recv_until(Some(deadline))
    }

    fn recv_until(&self, deadline: Option<Instant>) -> Result<T, RecvTimeoutError> {
        let received = self.shared.recv(deadline);
        park::spend_budget();
        received
    }

    /// The messages, one after the other, waiting for each, until the channel is closed and empty.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, receiver) = sward::channel::bounded(1);
    /// sward::go!((0..5).for_each(|number| sender.send(number).unwrap()));
    /// assert!(receiver.iter().eq(0..5));
    /// ```
    pub fn iter(&self) -> Iter<'_, T> {
        Iter::new(self)
    }

    /// The messages that are there, until there is none.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, receiver) = sward::channel::unbounded();
    /// (0..5).for_each(|number| sender.send(number).unwrap());
    /// assert!(receiver.try_iter().eq(0..5));
    /// ```
    pub fn try_iter(&self) -> TryIter<'_, T> {
        TryIter::new(self)
    }

    /// Whether there are no messages in the channel. Always true without room.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, receiver) = sward::channel::unbounded();
    /// assert!(receiver.is_empty());
    /// sender.send(1).unwrap();
    /// assert!(!receiver.is_empty());
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
    /// assert!(sward::channel::bounded::<u32>(0).1.is_full());
    /// assert!(!sward::channel::unbounded::<u32>().1.is_full());
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
    /// let (sender, receiver) = sward::channel::unbounded();
    /// sender.send(1).unwrap();
    /// assert_eq!(receiver.len(), 1);
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
    /// assert_eq!(sward::channel::bounded::<u32>(3).1.capacity(), Some(3));
    /// ```
    #[must_use]
    pub fn capacity(&self) -> Option<usize> {
        self.shared.capacity()
    }

    /// How many senders the channel has. (Of one that time sends to: one.)
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, receiver) = sward::channel::unbounded::<u32>();
    /// let other = receiver.clone();
    /// assert_eq!((other.sender_count(), other.receiver_count()), (1, 2));
    /// # drop(sender);
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
    /// use sward::channel::never;
    ///
    /// let receiver = never::<u32>();
    /// assert!(receiver.same_channel(&receiver.clone()));
    /// assert!(!receiver.same_channel(&never()));
    /// ```
    #[must_use]
    pub fn same_channel(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    /// `recv` for `select!`.
    #[doc(hidden)]
    pub fn __select_recv(&self) -> RecvArm<'_, T> {
        RecvArm::new(&self.shared)
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        self.shared.add_receiver();
        Self::new(self.shared.clone())
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.shared.remove_receiver();
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("len", &self.len())
            .field("capacity", &self.capacity())
            .finish_non_exhaustive()
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
        IntoIter::new(self)
    }
}
