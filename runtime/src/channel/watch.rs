//! Channels that keep the last value only, for any number of receivers: a setting, a state, a count. The API is that of tokio's
//! `sync::watch`, in which waiting parks instead.
//!
//! # Differences to tokio
//!
//! Who looks at the value gets an [`Arc`] of it, and no guard: a guard that is held while its greenlet waits would hold up all others. For
//! the same reason [`send_modify`](Sender::send_modify) changes a clone, which then takes the value's place.
//!
//! # Examples
//!
//! ```
//! use sward::channel::watch;
//!
//! let (sender, mut receiver) = watch::channel("starting");
//! let waiter = sward::spawn(move || {
//!     let mut seen = vec![*receiver.get()];
//!     while receiver.changed().is_ok() {
//!         seen.push(*receiver.get());
//!     }
//!     seen
//! });
//! sender.send("running").unwrap();
//! drop(sender);
//! // It may have come too late for the first.
//! assert!(waiter.join().unwrap().ends_with(&["running"]));
//! ```
#![forbid(unsafe_code)]

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::errors::{RecvError, RecvTimeoutError, SendError};
use super::told::{Look, LookArm, Told};
use crate::park::{self, Reason, Wait, WaitQueue};

/// What all share.
#[derive(Debug)]
struct Shared<T> {
    told: Told<State<T>>,
    turns: Turns,
}

/// What is told.
#[doc(hidden)]
pub struct State<T> {
    value: Arc<T>,
    /// How often it was changed.
    version: u64,
    senders: usize,
    receivers: usize,
}

impl<T> State<T> {
    /// Changes the value. The old one, to be dropped when the lock is released.
    fn replace(&mut self, value: Arc<T>) -> Arc<T> {
        self.version += 1;
        std::mem::replace(&mut self.value, value)
    }
}

impl<T> fmt::Debug for State<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").finish_non_exhaustive()
    }
}

/// The side that changes the value. It can be cloned.
///
/// # Examples
///
/// See the [module](self).
pub struct Sender<T> {
    shared: Arc<Shared<T>>,
}

/// The side that looks at the value, and waits for it to change. Each remembers which one it has seen; a clone has seen what its
/// original has.
///
/// # Cancellation
///
/// A wait that is cancelled has seen nothing: the change is found by the next one. (sward has no cancellation yet.)
///
/// # Examples
///
/// See the [module](self).
pub struct Receiver<T> {
    shared: Arc<Shared<T>>,
    /// The version that it has seen.
    seen: u64,
}

/// A channel with this value. The receiver has seen it.
///
/// # Examples
///
/// See the [module](self).
#[must_use]
pub fn channel<T>(value: T) -> (Sender<T>, Receiver<T>) {
    let state = State {
        value: Arc::new(value),
        version: 0,
        senders: 1,
        receivers: 1,
    };
    let shared = Arc::new(Shared {
        told: Told::new(state),
        turns: Turns::default(),
    });
    let sender = Sender {
        shared: shared.clone(),
    };
    (sender, Receiver { shared, seen: 0 })
}

