//! One worker: find a greenlet, run it, do what it asked for; sleep when there is none.
//!
//! A `Worker` lives on its thread's stack for as long as the thread runs. Greenlets that it runs reach it through their
//! home's slot (to spawn, to wake others, to ask who is next), so everything in it is changed through shared references
//! by one thread.
//!
//! Where it looks, in this order: its run-next slot (at most a few times in a row); what is ready (in its own queue, or bound
//! to it) and what has never run, in turn; the injector; half of another's queue; the timers; then it sleeps, in the reactor
//! if nobody else does. Every 61st time it looks at the reactor, the timers, the injector and the oldest that has never run first, so
//! that nothing is starved.
//!
//! A greenlet that leaves looks at the first two itself (`Conductor`) and goes to the next one directly. What takes long or
//! needs room is left to the worker's own execution: the other places, starting a home, mapping a stack.

mod find;
mod run;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::ops::Range;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::{Relaxed, Release};

use crossbeam_utils::CachePadded;

use super::shared::{HomeKind, Presence, Queues, Remote, Shared};
use super::spares::Rested;
use super::sys;
use crate::base::abort::AbortOnUnwind;
use crate::base::fork;
use crate::base::rng::Rng;
use crate::base::threads::Counted;
use crate::greenlet::switch::Carrier;
use crate::greenlet::{NeverRan, OverflowWatch, Runnable, Token, Unrun};
use crate::home::{self, CarrierThread, Home};
use crate::stack::{self, Stack};
use run::Refusal;

/// How many homes a worker keeps ready at most. Arbitrary; it keeps fewer where there are few in all.
const HOT_HOMES: usize = 8;
/// How many numbers a worker reserves at once. Arbitrary.
const ID_BLOCK: u64 = 256;

/// See the module.
#[repr(C)]
#[derive(Debug)]
pub(super) struct Worker {
    /// Must be the first field: a slot's carrier is a pointer to it.
    carrier: Carrier,
    shared: Arc<Shared>,
    index: usize,
    /// What the others see of it.
    remote: Arc<CachePadded<Remote>>,
    queues: Queues,
    /// Greenlets that only this worker may run and that are ready.
    bound: RefCell<VecDeque<Runnable>>,
    /// The homes in which the next fresh greenlets start.
    hot: RefCell<Vec<Arc<Home>>>,
    /// How many of them at most.
    hot_room: usize,
    /// Its own thread as a home, if homes are fixed.
    own_home: Option<Arc<Home>>,
    stacks: RefCell<stack::Cache>,
    rng: Rng,
    next_in_a_row: Cell<u32>,
    searching: Cell<bool>,
    /// It is counted as one of the workers there are.
    counted: Cell<bool>,
    /// A spare that has rested for long and ends.
    left: Cell<bool>,
    /// It is time to look at the drivers and the injector before all else.
    look_outside: Cell<bool>,
    /// Counts those looks.
    looks: Cell<u32>,
    /// How many that never ran have their turn before the next one that has.
    fresh_first: Cell<usize>,
    /// How many were spawned here since the last one was taken, and whether that had run before.
    spawned_since: Cell<usize>,
    ran_started: Cell<bool>,
    /// Turns between what is ready and what is bound.
    bound_first: Cell<bool>,
    /// The one that leaves goes to the base, which takes the next one itself.
    to_base: Cell<bool>,
    /// The next one has the home of the one that leaves, which therefore is not left.
    home_kept: Cell<bool>,
    /// What the greenlet had that has just ended, until its stack is left.
    spent: RefCell<Option<(Stack, Arc<Home>)>>,
    /// A greenlet that has its turn, and needs something that only the base can get it.
    stash: RefCell<Option<Runnable>>,
    /// What `refuse` has to know.
    refusal: RefCell<Option<Refusal>>,
    /// Numbers for new greenlets.
    ids: RefCell<Range<u64>>,
    /// With fixed homes, the greenlets that have been suspended here and have not ended.
    residents: Cell<usize>,
    due: RefCell<Vec<Token>>,
    _thread: CarrierThread,
}

