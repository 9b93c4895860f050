//! The cell: one heap allocation with the header, the closure and the room for the result.
//!
//! Who may touch the body: until the greenlet first runs, the holder of its right to run (through `run` or `refuse`);
//! then the greenlet itself; after `State::set_result`, whoever that method names as the owner of the result. The
//! closure and the result need not be `Send` (local greenlets), so both are dropped in the greenlet's own home only: the
//! closure by running or refusing it there, the result there too, or by its handle, which is `Send` only if it is.

use std::any::Any;
use std::cell::UnsafeCell;
use std::io;
use std::marker::PhantomData;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;

use super::handle::Greenlet;
use super::header::{GreenletRef, Header, NeverRan, Origin, Runnable, Schedule, VTable};
use super::memory;
use super::sys_fork::{leave_if_severed, leave_process};
use crate::base::fork;
use crate::base::say::say;
use crate::base::unwind::drop_quietly;

use super::state::{Finish, Joiner, ResultOwner};
use super::token::Token;

/// Why there is no value.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The closure panicked.
    Panic(Box<dyn Any + Send>),
    /// The runtime was shut down before the greenlet ended.
    Cancelled,
    /// There was no stack to run it on.
    NoStack(io::Error),
}

type Outcome<T> = Result<T, Failure>;

enum Body<F, T> {
    Closure(F),
    Result(Outcome<T>),
    Empty,
}

/// The closure of a greenlet that never ran, and what was bound for it. To be dropped in the greenlet's home, by `drop_here`: it need not be `Send`.
#[must_use]
pub(crate) struct Unrun(Box<dyn Erased>);

trait Erased {}
impl<T> Erased for T {}

impl Unrun {
    /// Makes it fit to be dropped on another thread.
    ///
    /// # Safety
    /// The closure is `Send`.
    pub(crate) unsafe fn sendable(self) -> SendUnrun {
        SendUnrun(self)
    }

    /// Drops the closure. A panic of a destructor goes no further; nor does a process that a destructor has forked, for the
    /// caller is runtime code, which has nothing to go on with there.
    pub(crate) fn drop_here(self) {
        let process = fork::process();
        drop_quietly(self.0);
        if fork::process() != process {
            leave_process();
        }
    }
}

/// The same, of a closure that is `Send`: it may be dropped anywhere.
#[derive(Debug)]
#[must_use]
pub(crate) struct SendUnrun(Unrun);

// SAFETY: the closure is, as `sendable` was promised.
unsafe impl Send for SendUnrun {}

impl SendUnrun {
    /// Drops the closure. A panic of a destructor goes no further.
    pub(crate) fn drop_here(self) {
        self.0.drop_here();
    }
}

impl std::fmt::Debug for Unrun {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unrun").finish_non_exhaustive()
    }
}

#[repr(C)]
struct Cell<F, T> {
    header: Header,
    body: UnsafeCell<Body<F, T>>,
}

/// The handle's side of a cell: joins, takes the result.
///
/// # Invariant
/// The only one of its cell; `HANDLE` is set in the state while it lives, unless the result has been taken.
#[derive(Debug)]
pub(crate) struct RawHandle<T> {
    greenlet: Greenlet,
    take: unsafe fn(NonNull<Header>, *mut ()),
    discard: unsafe fn(NonNull<Header>),
    taken: bool,
    /// The result belongs to the handle once it is there.
    result: PhantomData<T>,
}

// SAFETY: the handle gives and drops a `T` on the thread it is on, so it may change threads if `T` may; everything else
// is behind the atomic words.
unsafe impl<T: Send> Send for RawHandle<T> {}
// SAFETY: through a shared reference no `T` can be reached.
unsafe impl<T: Send> Sync for RawHandle<T> {}

/// Makes the cell of a new greenlet: the right to run it, and its handle.
///
/// # Safety
/// `schedule` outlives the greenlet. If `F` or `T` is not `Send`, `origin.home` is the caller's own home, and the
/// greenlet never runs elsewhere.
pub(crate) unsafe fn create<F, T>(
    f: F,
    schedule: NonNull<dyn Schedule>,
    origin: Origin,
) -> (Runnable, RawHandle<T>)
where
    F: FnOnce() -> T + 'static,
    T: 'static,
{
    let cell = memory::room_for::<Cell<F, T>>();
    let place = cell.as_ptr();
    // SAFETY: memory for a cell; the rest is passed on to the caller.
    unsafe {
        Header::write(
            &raw mut (*place).header,
            Cell::<F, T>::VTABLE,
            schedule,
            origin,
        );
        (&raw mut (*place).body).write(UnsafeCell::new(Body::Closure(f)));
    }
    let header = cell.cast::<Header>();
    let handle = RawHandle {
        // SAFETY: a new header counts two references; this is the handle's.
        greenlet: Greenlet::new(unsafe { GreenletRef::from_raw(header) }),
        take: Cell::<F, T>::take,
        discard: Cell::<F, T>::discard,
        taken: false,
        result: PhantomData,
    };
    // SAFETY: the cell is fresh, so the right to run it is ours.
    (unsafe { Runnable::new(header) }, handle)
}

