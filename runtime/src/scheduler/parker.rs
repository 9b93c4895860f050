//! How one worker sleeps: on a condition of its own, or in the reactor's seat.
//!
//! One word: `EMPTY`, `ASLEEP` (on the condition), `SEATED` (in the reactor's wait) or `CALLED`. `unpark` puts `CALLED`
//! and does what the state before asks for; `park` consumes it. An `unpark` that comes first makes the next `park`
//! return at once, so none is lost; a stale one costs one turn of the worker's loop.
#![forbid(unsafe_code)]

use std::sync::atomic::AtomicU8;
use std::sync::atomic::Ordering::{AcqRel, Acquire};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Instant;

use crate::base::lock::lock;
use crate::reactor::{Reactor, Seat};

const EMPTY: u8 = 0;
const ASLEEP: u8 = 1;
const SEATED: u8 = 2;
const CALLED: u8 = 3;

/// See the module.
#[derive(Debug)]
pub(crate) struct Parker {
    word: AtomicU8,
    asleep: Mutex<()>,
    wake: Condvar,
}

impl Parker {
    /// A parker of a worker that is awake.
    pub(crate) fn new() -> Self {
        Self {
            word: AtomicU8::new(EMPTY),
            asleep: Mutex::new(()),
            wake: Condvar::new(),
        }
    }

    /// Sleeps on the condition until called.
    pub(crate) fn park(&self) {
        if !self.lie_down(ASLEEP) {
            return;
        }
        let mut asleep = lock(&self.asleep);
        // Acquire: pairs with the release half in `unpark`, after which work is to be seen.
        while self
            .word
            .compare_exchange(CALLED, EMPTY, Acquire, Acquire)
            .is_err()
        {
            asleep = self
                .wake
                .wait(asleep)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Sleeps in the reactor's seat until called, until something is ready, or until `deadline`. The events that have come
    /// are to be dealt out.
    pub(crate) fn park_seated(&self, seat: &mut Seat<'_>, deadline: Option<Instant>) {
        if self.lie_down(SEATED) {
            seat.wait(deadline);
            self.word.swap(EMPTY, AcqRel);
        }
    }

    fn lie_down(&self, how: u8) -> bool {
        // A failure means `CALLED`: consume it.
        let down = self
            .word
            .compare_exchange(EMPTY, how, AcqRel, Acquire)
            .is_ok();
        if !down {
            self.word.swap(EMPTY, AcqRel);
        }
        down
    }

    /// Wakes the worker, or makes its next sleep return at once.
    pub(crate) fn unpark(&self, reactor: &Reactor) {
        match self.word.swap(CALLED, AcqRel) {
            ASLEEP => {
                // The worker holds the lock from before it looks at the word until it waits.
                drop(lock(&self.asleep));
                self.wake.notify_one();
            }
            SEATED => reactor.notify(),
            _ => {}
        }
    }
}
