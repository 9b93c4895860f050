//! Waiting for a condition.

use std::panic::Location;
use std::thread;
use std::time::{Duration, Instant};

use crate::watchdog::{dump_and_abort, limit};

/// Between two looks of a plain thread, after some at once.
const PAUSE: Duration = Duration::from_micros(200);

/// What [`until`] asks: a `bool`, or a `Result` whose error says what is still missing.
pub trait Condition {
    /// Whether it holds; if not, what is missing.
    fn missing(self) -> Option<String>;
}

impl Condition for bool {
    fn missing(self) -> Option<String> {
        (!self).then(String::new)
    }
}

impl Condition for Result<(), String> {
    fn missing(self) -> Option<String> {
        self.err()
    }
}

/// Returns when the condition holds, yielding between two looks; from greenlets and threads.
///
/// A little before the limit of the watchdog it gives up, says where, dumps all threads and aborts.
#[track_caller]
pub fn until<C: Condition>(mut condition: impl FnMut() -> C) {
    let caller = Location::caller();
    let start = Instant::now();
    let limit = limit() * 9 / 10;
    for round in 1u64.. {
        let Some(missing) = condition().missing() else {
            return;
        };
        sward::yield_now();
        if round % 64 == 0 {
            // What we wait for may need this core.
            thread::yield_now();
            if sward::try_current().is_none() {
                thread::sleep(PAUSE);
            }
            if start.elapsed() > limit {
                dump_and_abort(&format!(
                    "still not after {limit:?}, at {caller}: {missing}"
                ));
            }
        }
    }
}

/// For what a busy machine may spoil now and then, but not always: passes if one of `attempts` does.
///
/// # Panics
///
/// With the last error, if none does.
#[track_caller]
pub fn within_attempts(attempts: usize, mut attempt: impl FnMut() -> Result<(), String>) {
    let mut last = String::new();
    for _ in 0..attempts {
        match attempt() {
            Ok(()) => return,
            Err(error) => last = error,
        }
    }
    panic!("{attempts} attempts, none good; the last: {last}");
}
