//! One side of a channel with a buffer: its word, and the line of those of it who wait.
//!
//! What is waited for is in the buffer and not handed over: who was woken tries again.
#![forbid(unsafe_code)]

use std::pin::Pin;

use super::presence::{Owed, Presence};
use crate::park::{Place, Wait, WaitQueue};

/// See the module.
#[derive(Debug)]
pub(super) struct Line {
    presence: Presence,
    queue: WaitQueue,
}

/// A place in such a line.
pub(super) type LinePlace<'a> = Place<'a, (), ()>;

impl Line {
    pub(super) fn new() -> Self {
        Self {
            presence: Presence::new(),
            queue: WaitQueue::new(()),
        }
    }

    /// After a change that one of this side may wait for. What else is owed.
    #[inline]
    pub(super) fn changed(&self) -> Option<Owed> {
        let owed = self.presence.owed()?;
        if owed.wake {
            self.wake_first();
        }
        Some(owed)
    }

    #[cold]
    fn wake_first(&self) {
        let mut queue = self.queue.lock();
        let claimed = queue.claim_first();
        if claimed.is_none() {
            self.presence.nobody_waits();
        }
        drop(queue);
        if let Some(claimed) = claimed {
            claimed.wake();
        }
    }

    pub(super) fn place(&self) -> LinePlace<'_> {
        self.queue.place(())
    }

    /// Gets in line; `first`, if the waiter has been the first already. It has to look at the buffer again before it parks.
    pub(super) fn enlist<'a>(
        &'a self,
        place: Pin<&LinePlace<'a>>,
        wait: &Wait,
        tag: u16,
        first: bool,
    ) {
        let mut queue = self.queue.lock();
        match first {
            true => queue.enlist_first(place, wait.token(tag)),
            false => queue.enlist(place, wait.token(tag)),
        }
        self.presence.will_wait();
    }

    /// Ends all waits: the other side has gone.
    pub(super) fn end_all(&self) {
        self.queue.fire_all();
    }

    /// This side has gone.
    pub(super) fn leave(&self) {
        self.presence.leave();
    }

    /// Whether this side has gone.
    #[inline]
    pub(super) fn is_gone(&self) -> bool {
        self.presence.is_gone()
    }
}
