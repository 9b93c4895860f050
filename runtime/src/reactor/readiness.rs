//! The word that says what a source is known to be ready for.
//!
//! | bits | meaning |
//! |------|---------|
//! | 0, 1 | `READABLE`, `WRITABLE`: the operation may succeed; clear means that it would not, as far as is known |
//! | 2, 3 | `READ_CLOSED`, `WRITE_CLOSED`: the peer has closed, or there is an error or urgent data; never cleared |
//! | 4, 5 | `READERS`, `WRITERS`: somebody may be enlisted in that direction's queue |
//! | 6    | `SHUT`: the reactor is closed; nothing will ever come |
//! | 7-63 | tick: counts events |
//!
//! Who may change what: the poller's holder applies events (`event`: sets bits 0 to 3, clears 4 and 5, advances the
//! tick); whoever did a system call that found nothing clears bit 0 or 1 (`exhausted`, `short`); a waiter sets 4 or 5.
//!
//! # No event is lost to a clearing
//! An operation notes the tick (`look`), does its system call, and clears the bit only if the tick is still the same.
//! What the call did not see came after the call; the kernel reports it as an edge; the edge is applied by `event`. If
//! that comes before the clearing, the tick has moved and the bit stays; if after, it sets the bit again.
//!
//! The same holds for clearing after a *short* operation, for there, too, the kernel has looked and found no more: but
//! only if what follows the data would be another edge. The end of the stream, an error and the urgent mark may lie
//! behind the data in the same edge, one that has been applied already. Hence the sticky bits, which forbid that
//! clearing; an edge not yet applied when the operation looked will be applied later, and sets the bit again.
//!
//! # No waiter is left behind
//! A waiter enlists its token in the queue, then sets its direction's waiter bit, *unless* the ready bit is set: one
//! read-modify-write (`enlist`). An event sets the ready bit and takes the waiter bits, in one as well. One of the two
//! comes first. If the event does, the waiter sees the ready bit, and does not park. If the waiter does, the event gets
//! its bit, and fires the whole queue, in which the token has been since before. So nobody is parked while the ready
//! bit is set, whatever part of the data others take; and closing works as an event that sets `SHUT`.

#![forbid(unsafe_code)]

#[cfg(all(test, loom))]
mod loom_tests;
#[cfg(all(test, not(loom)))]
mod tests;

use std::fmt;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};

use crate::base::sync::AtomicU64;

const READABLE: u64 = 1;
const WRITABLE: u64 = 1 << 1;
const READ_CLOSED: u64 = 1 << 2;
const WRITE_CLOSED: u64 = 1 << 3;
const READERS: u64 = 1 << 4;
const WRITERS: u64 = 1 << 5;
const SHUT: u64 = 1 << 6;
const TICK_SHIFT: u32 = 7;
const ONE_TICK: u64 = 1 << TICK_SHIFT;

/// What an operation waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Direction {
    /// Something to read, or a connection to accept.
    Read,
    /// Room to write, or the end of a connection attempt.
    Write,
}

impl Direction {
    fn ready(self) -> u64 {
        match self {
            Self::Read => READABLE,
            Self::Write => WRITABLE,
        }
    }

    fn closed(self) -> u64 {
        match self {
            Self::Read => READ_CLOSED,
            Self::Write => WRITE_CLOSED,
        }
    }

    fn waiters(self) -> u64 {
        match self {
            Self::Read => READERS,
            Self::Write => WRITERS,
        }
    }
}

/// What the kernel reported of one source: a set of the bits 0 to 3.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Event(u64);

impl Event {
    /// An event that reports nothing yet.
    pub(super) const NOTHING: Self = Self(0);

    /// This event, and `direction` is ready if `ready`.
    pub(super) fn ready_if(self, direction: Direction, ready: bool) -> Self {
        Self(self.0 | if ready { direction.ready() } else { 0 })
    }

    /// This event, and a short operation of `direction` no longer proves that there is nothing more, if `closed`.
    pub(super) fn closed_if(self, direction: Direction, closed: bool) -> Self {
        Self(self.0 | if closed { direction.closed() } else { 0 })
    }
}

/// The tick that an operation saw before its system call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Tick(u64);

/// What `look` found.
#[must_use]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Look {
    /// The operation may succeed: try it, and report with this tick if it found nothing.
    Ready(Tick),
    /// It would find nothing.
    Unready,
}

/// What `enlist` found.
#[must_use]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Enlist {
    /// The caller may park: the next event of its direction fires the queue.
    Waits,
    /// Ready by now; the caller does not wait.
    Ready,
    /// The reactor is closed; the caller must not wait.
    Shut,
}

