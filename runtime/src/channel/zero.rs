//! A channel without a buffer: who sends and who receives meet, and the message goes from the one's place to the other's.
//!
//! Both sides wait in one line, whose lock decides. Who finds one of the other side there claims it, and gives it the message
//! or takes it; so whose wait has ended knows from its own place whether it was served. Those of both sides are in the line at
//! the same time only if they are arms of selects, for others would have met: so there is little to pass over.
#![forbid(unsafe_code)]

use std::pin::{Pin, pin};
use std::time::Instant;

use super::errors::{RecvTimeoutError, SendTimeoutError, TryRecvError, TrySendError};
use crate::greenlet::Claimed;
use crate::park::{Ended, Locked, Place, Reason, Turn, Wait, WaitQueue};

/// See the module.
#[derive(Debug)]
pub(super) struct Zero<T>(WaitQueue<Gone, Seat<T>>);

/// Which side is no more.
#[derive(Default, Debug)]
pub(super) struct Gone {
    senders: bool,
    receivers: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Side {
    Sends,
    Receives,
}

/// What is in a place: of a sender, its message until it is taken; of a receiver, the message that it was given.
#[derive(Debug)]
pub(super) struct Seat<T> {
    side: Side,
    /// Whose it is: the arms of one select do not meet.
    waiter: usize,
    value: Option<T>,
}

/// A place in the line.
pub(super) type ZeroPlace<'a, T> = Place<'a, Gone, Seat<T>>;

type Line<'a, T> = Locked<'a, Gone, Seat<T>>;

impl<T> Zero<T> {
    pub(super) fn new() -> Self {
        Self(WaitQueue::new(Gone::default()))
    }

    pub(super) fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        let mut value = Some(value);
        let mut line = self.0.lock();
        let gone = line.receivers;
        let claimed = give(&mut line, || value.take());
        drop(line);
        if let Some(claimed) = claimed {
            claimed.wake();
        }
        match value {
            None => Ok(()),
            Some(value) if gone => Err(TrySendError::Disconnected(value)),
            Some(value) => Err(TrySendError::Full(value)),
        }
    }

    pub(super) fn try_recv(&self) -> Result<T, TryRecvError> {
        let mut line = self.0.lock();
        let gone = line.senders;
        let met = take(&mut line);
        drop(line);
        match met {
            Some((claimed, value)) => {
                claimed.wake();
                Ok(value)
            }
            None if gone => Err(TryRecvError::Disconnected),
            None => Err(TryRecvError::Empty),
        }
    }