impl<T> Sender<T> {
    /// Changes the value, and tells all receivers.
    ///
    /// It waits if another sender is in [`send_modify`](Self::send_modify).
    ///
    /// # Errors
    ///
    /// The value, if there is no receiver. The value of the channel is as it was: see [`send_replace`](Self::send_replace).
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, receiver) = sward::channel::watch::channel(1);
    /// sender.send(2).unwrap();
    /// assert_eq!(*receiver.get(), 2);
    /// drop(receiver);
    /// assert_eq!(sender.send(3).unwrap_err().into_inner(), 3);
    /// ```
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        let value = Arc::new(value);
        let turn = self.shared.turns.take();
        let sent = self.shared.told.change(|state| match state.receivers {
            0 => Err(value),
            _ => Ok(state.replace(value)),
        });
        drop(turn);
        match sent {
            Ok(_old) => Ok(()),
            Err(value) => {
                let value = Arc::into_inner(value);
                Err(SendError(value.expect("nobody else has it")))
            }
        }
    }

    /// Changes the value, also if there is no receiver. The old one.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, _) = sward::channel::watch::channel(1);
    /// assert_eq!(*sender.send_replace(2), 1);
    /// assert_eq!(*sender.get(), 2);
    /// ```
    pub fn send_replace(&self, value: T) -> Arc<T> {
        let value = Arc::new(value);
        let _turn = self.shared.turns.take();
        self.shared.told.change(|state| state.replace(value))
    }

    /// Changes a clone of the value, which then takes its place. Receivers see either; other senders wait for their turn.
    ///
    /// # Panics
    ///
    /// If the closure does, or the clone. The value is as it was then. If the closure sends by the same channel, it waits for ever.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, receiver) = sward::channel::watch::channel(vec![1]);
    /// sender.send_modify(|all| all.push(2));
    /// assert_eq!(*receiver.get(), [1, 2]);
    /// ```
    pub fn send_modify(&self, modify: impl FnOnce(&mut T))
    where
        T: Clone,
    {
        self.send_if_modified(|value| {
            modify(value);
            true
        });
    }

    /// As [`send_modify`](Self::send_modify), but the value is as it was, and nobody is told, if the closure says that it has not
    /// changed it. What it said.
    ///
    /// # Panics
    ///
    /// As [`send_modify`](Self::send_modify).
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, receiver) = sward::channel::watch::channel(5);
    /// let at_least = |least: u32| sender.send_if_modified(|value| {
    ///     let less = *value < least;
    ///     *value = least.max(*value);
    ///     less
    /// });
    /// assert!(!at_least(3) && !receiver.has_changed().unwrap());
    /// assert!(at_least(7) && receiver.has_changed().unwrap());
    /// ```
    pub fn send_if_modified(&self, modify: impl FnOnce(&mut T) -> bool) -> bool
    where
        T: Clone,
    {
        let _turn = self.shared.turns.take();
        let mut value = T::clone(&self.get());
        let modified = modify(&mut value);
        if modified {
            let value = Arc::new(value);
            let _old = self.shared.told.change(|state| state.replace(value));
        }
        modified
    }

    /// The value.
    ///
    /// # Examples
    ///
    /// See [`send_replace`](Self::send_replace).
    #[must_use]
    pub fn get(&self) -> Arc<T> {
        self.shared.told.with(|state| state.value.clone())
    }

    /// A new receiver, which has seen the value of now.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, _) = sward::channel::watch::channel(1);
    /// let mut receiver = sender.subscribe();
    /// assert!(!receiver.has_changed().unwrap());
    /// ```
    #[must_use]
    pub fn subscribe(&self) -> Receiver<T> {
        let seen = self.shared.told.with(|state| {
            state.receivers += 1;
            state.version
        });
        Receiver {
            shared: self.shared.clone(),
            seen,
        }
    }

    /// How many receivers there are.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, receiver) = sward::channel::watch::channel(1);
    /// let other = receiver.clone();
    /// assert_eq!(sender.receiver_count(), 2);
    /// # drop(other);
    /// ```
    #[must_use]
    pub fn receiver_count(&self) -> usize {
        self.shared.told.with(|state| state.receivers)
    }

    /// How many senders there are.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, _) = sward::channel::watch::channel(1);
    /// assert_eq!(sender.sender_count(), 1);
    /// ```
    #[must_use]
    pub fn sender_count(&self) -> usize {
        self.shared.told.with(|state| state.senders)
    }

    /// Whether there is no receiver.
    ///
    /// # Examples
    ///
    /// See [`closed`](Self::closed).
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.receiver_count() == 0
    }

    /// Waits until there is no receiver.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, receiver) = sward::channel::watch::channel(1);
    /// sward::go!(drop(receiver));
    /// sender.closed();
    /// assert!(sender.is_closed());
    /// ```
    pub fn closed(&self) {
        let closed = self.closed_until(None);
        debug_assert!(closed);
    }

    /// As [`closed`](Self::closed), but no longer than `limit`. Whether there was no receiver in time.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let (sender, receiver) = sward::channel::watch::channel(1);
    /// assert!(!sender.closed_timeout(Duration::from_millis(1)));
    /// # drop(receiver);
    /// ```
    #[must_use = "it says whether it is closed"]
    pub fn closed_timeout(&self, limit: Duration) -> bool {
        self.closed_until(Instant::now().checked_add(limit))
    }

    fn closed_until(&self, deadline: Option<Instant>) -> bool {
        let told = &self.shared.told;
        told.wait(&mut Unwatched, Reason::Closed, deadline)
            .is_some()
    }

    /// Whether both change the same value.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, _) = sward::channel::watch::channel(1);
    /// assert!(sender.same_channel(&sender.clone()));
    /// ```
    #[must_use]
    pub fn same_channel(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }
}

