//! The one place that decides between std's atomics and loom's model-checked ones.
//!
//! Only the protocol words (`WaitWord`, `State`, `Occupancy`, `Idle`, `Readiness`, `Presence` and the ring beside it) use this door: they are what
//! the loom models check, and `fence`, for which a sanitizer needs another. Everything else takes std's types, so that the crate still builds under `--cfg loom`
//! although nothing but the models can run there.
#![forbid(unsafe_code)]

#[cfg(loom)]
pub(crate) use loom::sync::Mutex;
#[cfg(loom)]
pub(crate) use loom::sync::atomic::{
    AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, fence,
};
#[cfg(not(loom))]
pub(crate) use std::sync::Mutex;
#[cfg(not(loom))]
pub(crate) use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize};

#[cfg(not(loom))]
pub(crate) use super::sanitizer::fence;
