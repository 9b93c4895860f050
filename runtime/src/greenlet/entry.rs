//! The first frame of a greenlet, on its own stack.

use super::header::from_slot;
use super::switch::{Carrier, leave_for_good};
use crate::base::abort::AbortOnUnwind;
use crate::context::Transfer;
use crate::home::slot;

/// Runs the closure of the greenlet that the slot names, and ends it.
pub(super) extern "C" fn entry(transfer: Transfer) -> ! {
    let guard = AbortOnUnwind::new("the first frame of a greenlet");
    // SAFETY: the slot of the home we run in; it is written before a greenlet is resumed.
    let slot = unsafe { &*slot() };
    // SAFETY: the carrier that runs us, which stays until we are off it.
    unsafe { (*slot.carrier().cast::<Carrier>()).set_context(transfer.from) };
    let header = from_slot(slot.greenlet()).expect("a running greenlet is in its slot");
    // SAFETY: the header is alive until the greenlet is done.
    let run = unsafe { header.as_ref() }.vtable().run;
    // SAFETY: called once, in the greenlet, on its own stack.
    unsafe { run(header) };
    guard.disarm();
    leave_for_good()
}
