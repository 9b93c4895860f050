//! Channels in which each receiver gets each message. The API is that of tokio's `sync::broadcast`, in which waiting parks instead.
//!
//! To send never waits: the channel keeps the last messages, as many as it has room for, and a receiver that is too slow for that
//! is told how many it has missed.
//!
//! # Differences to tokio
//!
//! The room is for as many messages as was asked for, not for the next power of two. A message is cloned for a receiver outside of the
//! channel's lock, so messages must be [`Sync`]; the last to receive one gets it without a clone. Receivers can be cloned.
//!
//! # Examples
//!
//! ```
//! use sward::channel::broadcast;
//!
//! let (sender, receiver) = broadcast::channel(16);
//! let listeners: Vec<_> = (0..3)
//!     .map(|_| {
//!         let mut receiver = receiver.clone();
//!         sward::spawn(move || (receiver.recv().unwrap(), receiver.recv().unwrap()))
//!     })
//!     .collect();
//! sender.send("hello").unwrap();
//! sender.send("world").unwrap();
//! for listener in listeners {
//!     assert_eq!(listener.join().unwrap(), ("hello", "world"));
//! }
//! ```
#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::errors::SendError;
use super::told::{Look, LookArm, Told};
use crate::park::{self, Reason};

/// What all share.
#[doc(hidden)]
pub struct State<T> {
    capacity: usize,
    /// The messages that are kept, and the number of the first.
    slots: VecDeque<Slot<T>>,
    first: u64,
    senders: usize,
    receivers: usize,
}

/// A message. Of two the later one is awaited by as many, or more: each receiver gets them in order.
struct Slot<T> {
    /// `None` when the last one has got it.
    message: Option<Arc<T>>,
    /// How many have yet to get it.
    awaited: usize,
}

impl<T> State<T> {
    /// The number of the next message.
    fn end(&self) -> u64 {
        self.first + self.slots.len() as u64
    }

    /// Forgets the messages that nobody awaits. They were taken.
    fn forget(&mut self) {
        while self.slots.front().is_some_and(|slot| slot.awaited == 0) {
            self.slots.pop_front();
            self.first += 1;
        }
    }

    /// The messages from this number on.
    fn from(&mut self, next: u64) -> impl Iterator<Item = &mut Slot<T>> {
        let skipped = next.saturating_sub(self.first);
        self.slots.iter_mut().skip(skipped as usize)
    }
}

impl<T> fmt::Debug for State<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").finish_non_exhaustive()
    }
}

/// The side that sends. It can be cloned.
///
/// # Examples
///
/// See the [module](self).
pub struct Sender<T> {
    shared: Arc<Told<State<T>>>,
}

/// A receiver, which gets all that is sent from its making on. A clone goes on where its original is.
///
/// # Cancellation
///
/// A wait that is cancelled has received nothing: the next one gets the message. (sward has no cancellation yet.)
///
/// # Examples
///
/// See the [module](self).
pub struct Receiver<T> {
    shared: Arc<Told<State<T>>>,
    /// The number of the message that it gets next.
    next: u64,
}

/// Why nothing was received.
///
/// # Examples
///
/// ```
/// use sward::channel::broadcast::{self, RecvError};
///
/// let (sender, mut receiver) = broadcast::channel(2);
/// (1..=5).for_each(|number| _ = sender.send(number));
/// drop(sender);
/// assert_eq!(receiver.recv(), Err(RecvError::Lagged(3)));
/// assert_eq!((receiver.recv(), receiver.recv()), (Ok(4), Ok(5)));
/// assert_eq!(receiver.recv(), Err(RecvError::Closed));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RecvError {
    /// All senders are gone, and everything was received.
    Closed,
    /// So many messages are no longer there. The next one received is the oldest that is.
    Lagged(u64),
}

