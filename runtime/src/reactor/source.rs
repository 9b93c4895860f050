//! A registered descriptor: what it is known to be ready for, and who waits for it.
//!
//! A `Source` is made by `Reactor::register` and given back by `leave`, both with the descriptor it stands for; it
//! neither owns nor keeps that descriptor. `Shared` is the part that the poller's holder reaches, by its address
//! (`sys_seat`).

#![forbid(unsafe_code)]

use std::os::fd::BorrowedFd;
use std::pin::{Pin, pin};
use std::sync::{Arc, Weak};
use std::time::Instant;

use super::Reactor;
use super::readiness::{Direction, Enlist, Event, Look, Readiness, Tick, Wake};
use super::sys;
use super::sys_seat::Key;
use crate::base::fork;
use crate::greenlet::Token;
use crate::park::{Ended, Place, Reason, Wait, WaitQueue};

/// The tag of a source's token.
const READY: u16 = 0;

/// How a wait for a source ended.
#[must_use]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Waited {
    /// The operation is worth a try. Somebody else may be faster.
    Ready,
    /// The deadline passed first.
    TimedOut,
    /// The reactor is closed.
    Shut,
}

/// The part of a source that events are applied to.
#[derive(Debug)]
pub(super) struct Shared {
    readiness: Readiness,
    readers: WaitQueue,
    writers: WaitQueue,
}

impl Shared {
    /// A new source's part; see [`Readiness::new`].
    pub(super) fn new(unready: Direction) -> Self {
        Self {
            readiness: Readiness::new(unready),
            readers: WaitQueue::default(),
            writers: WaitQueue::default(),
        }
    }

    /// Applies an event. How many waits it has ended.
    pub(super) fn apply(&self, event: Event) -> usize {
        self.fire(self.readiness.event(event))
    }

    /// Ends all waits for good. How many there were.
    pub(super) fn shut(&self) -> usize {
        self.fire(self.readiness.shut())
    }

    fn fire(&self, wake: Wake) -> usize {
        let mut fired = 0;
        if wake.readers {
            fired += self.readers.fire_all();
        }
        if wake.writers {
            fired += self.writers.fire_all();
        }
        fired
    }

    fn queue(&self, direction: Direction) -> &WaitQueue {
        match direction {
            Direction::Read => &self.readers,
            Direction::Write => &self.writers,
        }
    }
}

/// A place in the line of one direction of a source.
pub(crate) type SourcePlace<'a> = Place<'a, (), ()>;

/// See the module.
#[derive(Debug)]
pub(crate) struct Source {
    /// Weak: a socket may outlive its runtime, even for ever in a frame that was given up, and must not keep the poller open.
    reactor: Weak<Reactor>,
    shared: Arc<Shared>,
    /// Its place in the registry.
    place: usize,
    /// The reactor's: see `fork`.
    number: u64,
}

impl Source {
    pub(super) fn new(reactor: &Arc<Reactor>, shared: Arc<Shared>, place: usize) -> Self {
        Self {
            reactor: Arc::downgrade(reactor),
            shared,
            place,
            number: reactor.number,
        }
    }

    /// Whether an operation in `direction` may succeed.
    pub(crate) fn look(&self, direction: Direction) -> Look {
        self.shared.readiness.look(direction)
    }

    /// The operation would have blocked. `seen` is what `look` gave before it.
    pub(crate) fn exhausted(&self, direction: Direction, seen: Tick) {
        self.shared.readiness.exhausted(direction, seen);
    }

    /// The poller was not asked whether the operation would have blocked: has it report once more what `fd`, with which this
    /// source was registered, is ready for.
    pub(crate) fn report_again(&self, fd: BorrowedFd<'_>) {
        // A failure means that the descriptor was closed behind our back, and then nobody is told anything anyhow.
        if let Some(reactor) = self.reactor.upgrade() {
            let _ = reactor.driver.report_again(fd, Key::of(&self.shared));
        }
    }

    /// The operation, one on a byte stream, moved fewer bytes than it was asked to, and took what it moved. This saves
    /// the next one the system call that would find nothing.
    pub(crate) fn short(&self, direction: Direction, seen: Tick) {
        if sys::SHORT_MEANS_EMPTY {
            self.shared.readiness.short(direction, seen);
        }
    }

    /// Whether its reactor was left behind by a fork.
    pub(crate) fn is_left_behind(&self) -> bool {
        fork::is_left_behind(self.number)
    }

    /// Waits until an operation in `direction` may succeed, or until `deadline`. Returns at once if it may already.
    pub(crate) fn wait(&self, direction: Direction, deadline: Option<Instant>) -> Waited {
        let wait = Wait::begin(match direction {
            Direction::Read => Reason::Readable,
            Direction::Write => Reason::Writable,
        });
        // Leaves the queue again in every case, also when the wait ends by unwinding.
        let place = pin!(self.place(direction));
        if let Some(waited) = self.enlist(direction, place.as_ref(), wait.token(READY)) {
            return waited;
        }
        match wait.park_until(deadline) {
            Ended::Fired(_) => Waited::Ready,
            Ended::TimedOut => Waited::TimedOut,
        }
    }

    /// A place in the line of `direction`.
    pub(crate) fn place(&self, direction: Direction) -> SourcePlace<'_> {
        self.shared.queue(direction).place(())
    }

    /// Puts a place of `direction` in its line. How a wait for it has ended already, if it has: then it must not be parked.
    pub(crate) fn enlist<'a>(
        &'a self,
        direction: Direction,
        place: Pin<&SourcePlace<'a>>,
        token: Token,
    ) -> Option<Waited> {
        if self.is_left_behind() {
            fork::panic_left_behind();
        }
        self.shared.queue(direction).enlist(place, token);
        match self.shared.readiness.enlist(direction) {
            Enlist::Ready => Some(Waited::Ready),
            Enlist::Shut => Some(Waited::Shut),
            Enlist::Waits => None,
        }
    }

    /// Takes `fd`, with which this source was registered, out of the reactor. To be done before `fd` is closed or given
    /// away.
    ///
    /// A source dropped without this stays registered for good: a leak, but no event ever reaches freed memory.
    pub(crate) fn leave(self, fd: BorrowedFd<'_>) {
        // Without the reactor there is no poller that could know of it.
        if let Some(reactor) = self.reactor.upgrade() {
            reactor.deregister(fd, self.place);
        }
    }
}
