//! The control block of a greenlet, the counted reference to it, and the right to run it.
//!
//! One heap cell holds the header, the closure and the room for the result (`cell`). References are counted; the
//! greenlet itself owns one (its *life*) from creation until it is done, so a `Runnable` needs none of its own.

use std::cell::UnsafeCell;
use std::fmt;
use std::mem::ManuallyDrop;
use std::num::NonZero;
use std::panic::Location;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::{Relaxed, Release};
use std::time::Instant;

use super::cell::Unrun;
use super::inherited::{Inherited, bequeath};
use super::locals::Locals;
use super::stack_mark::{Mark, StackMark};
use super::state::State;
use super::token::Token;
use super::wait_word::{Fire, WaitWord};
use super::waits_for::WaitsFor;
use crate::base::link::Link;
use crate::base::sanitizer::acquire_count;
use crate::context::Paused;
use crate::home::Home;
use crate::stack::{self, Class, Stack};

/// What the floors below ask of the runtime above: the one upward call.
pub(crate) trait Schedule: Sync {
    /// Makes `runnable` run, soon, on some worker.
    fn ready(&self, runnable: Runnable);
    /// Will fire `token` at `at` or a little later, unless disarmed.
    fn arm(&self, at: Instant, token: Token) -> TimerKey;
    /// Takes an armed timer back. Does nothing if it has fired.
    fn disarm(&self, key: TimerKey);
}

/// An armed timer: which shard of the timers holds it, and its key there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TimerKey {
    pub(crate) shard: usize,
    pub(crate) entry: u64,
}

/// How a greenlet ends without having run.
#[derive(Debug)]
pub(crate) enum NeverRan {
    /// Its runtime has shut down.
    Shutdown,
    /// There was no stack for it.
    NoStack(std::io::Error),
}

/// The typed parts of a cell, reached through its header.
pub(crate) struct VTable {
    /// Runs the closure on the greenlet's own stack and writes the result.
    pub(super) run: unsafe fn(NonNull<Header>),
    /// Takes the closure out, unrun, and writes an error as the result.
    pub(super) refuse: unsafe fn(NonNull<Header>, NeverRan) -> Unrun,
    /// Frees the cell: nothing refers to it any more.
    pub(super) free: unsafe fn(NonNull<Header>),
}

/// What only the holder of the right to run may touch: the worker before and after it runs the greenlet.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Life {
    /// The saved registers, while it is suspended.
    pub(crate) context: Option<Paused>,
    /// The home, from the first run (for a local child from its birth) to the end.
    pub(crate) home: Option<Arc<Home>>,
    /// The stack, from the first run to the end.
    pub(crate) stack: Option<Stack>,
    /// Its place in the list of suspended greenlets, once it is there.
    pub(crate) census: Option<Place>,
    /// Which worker ran it last; `NOWHERE` until it runs.
    pub(crate) worker: u32,
    /// The home is occupied on this greenlet's behalf while it is on its way to a worker.
    pub(crate) holds_home: bool,
    /// It was given its home by its parent: a local child.
    pub(crate) is_local: bool,
}

/// A place in the list of suspended greenlets: which part of the list, and where in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Place {
    pub(crate) shard: u16,
    /// Counted from one.
    pub(crate) number: NonZero<u32>,
}

/// The worker of a greenlet that never ran.
pub(crate) const NOWHERE: u32 = u32::MAX;

/// The control block. What a switch needs comes first, so that it lies close together.
#[repr(C)]
pub(crate) struct Header {
    /// Must be the first field: a link's address is the header's.
    link: Link,
    pub(crate) wait: WaitWord,
    /// # Invariant
    /// Touched by the holder of the right to run only.
    life: UnsafeCell<Life>,
    pub(super) state: State,
    pub(crate) class: Class,
    pub(crate) stack_mark: StackMark,
    refs: AtomicUsize,
    vtable: &'static VTable,
    /// # Invariant
    /// Points to the runtime's shared part, which outlives every greenlet that is not done.
    schedule: NonNull<dyn Schedule>,
    /// # Invariant
    /// See `state`: who owns the joiner slot.
    pub(super) joiner: UnsafeCell<Option<Token>>,
    pub(crate) waits_for: WaitsFor,
    /// # Invariant
    /// Touched by the running greenlet only.
    pub(super) locals: Locals,
    /// # Invariant
    /// Empty when the header is freed: its end is in the greenlet, or with the closure of one that never ran.
    pub(super) inherited: Inherited,
    pub(crate) id: u64,
    pub(crate) name: Option<Box<str>>,
    pub(crate) site: &'static Location<'static>,
}

