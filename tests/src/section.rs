//! A check that code which must not run twice at a time does not.

use std::cell::Cell;

/// A piece of code that only one greenlet at a time may be in. It is for greenlets of one home, and so not `Sync`: two that
/// really ran at the same time would be a data race, which is what it looks for.
#[derive(Debug, Default)]
pub struct Section {
    entered: Cell<bool>,
    passes: Cell<u64>,
}

impl Section {
    /// Nobody is in it.
    #[must_use]
    pub const fn new() -> Section {
        Section {
            entered: Cell::new(false),
            passes: Cell::new(0),
        }
    }

    /// Goes through it once, slowly enough to be met by somebody else, without suspending.
    ///
    /// # Panics
    ///
    /// If somebody is in it.
    pub fn pass(&self) {
        assert!(!self.entered.replace(true), "two in a section");
        let before = self.passes.get();
        for _ in 0..20 {
            std::hint::black_box(self);
            std::hint::spin_loop();
        }
        assert_eq!(self.passes.get(), before, "somebody else passed meanwhile");
        self.passes.set(before + 1);
        assert!(self.entered.replace(false), "two in a section");
    }

    /// How often it has been passed.
    #[must_use]
    pub fn passes(&self) -> u64 {
        self.passes.get()
    }
}
