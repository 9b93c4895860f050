//! Sending and receiving as arms of a select.
//!
//! With a buffer, an arm whose turn has come tries, as anybody who was woken does. Without one, the message has gone from place to
//! place by then: `leave` finds it in the arm's own place, or finds that it was taken from there.

use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::time::Instant;

use super::errors::{RecvError, SendError, TryRecvError, TrySendError};
use super::line::{Line, LinePlace};
use super::shared::{Kind, Shared, by_kind};
use super::zero::{Zero, ZeroPlace, unseat};
use crate::park::{Arm, Outcome, Wait};

/// Where an arm waits.
enum Spot<'a, T> {
    Nowhere,
    Line(LinePlace<'a>),
    Seat(ZeroPlace<'a, T>),
}

impl<'a, T> Spot<'a, T> {
    /// Gets in the line of a channel with a buffer.
    fn enlist(mut self: Pin<&mut Self>, line: &'a Line, wait: &Wait, tag: u16) {
        self.set(Self::Line(line.place()));
        if let Some(place) = self.as_ref().line() {
            line.enlist(place, wait, tag, false);
        }
    }

    /// Gets in the line of a channel without one. False if the arm can be done now.
    fn sit(
        mut self: Pin<&mut Self>,
        zero: &'a Zero<T>,
        wait: &Wait,
        tag: u16,
        value: Option<T>,
    ) -> bool {
        let sends = value.is_some();
        self.set(Self::Seat(zero.arm_place(wait, value)));
        let place = self.as_ref().seat().expect("it was just made");
        zero.enlist_arm(place, wait, tag, sends)
    }

    /// Leaves the line. What is in a seat.
    fn leave(mut self: Pin<&mut Self>) -> Option<T> {
        let value = self.as_ref().seat().and_then(unseat);
        // Dropped, a place has left.
        self.set(Self::Nowhere);
        value
    }

    fn line(self: Pin<&Self>) -> Option<Pin<&LinePlace<'a>>> {
        match self.get_ref() {
            // SAFETY: a place is pinned with the spot that it lies in: nothing moves it out of there, `Pin::set` drops it.
            Self::Line(place) => Some(unsafe { Pin::new_unchecked(place) }),
            _ => None,
        }
    }

    fn seat(self: Pin<&Self>) -> Option<Pin<&ZeroPlace<'a, T>>> {
        match self.get_ref() {
            // SAFETY: as in `line`.
            Self::Seat(place) => Some(unsafe { Pin::new_unchecked(place) }),
            _ => None,
        }
    }
}

/// `recv`, as an arm. Its outcome's error is an `E`.
#[doc(hidden)]
pub struct RecvArm<'a, T, E = RecvError> {
    shared: &'a Shared<T>,
    received: Option<Result<T, RecvError>>,
    /// Pinned with the arm.
    spot: Spot<'a, T>,
    _error: PhantomData<fn() -> E>,
}

/// `send`, as an arm: of what is in `value`, if there is anything; if not, it waits for ever. Its outcome's error is an `E`.
#[doc(hidden)]
pub struct SendArm<'a, T, E = SendError<T>> {
    shared: &'a Shared<T>,
    value: &'a mut Option<T>,
    sent: Option<Result<(), SendError<T>>>,
    /// Pinned with the arm.
    spot: Spot<'a, T>,
    _error: PhantomData<fn() -> E>,
}

impl<T, E> fmt::Debug for RecvArm<'_, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecvArm").finish_non_exhaustive()
    }
}

impl<T, E> fmt::Debug for SendArm<'_, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendArm").finish_non_exhaustive()
    }
}

/// The fields of an arm that are not pinned, and the spot, which is.
struct RecvParts<'p, 'a, T> {
    shared: &'a Shared<T>,
    received: &'p mut Option<Result<T, RecvError>>,
    spot: Pin<&'p mut Spot<'a, T>>,
}

/// As `RecvParts`.
struct SendParts<'p, 'a, T> {
    shared: &'a Shared<T>,
    value: &'p mut Option<T>,
    sent: &'p mut Option<Result<(), SendError<T>>>,
    spot: Pin<&'p mut Spot<'a, T>>,
}

impl<'a, T, E> RecvArm<'a, T, E> {
    pub(super) fn new(shared: &'a Shared<T>) -> Self {
        Self {
            shared,
            received: None,
            spot: Spot::Nowhere,
            _error: PhantomData,
        }
    }

    fn parts(self: Pin<&mut Self>) -> RecvParts<'_, 'a, T> {
        // SAFETY: nothing is moved out of the spot, which is pinned again at once; the other fields are never pinned.
        let this = unsafe { self.get_unchecked_mut() };
        RecvParts {
            shared: this.shared,
            received: &mut this.received,
            // SAFETY: pinned with the arm: this is the only way to it.
            spot: unsafe { Pin::new_unchecked(&mut this.spot) },
        }
    }
}

