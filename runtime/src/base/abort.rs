//! Abort instead of unwinding out of runtime code.
//!
//! Scheduler code runs on stacks below which there is nobody to catch an unwind, or between two states of a
//! protocol that an early exit would tear. A guard of this kind is alive there; `disarm` it on the way out.
#![forbid(unsafe_code)]

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::say::say;

/// Aborts the process when it is dropped, which happens when a panic passes it.
#[derive(Debug)]
pub(crate) struct AbortOnUnwind(&'static str);

impl AbortOnUnwind {
    /// Arms the guard; `place` is what the message names.
    pub(crate) fn new(place: &'static str) -> Self {
        Self(place)
    }

    /// The guarded code has ended well.
    pub(crate) fn disarm(self) {
        std::mem::forget(self);
    }
}

/// Runs user code that is not to panic where nobody below would catch that: a panic aborts the process, with a message that names
/// `place`. Without something that catches, std would abort by itself and name nothing.
pub(crate) fn run_or_abort(place: &'static str, f: impl FnOnce()) {
    let guard = AbortOnUnwind::new(place);
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(()) => guard.disarm(),
        Err(_) => drop(guard),
    }
}

impl Drop for AbortOnUnwind {
    fn drop(&mut self) {
        say(format_args!(
            "a panic reached {}, which cannot unwind; aborting",
            self.0
        ));
        std::process::abort();
    }
}