    pub(super) fn send(
        &self,
        value: T,
        deadline: Option<Instant>,
    ) -> Result<(), SendTimeoutError<T>> {
        let value = match self.try_send(value) {
            Ok(()) => return Ok(()),
            Err(TrySendError::Disconnected(value)) => {
                return Err(SendTimeoutError::Disconnected(value));
            }
            Err(TrySendError::Full(value)) => value,
        };
        if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            return Err(SendTimeoutError::Timeout(value));
        }
        let wait = Wait::begin(Reason::Send);
        let place = pin!(self.0.place(Seat::new(Side::Sends, &wait, Some(value))));
        let mut line = self.0.lock();
        let gone = line.receivers;
        let mut in_time = true;
        // Not in the line yet, so the place is its own.
        match give(&mut line, || unseat(place.as_ref())) {
            Some(claimed) => {
                drop(line);
                claimed.wake();
            }
            None if gone => {}
            None => {
                line.enlist(place.as_ref(), wait.token(0));
                drop(line);
                in_time = wait.park_until(deadline) != Ended::TimedOut;
            }
        }
        match unseat(place.as_ref()) {
            None => Ok(()),
            Some(value) if in_time => Err(SendTimeoutError::Disconnected(value)),
            Some(value) => Err(SendTimeoutError::Timeout(value)),
        }
    }

    pub(super) fn recv(&self, deadline: Option<Instant>) -> Result<T, RecvTimeoutError> {
        match self.try_recv() {
            Ok(value) => return Ok(value),
            Err(TryRecvError::Disconnected) => return Err(RecvTimeoutError::Disconnected),
            Err(TryRecvError::Empty) => {}
        }
        if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            return Err(RecvTimeoutError::Timeout);
        }
        let wait = Wait::begin(Reason::Receive);
        let place = pin!(self.0.place(Seat::new(Side::Receives, &wait, None)));
        let mut line = self.0.lock();
        if let Some((claimed, value)) = take(&mut line) {
            drop(line);
            claimed.wake();
            return Ok(value);
        }
        if line.senders {
            return Err(RecvTimeoutError::Disconnected);
        }
        line.enlist(place.as_ref(), wait.token(0));
        drop(line);
        let ended = wait.park_until(deadline);
        match (unseat(place.as_ref()), ended) {
            (Some(value), _) => Ok(value),
            (None, Ended::TimedOut) => Err(RecvTimeoutError::Timeout),
            (None, Ended::Fired(_)) => Err(RecvTimeoutError::Disconnected),
        }
    }

    /// A place for an arm that sends, or receives if there is no value.
    pub(super) fn arm_place(&self, wait: &Wait, value: Option<T>) -> ZeroPlace<'_, T> {
        let side = match value {
            Some(_) => Side::Sends,
            None => Side::Receives,
        };
        self.0.place(Seat::new(side, wait, value))
    }

    /// Gets in line with the place of an arm. False if the arm can be done now: it is not in the line then.
    pub(super) fn enlist_arm<'a>(
        &'a self,
        place: Pin<&ZeroPlace<'a, T>>,
        wait: &Wait,
        tag: u16,
        sends: bool,
    ) -> bool {
        let mut line = self.0.lock();
        let (other, gone) = match sends {
            true => (Side::Receives, line.receivers),
            false => (Side::Sends, line.senders),
        };
        if gone || line.any(|seat| seat.side == other && seat.waiter != wait.waiter()) {
            return false;
        }
        line.enlist(place, wait.token(tag));
        true
    }

    /// The last sender has gone.
    pub(super) fn close_senders(&self) {
        self.0.lock().senders = true;
        self.0.fire_all();
    }

    /// The last receiver has gone.
    pub(super) fn close_receivers(&self) {
        self.0.lock().receivers = true;
        self.0.fire_all();
    }
}

impl<T> Seat<T> {
    fn new(side: Side, wait: &Wait, value: Option<T>) -> Self {
        Self {
            side,
            waiter: wait.waiter(),
            value,
        }
    }
}

/// Leaves the line, if the place is in it, and takes out what is in the place: what its owner has kept, or was given.
pub(super) fn unseat<T>(place: Pin<&ZeroPlace<'_, T>>) -> Option<T> {
    let side = Side::Receives;
    let nothing = Seat {
        side,
        waiter: 0,
        value: None,
    };
    place.replace(nothing).value
}

/// Gives the first receiver in the line a message. It is to be woken.
#[must_use]
fn give<T>(line: &mut Line<'_, T>, value: impl FnOnce() -> Option<T>) -> Option<Claimed> {
    let turn = |_: &mut Gone, seat: &Seat<T>| match seat.side {
        Side::Receives => Turn::Now,
        Side::Sends => Turn::Pass,
    };
    line.claim(turn, |_, seat| seat.value = value())
}

/// Takes the message of the first sender in the line, which is to be woken.
#[must_use]
fn take<T>(line: &mut Line<'_, T>) -> Option<(Claimed, T)> {
    let turn = |_: &mut Gone, seat: &Seat<T>| match seat.side {
        Side::Sends => Turn::Now,
        Side::Receives => Turn::Pass,
    };
    let mut value = None;
    let claimed = line.claim(turn, |_, seat| value = seat.value.take())?;
    Some((claimed, value.expect("who sends has a message")))
}
