//! The seat: the right to poll, which one thread has at a time; and the addresses by which events name their sources.
//!
//! # A source named by an event is not freed
//! The key of a source in the poller is the address of its `Shared`. While it is registered, the registry holds a
//! reference. Deregistering takes the descriptor out of the poller *first*, then moves that reference to the dead. From
//! the first step on, no system call that begins later reports it; but one under way may have, and its batch names the
//! address. Only the holder of the seat empties the list of the dead: at the start of a turn, before it asks for
//! events. A source found there was out of the poller before that turn's system call began, so this turn's batch cannot
//! name it; and earlier batches have been dealt out, each within its own turn. So the key of every event in a batch is
//! alive until the batch has been dealt out. A source whose descriptor cannot be taken out (somebody else closed it) is
//! never called dead.

use std::fmt;
use std::ptr;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::sync::{Arc, MutexGuard};
use std::time::Instant;

use super::Reactor;
use super::source::Shared;
use super::sys;
use crate::base::sanitizer::received;

/// What the poller knows a source by: its address, which is never 0 nor the last one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Key(pub(super) usize);

impl Key {
    /// The key of `shared`.
    pub(super) fn of(shared: &Arc<Shared>) -> Self {
        Self(Arc::as_ptr(shared).expose_provenance())
    }
}

/// What belongs to whoever has the seat.
#[derive(Debug)]
pub(super) struct Desk {
    batch: sys::Batch,
    /// There may be events in it.
    undealt: bool,
    /// Empty between two turns; kept for its room.
    grave: Vec<Arc<Shared>>,
}

impl Desk {
    pub(super) fn new() -> Self {
        Self {
            batch: sys::Batch::new(),
            undealt: false,
            grave: Vec::new(),
        }
    }
}

/// The right to poll.
///
/// A notification ends the `wait` of whoever has the seat, or else the next one. So a worker that wants to be woken
/// takes the seat first, then says that it is about to sleep, then looks for work once more, then waits.
pub(crate) struct Seat<'a> {
    reactor: &'a Reactor,
    desk: MutexGuard<'a, Desk>,
}

impl<'a> Seat<'a> {
    pub(super) fn new(reactor: &'a Reactor, desk: MutexGuard<'a, Desk>) -> Self {
        Self { reactor, desk }
    }

    /// Deals out the events that are there. How many waits they have ended. A notification is left for `wait`.
    pub(crate) fn poll(&mut self) -> usize {
        self.empty_graves();
        self.reactor.driver.poll(&mut self.desk.batch);
        self.desk.undealt = true;
        self.deal()
    }

    /// Waits for events, a notification or `deadline`. May also return early for no reason. What has come must be dealt out
    /// next, by `deal`.
    pub(crate) fn wait(&mut self, deadline: Option<Instant>) {
        self.empty_graves();
        // Acquire, here and below: pairs with the release in `notify`.
        if self.reactor.notified.swap(false, Acquire) {
            self.reactor.driver.poll(&mut self.desk.batch);
        } else {
            self.reactor.driver.wait(&mut self.desk.batch, deadline);
            // A notification that comes until here is answered by our return. Its ring may still come, and will cut the
            // next wait short: harmless.
            self.reactor.notified.swap(false, Acquire);
        }
        self.desk.undealt = true;
    }

    fn empty_graves(&mut self) {
        debug_assert!(
            !self.desk.undealt,
            "events are dealt out in the turn they came in"
        );
        self.reactor.registry.collect(&mut self.desk.grave);
        self.desk.grave.clear();
    }

    /// Deals the events out that have come, once. How many waits they have ended.
    pub(crate) fn deal(&mut self) -> usize {
        if !std::mem::take(&mut self.desk.undealt) {
            return 0;
        }
        let mut fired = 0;
        for (Key(address), event) in self.desk.batch.events() {
            received(address);
            let shared = ptr::with_exposed_provenance::<Shared>(address);
            // SAFETY: the events of a batch that has not been dealt out name live sources (see the module's text), and
            // what is reached of them is shared.
            fired += unsafe { &*shared }.apply(event);
        }
        fired
    }
}

impl fmt::Debug for Seat<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seat").finish_non_exhaustive()
    }
}

impl Reactor {
    /// Ends the wait of whoever has the seat, or else the next one.
    pub(crate) fn notify(&self) {
        // Release: what the caller did before is seen by who waits, after.
        if !self.notified.swap(true, Release) {
            self.driver.ring();
        }
    }
}
