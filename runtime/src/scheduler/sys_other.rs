//! What the monitor asks about a worker's thread, where the system is not asked.
#![forbid(unsafe_code)]

use std::time::Duration;

/// The calling thread's number.
pub(super) fn thread_number() -> u32 {
    0
}

/// How many threads this process has, if that can be told.
pub(super) fn threads() -> Option<usize> {
    None
}

/// What a thread of this process is at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    /// It waits in the kernel, or that does not tell.
    Waits,
    /// It wants to run; for how long it has had a processor since it began, where that is known.
    #[allow(dead_code, reason = "where the system tells")]
    Runs(Option<Duration>),
}

/// What thread `number` is at.
pub(super) fn state(_number: u32) -> State {
    State::Waits
}
