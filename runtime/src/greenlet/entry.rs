//! The first frame on a stack: it runs one greenlet to its end, and then perhaps others that have never run, one after
//! the other, in the same home. All that a greenlet needs to start is then there already, in the nearest cache.

use super::header::from_slot;
use super::switch::{Carrier, end, land};
use crate::base::abort::AbortOnUnwind;
use crate::context::Transfer;
use crate::home::slot;

/// Runs the closure of the greenlet that the slot names, and of those that follow it here.
pub(super) extern "C" fn entry(transfer: Transfer) -> ! {
    let _guard = AbortOnUnwind::new("the first frame of a greenlet");
    // SAFETY: the slot of the home we run in; it is written before a greenlet is resumed.
    let slot = unsafe { &*slot() };
    // SAFETY: we were leapt to, by the carrier in the slot.
    unsafe { land(slot.carrier().cast(), transfer) };
    // SAFETY: it stays while we run on it.
    unsafe { &*slot.carrier().cast::<Carrier>() }.set_switching(false);
    let mut header = from_slot(slot.greenlet()).expect("a running greenlet is in its slot");
    loop {
        // SAFETY: the header is alive until the greenlet is done. Each is called once for each, in the greenlet, on its own
        // stack; nothing else of it runs.
        header = unsafe {
            (header.as_ref().vtable().run)(header);
            header.as_ref().locals.end();
            header.as_ref().inherited.end();
            end(header)
        };
    }
}