impl Worker {
    /// The life of worker `index`, on the calling thread.
    pub(super) fn run_thread(shared: Arc<Shared>, index: usize, queues: Queues) {
        let guard = AbortOnUnwind::new("a worker's loop");
        let _ours = Counted::ours();
        let thread = CarrierThread::register();
        let _watch = OverflowWatch::begin();
        let (own_home, hot_room) = match shared.settings.homes {
            HomeKind::Fixed => (Some(Home::fixed(index)), 0),
            HomeKind::Moving { limit } => {
                let share = limit / (4 * shared.settings.workers);
                // A spare comes late and goes soon.
                let most = if index < shared.settings.workers {
                    HOT_HOMES
                } else {
                    1
                };
                (None, share.clamp(1, most))
            }
        };
        let worker = Self {
            carrier: Carrier::new::<Self>(shared.stacks.clone()),
            index,
            remote: shared.remotes.share(index),
            counted: Cell::new(true),
            left: Cell::new(false),
            queues,
            bound: RefCell::default(),
            hot: RefCell::default(),
            hot_room,
            own_home,
            stacks: RefCell::new(stack::Cache::new(shared.stacks.clone())),
            rng: Rng::new(index as u64),
            next_in_a_row: Cell::new(0),
            searching: Cell::new(false),
            look_outside: Cell::new(false),
            looks: Cell::new(1),
            fresh_first: Cell::new(0),
            spawned_since: Cell::new(0),
            ran_started: Cell::new(false),
            bound_first: Cell::new(false),
            to_base: Cell::new(false),
            home_kept: Cell::new(false),
            spent: RefCell::default(),
            stash: RefCell::default(),
            refusal: RefCell::default(),
            ids: RefCell::new(0..0),
            residents: Cell::new(0),
            due: RefCell::default(),
            _thread: thread,
            shared,
        };
        // SAFETY: our own thread's slot; the worker stays here until the slot is cleared below.
        unsafe { (*home::slot()).set(ptr::null(), ptr::from_ref(&worker).cast()) };
        worker.remote.thread.store(sys::thread_number(), Relaxed);
        worker.remote.set(Presence::Up);
        while let Some(runnable) = worker.find() {
            worker.run(runnable);
        }
        if worker.left.get() {
            // SAFETY: our own thread's slot.
            unsafe { (*home::slot()).set(ptr::null(), ptr::null()) };
            let shared = worker.shared.clone();
            let queues = worker.into_queues();
            guard.disarm();
            return shared.spares.vacate(index, queues);
        }
        let (unrun, stays) = worker.retire();
        // SAFETY: our own thread's slot.
        unsafe { (*home::slot()).set(ptr::null(), ptr::null()) };
        let shared = worker.shared.clone();
        drop(worker);
        shared.curtain.retire(index, stays);
        drop(shared);
        unrun.into_iter().for_each(Unrun::drop_here);
        guard.disarm();
        if stays {
            loop {
                std::thread::park();
            }
        }
    }