impl<T> Receiver<T> {
    /// The value. It does not count as seen.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, mut receiver) = sward::channel::watch::channel(1);
    /// sender.send(2).unwrap();
    /// assert_eq!(*receiver.get(), 2);
    /// assert!(receiver.has_changed().unwrap());
    /// ```
    #[must_use]
    pub fn get(&self) -> Arc<T> {
        self.shared.told.with(|state| state.value.clone())
    }

    /// The value, which counts as seen then.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, mut receiver) = sward::channel::watch::channel(1);
    /// sender.send(2).unwrap();
    /// assert_eq!(*receiver.get_and_update(), 2);
    /// assert!(!receiver.has_changed().unwrap());
    /// ```
    #[must_use]
    pub fn get_and_update(&mut self) -> Arc<T> {
        let (value, version) = self
            .shared
            .told
            .with(|state| (state.value.clone(), state.version));
        self.seen = version;
        value
    }

    /// Waits until there is a value that it has not seen, which counts as seen then. Several changes are one.
    ///
    /// # Errors
    ///
    /// If all senders are gone, and the last value was seen.
    ///
    /// # Examples
    ///
    /// See the [module](self).
    pub fn changed(&mut self) -> Result<(), RecvError> {
        let mut change = Change(&mut self.seen);
        let changed = self.shared.told.wait(&mut change, Reason::Receive, None);
        park::spend_budget();
        changed.expect("a wait without a limit is over")
    }

    /// As [`changed`](Self::changed), but no longer than `limit`.
    ///
    /// # Errors
    ///
    /// As [`changed`](Self::changed), and if the time is up.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let (sender, mut receiver) = sward::channel::watch::channel(1);
    /// assert!(receiver.changed_timeout(Duration::from_millis(1)).unwrap_err().is_timeout());
    /// # drop(sender);
    /// ```
    pub fn changed_timeout(&mut self, limit: Duration) -> Result<(), RecvTimeoutError> {
        self.changed_until(Instant::now().checked_add(limit))
    }

    /// As [`changed`](Self::changed), but no longer than until `deadline`.
    ///
    /// # Errors
    ///
    /// As [`changed`](Self::changed), and if the time is up.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Instant;
    ///
    /// let (sender, mut receiver) = sward::channel::watch::channel(1);
    /// sender.send(2).unwrap();
    /// assert_eq!(receiver.changed_deadline(Instant::now()), Ok(()));
    /// ```
    pub fn changed_deadline(&mut self, deadline: Instant) -> Result<(), RecvTimeoutError> {
        self.changed_until(Some(deadline))
    }

    fn changed_until(&mut self, deadline: Option<Instant>) -> Result<(), RecvTimeoutError> {
        let mut change = Change(&mut self.seen);
        let told = &self.shared.told;
        let changed = told.wait(&mut change, Reason::Receive, deadline);
        park::spend_budget();
        match changed {
            Some(changed) => changed.map_err(RecvTimeoutError::from),
            None => Err(RecvTimeoutError::Timeout),
        }
    }

