//! The one door to suspend and the one to resume.
//!
//! `resume` is called by a worker, on the worker's own stack, with the worker's own thread pointer; `suspend` by a
//! greenlet, on its own stack, in its home. In between lies a context switch. Whoever resumes does what the greenlet
//! asked for (its `Request`) *after* the switch, when the greenlet's registers are saved: publish after the switch.
//!
//! Neither function uses a thread-local of an identity it does not have throughout: `resume` loads the home's pointer
//! inside `Home::run_as` only, and `suspend` comes back in the home it left from.

use std::cell::Cell;
use std::fmt;
use std::ptr;
use std::sync::Arc;

use super::entry::entry;
use super::header::Runnable;
use super::unwinding;
use crate::context::Context;
use crate::home::{self, Home, slot};

/// What a greenlet wants done once it is off its stack.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Request {
    /// Run it again when the others had their turn.
    Yield,
    /// Publish its wait: it is parked until a token fires.
    Park,
    /// It has ended: give back what it had.
    Done,
}

/// The part of a worker that the greenlet it carries can reach, through its home's slot.
#[repr(C)]
pub(crate) struct Carrier {
    /// The worker's own execution, while a greenlet runs.
    context: Cell<Option<Context>>,
    request: Cell<Request>,
    /// How many more operations the running greenlet may do without parking before it has to yield.
    budget: Cell<u32>,
}

/// Operations that never park, in a row, before a greenlet yields. Large enough that a yield's cost vanishes in theirs,
/// small enough that a busy socket holds its worker for well under a millisecond. Arbitrary within that; tokio's is 128.
const BUDGET: u32 = 128;

impl Carrier {
    /// A carrier that runs nothing.
    pub(crate) fn new() -> Self {
        Self {
            context: Cell::new(None),
            request: Cell::new(Request::Done),
            budget: Cell::new(BUDGET),
        }
    }

    /// Whether the greenlet that ran last has used up its budget.
    pub(crate) fn is_budget_spent(&self) -> bool {
        self.budget.get() == 0
    }

    /// Notes the execution that resumed the running greenlet.
    pub(super) fn set_context(&self, context: Context) {
        self.context.set(Some(context));
    }
}

impl fmt::Debug for Carrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Carrier")
            .field("request", &self.request)
            .finish_non_exhaustive()
    }
}

/// Runs the greenlet until it suspends or ends, and tells what it wants.
///
/// # Safety
/// `carrier` points to the first field of the calling worker, and may be used for all of it. The caller is on the worker's own
/// stack, with its own thread pointer. It occupies the greenlet's home (`life.home`), and `life.stack` is there.
pub(crate) unsafe fn resume(carrier: *const Carrier, runnable: &mut Runnable) -> Request {
    let header = runnable.as_ptr().as_ptr();
    let erased = carrier.cast();
    // SAFETY: the caller's own, which stays.
    let carrier = unsafe { &*carrier };
    let life = runnable.life();
    let home: *const Home = Arc::as_ptr(
        life.home
            .as_ref()
            .expect("a greenlet about to run has a home"),
    );
    // SAFETY: `life` keeps it, and nobody but the caller touches `life` until the greenlet is published again.
    let home = unsafe { &*home };
    let context = life.context.take().unwrap_or_else(|| {
        let stack = life
            .stack
            .as_ref()
            .expect("a greenlet about to run has a stack");
        // SAFETY: the stack is the greenlet's own; it is given back after the greenlet's end only.
        unsafe { Context::new(stack.top(), stack.bottom(), entry) }
    });
    carrier.budget.set(BUDGET);
    // SAFETY: the caller occupies the home.
    unsafe { home.announce(header.cast(), erased) };
    // SAFETY: the context is this greenlet's, on a stack that lives, and expects the home's pointer.
    let transfer = unsafe { home.run_as(|| context.resume(0)) };
    // SAFETY: the caller occupies the home still. On a fixed home this is the worker's own slot.
    unsafe { home.announce(ptr::null(), erased) };
    let request = carrier.request.get();
    if request != Request::Done {
        runnable.life().context = Some(transfer.from);
    }
    request
}

/// Leaves the running greenlet and has `request` done. Returns when it is resumed.
///
/// Whatever the greenlet's thread would keep is kept: errno, and the count of its panics.
#[inline(never)]
pub(crate) fn suspend(request: Request) {
    let errno = home::errno();
    let panics = unwinding::lay_down();
    // SAFETY: the slot of our own identity, which we keep.
    let slot = unsafe { &*slot() };
    let carrier = slot.carrier().cast::<Carrier>();
    // SAFETY: a greenlet runs on a carrier, which stays until we are off it.
    let context = unsafe {
        (*carrier).request.set(request);
        (*carrier)
            .context
            .take()
            .expect("a carrier has an execution to go back to")
    };
    // SAFETY: that is the worker's execution in `resume`, which loads its own thread pointer next.
    let transfer = unsafe { context.resume(0) };
    // Perhaps on another worker now: who resumed us wrote it into the slot.
    let carrier = slot.carrier().cast::<Carrier>();
    // SAFETY: as above.
    unsafe { (*carrier).set_context(transfer.from) };
    unwinding::take_up(panics);
    home::set_errno(errno);
}

/// Counts one operation that did not park. True if the running greenlet has used up its budget and should yield.
pub(crate) fn spend_budget() -> bool {
    // SAFETY: the slot of our own identity.
    let carrier = unsafe { (*slot()).carrier() }.cast::<Carrier>();
    if carrier.is_null() {
        return false;
    }
    // SAFETY: whoever is in the slot stays while its code runs.
    let budget = unsafe { &(*carrier).budget };
    budget.set(budget.get().saturating_sub(1));
    budget.get() == 0
}

/// Leaves the running greenlet for good.
pub(super) fn leave_for_good() -> ! {
    // SAFETY: the slot of our own identity.
    let carrier = unsafe { (*slot()).carrier() }.cast::<Carrier>();
    // SAFETY: as in `suspend`.
    let context = unsafe {
        (*carrier).request.set(Request::Done);
        (*carrier)
            .context
            .take()
            .expect("a carrier has an execution to go back to")
    };
    // SAFETY: as in `suspend`; nothing on this stack is used again.
    unsafe { context.resume(0) };
    unreachable!("a greenlet that has ended was resumed")
}