impl<'a, T, E> SendArm<'a, T, E> {
    pub(super) fn new(shared: &'a Shared<T>, value: &'a mut Option<T>) -> Self {
        Self {
            shared,
            value,
            sent: None,
            spot: Spot::Nowhere,
            _error: PhantomData,
        }
    }

    fn parts(self: Pin<&mut Self>) -> SendParts<'_, 'a, T> {
        // SAFETY: as for `RecvArm`.
        let this = unsafe { self.get_unchecked_mut() };
        SendParts {
            shared: this.shared,
            value: &mut *this.value,
            sent: &mut this.sent,
            // SAFETY: as for `RecvArm`.
            spot: unsafe { Pin::new_unchecked(&mut this.spot) },
        }
    }
}

impl<T, E> Arm for RecvArm<'_, T, E> {
    fn try_now(self: Pin<&mut Self>) -> bool {
        let RecvParts {
            shared, received, ..
        } = self.parts();
        if received.is_none() {
            *received = match shared.try_recv() {
                Ok(value) => Some(Ok(value)),
                Err(TryRecvError::Disconnected) => Some(Err(RecvError)),
                Err(TryRecvError::Empty) => None,
            };
        }
        received.is_some()
    }

    fn enlist(self: Pin<&mut Self>, wait: &Wait, tag: u16) -> bool {
        let RecvParts { shared, spot, .. } = self.parts();
        by_kind!(shared.kind(),
            buffered => {
                spot.enlist(&buffered.receivers, wait, tag);
                buffered.may_recv()
            },
            zero => !spot.sit(zero, wait, tag, None),
            timer => timer.is_due(),
        )
    }

    fn leave(self: Pin<&mut Self>) {
        let RecvParts { received, spot, .. } = self.parts();
        if let Some(value) = spot.leave() {
            *received = Some(Ok(value));
        }
    }

    fn deadline(&self) -> Option<Instant> {
        match self.shared.kind() {
            Kind::Timer(timer) => timer.next(),
            _ => None,
        }
    }
}

impl<T, E> Arm for SendArm<'_, T, E> {
    fn try_now(self: Pin<&mut Self>) -> bool {
        let SendParts {
            shared,
            value,
            sent,
            ..
        } = self.parts();
        if sent.is_none()
            && let Some(message) = value.take()
        {
            match shared.try_send(message) {
                Ok(()) => *sent = Some(Ok(())),
                Err(TrySendError::Disconnected(message)) => *sent = Some(Err(SendError(message))),
                Err(TrySendError::Full(message)) => *value = Some(message),
            }
        }
        sent.is_some()
    }

    fn enlist(self: Pin<&mut Self>, wait: &Wait, tag: u16) -> bool {
        let SendParts {
            shared,
            value,
            mut spot,
            ..
        } = self.parts();
        if value.is_none() {
            return false;
        }
        by_kind!(shared.kind(),
            buffered => {
                spot.enlist(&buffered.senders, wait, tag);
                buffered.may_send()
            },
            zero => {
                let waits = spot.as_mut().sit(zero, wait, tag, value.take());
                if !waits {
                    *value = spot.leave();
                }
                !waits
            },
            _timer => unreachable!("nobody sends to a timer"),
        )
    }

    fn leave(self: Pin<&mut Self>) {
        let SendParts {
            value,
            sent,
            mut spot,
            ..
        } = self.parts();
        let sat = spot.as_ref().seat().is_some();
        let left = spot.as_mut().leave();
        if sat {
            match left {
                Some(message) => *value = Some(message),
                None => *sent = Some(Ok(())),
            }
        }
    }
}

impl<T, E: From<RecvError>> Outcome for RecvArm<'_, T, E> {
    type Value = Result<T, E>;

    fn take(self: Pin<&mut Self>) -> Result<T, E> {
        let received = self.parts().received.take();
        received.expect("it was done").map_err(E::from)
    }
}

impl<T, E: From<SendError<T>>> Outcome for SendArm<'_, T, E> {
    type Value = Result<(), E>;

    fn take(self: Pin<&mut Self>) -> Result<(), E> {
        let sent = self.parts().sent.take();
        sent.expect("it was done").map_err(E::from)
    }
}

impl<T, E> Drop for SendArm<'_, T, E> {
    fn drop(&mut self) {
        // SAFETY: it is not moved any more. What lies in a seat goes back to its owner, should the select have been left by a panic.
        unsafe { Pin::new_unchecked(self) }.leave();
    }
}
