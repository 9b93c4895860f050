//! The one door to suspend and the one to run.
//!
//! A worker's thread has several executions: the worker's own (the *base*) and those of the greenlets it carries. One of
//! them runs. Each change goes the same way, whoever leaves and whoever is next:
//!
//! 1. *choose*: the leaving execution asks its carrier who is next (`Conductor::next`, `Conductor::ended`);
//! 2. *board*: the next one's home is told who runs in it, its context is taken;
//! 3. *leap*: the next one's thread pointer is loaded, and the stacks are switched;
//! 4. *land*: the execution that goes on settles for the one that left (`Conductor::settle`), whose registers are saved
//!    by now: publish after the switch.
//!
//! So a greenlet that finds the next one in its worker's queue goes there directly. The way through the base is for what
//! takes longer: looking elsewhere, polling, sleeping.
//!
//! No thread-local is used across a leap in one activation: `leap` itself uses none and is not inlined, and its callers
//! come back under the identity they left with. The code before a leap runs under the identity of who leaves, the code
//! after it under that of who lands; the carrier is read from the slot anew, for it may be another worker.

use std::cell::Cell;
use std::fmt;
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use super::header::{Header, Runnable, from_slot};
use super::memory::Cells;
use super::{sys_fork, unwinding};
use crate::base::abort::AbortOnUnwind;
use crate::base::sanitizer::Execution;
use crate::context::{Paused, Transfer};
use crate::home::{self, Errno, slot};
use crate::stack::Pool;

/// What a greenlet that leaves its stack wants done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Request {
    /// Run it again when the others had their turn.
    Yield,
    /// Publish its wait: it is parked until a token fires.
    Park,
    /// Begin an open wait and publish it: it is parked until it is unparked.
    ParkOpen,
}

/// Who runs next.
#[derive(Debug)]
#[must_use]
pub(crate) enum Next {
    /// The one that asked: there is nothing to leave for.
    Stay,
    /// The worker's own execution.
    Base,
    /// This one. Its home is occupied and its stack is there.
    Greenlet(Runnable),
}

/// Who has left, for whoever lands.
#[derive(Debug)]
enum Left {
    Base,
    Suspended(NonNull<Header>, Request),
    Ended,
}

/// What carries greenlets: the scheduler's worker.
///
/// # Safety
/// `repr(C)`, with a `Carrier` made for this type as the first field.
pub(crate) unsafe trait Conductor: Sized {
    /// The running greenlet `leaving` asks who is next, under its own identity and on its own stack.
    fn next(&self, leaving: &Header, request: Request) -> Next;
    /// What the greenlet wanted is to be done; it is off its stack.
    fn settle(&self, runnable: Runnable, request: Request);
    /// The greenlet has its result. Its home and its stack are in use until the next call of `settle_ended`, or until
    /// they have been passed on: who is next, and whether that one takes both over.
    fn ended(&self, runnable: Runnable) -> Ended;
    /// The stack of the one that ended is left.
    fn settle_ended(&self);
}

/// What follows the end of a greenlet.
#[derive(Debug)]
#[must_use]
pub(crate) enum Ended {
    /// This one, which has never run, on the same stack and in the same home.
    Here(Runnable),
    /// The worker's own execution.
    Base,
    /// This one. Its home is occupied and its stack is there.
    Greenlet(Runnable),
}

/// A conductor's methods, reached through a pointer to its carrier.
struct Hooks {
    next: unsafe fn(*const Carrier, &Header, Request) -> Next,
    settle: unsafe fn(*const Carrier, Runnable, Request),
    ended: unsafe fn(*const Carrier, Runnable) -> Ended,
    settle_ended: unsafe fn(*const Carrier),
}

struct HooksOf<C>(C);

impl<C: Conductor> HooksOf<C> {
    const HOOKS: &'static Hooks = &Hooks {
        next: |carrier, leaving, request| Self::of(carrier).next(leaving, request),
        settle: |carrier, runnable, request| Self::of(carrier).settle(runnable, request),
        ended: |carrier, runnable| Self::of(carrier).ended(runnable),
        settle_ended: |carrier| Self::of(carrier).settle_ended(),
    };

    /// The conductor of a carrier that was made for a `C`, as those in `HOOKS` are.
    fn of<'a>(carrier: *const Carrier) -> &'a C {
        // SAFETY: the carrier is the first field of a `C` (`Conductor`), which stays for the call: it is in a slot.
        unsafe { &*carrier.cast::<C>() }
    }
}

