//! The chosen panics, and the end of the process at any other.

use std::panic::{panic_any, resume_unwind};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use sward::JoinError;

/// How often the hook was called for a chosen panic.
static HOOKED: AtomicU64 = AtomicU64::new(0);

/// The payload of a chosen panic: what the greenlet had summed up.
#[derive(Debug)]
pub(crate) struct Chosen(pub(crate) u64);

/// From here on, chosen panics are counted and print nothing; any other prints its message and ends the process, wherever
/// it is: a greenlet that fails would otherwise have others wait for it.
pub(crate) fn hook() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if panic.payload().is::<Chosen>() {
            HOOKED.fetch_add(1, SeqCst);
            return;
        }
        usual(panic);
        std::process::abort();
    }));
}

/// How often the hook was called for a chosen panic, so far.
pub(crate) fn hooked() -> u64 {
    HOOKED.load(SeqCst)
}

/// Panics as chosen: by way of the hook, or past it.
pub(crate) fn raise(hooked: bool, value: u64) -> ! {
    match hooked {
        true => panic_any(Chosen(value)),
        false => resume_unwind(Box::new(Chosen(value))),
    }
}

/// The value of one that panicked as chosen.
pub(crate) fn chosen(error: JoinError) -> u64 {
    assert!(error.is_panic(), "instead of a panic: {error}");
    match error.into_panic().downcast::<Chosen>() {
        Ok(chosen) => chosen.0,
        Err(_) => panic!("a greenlet panicked with somebody else's payload"),
    }
}