/// Why nothing was received at once.
///
/// # Examples
///
/// ```
/// use sward::channel::broadcast::{self, TryRecvError};
///
/// let (sender, mut receiver) = broadcast::channel(2);
/// assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
/// sender.send(7).unwrap();
/// assert_eq!(receiver.try_recv(), Ok(7));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TryRecvError {
    /// Everything was received.
    Empty,
    /// As [`RecvError::Closed`].
    Closed,
    /// As [`RecvError::Lagged`].
    Lagged(u64),
}

/// Why nothing was received in time.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use sward::channel::broadcast::{self, RecvTimeoutError};
///
/// let (sender, mut receiver) = broadcast::channel::<u32>(2);
/// let received = receiver.recv_timeout(Duration::from_millis(1));
/// assert_eq!(received, Err(RecvTimeoutError::Timeout));
/// # drop(sender);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RecvTimeoutError {
    /// The time is up.
    Timeout,
    /// As [`RecvError::Closed`].
    Closed,
    /// As [`RecvError::Lagged`].
    Lagged(u64),
}

/// A channel that keeps up to `capacity` messages for receivers that have not got them yet.
///
/// # Panics
///
/// If `capacity` is 0.
///
/// # Examples
///
/// See the [module](self).
#[must_use]
pub fn channel<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    assert!(capacity > 0, "a broadcast needs room for a message");
    let shared = Arc::new(Told::new(State {
        capacity,
        slots: VecDeque::new(),
        first: 0,
        senders: 1,
        receivers: 1,
    }));
    let sender = Sender {
        shared: shared.clone(),
    };
    (sender, Receiver { shared, next: 0 })
}

impl<T> Sender<T> {
    /// Sends a message to all receivers that there are. Never waits: if there is no room, the oldest message makes some. How many receivers
    /// there are.
    ///
    /// # Errors
    ///
    /// If there is none. Later there may be some again, by [`subscribe`](Self::subscribe).
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, receiver) = sward::channel::broadcast::channel(2);
    /// assert_eq!(sender.send(7), Ok(1));
    /// drop(receiver);
    /// assert_eq!(sender.send(8).unwrap_err().into_inner(), 8);
    /// ```
    pub fn send(&self, message: T) -> Result<usize, SendError<T>> {
        // Allocated before the lock is taken.
        let message = Arc::new(message);
        let sent = self.shared.change(|state| {
            if state.receivers == 0 {
                return Err(message);
            }
            let full = state.slots.len() == state.capacity;
            let oldest = if full { state.slots.pop_front() } else { None };
            state.first += u64::from(full);
            state.slots.push_back(Slot {
                message: Some(message),
                awaited: state.receivers,
            });
            Ok((state.receivers, oldest))
        });
        match sent {
            Ok((receivers, oldest)) => {
                drop(oldest);
                park::spend_budget();
                Ok(receivers)
            }
            Err(message) => Err(SendError(
                Arc::into_inner(message).expect("nobody else has it"),
            )),
        }
    }

    /// A new receiver, of all that is sent from now on.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, _) = sward::channel::broadcast::channel(2);
    /// assert!(sender.send(1).is_err());
    /// let mut receiver = sender.subscribe();
    /// sender.send(2).unwrap();
    /// assert_eq!(receiver.recv(), Ok(2));
    /// ```
    #[must_use]
    pub fn subscribe(&self) -> Receiver<T> {
        subscribe(&self.shared)
    }

    /// How many receivers there are.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, receiver) = sward::channel::broadcast::channel::<u32>(2);
    /// let other = receiver.clone();
    /// assert_eq!(sender.receiver_count(), 2);
    /// # drop(other);
    /// ```
    #[must_use]
    pub fn receiver_count(&self) -> usize {
        self.shared.with(|state| state.receivers)
    }

    /// How many messages are kept for receivers that have not got them.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, mut receiver) = sward::channel::broadcast::channel(2);
    /// sender.send(1).unwrap();
    /// assert_eq!(sender.len(), 1);
    /// receiver.recv().unwrap();
    /// assert!(sender.is_empty());
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.shared.with(|state| state.slots.len())
    }

    /// Whether all receivers have got everything.
    ///
    /// # Examples
    ///
    /// See [`len`](Self::len).
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether both send by the same channel.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, _) = sward::channel::broadcast::channel::<u32>(2);
    /// assert!(sender.same_channel(&sender.clone()));
    /// ```
    #[must_use]
    pub fn same_channel(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }
}

