//! The poller on other systems: `polling` throughout.
//!
//! `polling` tells of a closed peer on some systems only, so a short read never saves a call here.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::{Duration, Instant};

use polling::{Events, PollMode, Poller};

use super::readiness::{Direction, Event};
use super::sys_seat::Key;
use crate::base::fault::{self, Door};

/// Whether a read or a write of fewer bytes than asked proves that the socket is empty, or full. It may, but the end of
/// the stream could lie behind the data in the same event, unseen.
pub(super) const SHORT_MEANS_EMPTY: bool = false;

/// The poller.
#[derive(Debug)]
pub(super) struct Driver {
    poller: Poller,
}

impl Driver {
    pub(super) fn new() -> io::Result<Self> {
        fault::at(Door::Poller)?;
        Ok(Self {
            poller: Poller::new()?,
        })
    }

    /// Registers `fd` for both directions.
    pub(super) fn add(&self, fd: BorrowedFd<'_>, Key(key): Key) -> io::Result<()> {
        fault::at(Door::Watch)?;
        // SAFETY: `polling` asks that the descriptor is deleted before it is closed. Whoever holds the source does that
        // (`Source::leave`).
        unsafe {
            self.poller
                .add_with_mode(fd.as_raw_fd(), polling::Event::all(key), PollMode::Edge)
        }
    }

    /// Has everything that `fd` is ready for at this moment reported once more.
    pub(super) fn report_again(&self, fd: BorrowedFd<'_>, Key(key): Key) -> io::Result<()> {
        let event = polling::Event::all(key);
        self.poller.modify_with_mode(fd, event, PollMode::Edge)
    }

    /// Takes `fd` out.
    pub(super) fn delete(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        fault::at(Door::Unwatch)?;
        self.poller.delete(fd)
    }

    /// Ends the `wait` under way, or the next one.
    pub(super) fn ring(&self) {
        // It fails only if the notifier's descriptor is gone, and then `wait` says so.
        let _ = self.poller.notify();
    }

    /// Takes the events that are there.
    pub(super) fn poll(&self, batch: &mut Batch) {
        batch.0.clear();
        checked(self.poller.wait(&mut batch.0, Some(Duration::ZERO)));
    }

    /// Waits for events, a ring or `deadline`.
    pub(super) fn wait(&self, batch: &mut Batch, deadline: Option<Instant>) {
        batch.0.clear();
        checked(match deadline {
            None => self.poller.wait(&mut batch.0, None),
            Some(deadline) => self.poller.wait_deadline(&mut batch.0, deadline),
        });
    }
}

/// A failure means that the descriptor is gone (a program that closes descriptors it did not open): no greenlet would
/// ever hear of its sockets again, so better say so.
fn checked(result: io::Result<usize>) {
    if let Err(error) = result {
        panic!("the reactor's descriptor is unusable ({error}); has the program closed it?");
    }
}

/// The events of one turn.
#[derive(Debug)]
pub(super) struct Batch(Events);

impl Batch {
    pub(super) fn new() -> Self {
        Self(Events::new())
    }

    /// The events of sources.
    pub(super) fn events(&self) -> impl Iterator<Item = (Key, Event)> + '_ {
        self.0.iter().map(|event| {
            let broken = event.is_interrupt();
            let reported = Event::NOTHING
                .ready_if(Direction::Read, broken || event.readable)
                .closed_if(Direction::Read, broken)
                .ready_if(Direction::Write, broken || event.writable)
                .closed_if(Direction::Write, broken);
            (Key(event.key), reported)
        })
    }
}