impl<F, T> Cell<F, T>
where
    F: FnOnce() -> T + 'static,
    T: 'static,
{
    const VTABLE: &'static VTable = &VTable {
        run: Self::run,
        refuse: Self::refuse,
        free: Self::free,
    };

    /// The body of the cell that `header` starts.
    ///
    /// # Safety
    /// `header` starts a `Cell<F, T>` that is alive.
    unsafe fn body(header: NonNull<Header>) -> *mut Body<F, T> {
        // SAFETY: as promised; `repr(C)` puts the header first.
        unsafe { header.cast::<Self>().as_ref() }.body.get()
    }

    /// # Safety
    /// Called once, in the greenlet.
    unsafe fn run(header: NonNull<Header>) {
        // SAFETY: before its result the body is the running greenlet's.
        let body = unsafe { Self::body(header) };
        // SAFETY: as above.
        let Body::Closure(f) = mem::replace(unsafe { &mut *body }, Body::Empty) else {
            unreachable!("a greenlet ran twice")
        };
        let outcome = catch_unwind(AssertUnwindSafe(f)).map_err(|payload| {
            leave_if_severed();
            Failure::Panic(payload)
        });
        // SAFETY: we are its greenlet.
        unsafe { Self::set_result(header, outcome) };
    }

    /// # Safety
    /// Called by the holder of the right to run.
    unsafe fn refuse(header: NonNull<Header>, why: NeverRan) -> Unrun {
        // SAFETY: alive: the greenlet is not done.
        if unsafe { header.as_ref() }.state.has_result() {
            // Given up while it dropped its own result, or values of its own.
            return Unrun(Box::new(()));
        }
        // SAFETY: before its result the body is the holder's.
        let body = unsafe { Self::body(header) };
        // SAFETY: as above.
        let closure = mem::replace(unsafe { &mut *body }, Body::Empty);
        let failure = match why {
            NeverRan::Shutdown => Failure::Cancelled,
            NeverRan::NoStack(error) => Failure::NoStack(error),
        };
        // SAFETY: the caller stands for the greenlet.
        unsafe { Self::set_result(header, Err(failure)) };
        match closure {
            // SAFETY: alive: the greenlet is not done.
            Body::Closure(f) => Unrun(Box::new((f, unsafe { header.as_ref() }.inherited.take()))),
            _ => Unrun(Box::new(())),
        }
    }

    /// # Safety
    /// Called once, by the greenlet or who stands for it, in its home.
    unsafe fn set_result(header: NonNull<Header>, outcome: Outcome<T>) {
        // SAFETY: the body is ours until the next call.
        unsafe { *Self::body(header) = Body::Result(outcome) };
        // SAFETY: alive: the greenlet is not done.
        let state = unsafe { &header.as_ref().state };
        if state.set_result() == ResultOwner::Caller {
            // SAFETY: nobody else will touch the result.
            unsafe { Self::discard(header) };
        }
    }

    /// Drops the result, and reports a panic that nobody asked for.
    ///
    /// # Safety
    /// The caller owns the result.
    unsafe fn discard(header: NonNull<Header>) {
        // SAFETY: as promised.
        let body = mem::replace(unsafe { &mut *Self::body(header) }, Body::Empty);
        if let Body::Result(Err(Failure::Panic(_))) = &body {
            // SAFETY: the caller keeps the header alive.
            report_panic(unsafe { header.as_ref() });
        }
        drop_quietly(body);
    }

    /// Moves the result to `*out`, an `Option<Outcome<T>>`.
    ///
    /// # Safety
    /// The caller owns the result, which is there; `out` points to a valid `Option<Outcome<T>>`.
    unsafe fn take(header: NonNull<Header>, out: *mut ()) {
        // SAFETY: as promised.
        let body = mem::replace(unsafe { &mut *Self::body(header) }, Body::Empty);
        if let Body::Result(outcome) = body {
            // SAFETY: as promised.
            unsafe { *out.cast::<Option<Outcome<T>>>() = Some(outcome) };
        }
    }

    /// # Safety
    /// Nothing refers to the cell any more.
    unsafe fn free(header: NonNull<Header>) {
        let cell = header.cast::<Self>();
        debug_assert!(
            // SAFETY: the cell is there, and ours alone.
            matches!(unsafe { &*Self::body(header) }, Body::Empty),
            "a cell was freed with its body"
        );
        // SAFETY: made by `create` in memory from `room_for`.
        unsafe { memory::remove(cell) };
    }
}