fn subscribe<T>(shared: &Arc<Told<State<T>>>) -> Receiver<T> {
    let next = shared.with(|state| {
        state.receivers += 1;
        state.end()
    });
    Receiver {
        shared: shared.clone(),
        next,
    }
}

impl<T: Clone> Receiver<T> {
    /// Receives the next message. Waits until there is one.
    ///
    /// # Errors
    ///
    /// If messages were missed, or all senders are gone.
    ///
    /// # Panics
    ///
    /// If cloning the message does. It is lost for this receiver.
    ///
    /// # Examples
    ///
    /// See [`RecvError`].
    pub fn recv(&mut self) -> Result<T, RecvError> {
        let mut next = Next(&mut self.next);
        let received = self.shared.wait(&mut next, Reason::Receive, None);
        park::spend_budget();
        received.expect("a wait without a limit is over")
    }

    /// Receives the next message, if it is there.
    ///
    /// # Errors
    ///
    /// If it is not, if messages were missed, or if all senders are gone.
    ///
    /// # Examples
    ///
    /// See [`TryRecvError`].
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        let received = self.shared.look(&mut Next(&mut self.next));
        park::spend_budget();
        match received {
            Some(Ok(message)) => Ok(message),
            Some(Err(RecvError::Closed)) => Err(TryRecvError::Closed),
            Some(Err(RecvError::Lagged(missed))) => Err(TryRecvError::Lagged(missed)),
            None => Err(TryRecvError::Empty),
        }
    }

    /// As [`recv`](Self::recv), but no longer than `limit`.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv), and if the time is up.
    ///
    /// # Examples
    ///
    /// See [`RecvTimeoutError`].
    pub fn recv_timeout(&mut self, limit: Duration) -> Result<T, RecvTimeoutError> {
        self.recv_until(Instant::now().checked_add(limit))
    }

    /// As [`recv`](Self::recv), but no longer than until `deadline`.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv), and if the time is up.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Instant;
    ///
    /// let (sender, mut receiver) = sward::channel::broadcast::channel(2);
    /// assert!(receiver.recv_deadline(Instant::now()).is_err());
    /// sender.send(7).unwrap();
    /// assert_eq!(receiver.recv_deadline(Instant::now()), Ok(7));
    /// ```
    pub fn recv_deadline(&mut self, deadline: Instant) -> Result<T, RecvTimeoutError> {
        self.recv_until(Some(deadline))
    }

    fn recv_until(&mut self, deadline: Option<Instant>) -> Result<T, RecvTimeoutError> {
        let mut next = Next(&mut self.next);
        let received = self.shared.wait(&mut next, Reason::Receive, deadline);
        park::spend_budget();
        match received {
            Some(Ok(message)) => Ok(message),
            Some(Err(RecvError::Closed)) => Err(RecvTimeoutError::Closed),
            Some(Err(RecvError::Lagged(missed))) => Err(RecvTimeoutError::Lagged(missed)),
            None => Err(RecvTimeoutError::Timeout),
        }
    }

    /// `recv` for `select!`.
    #[doc(hidden)]
    pub fn __select_recv(&mut self) -> LookArm<'_, State<T>, Next<'_>> {
        self.shared.arm(Next(&mut self.next))
    }
}

impl<T> Receiver<T> {
    /// A new receiver, of all that is sent from now on: unlike a clone, which has yet to get what this one has not got.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, mut receiver) = sward::channel::broadcast::channel(2);
    /// sender.send(1).unwrap();
    /// let (mut clone, mut new) = (receiver.clone(), receiver.resubscribe());
    /// sender.send(2).unwrap();
    /// assert_eq!((receiver.recv(), clone.recv(), new.recv()), (Ok(1), Ok(1), Ok(2)));
    /// ```
    #[must_use]
    pub fn resubscribe(&self) -> Self {
        subscribe(&self.shared)
    }