    /// Whether there is a value that it has not seen.
    ///
    /// # Errors
    ///
    /// If there is none, and all senders are gone.
    ///
    /// # Examples
    ///
    /// ```
    /// use sward::channel::{RecvError, watch};
    ///
    /// let (sender, mut receiver) = watch::channel(1);
    /// assert_eq!(receiver.has_changed(), Ok(false));
    /// sender.send(2).unwrap();
    /// drop(sender);
    /// assert_eq!(receiver.has_changed(), Ok(true));
    /// receiver.mark_unchanged();
    /// assert_eq!(receiver.has_changed(), Err(RecvError));
    /// ```
    pub fn has_changed(&self) -> Result<bool, RecvError> {
        let told = &self.shared.told;
        told.with(|state| match state.version != self.seen {
            false if state.senders == 0 => Err(RecvError),
            changed => Ok(changed),
        })
    }

    /// The value counts as seen.
    ///
    /// # Examples
    ///
    /// See [`has_changed`](Self::has_changed).
    pub fn mark_unchanged(&mut self) {
        self.seen = self.shared.told.with(|state| state.version);
    }

    /// The value counts as not seen.
    ///
    /// # Examples
    ///
    /// ```
    /// let (_sender, mut receiver) = sward::channel::watch::channel(1);
    /// receiver.mark_changed();
    /// assert_eq!(receiver.changed(), Ok(()));
    /// ```
    pub fn mark_changed(&mut self) {
        // The numbers of versions begin at 0, and there are never so many.
        self.seen = u64::MAX;
    }

    /// Waits for a value that is as wanted, the one of now or a later one. It counts as seen; so do those before it.
    ///
    /// # Errors
    ///
    /// If all senders are gone, and the last value is not as wanted.
    ///
    /// # Examples
    ///
    /// ```
    /// use sward::channel::watch;
    ///
    /// let (sender, mut receiver) = watch::channel(1);
    /// sward::go!((2..=5).for_each(|number| _ = sender.send(number)));
    /// assert_eq!(receiver.wait_for(|&number| number == 5).as_deref(), Ok(&5));
    /// assert!(receiver.wait_for(|&number| number == 6).is_err());
    /// ```
    pub fn wait_for(&mut self, wanted: impl FnMut(&T) -> bool) -> Result<Arc<T>, RecvError> {
        match self.wait_for_until(wanted, None) {
            Ok(value) => Ok(value),
            Err(RecvTimeoutError::Disconnected) => Err(RecvError),
            Err(RecvTimeoutError::Timeout) => unreachable!("a wait without a limit is over"),
        }
    }

    /// As [`wait_for`](Self::wait_for), but no longer than `limit`.
    ///
    /// # Errors
    ///
    /// As [`wait_for`](Self::wait_for), and if the time is up.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let (sender, mut receiver) = sward::channel::watch::channel(1);
    /// let found = receiver.wait_for_timeout(|&number| number > 1, Duration::from_millis(1));
    /// assert!(found.unwrap_err().is_timeout());
    /// # drop(sender);
    /// ```
    pub fn wait_for_timeout(
        &mut self,
        wanted: impl FnMut(&T) -> bool,
        limit: Duration,
    ) -> Result<Arc<T>, RecvTimeoutError> {
        self.wait_for_until(wanted, Instant::now().checked_add(limit))
    }

    /// As [`wait_for`](Self::wait_for), but no longer than until `deadline`.
    ///
    /// # Errors
    ///
    /// As [`wait_for`](Self::wait_for), and if the time is up.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Instant;
    ///
    /// let (_sender, mut receiver) = sward::channel::watch::channel(1);
    /// let found = receiver.wait_for_deadline(|&number| number > 0, Instant::now());
    /// assert_eq!(found.as_deref(), Ok(&1));
    /// ```
    pub fn wait_for_deadline(
        &mut self,
        wanted: impl FnMut(&T) -> bool,
        deadline: Instant,
    ) -> Result<Arc<T>, RecvTimeoutError> {
        self.wait_for_until(wanted, Some(deadline))
    }

    fn wait_for_until(
        &mut self,
        mut wanted: impl FnMut(&T) -> bool,
        deadline: Option<Instant>,
    ) -> Result<Arc<T>, RecvTimeoutError> {
        loop {
            let value = self.get_and_update();
            if wanted(&value) {
                return Ok(value);
            }
            let mut change = Change(&mut self.seen);
            let told = &self.shared.told;
            let changed = told.wait(&mut change, Reason::Receive, deadline);
            park::spend_budget();
            match changed {
                Some(changed) => changed?,
                None => return Err(RecvTimeoutError::Timeout),
            }
        }
    }

