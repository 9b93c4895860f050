//! A channel that has a buffer, whichever: the buffer, and the two sides.
//!
//! A message always goes through the buffer. Who finds no room, or no message, gets in its side's line and looks again; who has put
//! or taken a message wakes the first of the other side, who tries again. `Presence` says why no wake-up is lost.
//!
//! But before a greenlet gets in line it lets others run, once: often the one that it waits for is among them, and then nobody has to be woken. If
//! there are no others, that is a look at an empty queue.
#![forbid(unsafe_code)]

use std::pin::pin;
use std::time::Instant;

use super::errors::{RecvTimeoutError, SendTimeoutError, TryRecvError, TrySendError};
use super::line::Line;
use crate::greenlet::is_greenlet;
use crate::park::{Ended, Reason, Wait, yield_now};

/// What lies between the two sides.
///
/// For `Presence`: `try_push` and `try_pop` end with a `SeqCst` operation on what `is_empty` and `is_full` read by `SeqCst`, or with a
/// `SeqCst` fence.
pub(super) trait Buffer {
    type Message;

    /// Puts a message, unless there is no room or the buffer is closed.
    fn try_push(&self, value: Self::Message) -> Result<(), Self::Message>;
    /// Takes a message, if there is one.
    fn try_pop(&self) -> Option<Self::Message>;
    /// Whether there was a moment in this call when nothing could be taken.
    fn is_empty(&self) -> bool;
    /// Whether there was a moment in this call when nothing could be put.
    fn is_full(&self) -> bool;
    /// How many messages there are.
    fn len(&self) -> usize;
    /// How many there may be.
    fn capacity(&self) -> Option<usize>;
    /// Nothing can be put from now on, so that room which is made by throwing messages away is nobody's. Who could not put
    /// anything because of that sees what was done before it. A buffer without a bound need not do anything: it always has room.
    fn close(&self);
}

/// See the module.
#[derive(Debug)]
pub(super) struct Buffered<B> {
    buffer: B,
    pub(super) senders: Line,
    pub(super) receivers: Line,
}

/// Calls it when it is dropped: the other side is told also if an `Ord` of a user's panics, for the message may be there.
struct Afterwards<F: Fn()>(F);

impl<F: Fn()> Drop for Afterwards<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

impl<B: Buffer> Buffered<B> {
    pub(super) fn new(buffer: B) -> Self {
        Self {
            buffer,
            senders: Line::new(),
            receivers: Line::new(),
        }
    }

    #[inline]
    pub(super) fn try_send(&self, value: B::Message) -> Result<(), TrySendError<B::Message>> {
        if self.receivers.is_gone() {
            return Err(TrySendError::Disconnected(value));
        }
        let told = Afterwards(|| self.pushed());
        match self.buffer.try_push(value) {
            Ok(()) => Ok(()),
            Err(value) => {
                std::mem::forget(told);
                match self.receivers.is_gone() {
                    true => Err(TrySendError::Disconnected(value)),
                    false => Err(TrySendError::Full(value)),
                }
            }
        }
    }

    #[inline]
    fn pushed(&self) {
        if self.receivers.changed().is_some_and(|owed| owed.gone) {
            self.clear();
        }
    }

    #[inline]
    fn pop(&self) -> Option<B::Message> {
        let told = Afterwards(|| _ = self.senders.changed());
        let value = self.buffer.try_pop();
        if value.is_none() {
            std::mem::forget(told);
        }
        value
    }

    #[inline]
    pub(super) fn try_recv(&self) -> Result<B::Message, TryRecvError> {
        if let Some(value) = self.pop() {
            return Ok(value);
        }
        match self.senders.is_gone() {
            // They have put everything by now, perhaps after the first look.
            true => self.pop().ok_or(TryRecvError::Disconnected),
            false => Err(TryRecvError::Empty),
        }
    }

    pub(super) fn send(
        &self,
        mut value: B::Message,
        deadline: Option<Instant>,
    ) -> Result<(), SendTimeoutError<B::Message>> {
        let (mut first, mut yielded) = (false, false);
        loop {
            value = match self.try_send(value) {
                Ok(()) => return Ok(()),
                Err(TrySendError::Disconnected(value)) => {
                    return Err(SendTimeoutError::Disconnected(value));
                }
                Err(TrySendError::Full(value)) => value,
            };
            if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                return Err(SendTimeoutError::Timeout(value));
            }
            if let_others_run(&mut yielded) {
                continue;
            }
            let wait = Wait::begin(Reason::Send);
            first = wait_in(&self.senders, wait, deadline, first, || self.may_send());
        }
    }

    pub(super) fn recv(&self, deadline: Option<Instant>) -> Result<B::Message, RecvTimeoutError> {
        let (mut first, mut yielded) = (false, false);
        loop {
            match self.try_recv() {
                Ok(value) => return Ok(value),
                Err(TryRecvError::Disconnected) => return Err(RecvTimeoutError::Disconnected),
                Err(TryRecvError::Empty) => {}
            }
            if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                return Err(RecvTimeoutError::Timeout);
            }
            if let_others_run(&mut yielded) {
                continue;
            }
            let wait = Wait::begin(Reason::Receive);
            first = wait_in(&self.receivers, wait, deadline, first, || self.may_recv());
        }
    }

    /// Whether `try_send` would not say `Full`: W2 of `Presence`.
    pub(super) fn may_send(&self) -> bool {
        !self.buffer.is_full() || self.receivers.is_gone()
    }

    /// Whether `try_recv` would not say `Empty`: W2 of `Presence`.
    pub(super) fn may_recv(&self) -> bool {
        !self.buffer.is_empty() || self.senders.is_gone()
    }

    /// The last sender has gone.
    pub(super) fn close_senders(&self) {
        self.senders.leave();
        self.receivers.end_all();
    }

    /// The last receiver has gone.
    pub(super) fn close_receivers(&self) {
        self.receivers.leave();
        self.buffer.close();
        self.senders.end_all();
        self.clear();
    }

    /// Drops what nobody will receive.
    #[cold]
    fn clear(&self) {
        while let Some(value) = self.buffer.try_pop() {
            drop(value);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.buffer.is_full()
    }

    pub(super) fn len(&self) -> usize {
        self.buffer.len()
    }

    pub(super) fn capacity(&self) -> Option<usize> {
        self.buffer.capacity()
    }
}

/// Lets other greenlets run, if that has not been done. Whether it was.
fn let_others_run(done: &mut bool) -> bool {
    let now = !std::mem::replace(done, true) && is_greenlet();
    if now {
        yield_now();
    }
    now
}

/// Waits in the line until it is this one's turn to try, or until the deadline; `first`: it has had its turn, and was not fast
/// enough. Whether it had its turn.
fn wait_in(
    line: &Line,
    wait: Wait,
    deadline: Option<Instant>,
    first: bool,
    ready: impl FnOnce() -> bool,
) -> bool {
    let place = pin!(line.place());
    line.enlist(place.as_ref(), &wait, 0, first);
    if ready() {
        // If its turn has come meanwhile, this try is the one that was meant.
        return wait.leave().is_some();
    }
    matches!(wait.park_until(deadline), Ended::Fired(_))
}
