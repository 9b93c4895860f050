//! Counting how often values are dropped.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

/// Counts the drops of the values it gives out.
#[derive(Clone, Debug, Default)]
pub struct Drops(Arc<AtomicUsize>);

/// A value whose drop is counted.
#[derive(Debug)]
#[must_use]
pub struct Counted(Drops);

impl Drops {
    /// None yet.
    #[must_use]
    pub fn new() -> Drops {
        Drops::default()
    }

    /// A value to be counted.
    pub fn value(&self) -> Counted {
        Counted(self.clone())
    }

    /// How many have been dropped.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.load(SeqCst)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.0.fetch_add(1, SeqCst);
    }
}