/// What a new greenlet is made of, besides its closure.
pub(crate) struct Origin {
    pub(crate) id: u64,
    pub(crate) name: Option<Box<str>>,
    pub(crate) class: Class,
    /// The home it must have, for a local child.
    pub(crate) home: Option<Arc<Home>>,
    pub(crate) site: &'static Location<'static>,
}

impl Header {
    /// Writes a header with two references to `place`: the life's and the handle's. Field by field, for it is large, and
    /// made for each greenlet. The caller is who spawns it.
    ///
    /// # Safety
    /// `place` is memory for a header. `schedule` outlives the greenlet: it may be freed only when the greenlet is done.
    #[inline]
    pub(super) unsafe fn write(
        place: *mut Self,
        vtable: &'static VTable,
        schedule: NonNull<dyn Schedule>,
        origin: Origin,
    ) {
        let is_local = origin.home.is_some();
        let life = Life {
            context: None,
            home: origin.home,
            stack: None,
            census: None,
            worker: NOWHERE,
            holds_home: false,
            is_local,
        };
        // SAFETY: the caller's memory; each field is written once.
        unsafe {
            (&raw mut (*place).link).write(Link::new());
            (&raw mut (*place).wait).write(WaitWord::new());
            (&raw mut (*place).life).write(UnsafeCell::new(life));
            (&raw mut (*place).state).write(State::new());
            (&raw mut (*place).class).write(origin.class);
            (&raw mut (*place).stack_mark).write(StackMark::new());
            (&raw mut (*place).refs).write(AtomicUsize::new(2));
            (&raw mut (*place).vtable).write(vtable);
            (&raw mut (*place).schedule).write(schedule);
            (&raw mut (*place).joiner).write(UnsafeCell::new(None));
            (&raw mut (*place).waits_for).write(WaitsFor::new());
            (&raw mut (*place).locals).write(Locals::new());
            (&raw mut (*place).inherited).write(bequeath());
            (&raw mut (*place).id).write(origin.id);
            (&raw mut (*place).name).write(origin.name);
            (&raw mut (*place).site).write(origin.site);
        }
    }

    /// What the running greenlet may read of its own life.
    ///
    /// # Safety
    /// The caller is the running greenlet, and does not suspend while it has the reference.
    pub(crate) unsafe fn life(&self) -> &Life {
        // SAFETY: as promised: a running greenlet's life is its own.
        unsafe { &*self.life.get() }
    }

    /// How many bytes of its stack have been used so far: see `Greenlet::stack_used`.
    pub(crate) fn stack_used(&self) -> Option<usize> {
        match self.stack_mark.read() {
            Mark::None => None,
            Mark::At(bottom) => stack::used(bottom, self.class),
            Mark::Was(used) => Some(used),
        }
    }

    /// The typed parts.
    pub(super) fn vtable(&self) -> &'static VTable {
        self.vtable
    }

    /// The runtime's hook.
    ///
    /// # Safety
    /// The greenlet is not done.
    pub(crate) unsafe fn schedule(&self) -> &dyn Schedule {
        // SAFETY: the header's invariant.
        unsafe { self.schedule.as_ref() }
    }
}

/// A counted reference to a greenlet's cell.
pub(crate) struct GreenletRef(NonNull<Header>);

// SAFETY: what can be reached through a shared reference is atomic, immutable, or guarded by the words' rules. The
// closure and the result are reached through the vtable only, under the rules of `cell`.
unsafe impl Send for GreenletRef {}
// SAFETY: as above.
unsafe impl Sync for GreenletRef {}

impl GreenletRef {
    /// Takes over a reference that is counted already.
    ///
    /// # Safety
    /// The caller owns one count.
    pub(super) unsafe fn from_raw(header: NonNull<Header>) -> Self {
        Self(header)
    }

    /// The header's address.
    pub(crate) fn as_ptr(&self) -> NonNull<Header> {
        self.0
    }

    /// Schedules the greenlet, whose wait word has just given the right to run it to the caller.
    pub(super) fn resume(&self) {
        // SAFETY: `Fire::Resume` gave the right to exactly one caller, which calls this once.
        let runnable = unsafe { Runnable::new(self.0) };
        // SAFETY: it was parked, hence not done; and it cannot become so before `ready` has the right to run it. From
        // then on `ready` looks after its own life.
        unsafe { self.schedule() }.ready(runnable);
    }

    /// Ends the open wait under way with `tag`, or leaves a permit.
    pub(super) fn unpark(&self, tag: u16) {
        if self.wait.unpark(tag) == Fire::Resume {
            self.resume();
        }
    }

    /// One more reference, from a header that is alive.
    ///
    /// # Safety
    /// Somebody's count keeps the header alive during the call.
    pub(super) unsafe fn from_living(header: NonNull<Header>) -> Self {
        // SAFETY: alive, as promised. Relaxed: a new reference is made from one that exists.
        let before = unsafe { header.as_ref() }.refs.fetch_add(1, Relaxed);
        // As in std's Arc: a program that leaks this many references is beyond repair.
        if before > isize::MAX as usize {
            std::process::abort();
        }
        Self(header)
    }
}

