//! What a greenlet waits for, for who asks why it does not go on.
//!
//! One word, written by the greenlet alone, before it waits; whoever reads it gets a hint to print. Relaxed.
#![forbid(unsafe_code)]

use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

/// See the module. A kind, and above it the number of a greenlet.
#[derive(Debug)]
pub(crate) struct WaitsFor(AtomicU64);

/// Why somebody waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reason {
    /// `park`.
    Unpark,
    /// `sleep`.
    Sleep,
    /// The end of the greenlet with this number.
    Join(u64),
    /// A socket that is to be readable, or to have a connection to accept.
    Readable,
    /// A socket that is to be writable or connected.
    Writable,
    /// The end of a runtime.
    Shutdown,
    /// A mutex.
    Mutex,
    /// A reader-writer lock, to read.
    Read,
    /// A reader-writer lock, to write.
    Write,
    /// A condition variable.
    Condition,
    /// The others at a barrier.
    Barrier,
    /// An initialization that somebody else has begun.
    Once,
    /// Permits of a semaphore.
    Permits,
    /// An event.
    Event,
    /// A notification.
    Notification,
    /// The end of a group.
    Group,
    /// A promise.
    Promise,
    /// Room in a channel, or a receiver.
    Send,
    /// A message.
    Receive,
    /// The end of the other side of a channel.
    Closed,
    /// One of several things.
    Select,
}

use Reason::{
    Barrier, Closed, Condition, Event, Group, Join, Mutex, Notification, Once, Permits, Promise,
    Read, Readable, Receive, Select, Send, Shutdown, Sleep, Unpark, Writable, Write,
};

/// All but `Join`, each at the place of its number.
const KINDS: [Reason; 20] = [
    Unpark,
    Sleep,
    Readable,
    Writable,
    Shutdown,
    Mutex,
    Read,
    Write,
    Condition,
    Barrier,
    Once,
    Permits,
    Event,
    Notification,
    Group,
    Promise,
    Send,
    Receive,
    Closed,
    Select,
];
/// The number of `Join`.
const JOIN: u64 = KINDS.len() as u64;
/// What the number of the greenlet is multiplied by.
const ABOVE: u64 = 32;
const _: () = assert!(JOIN < ABOVE);

impl Reason {
    fn word(self) -> u64 {
        match self {
            Join(id) => JOIN + ABOVE * id,
            Unpark => 0,
            Sleep => 1,
            Readable => 2,
            Writable => 3,
            Shutdown => 4,
            Mutex => 5,
            Read => 6,
            Write => 7,
            Condition => 8,
            Barrier => 9,
            Once => 10,
            Permits => 11,
            Event => 12,
            Notification => 13,
            Group => 14,
            Promise => 15,
            Send => 16,
            Receive => 17,
            Closed => 18,
            Select => 19,
        }
    }

    fn from_word(word: u64) -> Self {
        match word % ABOVE {
            JOIN => Join(word / ABOVE),
            kind => KINDS.get(kind as usize).copied().unwrap_or(Unpark),
        }
    }
}

impl WaitsFor {
    /// Of a greenlet that waits for nothing; if it parks, it waits to be unparked.
    pub(super) fn new() -> Self {
        Self(AtomicU64::new(Unpark.word()))
    }

    /// It is going to wait for this.
    pub(crate) fn set(&self, reason: Reason) {
        self.0.store(reason.word(), Relaxed);
    }

    /// It has waited.
    pub(crate) fn clear(&self) {
        self.set(Unpark);
    }

    /// What it waits for, if it waits.
    pub(crate) fn read(&self) -> Reason {
        Reason::from_word(self.0.load(Relaxed))
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Join(id) => return write!(f, "for the end of greenlet {id}"),
            Unpark => "to be unparked",
            Sleep => "for ever, in a sleep",
            Readable => "for a socket to be readable",
            Writable => "for a socket to be writable",
            Shutdown => "for the end of a runtime",
            Mutex => "for a mutex",
            Read => "for a lock, to read",
            Write => "for a lock, to write",
            Condition => "for a condition",
            Barrier => "for the others at a barrier",
            Once => "for an initialization",
            Permits => "for permits of a semaphore",
            Event => "for an event",
            Notification => "for a notification",
            Group => "for the end of a group",
            Promise => "for a promise",
            Send => "to send to a channel",
            Receive => "for a message",
            Closed => "for the other side of a channel to go",
            Select => "for one of several things",
        };
        f.write_str(text)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let waits_for = WaitsFor::new();
        assert_eq!(waits_for.read(), Unpark);
        for reason in KINDS.into_iter().chain([Join(0), Join(1 << 40)]) {
            waits_for.set(reason);
            assert_eq!(waits_for.read(), reason);
        }
        waits_for.clear();
        assert_eq!(waits_for.read(), Unpark);
    }
}