    /// How many messages it can receive, those that it has missed not among them.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, receiver) = sward::channel::broadcast::channel(2);
    /// (1..=5).for_each(|number| _ = sender.send(number));
    /// assert_eq!(receiver.len(), 2);
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.shared.with(|state| state.from(self.next).count())
    }

    /// Whether there is nothing that it can receive.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, receiver) = sward::channel::broadcast::channel::<u32>(2);
    /// assert!(receiver.is_empty());
    /// # drop(sender);
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many senders there are.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, receiver) = sward::channel::broadcast::channel::<u32>(2);
    /// drop(sender.clone());
    /// assert_eq!(receiver.sender_count(), 1);
    /// ```
    #[must_use]
    pub fn sender_count(&self) -> usize {
        self.shared.with(|state| state.senders)
    }

    /// Whether both receive from the same channel.
    ///
    /// # Examples
    ///
    /// ```
    /// let (_, receiver) = sward::channel::broadcast::channel::<u32>(2);
    /// assert!(receiver.same_channel(&receiver.clone()));
    /// ```
    #[must_use]
    pub fn same_channel(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.shared.with(|state| state.senders += 1);
        Self {
            shared: self.shared.clone(),
        }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let last = self.shared.with(|state| {
            state.senders -= 1;
            state.senders == 0
        });
        if last {
            self.shared.change(|_| ());
        }
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        self.shared.with(|state| {
            state.receivers += 1;
            state.from(self.next).for_each(|slot| slot.awaited += 1);
        });
        Self {
            shared: self.shared.clone(),
            next: self.next,
        }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let unheard: Vec<_> = self.shared.with(|state| {
            state.receivers -= 1;
            let unheard = state.from(self.next).filter_map(|slot| {
                slot.awaited -= 1;
                (slot.awaited == 0).then(|| slot.message.take())
            });
            let unheard = unheard.collect();
            state.forget();
            unheard
        });
        drop(unheard);
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

/// The message with this number, or that there is none.
#[doc(hidden)]
#[derive(Debug)]
pub struct Next<'a>(&'a mut u64);

impl<T: Clone> Look<State<T>> for Next<'_> {
    type Found = Result<Arc<T>, RecvError>;
    type Value = Result<T, RecvError>;

    fn is_there(&self, state: &State<T>) -> bool {
        *self.0 < state.end() || state.senders == 0
    }

    fn take(&mut self, state: &mut State<T>) -> Option<Self::Found> {
        let next = *self.0;
        if next < state.first {
            *self.0 = state.first;
            return Some(Err(RecvError::Lagged(state.first - next)));
        }
        let Some(slot) = state.slots.get_mut((next - state.first) as usize) else {
            return (state.senders == 0).then_some(Err(RecvError::Closed));
        };
        *self.0 += 1;
        slot.awaited -= 1;
        let message = match slot.awaited {
            0 => slot.message.take(),
            _ => slot.message.clone(),
        };
        state.forget();
        Some(Ok(message.expect("it is there while it is awaited")))
    }

    fn finish(found: Self::Found) -> Self::Value {
        found.map(Arc::unwrap_or_clone)
    }
}

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("receiving from a closed broadcast"),
            Self::Lagged(missed) => write!(f, "missed {missed} messages of a broadcast"),
        }
    }
}

impl fmt::Display for TryRecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Empty => f.write_str("receiving from a broadcast without a message"),
            Self::Closed => RecvError::Closed.fmt(f),
            Self::Lagged(missed) => RecvError::Lagged(missed).fmt(f),
        }
    }
}

impl fmt::Display for RecvTimeoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Timeout => f.write_str("timed out waiting on a broadcast"),
            Self::Closed => RecvError::Closed.fmt(f),
            Self::Lagged(missed) => RecvError::Lagged(missed).fmt(f),
        }
    }
}

impl Error for RecvError {}
impl Error for TryRecvError {}
impl Error for RecvTimeoutError {}