/// The part of a worker that the greenlet it carries can reach, through its home's slot.
pub(crate) struct Carrier {
    hooks: &'static Hooks,
    /// The thread pointer of the worker's thread.
    identity: usize,
    /// The worker's own execution, while a greenlet runs.
    base: Cell<Option<Paused>>,
    left: Cell<Left>,
    /// How many more operations the running greenlet may do without parking before it has to yield.
    budget: Cell<u32>,
    /// False only while the code of a greenlet runs: its stack can be looked at then, by a signal's handler on this thread.
    switching: AtomicBool,
    /// Free memory for cells.
    cells: Cells,
    /// Where the stacks of the greenlets it carries are from.
    stacks: Arc<Pool>,
}

/// Operations that never park, in a row, before a greenlet yields. Large enough that a yield's cost vanishes in theirs,
/// small enough that a busy socket holds its worker for well under a millisecond. Arbitrary within that; tokio's is 128.
const BUDGET: u32 = 128;

impl Carrier {
    /// The carrier of a `C` on the calling thread; it runs nothing.
    pub(crate) fn new<C: Conductor>(stacks: Arc<Pool>) -> Self {
        Self {
            hooks: HooksOf::<C>::HOOKS,
            identity: home::identity(),
            base: Cell::new(None),
            left: Cell::new(Left::Base),
            budget: Cell::new(BUDGET),
            switching: AtomicBool::new(true),
            cells: Cells::new(),
            stacks,
        }
    }

    /// The thread pointer of the worker's thread.
    pub(super) fn identity(&self) -> usize {
        self.identity
    }

    pub(super) fn cells(&self) -> &Cells {
        &self.cells
    }

    /// The pool that the stacks are from.
    pub(super) fn stacks(&self) -> &Pool {
        &self.stacks
    }

    /// The code of a greenlet runs from here on, or until here.
    #[inline]
    pub(super) fn set_switching(&self, switching: bool) {
        self.switching.store(switching, Relaxed);
    }

    /// Whether no greenlet's code runs. Relaxed: asked on the thread that writes it.
    pub(super) fn is_switching(&self) -> bool {
        self.switching.load(Relaxed)
    }

    /// Whether the running greenlet has used up its budget.
    pub(crate) fn is_budget_spent(&self) -> bool {
        self.budget.get() == 0
    }
}

impl fmt::Debug for Carrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Carrier").finish_non_exhaustive()
    }
}

/// Makes everything ready for `runnable` to run on `carrier`: what to leap to.
///
/// # Safety
/// As for `run`, but for where the caller is.
unsafe fn board(carrier: &Carrier, runnable: Runnable) -> (Paused, usize) {
    let header = runnable.as_ptr();
    let mut runnable = runnable;
    let life = runnable.life();
    let home = life
        .home
        .as_deref()
        .expect("a greenlet about to run has a home");
    let context = life.context.take().unwrap_or_else(|| {
        let stack = life
            .stack
            .as_ref()
            .expect("a greenlet about to run has a stack");
        // SAFETY: the stack is the greenlet's own; it is given back after the greenlet's end only.
        unsafe { Paused::new(stack.top(), stack.bottom(), super::entry::entry) }
    });
    carrier.budget.set(BUDGET);
    // SAFETY: the caller occupies the home.
    unsafe {
        home.announce(
            header.as_ptr().cast_const().cast(),
            ptr::from_ref(carrier).cast(),
        )
    };
    let target = (context, home.pointer());
    // Running, it has no such right; whoever settles for it gets it again.
    let _ = runnable.into_raw();
    target
}

/// Leaves the running execution for `target`, whose identity has the thread pointer `identity`.
///
/// Not inlined: no address of a thread-local is carried over the change.
///
/// # Safety
/// `target` and `identity` belong together: from `board`, or a carrier's base.
#[inline(never)]
unsafe fn leap(target: Paused, identity: usize) -> Transfer {
    // SAFETY: the caller's promise; between the three nothing uses a thread-local, and all is in line.
    unsafe {
        let leaving = Execution::leave();
        home::load(identity);
        target.resume(leaving)
    }
}

/// Settles for whoever left.
///
/// # Safety
/// Called once after each leap, by who was leapt to, with the carrier that is in its slot.
#[inline]
pub(super) unsafe fn land(carrier: *const Carrier, transfer: Transfer) {
    // SAFETY: who is in a slot stays while its code runs.
    let here = unsafe { &*carrier };
    // SAFETY: who leaps does it by `resume`.
    let from = unsafe { transfer.left() };
    match here.left.replace(Left::Base) {
        Left::Base => here.base.set(Some(from)),
        Left::Suspended(header, request) => {
            // SAFETY: the greenlet ran and has left its stack: the right to run it is ours.
            let mut runnable = unsafe { Runnable::new(header) };
            runnable.life().context = Some(from);
            // SAFETY: `carrier` is the first field of its conductor.
            unsafe { (here.hooks.settle)(carrier, runnable, request) };
        }
        // SAFETY: it has left for good, and its stack is there until the call. The hook as above.
        Left::Ended => unsafe {
            from.bury();
            (here.hooks.settle_ended)(carrier);
        },
    }
}