/// Whose queues whoever applied an event must fire.
#[must_use]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Wake {
    pub(super) readers: bool,
    pub(super) writers: bool,
}

/// See the module.
pub(super) struct Readiness(AtomicU64);

impl Readiness {
    /// The word of a new source, of which it is known that `unready` found nothing. The other direction is presumed
    /// ready: a try costs less than a wait for nothing.
    pub(super) fn new(unready: Direction) -> Self {
        Self(AtomicU64::new((READABLE | WRITABLE) & !unready.ready()))
    }

    /// Whether an operation in `direction` may succeed.
    pub(super) fn look(&self, direction: Direction) -> Look {
        // Acquire: keeps the system call behind this load; the tick must be the one from before the call. Pairs with
        // the release in `event`.
        let word = self.0.load(Acquire);
        if word & direction.ready() != 0 {
            Look::Ready(Tick(word >> TICK_SHIFT))
        } else {
            Look::Unready
        }
    }

    /// The system call found nothing: clears the ready bit, unless an event has come since the caller looked.
    pub(super) fn exhausted(&self, direction: Direction, seen: Tick) {
        self.clear(direction, seen, 0);
    }

    /// The system call moved fewer bytes than asked: the same, unless more may be behind them in the same event.
    pub(super) fn short(&self, direction: Direction, seen: Tick) {
        self.clear(direction, seen, direction.closed());
    }

    fn clear(&self, direction: Direction, seen: Tick, unless: u64) {
        let mut word = self.0.load(Relaxed);
        while word >> TICK_SHIFT == seen.0 && word & unless == 0 && word & direction.ready() != 0 {
            // Release: the system call stays before the clearing. Nothing else is handed over here.
            match self
                .0
                .compare_exchange_weak(word, word & !direction.ready(), AcqRel, Relaxed)
            {
                Ok(_) => return,
                Err(now) => word = now,
            }
        }
    }

    /// Announces a waiter whose token is in the queue already, unless it need not or must not wait.
    pub(super) fn enlist(&self, direction: Direction) -> Enlist {
        let mut word = self.0.load(Acquire);
        loop {
            if word & direction.ready() != 0 {
                return Enlist::Ready;
            }
            if word & SHUT != 0 {
                return Enlist::Shut;
            }
            // Release: pairs with the acquire in `event` and `shut`: who takes the bit finds the token in the queue.
            // Also written when the bit is set already, for that bit was another waiter's. Acquire as in `look`.
            match self
                .0
                .compare_exchange_weak(word, word | direction.waiters(), AcqRel, Acquire)
            {
                Ok(_) => return Enlist::Waits,
                Err(now) => word = now,
            }
        }
    }

    /// Applies an event. The caller must then fire the queues that are named.
    pub(super) fn event(&self, event: Event) -> Wake {
        let mut taken = 0;
        if event.0 & READABLE != 0 {
            taken |= READERS;
        }
        if event.0 & WRITABLE != 0 {
            taken |= WRITERS;
        }
        let mut word = self.0.load(Relaxed);
        loop {
            // The tick is at the top of the word, so it wraps without touching the bits; after 2^57 events.
            let new = ((word & !taken) | event.0).wrapping_add(ONE_TICK);
            // Acquire: pairs with the release in `enlist`. Release: pairs with the acquire in `look` and `enlist`.
            match self.0.compare_exchange_weak(word, new, AcqRel, Relaxed) {
                Ok(_) => return Wake::of(word & taken),
                Err(now) => word = now,
            }
        }
    }

    /// Nothing will come any more. The caller must then fire the queues that are named.
    pub(super) fn shut(&self) -> Wake {
        // The same pairs as in `event`.
        Wake::of(self.0.fetch_or(SHUT, AcqRel))
    }
}

impl Wake {
    fn of(word: u64) -> Self {
        Self {
            readers: word & READERS != 0,
            writers: word & WRITERS != 0,
        }
    }
}

impl fmt::Debug for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = self.0.load(Relaxed);
        let mut set = f.debug_set();
        for (bit, name) in [
            (READABLE, "readable"),
            (WRITABLE, "writable"),
            (READ_CLOSED, "read closed"),
            (WRITE_CLOSED, "write closed"),
            (READERS, "readers"),
            (WRITERS, "writers"),
            (SHUT, "shut"),
        ] {
            if word & bit != 0 {
                set.entry(&format_args!("{name}"));
            }
        }
        set.entry(&format_args!("tick {}", word >> TICK_SHIFT))
            .finish()
    }
}
