//! Where the workers meet the reaper when a runtime ends.
//!
//! A worker whose loop has ended *retires* here, and goes on only when every greenlet that was left has been told: what it
//! does then (dropping closures that never ran) is user code, which may wait for any of them.
#![forbid(unsafe_code)]

use std::sync::{Condvar, Mutex, PoisonError};

use crate::base::lock::lock;

#[derive(Debug, Default)]
struct State {
    retired: usize,
    /// Some of them do not end: their thread-locals are still referred to.
    staying: Vec<usize>,
    down: bool,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Curtain(Mutex<State>, Condvar);

impl Curtain {
    /// A curtain that is up.
    pub(super) fn new() -> Self {
        Self(Mutex::default(), Condvar::new())
    }

    /// The loop of worker `index` has ended; its thread stays for good if `stays`. Returns when the curtain is down.
    pub(super) fn retire(&self, index: usize, stays: bool) {
        let mut state = lock(&self.0);
        state.retired += 1;
        if stays {
            state.staying.push(index);
        }
        self.1.notify_all();
        while !state.down {
            state = self.1.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits until `workers` workers have retired.
    pub(super) fn wait_for(&self, workers: usize) {
        let mut state = lock(&self.0);
        while state.retired < workers {
            state = self.1.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Every greenlet has been told. The workers whose threads stay.
    pub(super) fn lower(&self) -> Vec<usize> {
        let mut state = lock(&self.0);
        state.down = true;
        self.1.notify_all();
        std::mem::take(&mut state.staying)
    }
}