impl std::ops::Deref for GreenletRef {
    type Target = Header;

    fn deref(&self) -> &Header {
        // SAFETY: our count keeps it alive.
        unsafe { self.0.as_ref() }
    }
}

impl Clone for GreenletRef {
    fn clone(&self) -> Self {
        // SAFETY: our count keeps it alive.
        unsafe { Self::from_living(self.0) }
    }
}

impl Drop for GreenletRef {
    fn drop(&mut self) {
        // Release: our use of the cell comes before its end; `acquire_count` pairs with it.
        if self.refs.fetch_sub(1, Release) == 1 {
            acquire_count(&self.refs);
            let free = self.vtable.free;
            // SAFETY: that was the last reference.
            unsafe { free(self.0) };
        }
    }
}

impl fmt::Debug for GreenletRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Greenlet")
            .field("id", &self.id)
            .field("name", &self.name)
            .field("state", &self.state)
            .field("wait", &self.wait)
            .finish()
    }
}

/// The right to run a greenlet: exists once, while the greenlet is ready.
///
/// To lose one is to lose the greenlet, so dropping it is a bug; it aborts in debug builds.
pub(crate) struct Runnable(NonNull<Header>);

// SAFETY: moving the right to another thread is what it is for; what it gives access to is `Life`, which the runtime
// hands over together with it.
unsafe impl Send for Runnable {}

impl Runnable {
    /// The right to run the greenlet behind `header`.
    ///
    /// # Safety
    /// The caller took the right over: from a fresh cell, from the wait word, or from a home's list.
    pub(crate) unsafe fn new(header: NonNull<Header>) -> Self {
        Self(header)
    }

    /// The right to run the greenlet that `link` is the first field of.
    ///
    /// # Safety
    /// The caller got the link from `Home::leave`, and with it the right.
    pub(crate) unsafe fn from_link(link: NonNull<Link>) -> Self {
        Self(link.cast())
    }

    /// The whole cell, by its header's address.
    pub(crate) fn as_ptr(&self) -> NonNull<Header> {
        self.0
    }

    /// The link, for a home's list.
    pub(crate) fn link(&self) -> NonNull<Link> {
        self.0.cast()
    }

    /// The header; alive as long as the greenlet is not done.
    pub(crate) fn header(&self) -> &Header {
        // SAFETY: the life's reference keeps it.
        unsafe { self.0.as_ref() }
    }

    /// What only the holder of this right may touch.
    pub(crate) fn life(&mut self) -> &mut Life {
        // SAFETY: this right is unique, and borrowed mutably.
        unsafe { &mut *self.0.as_ref().life.get() }
    }

    /// A counted reference to the greenlet.
    pub(crate) fn reference(&self) -> GreenletRef {
        // SAFETY: the life's reference keeps the header.
        unsafe { GreenletRef::from_living(self.0) }
    }

    /// Whether it has not run yet.
    pub(crate) fn never_ran(&self) -> bool {
        // SAFETY: this right is unique; the borrow ends here.
        unsafe { (*self.0.as_ref().life.get()).worker == NOWHERE }
    }

    /// The home's worker, if the greenlet has a fixed home.
    pub(crate) fn bound_to(&self) -> Option<usize> {
        // SAFETY: this right is unique; the borrow ends here.
        let life = unsafe { &*self.0.as_ref().life.get() };
        life.home.as_ref().and_then(|home| home.worker())
    }

    /// Gives the right to a raw pointer.
    pub(crate) fn into_raw(self) -> NonNull<Header> {
        ManuallyDrop::new(self).0
    }
}

impl Drop for Runnable {
    fn drop(&mut self) {
        debug_assert!(
            std::thread::panicking(),
            "the right to run a greenlet was dropped"
        );
    }
}

impl fmt::Debug for Runnable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Runnable").field(&self.header().id).finish()
    }
}

const _: () = assert!(std::mem::offset_of!(Header, link) == 0);
#[cfg(all(
    target_pointer_width = "64",
    not(any(loom, feature = "asan", feature = "tsan"))
))]
const _: () = assert!(
    std::mem::offset_of!(Header, state) <= 72,
    "a line holds what a switch needs"
);
const _: fn() = || {
    fn send_and_sync<T: Send + Sync>() {}
    send_and_sync::<GreenletRef>();
};

/// The header that a slot's pointer names, or `None` outside greenlets.
#[inline]
pub(super) fn from_slot(greenlet: *const ()) -> Option<NonNull<Header>> {
    NonNull::new(greenlet.cast_mut().cast())
}
