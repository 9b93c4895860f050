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
}

const KINDS: u64 = 8;

impl WaitsFor {
    /// Of a greenlet that waits for nothing; if it parks, it waits to be unparked.
    pub(super) fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// It is going to wait for this.
    pub(crate) fn set(&self, reason: Reason) {
        let word = match reason {
            Reason::Unpark => 0,
            Reason::Sleep => 1,
            Reason::Join(id) => 2 + KINDS * id,
            Reason::Readable => 3,
            Reason::Writable => 4,
            Reason::Shutdown => 5,
        };
        self.0.store(word, Relaxed);
    }

    /// It has waited.
    pub(crate) fn clear(&self) {
        self.0.store(0, Relaxed);
    }

    /// What it waits for, if it waits.
    pub(crate) fn read(&self) -> Reason {
        let word = self.0.load(Relaxed);
        match word % KINDS {
            1 => Reason::Sleep,
            2 => Reason::Join(word / KINDS),
            3 => Reason::Readable,
            4 => Reason::Writable,
            5 => Reason::Shutdown,
            _ => Reason::Unpark,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unpark => f.write_str("to be unparked"),
            Self::Sleep => f.write_str("for ever, in a sleep"),
            Self::Join(id) => write!(f, "for the end of greenlet {id}"),
            Self::Readable => f.write_str("for a socket to be readable"),
            Self::Writable => f.write_str("for a socket to be writable"),
            Self::Shutdown => f.write_str("for the end of a runtime"),
        }
    }
}