    /// The runtime it works for.
    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// The same, to hold on to.
    pub(super) fn shared_arc(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Its part of what is divided between the workers: spares share with others.
    pub(super) fn shard(&self) -> usize {
        self.index % self.shared.settings.workers
    }

    fn remote(&self) -> &Remote {
        &self.remote
    }

    /// Counts one more in a counter that this worker alone writes.
    fn count(counter: &AtomicUsize) {
        // Release: pairs with the acquire in `Shared::live`. Who sees an end counted sees the spawn counted.
        counter.store(counter.load(Relaxed) + 1, Release);
    }

    /// The number of a new greenlet.
    pub(super) fn next_id(&self) -> u64 {
        let mut ids = self.ids.borrow_mut();
        ids.next().unwrap_or_else(|| {
            *ids = fork::reserve(ID_BLOCK);
            ids.next().expect("a block is not empty")
        })
    }

    /// A greenlet was spawned here.
    pub(super) fn spawned(&self, runnable: Runnable) {
        Self::count(&self.remote().counts.spawned);
        if runnable.bound_to().is_some() {
            // A local child in a fixed home is nobody else's.
            return self.push(runnable);
        }
        self.spawned_since.set(self.spawned_since.get() + 1);
        self.queues.fresh.push(runnable);
        self.shared.wake_one_unless_busy();
    }

    /// A greenlet was woken here. By another greenlet, it runs next; by the worker itself (a driver, an end), in its turn.
    pub(super) fn woken(&self, runnable: Runnable, by_greenlet: bool) {
        if runnable.bound_to().is_some() {
            self.push(runnable);
        } else if by_greenlet {
            self.push_next(runnable);
        } else {
            // The first one the worker will take itself, next.
            let more = !self.queues.is_empty() || self.remote().has_next();
            self.queues.ready.push(runnable);
            if more {
                self.shared.wake_one_unless_busy();
            }
        }
    }

    /// Makes `runnable` the next one to run; the one that was to be goes to the queue.
    ///
    /// Nobody is woken for the first: the greenlet that runs will most likely leave soon, and a thief would take what is
    /// warm here. If it does not leave, the monitor sees to it.
    fn push_next(&self, runnable: Runnable) {
        if let Some(before) = self.remote().put_next(runnable) {
            self.queues.ready.push(before);
            self.shared.wake_one_unless_busy();
        }
    }

    /// Puts `runnable` at the end of the queue, or with the worker it is bound to.
    fn push(&self, runnable: Runnable) {
        match runnable.bound_to() {
            Some(worker) if worker == self.index => self.bound.borrow_mut().push_back(runnable),
            Some(_) => self.shared.push_from_outside(runnable),
            None => {
                self.queues.ready.push(runnable);
                self.shared.wake_one_unless_busy();
            }
        }
    }

    /// The runtime stops: what is bound to this thread and never ran ends here, the rest is left to `shutdown`. Returns the
    /// closures to be dropped on this thread once every greenlet has been told, and whether the thread must stay: frames
    /// that will never run again may have lent out references to its thread-locals.
    fn retire(&self) -> (Vec<Unrun>, bool) {
        self.end_search();
        self.remote().set(Presence::Away);
        if self.counted.replace(false) {
            self.shared.idle.go();
        }
        let (mut unrun, mut started) = (Vec::new(), Vec::new());
        while let Some(mut runnable) = self.take_bound() {
            if runnable.never_ran() {
                unrun.push(runnable.refuse(NeverRan::Shutdown));
                runnable.finish();
            } else {
                started.push(runnable);
            }
        }
        // Not into the injector: another worker may still be taking from that, and must not run these.
        started
            .into_iter()
            .for_each(|runnable| self.remote().inbox.push(runnable));
        self.hand_over();
        (unrun, self.own_home.is_some() && self.residents.get() != 0)
    }

    /// Gives all that is in the queues to all, and what is kept ready back.
    fn hand_over(&self) {
        let rest = || {
            let started = self
                .remote()
                .take_next()
                .or_else(|| self.queues.ready.pop());
            started.or_else(|| self.queues.fresh.pop())
        };
        while let Some(runnable) = rest() {
            self.shared.injector.push(runnable);
        }
        for home in self.hot.take() {
            self.shared.homes.release(&home);
        }
        self.stacks.borrow_mut().flush();
    }

    /// Whether it is none of those that the runtime was made with.
    fn is_spare(&self) -> bool {
        self.index >= self.shared.settings.workers
    }

    /// Whether no greenlet needs this very worker; the monitor is told.
    fn may_step_down(&self) -> bool {
        let may = self.own_home.is_none()
            || self.residents.get() == 0
                && self.bound.borrow().is_empty()
                && self.remote().inbox.is_empty();
        self.remote().may_step_down.store(may, Relaxed);
        may
    }

    /// There are too many workers, and this spare, which no greenlet needs, is counted out: it rests.
    #[cold]
    fn step_down(&self) -> Rested {
        self.end_search();
        self.hand_over();
        self.remote().set(Presence::Away);
        let shared = &*self.shared;
        self.counted.set(false);
        shared.idle.go();
        // Somebody else has to look at what was handed over, and to sit in the reactor.
        shared.wake_one();
        let rested = shared.spares.rest(self.index);
        if rested == Rested::Called {
            self.counted.set(true);
            self.remote().set(Presence::Up);
            shared.monitor.rouse();
        }
        rested
    }

    /// The worker's end, but for its queues, which are empty.
    fn into_queues(self) -> Queues {
        debug_assert!(self.queues.is_empty() && self.spent.borrow().is_none());
        self.queues
    }
}
