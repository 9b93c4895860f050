//! Running what may panic where a panic has nobody to go to.
#![forbid(unsafe_code)]

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Drops `value`. A panic of its destructor has printed its message and goes no further; nor does that of the payload's own.
pub(crate) fn drop_quietly<T>(value: T) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(value)))
        && let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload)))
    {
        // A payload whose destructor panics is not given a third chance.
        std::mem::forget(second);
    }
}
