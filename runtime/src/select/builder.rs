//! `Select`: as `select!`, for a number of things that is known at run time only.
#![forbid(unsafe_code)]

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::time::{Duration, Instant};

use super::{AnyArm, Limit, arm, select};
use crate::channel::{Receiver, RecvError, SendError, Sender, broadcast, oneshot, watch};
use crate::net::{TcpListener, TcpStream};
use crate::park::Outcome;
use crate::runtime::{JoinError, JoinHandle};
use crate::sync::{Event, Notify};

/// Waiting for one of any number of things: what [`select!`](crate::select!) is for a number that is known when the program is
/// compiled.
///
/// Each thing comes with a closure, which is called with what came of it if it is the one that is chosen; its value is that of
/// the wait. If several can be done at once, one is chosen at random, all alike, or the first with [`biased`](Self::biased).
/// All others are as if nobody had waited for them.
///
/// # Cancellation
///
/// As for [`select!`](crate::select!): a wait that is cancelled has done none of the things. (sward has no cancellation yet.)
///
/// # Examples
///
/// ```
/// use sward::Select;
///
/// let mut greenlets: Vec<_> = (1..=3).map(|number| sward::spawn(move || number * 10)).collect();
/// let mut select = Select::new();
/// for greenlet in &mut greenlets {
///     select.join(greenlet, |result| result.unwrap());
/// }
/// let first = select.wait();
/// assert!([10, 20, 30].contains(&first));
/// ```
pub struct Select<'a, R> {
    branches: Vec<Box<dyn Branch<R> + 'a>>,
    biased: bool,
}

/// An arm, and what to do with what comes of it.
trait Branch<R> {
    fn arm(&mut self) -> AnyArm<'_>;
    /// To be called for the one that was done.
    fn finish(self: Box<Self>) -> R;
}

struct Then<A, F> {
    arm: Pin<Box<A>>,
    then: F,
}

impl<R, A: Outcome, F: FnOnce(A::Value) -> R> Branch<R> for Then<A, F> {
    fn arm(&mut self) -> AnyArm<'_> {
        arm(self.arm.as_mut())
    }

    fn finish(mut self: Box<Self>) -> R {
        let value = self.arm.as_mut().take();
        let Self { arm, then } = *self;
        // What it borrowed is free again.
        drop(arm);
        then(value)
    }
}

impl<'a, R> Select<'a, R> {
    /// Waits for nothing yet.
    ///
    /// # Examples
    ///
    /// See [`Select`].
    #[must_use]
    pub fn new() -> Self {
        Self {
            branches: Vec::new(),
            biased: false,
        }
    }

    /// From now on the first of those that can be done is chosen, in the order in which they were added.
    ///
    /// # Examples
    ///
    /// ```
    /// use sward::Select;
    ///
    /// let (mut one, mut other) = (sward::spawn(|| 1), sward::spawn(|| 2));
    /// while !(one.is_finished() && other.is_finished()) {
    ///     sward::yield_now();
    /// }
    /// let mut select = Select::new();
    /// select.biased().join(&mut one, Result::unwrap).join(&mut other, Result::unwrap);
    /// assert_eq!(select.wait(), 1);
    /// ```
    pub fn biased(&mut self) -> &mut Self {
        self.biased = true;
        self
    }

