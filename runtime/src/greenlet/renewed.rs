//! A static that a forked child has anew: for locks that another thread may have held when the process was forked, and
//! which nobody will ever release in the child. What was in it is left as it is.

use std::ptr;
use std::sync::atomic::AtomicPtr;
use std::sync::atomic::Ordering::{AcqRel, Acquire};

use crate::base::fork;

/// See the module.
pub(crate) struct Renewed<T: 'static> {
    /// # Invariant
    /// Null, or a leaked box.
    now: AtomicPtr<Made<T>>,
    make: fn() -> T,
}

struct Made<T> {
    /// By which process, as `fork::process` has it.
    by: u64,
    value: T,
}

impl<T: Sync> Renewed<T> {
    /// One whose values are made by `make`, when they are first needed.
    pub(crate) const fn new(make: fn() -> T) -> Self {
        Self {
            now: AtomicPtr::new(ptr::null_mut()),
            make,
        }
    }

    /// This process's value.
    pub(crate) fn get(&self) -> &'static T {
        // Acquire: pairs with the release in `renew`.
        let now = self.now.load(Acquire);
        // SAFETY: the field's invariant: what was leaked stays.
        match unsafe { now.as_ref() } {
            Some(made) if made.by == fork::process() => &made.value,
            _ => self.renew(now),
        }
    }

    #[cold]
    fn renew(&self, old: *mut Made<T>) -> &'static T {
        let made = Box::into_raw(Box::new(Made {
            by: fork::process(),
            value: (self.make)(),
        }));
        // Release: who gets it sees it made. Acquire: for one that was faster.
        let now = match self.now.compare_exchange(old, made, AcqRel, Acquire) {
            Ok(_) => made,
            Err(now) => {
                // SAFETY: made above, and shown to nobody.
                drop(unsafe { Box::from_raw(made) });
                now
            }
        };
        // SAFETY: as in `get`; it changes from null or from another process's to this one's, once.
        unsafe { &(*now).value }
    }
}
