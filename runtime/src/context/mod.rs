//! Floor 2: the seam behind which one stack of execution is left for another.
//!
//! A `Context` is a suspended execution: a stack with its registers saved on it. `resume` consumes it, suspends the
//! caller into a new one, and hands that to whoever runs next. The backend is chosen here by module; every backend
//! has the same names. Callers: `greenlet::switch` and `greenlet::unwinding`, nobody else.
//!
//! A context that is dropped is forgotten: its frames stay where they are and their destructors never run.

mod boost;

pub(crate) use boost::{Context, Transfer};

/// The function a fresh context starts in. It gets the context that resumed it, and must never return.
pub(crate) type Entry = extern "C" fn(Transfer) -> !;

/// The names of the backends this build has, for `SWARD_CONTEXT`.
pub(crate) const NAMES: &[&str] = &["boost"];