    /// How many things it waits for.
    ///
    /// # Examples
    ///
    /// ```
    /// assert_eq!(sward::Select::<()>::new().len(), 0);
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.branches.len()
    }

    /// Whether there is nothing that it waits for.
    ///
    /// # Examples
    ///
    /// ```
    /// assert!(sward::Select::<()>::new().is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.branches.is_empty()
    }

    /// Waits also for the end of a greenlet. If that is chosen, its value has been taken: to join it again panics.
    ///
    /// # Examples
    ///
    /// See [`Select`].
    pub fn join<T>(
        &mut self,
        handle: &'a mut JoinHandle<T>,
        then: impl FnOnce(Result<T, JoinError>) -> R + 'a,
    ) -> &mut Self {
        self.add(handle.__select_join(), then)
    }

    /// Waits also for a message. If that is chosen, it has been received.
    ///
    /// # Examples
    ///
    /// ```
    /// use sward::Select;
    /// use sward::channel::unbounded;
    ///
    /// let channels: Vec<_> = (0..3).map(|_| unbounded()).collect();
    /// channels[1].0.send("hello").unwrap();
    /// let mut select = Select::new();
    /// for (number, (_, receiver)) in channels.iter().enumerate() {
    ///     select.recv(receiver, move |message| (number, message.unwrap()));
    /// }
    /// assert_eq!(select.wait(), (1, "hello"));
    /// ```
    pub fn recv<T>(
        &mut self,
        receiver: &'a Receiver<T>,
        then: impl FnOnce(Result<T, RecvError>) -> R + 'a,
    ) -> &mut Self {
        self.add(receiver.__select_recv(), then)
    }

    /// Waits also until a message can be sent. If that is chosen, it has been taken out of `message` and sent, or is in the error; if
    /// not, it stays there. With `None` it is never chosen.
    ///
    /// # Examples
    ///
    /// ```
    /// use sward::Select;
    /// use sward::channel::bounded;
    ///
    /// let (sender, receiver) = bounded(1);
    /// let mut message = Some(7);
    /// let mut select = Select::new();
    /// select.send(&sender, &mut message, |result| result.unwrap());
    /// select.wait();
    /// assert_eq!((message, receiver.recv()), (None, Ok(7)));
    /// ```
    pub fn send<T>(
        &mut self,
        sender: &'a Sender<T>,
        message: &'a mut Option<T>,
        then: impl FnOnce(Result<(), SendError<T>>) -> R + 'a,
    ) -> &mut Self {
        self.add(sender.__select_send_from(message), then)
    }

    /// Waits also for the message of a [`oneshot`]. If that is chosen, it has been taken.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, mut receiver) = sward::channel::oneshot::channel();
    /// sender.send(7).unwrap();
    /// let mut select = sward::Select::new();
    /// select.oneshot(&mut receiver, Result::unwrap);
    /// assert_eq!(select.wait(), 7);
    /// ```
    pub fn oneshot<T>(
        &mut self,
        receiver: &'a mut oneshot::Receiver<T>,
        then: impl FnOnce(Result<T, RecvError>) -> R + 'a,
    ) -> &mut Self {
        self.add(receiver.__select_recv(), then)
    }

    /// Waits also for the next message of a [`broadcast`]. If that is chosen, it has been received.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, mut receiver) = sward::channel::broadcast::channel(2);
    /// sender.send(7).unwrap();
    /// let mut select = sward::Select::new();
    /// select.broadcast(&mut receiver, Result::unwrap);
    /// assert_eq!(select.wait(), 7);
    /// ```
    pub fn broadcast<T: Clone>(
        &mut self,
        receiver: &'a mut broadcast::Receiver<T>,
        then: impl FnOnce(Result<T, broadcast::RecvError>) -> R + 'a,
    ) -> &mut Self {
        self.add(receiver.__select_recv(), then)
    }

    /// Waits also for the value of a [`watch`] to change. If that is chosen, the change counts as seen.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, mut receiver) = sward::channel::watch::channel(1);
    /// sender.send(2).unwrap();
    /// let mut select = sward::Select::new();
    /// select.changed(&mut receiver, Result::unwrap);
    /// select.wait();
    /// assert!(!receiver.has_changed().unwrap());
    /// ```
    pub fn changed<T>(
        &mut self,
        receiver: &'a mut watch::Receiver<T>,
        then: impl FnOnce(Result<(), RecvError>) -> R + 'a,
    ) -> &mut Self {
        self.add(receiver.__select_changed(), then)
    }

    /// Waits also until the event is set.
    ///
    /// # Examples
    ///
    /// ```
    /// let event = sward::sync::Event::new();
    /// event.set();
    /// let mut select = sward::Select::new();
    /// select.event(&event, || 7);
    /// assert_eq!(select.wait(), 7);
    /// ```
    pub fn event(&mut self, event: &'a Event, then: impl FnOnce() -> R + 'a) -> &mut Self {
        self.add(event.__select_wait(), |()| then())
    }

    /// Waits also for a notification. If that is chosen, it has been taken.
    ///
    /// # Examples
    ///
    /// ```
    /// let notify = sward::sync::Notify::new();
    /// notify.notify_one();
    /// let mut select = sward::Select::new();
    /// select.notify(&notify, || 7);
    /// assert_eq!(select.wait(), 7);
    /// assert!(!notify.try_wait());
    /// ```
    pub fn notify(&mut self, notify: &'a Notify, then: impl FnOnce() -> R + 'a) -> &mut Self {
        self.add(notify.__select_wait(), |()| then())
    }

    /// Waits also for a connection. If that is chosen, it has been accepted.
    ///
    /// # Examples
    ///
    /// ```
    /// use sward::net::{TcpListener, TcpStream};
    ///
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// let address = listener.local_addr()?;
    /// let client = sward::spawn(move || TcpStream::connect(address));
    /// let mut select = sward::Select::new();
    /// select.accept(&listener, |accepted| accepted.map(|(_, peer)| peer));
    /// let peer = select.wait()?;
    /// assert_eq!(client.join().unwrap()?.local_addr()?, peer);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn accept(
        &mut self,
        listener: &'a TcpListener,
        then: impl FnOnce(io::Result<(TcpStream, SocketAddr)>) -> R + 'a,
    ) -> &mut Self {
        self.add(listener.__select_accept(), then)
    }

    /// Waits also for bytes of a connection, its end, or an error. If that is chosen, they have been read into `buffer`.
    ///
    /// # Examples
    ///
    /// As [`accept`](Self::accept): `select.read(&stream, &mut buffer, |read| read.unwrap())`.
    pub fn read(
        &mut self,
        stream: &'a TcpStream,
        buffer: &'a mut [u8],
        then: impl FnOnce(io::Result<usize>) -> R + 'a,
    ) -> &mut Self {
        self.add(stream.__select_read(buffer), then)
    }

    fn add<A: Outcome + 'a>(&mut self, arm: A, then: impl FnOnce(A::Value) -> R + 'a) -> &mut Self {
        let arm = Box::pin(arm);
        self.branches.push(Box::new(Then { arm, then }));
        self
    }

    /// Waits until one of the things is done.
    ///
    /// # Panics
    ///
    /// If there are none.
    ///
    /// # Examples
    ///
    /// See [`Select`].
    pub fn wait(self) -> R {
        match self.wait_for(Limit::Never) {
            Ok(value) => value,
            Err(_) => unreachable!("a select without a limit has waited"),
        }
    }

    /// If one of the things can be done at once, it is.
    ///
    /// # Errors
    ///
    /// If none can; the error waits for the same things.
    ///
    /// # Examples
    ///
    /// ```
    /// let mut parked = sward::spawn(sward::park);
    /// let mut select = sward::Select::new();
    /// select.join(&mut parked, Result::unwrap);
    /// let select = select.try_wait().unwrap_err();
    /// assert_eq!(select.len(), 1);
    /// drop(select);
    /// parked.greenlet().unpark();
    /// parked.join().unwrap();
    /// ```
    pub fn try_wait(self) -> Result<R, Self> {
        self.wait_for(Limit::Now)
    }

    /// As [`wait`](Self::wait), but waits no longer than `limit`.
    ///
    /// # Errors
    ///
    /// If none of the things was done in time; the error waits for the same things.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let select = sward::Select::<()>::new();
    /// assert!(select.wait_timeout(Duration::from_millis(5)).is_err());
    /// ```
    pub fn wait_timeout(self, limit: Duration) -> Result<R, Self> {
        self.wait_for(Limit::timeout(limit))
    }

    /// As [`wait`](Self::wait), but waits no longer than until `deadline`.
    ///
    /// # Errors
    ///
    /// As for [`wait_timeout`](Self::wait_timeout).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Instant;
    ///
    /// assert!(sward::Select::<()>::new().wait_deadline(Instant::now()).is_err());
    /// ```
    pub fn wait_deadline(self, deadline: Instant) -> Result<R, Self> {
        self.wait_for(Limit::deadline(deadline))
    }

    fn wait_for(mut self, limit: Limit) -> Result<R, Self> {
        let mut arms: Vec<_> = self
            .branches
            .iter_mut()
            .map(|branch| Some(branch.arm()))
            .collect();
        match select(&mut arms, self.biased, limit) {
            Some(at) => Ok(self.branches.swap_remove(at).finish()),
            None => Err(self),
        }
    }
}

impl<R> Default for Select<'_, R> {
    fn default() -> Self {
        Self::new()
    }
}

impl<R> fmt::Debug for Select<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Select")
            .field("len", &self.len())
            .field("biased", &self.biased)
            .finish()
    }
}