/// Runs `runnable`, and whoever follows it, until somebody comes back to the base.
///
/// # Safety
/// `carrier` points to the first field of the calling worker, and may be used for all of it. The caller is on the worker's own
/// stack, with its own thread pointer. It occupies the greenlet's home (`life.home`), and `life.stack` is there.
pub(crate) unsafe fn run(carrier: *const Carrier, runnable: Runnable) {
    // SAFETY: the caller's own, which stays.
    let here = unsafe { &*carrier };
    here.left.set(Left::Base);
    // SAFETY: the caller's promises.
    let transfer = unsafe {
        let (target, identity) = board(here, runnable);
        leap(target, identity)
    };
    // On a fixed home this is the slot the greenlets ran in.
    // SAFETY: the worker's own slot.
    unsafe { (*slot()).set(ptr::null(), carrier.cast()) };
    // SAFETY: we were leapt to.
    unsafe { land(carrier, transfer) };
}

/// Leaves the running greenlet and has `request` done. Returns when it is resumed.
///
/// Whatever the greenlet's thread would keep is kept: errno, and the count of its panics.
#[inline(never)]
pub(crate) fn suspend(request: Request) {
    // SAFETY: the slot of our own identity, which we keep.
    let slot = unsafe { &*slot() };
    let me = from_slot(slot.greenlet()).expect("only a greenlet suspends");
    // SAFETY: a greenlet has a home.
    let errno = unsafe { Errno::save_in(slot) };
    let carrier = slot.carrier().cast::<Carrier>();
    // SAFETY: a greenlet runs on a carrier, which stays until we are off it; and a running greenlet is alive.
    let here = unsafe { &*carrier };
    here.set_switching(true);
    let panics = unwinding::lay_down();
    let guard = AbortOnUnwind::new("a switch between greenlets");
    // SAFETY: as above.
    let next = unsafe { (here.hooks.next)(carrier, me.as_ref(), request) };
    let target = match next {
        // With what is left of its budget, or it might never leave.
        Next::Stay => None,
        Next::Base => Some((base(here), here.identity)),
        // SAFETY: `next` made it ready.
        Next::Greenlet(runnable) => Some(unsafe { board(here, runnable) }),
    };
    if let Some((target, identity)) = target {
        here.left.set(Left::Suspended(me, request));
        // SAFETY: both are of the next one.
        let transfer = unsafe { leap(target, identity) };
        // Perhaps on another worker now: who resumed us wrote it into the slot.
        // SAFETY: we were leapt to.
        unsafe { land(slot.carrier().cast(), transfer) };
    }
    guard.disarm();
    unwinding::take_up(panics);
    // SAFETY: the carrier that we run on now.
    unsafe { &*slot.carrier().cast::<Carrier>() }.set_switching(false);
    errno.restore();
}

/// The running greenlet has its result: goes to whoever is next. Returns the greenlet that follows on the same stack, if
/// one does.
///
/// # Safety
/// Called by `entry`, on the stack and in the home of `header`, whose closure has ended.
pub(super) unsafe fn end(header: NonNull<Header>) -> NonNull<Header> {
    // SAFETY: the slot of our own identity.
    let slot = unsafe { &*slot() };
    let carrier = slot.carrier().cast::<Carrier>();
    if carrier.is_null() {
        // The process was forked in it.
        sys_fork::leave_process();
    }
    // From here on it is the worker that acts.
    slot.set(ptr::null(), carrier.cast());
    // SAFETY: as in `suspend`.
    let here = unsafe { &*carrier };
    here.set_switching(true);
    // SAFETY: the greenlet has ended, so nobody else has a right to run it.
    let next = unsafe { (here.hooks.ended)(carrier, Runnable::new(header)) };
    let (target, identity) = match next {
        Ended::Here(runnable) => {
            let next = runnable.into_raw();
            here.budget.set(BUDGET);
            slot.set(next.as_ptr().cast_const().cast(), carrier.cast());
            here.set_switching(false);
            return next;
        }
        Ended::Base => (base(here), here.identity),
        // SAFETY: `ended` made it ready.
        Ended::Greenlet(runnable) => unsafe { board(here, runnable) },
    };
    here.left.set(Left::Ended);
    // SAFETY: both are of the next one; nothing on this stack is used again.
    unsafe { leap(target, identity) };
    unreachable!("a greenlet that has ended was resumed")
}

fn base(carrier: &Carrier) -> Paused {
    let base = carrier.base.take();
    base.expect("a carrier has an execution to go back to")
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
