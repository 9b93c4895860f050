//! One episode of waiting.

#![forbid(unsafe_code)]

use std::sync::Arc;
use std::time::Instant;

use crate::greenlet::switch::{Request, spend_budget as spend, suspend};
use crate::greenlet::{
    Begin, Epoch, Myself, Owner, Reason, ThreadOwner, Token, UNPARKED, WaitWord,
    assert_not_severed, is_greenlet,
};
use crate::home::Errno;

/// The tag of the timer's token.
const TIMED_OUT: u16 = u16::MAX - 1;

/// What ended a wait.
#[must_use]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ended {
    /// The token with this tag fired.
    Fired(u16),
    /// The deadline passed first.
    TimedOut,
}

/// Whose wait it is: the caller's, in any case.
#[derive(Debug)]
enum Waiter {
    Greenlet(Myself),
    Thread(Arc<ThreadOwner>),
}

impl Waiter {
    fn current() -> Self {
        match Myself::current() {
            Some(greenlet) => Self::Greenlet(greenlet),
            None => Self::Thread(ThreadOwner::current()),
        }
    }

    fn word(&self) -> &WaitWord {
        match self {
            Self::Greenlet(greenlet) => &greenlet.wait,
            Self::Thread(thread) => thread.word(),
        }
    }

    /// Somebody else's reference to it, counted.
    fn owner(&self) -> Owner {
        match self {
            Self::Greenlet(greenlet) => Owner::Greenlet(greenlet.reference()),
            Self::Thread(thread) => Owner::Thread(thread.clone()),
        }
    }
}

/// A wait that has begun. Dropping it leaves it: no token can end it from then on.
#[derive(Debug)]
pub struct Wait {
    waiter: Waiter,
    epoch: Epoch,
    over: bool,
    reason: Reason,
    /// errno when the wait began, if there are locks on the way, which may change it although nothing that the caller asked
    /// for failed.
    errno: Option<Errno>,
}

impl Wait {
    /// Begins a wait of whoever calls.
    pub(crate) fn begin(reason: Reason) -> Self {
        let errno = Errno::save();
        match Self::begin_as(Waiter::current(), false) {
            Some(mut wait) => {
                wait.reason = reason;
                wait.errno = Some(errno);
                wait
            }
            None => unreachable!("a closed wait takes no permit"),
        }
    }

    fn begin_as(waiter: Waiter, open: bool) -> Option<Self> {
        match waiter.word().begin(open) {
            Begin::Armed(epoch) => Some(Self {
                waiter,
                epoch,
                over: false,
                reason: Reason::Unpark,
                errno: None,
            }),
            Begin::Permitted => None,
        }
    }

    /// The right to end this wait with `tag`, which must be below 65,000.
    pub(crate) fn token(&self, tag: u16) -> Token {
        Token::new(self.waiter.owner(), self.epoch, tag)
    }

    /// Leaves it. The tag of the token that has ended it, if one has.
    pub(crate) fn leave(mut self) -> Option<u16> {
        self.over = true;
        self.waiter.word().end()
    }

    /// The greenlet or thread that waits, as a number that no other has while it waits: so that it does not take itself for one to
    /// be paired with.
    pub(crate) fn waiter(&self) -> usize {
        std::ptr::from_ref(self.waiter.word()).addr()
    }

    /// Parks until a token fires, or until `deadline`. If both have happened, the token that came first decides.
    pub(crate) fn park_until(mut self, deadline: Option<Instant>) -> Ended {
        match &self.waiter {
            Waiter::Greenlet(greenlet) => self.park_greenlet(greenlet, deadline),
            Waiter::Thread(thread) => {
                let by_socket = matches!(self.reason, Reason::Readable | Reason::Writable);
                thread.sleep(deadline, !by_socket);
                if deadline.is_some() {
                    // Stale unless the time is up, so this cannot end a wait twice.
                    self.token(TIMED_OUT).fire();
                }
            }
        }
        self.over = true;
        if let Some(errno) = self.errno.take() {
            errno.restore();
        }
        match self.waiter.word().end() {
            Some(TIMED_OUT) => Ended::TimedOut,
            Some(tag) => Ended::Fired(tag),
            None => unreachable!("nothing ended a wait that was parked"),
        }
    }

    fn park_greenlet(&self, greenlet: &Myself, deadline: Option<Instant>) {
        let timer = deadline.map(|at| greenlet.schedule().arm(at, self.token(TIMED_OUT)));
        greenlet.waits_for.set(self.reason);
        suspend(Request::Park);
        greenlet.waits_for.clear();
        if let Some(key) = timer {
            greenlet.schedule().disarm(key);
        }
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        if !self.over {
            // Whatever fired meanwhile has fired for nothing: the caller no longer waits.
            let _ = self.waiter.word().end();
        }
    }
}

/// `std::thread::park`, for whoever calls.
pub(crate) fn park() {
    match Myself::current() {
        Some(greenlet) => {
            if !greenlet.wait.take_permit() {
                suspend(Request::ParkOpen);
                // Acquires what the one that unparked it did before.
                let ended = greenlet.wait.end();
                debug_assert_eq!(ended, Some(UNPARKED), "only unpark ends an open wait");
            }
        }
        None => {
            assert_not_severed();
            std::thread::park();
        }
    }
}

/// `std::thread::park_timeout`, for whoever calls.
pub(crate) fn park_until(deadline: Instant) {
    match Myself::current() {
        Some(greenlet) => {
            let errno = Errno::save();
            if let Some(mut wait) = Wait::begin_as(Waiter::Greenlet(greenlet), true) {
                wait.errno = Some(errno);
                let _ = wait.park_until(Some(deadline));
            }
        }
        None => {
            assert_not_severed();
            std::thread::park_timeout(deadline.saturating_duration_since(Instant::now()));
        }
    }
}

/// Lets others run; on a plain thread, other threads.
pub(crate) fn yield_now() {
    if is_greenlet() {
        suspend(Request::Yield);
    } else {
        assert_not_severed();
        std::thread::yield_now();
    }
}

/// To be called after each operation that could have parked and did not: from time to time it yields, so that a source
/// that is always ready does not starve the others.
pub(crate) fn spend_budget() {
    if spend() {
        yield_now();
    }
}
