//! Floor 7: the reactor, which tells waiting greenlets and threads that a descriptor has become ready.
//!
//! Each runtime has one: a poller, the registered sources, and the *seat*, the right to poll. A worker that has a
//! moment, or nothing to do at all, takes the seat, asks the poller for events and deals them out: each sets bits in
//! its source's `readiness`, and fires the tokens of those who wait there. The reactor knows tokens and nothing of who
//! is behind them.
//!
//! - `readiness`: the atomic word of a source, and why no event is lost;
//! - `source`: a registered descriptor, and waiting for it in one of its two queues;
//! - `registry`: all sources; `sys_seat`: polling, and why an event never reaches freed memory;
//! - `sys_linux`, `sys_other`: the poller itself.
//!
//! A descriptor is registered once, for both directions, edge-triggered: afterwards waiting costs no system call.
//! Tokens are fired outside all locks but the seat's.

mod readiness;
mod registry;
mod source;
#[cfg(target_os = "linux")]
mod sys_linux;
#[cfg(target_os = "linux")]
use sys_linux as sys;
#[cfg(not(target_os = "linux"))]
mod sys_other;
#[cfg(not(target_os = "linux"))]
use sys_other as sys;
mod sys_seat;
#[cfg(all(test, not(loom)))]
mod tests;

use std::io;
use std::os::fd::BorrowedFd;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, TryLockError};

use crate::base::fork;
use crate::base::sanitizer::sent;
pub(crate) use readiness::{Direction, Look};
use registry::Registry;
use source::Shared;
pub(crate) use source::{Source, SourcePlace, Waited};
pub(crate) use sys_seat::Seat;
use sys_seat::{Desk, Key};

/// See the module.
#[derive(Debug)]
pub(crate) struct Reactor {
    // The poller goes before the sources that it names.
    driver: sys::Driver,
    registry: Registry,
    desk: Mutex<Desk>,
    /// A notification waits for the next `Seat::wait`.
    notified: AtomicBool,
    /// See `fork`.
    number: u64,
}

impl Reactor {
    /// A reactor without sources.
    pub(crate) fn new() -> io::Result<Arc<Self>> {
        Ok(Arc::new(Self {
            driver: sys::Driver::new()?,
            registry: Registry::default(),
            desk: Mutex::new(Desk::new()),
            notified: AtomicBool::new(false),
            number: fork::reserve(1).start,
        }))
    }

    /// Registers `fd`, on which an operation in the direction `unready` has just found nothing.
    ///
    /// If that has changed since, registering makes an event of it: what is ready at that moment is reported.
    pub(crate) fn register(
        self: &Arc<Self>,
        fd: BorrowedFd<'_>,
        unready: Direction,
    ) -> io::Result<Source> {
        let shared = Arc::new(Shared::new(unready));
        // Before the poller knows it, so that `close` reaches every source somebody can wait for.
        let place = self.registry.enter(&shared).ok_or_else(shut_down)?;
        let key = Key::of(&shared);
        sent(key.0);
        if let Err(error) = self.driver.add(fd, key) {
            self.registry.bury(place);
            return Err(error);
        }
        Ok(Source::new(self, shared, place))
    }

    fn deregister(&self, fd: BorrowedFd<'_>, place: usize) {
        if self.is_left_behind() {
            // A forked child has the same poller as its parent, which would lose its own registration.
            return;
        }
        // If this fails, the descriptor was closed behind our back. A duplicate may keep the registration alive in the
        // kernel, events and all, so the source must not die.
        if self.driver.delete(fd).is_ok() {
            self.registry.bury(place);
        }
    }

    /// Whether it was made before the fork that made this process: nobody polls.
    fn is_left_behind(&self) -> bool {
        fork::is_left_behind(self.number)
    }

    /// The right to poll, unless somebody has it.
    pub(crate) fn try_seat(&self) -> Option<Seat<'_>> {
        match self.desk.try_lock() {
            Ok(desk) => Some(Seat::new(self, desk)),
            Err(TryLockError::Poisoned(desk)) => Some(Seat::new(self, desk.into_inner())),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// The runtime shuts down: ends every wait with `Waited::Shut`, those under way and all later ones.
    pub(crate) fn close(&self) {
        for shared in self.registry.close() {
            shared.shut();
        }
    }

    /// Whether a turn would find nothing to do.
    pub(crate) fn is_empty(&self) -> bool {
        self.registry.is_empty()
    }

    /// How many descriptors are registered.
    pub(crate) fn sources(&self) -> usize {
        self.registry.len()
    }
}

/// What an operation returns that would have to wait for a closed reactor.
pub(crate) fn shut_down() -> io::Error {
    io::Error::other("the runtime that this waits in has shut down")
}
