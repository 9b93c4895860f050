//! Asking a thread which greenlet it runs, where there is no way to.
#![forbid(unsafe_code)]

use std::sync::atomic::AtomicU32;

use super::header::GreenletRef;

/// Nobody answers.
pub(crate) fn ask(_: u32, _: &AtomicU32, _: u32) -> Option<(GreenletRef, Vec<usize>)> {
    None
}
