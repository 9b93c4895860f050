//! Floor 10: values that belong to whoever runs: greenlet-locals, and what is bound for the run of a closure.

mod cells;
mod key;
mod scoped;

pub use key::{AccessError, LocalKey};
pub use scoped::ScopedValue;
