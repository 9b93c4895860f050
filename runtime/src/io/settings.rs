//! What the clones of a socket share, as they would share it in the kernel: timeouts, and the non-blocking mode.
//!
//! The kernel's own timeouts and mode are of no use here: to the kernel, the descriptor never blocks.

#![forbid(unsafe_code)]

use std::io;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Duration;

use super::Direction;

/// See the module. Relaxed throughout: the values are independent, and no memory is handed over by them.
#[derive(Debug, Default)]
pub(super) struct Settings {
    read: Timeout,
    write: Timeout,
    nonblocking: AtomicBool,
}

/// Nanoseconds, or 0 for none: no timeout is zero.
#[derive(Debug, Default)]
struct Timeout(AtomicU64);

impl Settings {
    pub(super) fn timeout(&self, direction: Direction) -> Option<Duration> {
        match self.of(direction).0.load(Relaxed) {
            0 => None,
            nanoseconds => Some(Duration::from_nanos(nanoseconds)),
        }
    }

    pub(super) fn set_timeout(
        &self,
        direction: Direction,
        timeout: Option<Duration>,
    ) -> io::Result<()> {
        let nanoseconds = match timeout {
            None => 0,
            Some(Duration::ZERO) => {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidInput,
                    "a timeout cannot be zero",
                ));
            }
            // 584 years will do.
            Some(timeout) => u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX),
        };
        self.of(direction).0.store(nanoseconds, Relaxed);
        Ok(())
    }

    pub(super) fn is_nonblocking(&self) -> bool {
        self.nonblocking.load(Relaxed)
    }

    pub(super) fn set_nonblocking(&self, nonblocking: bool) {
        self.nonblocking.store(nonblocking, Relaxed);
    }

    fn of(&self, direction: Direction) -> &Timeout {
        match direction {
            Direction::Read => &self.read,
            Direction::Write => &self.write,
        }
    }
}