    /// How many senders there are.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, receiver) = sward::channel::watch::channel(1);
    /// drop(sender);
    /// assert_eq!(receiver.sender_count(), 0);
    /// ```
    #[must_use]
    pub fn sender_count(&self) -> usize {
        self.shared.told.with(|state| state.senders)
    }

    /// Whether both look at the same value.
    ///
    /// # Examples
    ///
    /// ```
    /// let (_, receiver) = sward::channel::watch::channel(1);
    /// assert!(receiver.same_channel(&receiver.clone()));
    /// ```
    #[must_use]
    pub fn same_channel(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    /// `changed` for `select!`.
    #[doc(hidden)]
    pub fn __select_changed(&mut self) -> LookArm<'_, State<T>, Change<'_>> {
        self.shared.told.arm(Change(&mut self.seen))
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.shared.told.with(|state| state.senders += 1);
        Self {
            shared: self.shared.clone(),
        }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let told = &self.shared.told;
        let last = told.with(|state| {
            state.senders -= 1;
            state.senders == 0
        });
        if last {
            told.change(|_| ());
        }
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        self.shared.told.with(|state| state.receivers += 1);
        Self {
            shared: self.shared.clone(),
            seen: self.seen,
        }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let told = &self.shared.told;
        let last = told.with(|state| {
            state.receivers -= 1;
            state.receivers == 0
        });
        if last {
            told.change(|_| ());
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("value", &self.get())
            .finish_non_exhaustive()
    }
}

impl<T: fmt::Debug> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("value", &self.get())
            .finish_non_exhaustive()
    }
}

/// A version other than this one, or that there will be none.
#[doc(hidden)]
#[derive(Debug)]
pub struct Change<'a>(&'a mut u64);

impl<T> Look<State<T>> for Change<'_> {
    type Found = Result<(), RecvError>;
    type Value = Result<(), RecvError>;

    fn is_there(&self, state: &State<T>) -> bool {
        state.version != *self.0 || state.senders == 0
    }

    fn take(&mut self, state: &mut State<T>) -> Option<Self::Found> {
        if state.version == *self.0 {
            return (state.senders == 0).then_some(Err(RecvError));
        }
        *self.0 = state.version;
        Some(Ok(()))
    }

    fn finish(found: Self::Found) -> Self::Value {
        found
    }
}

/// That there is no receiver.
struct Unwatched;

impl<T> Look<State<T>> for Unwatched {
    type Found = ();
    type Value = ();

    fn is_there(&self, state: &State<T>) -> bool {
        state.receivers == 0
    }

    fn take(&mut self, state: &mut State<T>) -> Option<()> {
        self.is_there(state).then_some(())
    }

    fn finish((): ()) {}
}

/// One sender changes the value at a time, the others wait in the order in which they came. It may be in a user's code meanwhile, and
/// wait there.
#[derive(Default, Debug)]
struct Turns(WaitQueue<bool>);

/// A turn, which ends when this is dropped: the next one in the line has it then.
struct Turn<'a>(&'a Turns);

impl Turns {
    fn take(&self) -> Turn<'_> {
        let mut taken = self.0.lock();
        if *taken {
            drop(taken);
            let wait = Wait::begin(Reason::Send);
            let place = pin!(self.0.place(()));
            let mut taken = self.0.lock();
            if *taken {
                taken.enlist(place.as_ref(), wait.token(0));
                drop(taken);
                // Without a deadline only the one before it can end it, and has given it the turn.
                let _ = wait.park_until(None);
            } else {
                *taken = true;
            }
        } else {
            *taken = true;
        }
        Turn(self)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut taken = self.0.0.lock();
        let next = taken.claim_first();
        if next.is_none() {
            *taken = false;
        }
        drop(taken);
        if let Some(next) = next {
            next.wake();
        }
    }
}
