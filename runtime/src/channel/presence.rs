//! The word of one side of a channel, its senders or its receivers, which the other side looks at after each operation.
//!
//! | bit | meaning |
//! |-----|---------|
//! | 0   | `WAITING`: somebody of this side may be in its line |
//! | 1   | `GONE`: nobody of this side is left |
//!
//! `WAITING` is set and taken back under the lock of the side's line: set by who gets in line, unless it is set, and taken back by who
//! comes to wake somebody and finds nobody. It stays when the last one is woken, who often gets in line again soon: then neither
//! has to write it. `GONE` is set once, by the last of the side, and stays.
//!
//! # No wake-up is lost
//!
//! Let a receiver wait, for example. It gets in line and sets `WAITING` (W1), then looks whether the buffer is empty (W2), and
//! parks if it is. A sender puts its message into the buffer (S1), then looks at the word (S2), and goes to the line if it has
//! `WAITING`. All four are in the one order of what is `SeqCst`: W2 reads by `SeqCst` what S1 has written by `SeqCst`, or there is a
//! `SeqCst` fence after S1 (see `Buffer`). Where `WAITING` was set already, W1 is the write of who has set it: it happened before, under the same
//! lock.
//!
//! - If S2 is before W1, S1 is before W2, and the receiver finds the message, or that another has taken it.
//! - Else the sender finds `WAITING`, or that somebody has taken it back since W1. That was under the line's lock and with nobody in the
//!   line, so the receiver had been claimed by then, or had left: had it come later, it would have set it anew.
//! - A sender that finds `WAITING` takes the lock. If that is before the receiver gets in line, W2 finds the message, for S1 happened
//!   before. Else it finds the receiver in the line, or that it was claimed or has left.
//!
//! With senders that wait for room it is the same. Who was claimed tries again before it gives up, whatever its deadline says: so
//! what it was woken for is taken by somebody who is awake.
//!
//! The end of a side needs no such argument. Who sets `GONE` then takes the lock of the other side's line and ends all waits
//! there. Who gets in line later has had the lock later, and finds `GONE`.
//!
//! Who looks at the word after S1 and finds `GONE` throws away what is in the buffer, as the last receiver does after it has
//! set it: by the argument above one of the two finds the message, so none stays in a channel that nobody receives from. Before the last
//! receiver does so it closes the buffer: the room that it makes is nobody's.
#![forbid(unsafe_code)]

use std::sync::atomic::Ordering::{Acquire, Relaxed, SeqCst};

use crate::base::sync::{AtomicU32, fence};

const WAITING: u32 = 1;
const GONE: u32 = 2;

/// See the module.
#[derive(Debug)]
pub(super) struct Presence(AtomicU32);

/// What who has changed the buffer owes this side.
#[must_use]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Owed {
    /// To look into its line and wake the first.
    pub(super) wake: bool,
    /// To throw away what is in the buffer, if this is the side that receives.
    pub(super) gone: bool,
}

impl Presence {
    pub(super) fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    /// S2: to be called after the buffer was changed. `None`, almost always: nothing.
    #[inline]
    pub(super) fn owed(&self) -> Option<Owed> {
        // loom knows `SeqCst` fences, but takes an operation for less than it is.
        #[cfg(loom)]
        fence(SeqCst);
        // SeqCst: S2 of the argument; pairs with W1 in `will_wait`, and with `leave`.
        let word = self.0.load(SeqCst);
        (word != 0).then_some(Owed {
            wake: word & WAITING != 0,
            gone: word & GONE != 0,
        })
    }

    /// W1: somebody is in the line. Under the line's lock; the buffer is to be looked at after that.
    pub(super) fn will_wait(&self) {
        // Relaxed: it is written under this lock.
        if self.0.load(Relaxed) & WAITING == 0 {
            // SeqCst: W1 of the argument; pairs with S2 in `owed`.
            self.0.fetch_or(WAITING, SeqCst);
        }
        // As in `owed`.
        #[cfg(loom)]
        fence(SeqCst);
    }

    /// Nobody is in the line, and was not when somebody came to wake the first. Under the line's lock.
    pub(super) fn nobody_waits(&self) {
        // Relaxed: who sets it again does so under the same lock.
        self.0.fetch_and(!WAITING, Relaxed);
    }

    /// The last one has gone.
    pub(super) fn leave(&self) {
        // SeqCst, and the fence: the buffer is emptied after that; pairs with `owed`, as W1 does. Release: pairs with `is_gone`.
        self.0.fetch_or(GONE, SeqCst);
        fence(SeqCst);
    }

    /// Whether nobody is left. All that they did is seen then.
    #[inline]
    pub(super) fn is_gone(&self) -> bool {
        // Acquire: pairs with the release in `leave`.
        self.0.load(Acquire) & GONE != 0
    }
}