/// One line that says whose panic it was; the message itself was printed by the panic hook when it happened.
#[cold]
fn report_panic(header: &Header) {
    let name = header.name.as_deref().unwrap_or("<unnamed>");
    let (id, site) = (header.id, header.site);
    say(format_args!(
        "greenlet '{name}' (id {id}, spawned at {site}) panicked, and nobody joined it"
    ));
}

impl<T> RawHandle<T> {
    /// The greenlet.
    pub(crate) fn greenlet(&self) -> &Greenlet {
        &self.greenlet
    }

    fn header(&self) -> &GreenletRef {
        self.greenlet.reference()
    }

    /// Whether the greenlet is done.
    pub(crate) fn is_done(&self) -> bool {
        self.header().state.is_done()
    }

    /// Has `token` fired when the greenlet is done. False if it is done already; the token is dropped then.
    pub(crate) fn register(&mut self, token: Token) -> bool {
        let slot = self.header().joiner.get();
        // SAFETY: the handle is unique and not registered, so the slot is its own (see `state`).
        unsafe { *slot = Some(token) };
        if self.header().state.register() == Joiner::Done {
            // SAFETY: the slot stayed the handle's.
            unsafe { *slot = None };
            return false;
        }
        true
    }

    /// Takes the token back, if it has not been taken to be fired.
    pub(crate) fn unregister(&mut self) {
        if self.header().state.unregister() == Joiner::Pending {
            // SAFETY: the slot is the handle's again.
            unsafe { *self.header().joiner.get() = None };
        }
    }

    /// The result of a greenlet that is done.
    ///
    /// # Panics
    ///
    /// If it has been taken before.
    #[track_caller]
    pub(crate) fn take(&mut self) -> Result<T, (Failure, Greenlet)> {
        debug_assert!(self.is_done());
        assert!(!self.taken, "this greenlet has been joined before");
        let mut outcome: Option<Outcome<T>> = None;
        self.taken = true;
        // SAFETY: it is done and `HANDLE` is set still, so the result is the handle's; `take` is for this `T`.
        unsafe { (self.take)(self.header().as_ptr(), (&raw mut outcome).cast()) };
        let outcome = outcome.expect("a greenlet that is done has a result, taken once");
        outcome.map_err(|failure| (failure, self.greenlet.clone()))
    }
}

impl<T> Drop for RawHandle<T> {
    fn drop(&mut self) {
        if !self.taken && self.header().state.drop_handle() == ResultOwner::Caller {
            // SAFETY: the state says that the result is ours.
            unsafe { (self.discard)(self.header().as_ptr()) };
        }
    }
}

impl Runnable {
    /// Gives a greenlet that will not run (again) an error for its result, and takes the closure out of one that never
    /// ran; one that is suspended keeps its frames, with its closure, where they are. The caller then does what follows an
    /// end: `finish`, or `finish_abandoned`.
    pub(crate) fn refuse(&mut self, why: NeverRan) -> Unrun {
        // SAFETY: this right is unique, so the body is ours: full if the greenlet never ran, empty otherwise.
        unsafe { (self.header().vtable().refuse)(self.as_ptr(), why) }
    }

    /// The greenlet has a result, and nothing of it runs any more: tells its joiner, and ends its life.
    pub(crate) fn finish(self) {
        // SAFETY: the life's own reference, which ends with this call.
        let greenlet = unsafe { GreenletRef::from_raw(self.into_raw()) };
        greenlet.tell_joiner();
    }

    /// The same for a greenlet whose frames are left where they are: they may refer to its cell, which stays too.
    pub(crate) fn finish_abandoned(self) {
        // SAFETY: the life's own reference.
        let greenlet = unsafe { GreenletRef::from_raw(self.into_raw()) };
        greenlet.tell_joiner();
        mem::forget(greenlet);
    }
}

impl GreenletRef {
    fn tell_joiner(&self) {
        let joiner = match self.state.finish() {
            // SAFETY: `FireJoiner` gives us the slot.
            Finish::FireJoiner => unsafe { (*self.joiner.get()).take() },
            Finish::Nobody => None,
        };
        if let Some(token) = joiner {
            token.fire();
        }
    }
}
