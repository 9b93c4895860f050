//! One worker: find a greenlet, run it, do what it asked for; sleep when there is none.
//!
//! A `Worker` lives on its thread's stack for as long as the thread runs. Greenlets that it runs reach it through their
//! home's slot (to spawn, to wake others), so everything in it is changed through shared references by one thread.
//!
//! Where it looks, in this order: its run-next slot (at most a few times in a row); greenlets bound to it and its own
//! queue, in turn; the injector; half of another's queue; the reactor and the timers; then it sleeps. Every 61st time it
//! looks at the reactor, the timers and the injector first, so that a busy queue starves none of them.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Relaxed, SeqCst};
use std::sync::atomic::{AtomicUsize, fence};
use std::time::Instant;

use crossbeam_deque::Steal;

use super::idle::Up;
use super::shared::{HomeKind, Remote, Shared};
use crate::base::abort::AbortOnUnwind;
use crate::base::rng::Rng;
use crate::greenlet::switch::{Carrier, Request, resume};
use crate::greenlet::{NeverRan, Publish, Runnable, Token, Unrun};
use crate::home::{self, CarrierThread, Enter, Home};
use crate::stack;

/// How often a worker looks outside before its own queue. Go's number; any prime of that size would do, so that it does
/// not fall in step with the length of a queue.
const OUTSIDE_EVERY: u32 = 61;
/// How often in a row the run-next slot is preferred to the queue, so that two greenlets that wake each other do not
/// starve the rest. Tokio's number.
const NEXT_IN_A_ROW: u32 = 3;
/// How often a searching worker goes round all the others before it sleeps. Arbitrary.
const ROUNDS: usize = 4;

/// See the module.
#[repr(C)]
#[derive(Debug)]
pub(super) struct Worker {
    /// Must be the first field: a slot's carrier is a pointer to it.
    carrier: Carrier,
    shared: Arc<Shared>,
    index: usize,
    queue: crossbeam_deque::Worker<Runnable>,
    /// Greenlets that only this worker may run and that are ready.
    bound: RefCell<VecDeque<Runnable>>,
    /// The home in which the next fresh greenlet starts.
    hot: RefCell<Option<Arc<Home>>>,
    /// Its own thread as a home, if homes are fixed.
    own_home: Option<Arc<Home>>,
    stacks: RefCell<stack::Cache>,
    rng: Rng,
    tick: Cell<u32>,
    next_in_a_row: Cell<u32>,
    searching: Cell<bool>,
    /// It has been in the reactor's seat since it last ran a greenlet.
    left_seat: Cell<bool>,
    /// With fixed homes, the greenlets that have been suspended here and have not ended.
    residents: Cell<usize>,
    due: RefCell<Vec<Token>>,
    _thread: CarrierThread,
}

impl Worker {
    /// The life of worker `index`, on the calling thread.
    pub(super) fn run_thread(
        shared: Arc<Shared>,
        index: usize,
        queue: crossbeam_deque::Worker<Runnable>,
    ) {
        let guard = AbortOnUnwind::new("a worker's loop");
        let thread = CarrierThread::register();
        let own_home = match shared.settings.homes {
            HomeKind::Fixed => Some(Home::fixed(index)),
            HomeKind::Moving { .. } => None,
        };
        let worker = Self {
            carrier: Carrier::new(),
            index,
            queue,
            bound: RefCell::default(),
            hot: RefCell::default(),
            own_home,
            stacks: RefCell::new(stack::Cache::new(shared.stacks.clone())),
            rng: Rng::new(index as u64),
            tick: Cell::new(0),
            next_in_a_row: Cell::new(0),
            searching: Cell::new(false),
            left_seat: Cell::new(false),
            residents: Cell::new(0),
            due: RefCell::default(),
            _thread: thread,
            shared,
        };
        // SAFETY: our own thread's slot; the worker stays here until the slot is cleared below.
        unsafe { (*home::slot()).set(ptr::null(), ptr::from_ref(&worker).cast()) };
        while let Some(runnable) = worker.find() {
            worker.run(runnable);
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

    /// Its number.
    pub(super) fn index(&self) -> usize {
        self.index
    }

    fn remote(&self) -> &Remote {
        &self.shared.remotes[self.index]
    }

    /// Counts one more in a counter that this worker alone writes.
    fn count(counter: &AtomicUsize) {
        // SeqCst: read by `Shared::live`, whose sums must not be out of order.
        counter.store(counter.load(Relaxed) + 1, SeqCst);
    }

    /// A greenlet was spawned here.
    pub(super) fn spawned(&self, runnable: Runnable) {
        Self::count(&self.remote().counts.spawned);
        self.push(runnable);
    }

    /// A greenlet was woken here: it runs next.
    pub(super) fn woken(&self, runnable: Runnable) {
        if runnable.bound_to().is_some() {
            self.push(runnable);
        } else {
            self.push_next(runnable);
        }
    }

    /// Makes `runnable` the next one to run; the one that was to be goes to the queue.
    fn push_next(&self, runnable: Runnable) {
        if let Some(before) = self.remote().put_next(runnable) {
            self.queue.push(before);
        }
        self.shared.wake_one();
    }

    /// Puts `runnable` at the end of the queue, or with the worker it is bound to.
    fn push(&self, runnable: Runnable) {
        match runnable.bound_to() {
            Some(worker) if worker == self.index => self.bound.borrow_mut().push_back(runnable),
            Some(_) => self.shared.push_from_outside(runnable),
            None => {
                self.queue.push(runnable);
                self.shared.wake_one();
            }
        }
    }

    /// The next greenlet to run; sleeps until there is one. `None` if the runtime stops.
    fn find(&self) -> Option<Runnable> {
        loop {
            if self.shared.stopping.load(Acquire) {
                return None;
            }
            let found = self.find_here().or_else(|| self.search());
            if let Some(runnable) = found {
                self.end_search();
                // Others may have gone to sleep elsewhere while the reactor's seat was ours; once we run a greenlet, nobody
                // would be in it.
                if self.left_seat.replace(false) {
                    self.shared.wake_one();
                }
                return Some(runnable);
            }
            self.sleep();
        }
    }

    /// A worker that was looking around has found something, or gives up looking.
    fn end_search(&self) {
        if self.searching.replace(false) && self.shared.idle.end_search() {
            self.shared.wake_one();
        }
    }

    fn find_here(&self) -> Option<Runnable> {
        let tick = self.tick.get().wrapping_add(1);
        self.tick.set(tick);
        if tick.is_multiple_of(OUTSIDE_EVERY) {
            self.turn_drivers();
            if let Some(runnable) = self.take_injected() {
                return Some(runnable);
            }
        }
        if self.next_in_a_row.get() < NEXT_IN_A_ROW
            && let Some(runnable) = self.remote().take_next()
        {
            self.next_in_a_row.set(self.next_in_a_row.get() + 1);
            return Some(runnable);
        }
        self.next_in_a_row.set(0);
        let own = if tick.is_multiple_of(2) {
            self.take_bound().or_else(|| self.queue.pop())
        } else {
            self.queue.pop().or_else(|| self.take_bound())
        };
        own.or_else(|| self.remote().take_next())
            .or_else(|| self.take_injected())
    }

    fn take_bound(&self) -> Option<Runnable> {
        let inbox = &self.remote().inbox;
        while !inbox.is_empty() {
            if let Steal::Success(runnable) = inbox.steal() {
                self.bound.borrow_mut().push_back(runnable);
            }
        }
        self.bound.borrow_mut().pop_front()
    }

    fn take_injected(&self) -> Option<Runnable> {
        while !self.shared.injector.is_empty() {
            if let Steal::Success(runnable) = self.shared.injector.steal_batch_and_pop(&self.queue)
            {
                if !self.queue.is_empty() {
                    self.shared.wake_one();
                }
                return Some(runnable);
            }
        }
        None
    }

    /// Looks at the other workers, the drivers and the injector, for a while.
    fn search(&self) -> Option<Runnable> {
        if !self.searching.get() {
            if !self.shared.idle.start_search() {
                // Enough others look. The drivers may have something nevertheless.
                self.turn_drivers();
                return self.take_own();
            }
            self.searching.set(true);
        }
        for round in 0..ROUNDS {
            if let Some(runnable) = self
                .steal(round == ROUNDS - 1)
                .or_else(|| self.take_injected())
            {
                return Some(runnable);
            }
            if round == 0 {
                self.turn_drivers();
                if let Some(runnable) = self.take_own() {
                    return Some(runnable);
                }
            }
            std::hint::spin_loop();
        }
        None
    }

    /// What a turn of the drivers may have put here.
    fn take_own(&self) -> Option<Runnable> {
        self.remote()
            .take_next()
            .or_else(|| self.queue.pop())
            .or_else(|| self.take_bound())
    }

    /// Takes half of another worker's queue, beginning at a random one; with `next_too`, also what it would run next.
    fn steal(&self, next_too: bool) -> Option<Runnable> {
        let remotes = &self.shared.remotes;
        let start = self.rng.below(remotes.len());
        for step in 0..remotes.len() {
            let victim = (start + step) % remotes.len();
            if victim == self.index {
                continue;
            }
            loop {
                match remotes[victim].stealer.steal_batch_and_pop(&self.queue) {
                    Steal::Success(runnable) => return Some(runnable),
                    Steal::Empty => break,
                    Steal::Retry => std::hint::spin_loop(),
                }
            }
            if next_too && let Some(runnable) = remotes[victim].take_next() {
                return Some(runnable);
            }
        }
        None
    }

    /// Fires the timers that are due, and asks the reactor what is ready, unless another worker is doing so.
    fn turn_drivers(&self) -> usize {
        let mut fired = self.shared.timers.turn(&mut self.due.borrow_mut());
        if let Some(mut seat) = self.shared.reactor.try_seat() {
            fired += seat.poll();
            self.left_seat.set(true);
        }
        fired
    }

    /// Sleeps until called, or until a driver has something.
    fn sleep(&self) {
        let shared = &*self.shared;
        shared
            .idle
            .fall_asleep(self.index, self.searching.replace(false));
        // Announced first, looked afterwards: see `idle`.
        if !shared.has_work(self.index) {
            match shared.reactor.try_seat() {
                Some(mut seat) => {
                    self.sleep_seated(&mut seat);
                    drop(seat);
                }
                None => self.remote().parker.park(),
            }
        }
        if shared.idle.get_up(self.index) == Up::Called {
            self.searching.set(true);
        }
    }

    /// Sleeps in the reactor, until the next timer at most.
    fn sleep_seated(&self, seat: &mut crate::reactor::Seat<'_>) {
        let shared = &*self.shared;
        let trim = shared.stacks.trim(Instant::now());
        let deadline = |timer: Option<Instant>| match (timer, trim) {
            (Some(timer), Some(trim)) => Some(timer.min(trim)),
            (timer, trim) => timer.or(trim),
        };
        let announced = deadline(shared.timers.next());
        shared
            .seat_until
            .store(shared.since_birth(announced), SeqCst);
        // Against `arm`: announced first, looked afterwards. And never longer than announced: a timer that was the earliest
        // may have fired elsewhere in between, and those armed since relied on what is announced.
        fence(SeqCst);
        let until = match (announced, deadline(shared.timers.next())) {
            (Some(announced), Some(now)) => Some(announced.min(now)),
            (announced, now) => announced.or(now),
        };
        self.remote().parker.park_seated(seat, until);
        self.left_seat.set(true);
        shared.seat_until.store(0, SeqCst);
        shared.timers.turn(&mut self.due.borrow_mut());
    }

    /// Runs a greenlet until it suspends or ends, and does what it asks for.
    fn run(&self, runnable: Runnable) {
        let Some(mut runnable) = self.enter_home(runnable) else {
            return;
        };
        let class = runnable.header().class;
        let life = runnable.life();
        if life.stack.is_none() {
            let taken = self.stacks.borrow_mut().take(class);
            match taken {
                Ok(stack) => life.stack = Some(stack),
                Err(error) => return self.refuse(runnable, NeverRan::NoStack(error)),
            }
        } else if life.worker != self.index {
            let migrations = &self.remote().counts.migrations;
            migrations.store(migrations.load(Relaxed) + 1, Relaxed);
        }
        life.worker = self.index;
        // SAFETY: we are the carrier's worker on its own stack; the home is occupied and the stack there.
        match unsafe { resume(ptr::from_ref(self).cast(), &mut runnable) } {
            Request::Done => self.end(runnable),
            Request::Yield => {
                self.note_suspended(&mut runnable);
                self.leave_home(runnable.life().home.as_deref());
                self.push(runnable);
                // It yields because what it waits for is always ready: then others' may be, too.
                if self.carrier.is_budget_spent() {
                    self.turn_drivers();
                }
            }
            Request::Park => {
                self.note_suspended(&mut runnable);
                // Left before the greenlet is published, so that whoever runs it next finds the home free.
                self.leave_home(runnable.life().home.as_deref());
                match runnable.header().wait.publish() {
                    // The right to run it is in the word now.
                    Publish::Parked => _ = runnable.into_raw(),
                    Publish::Fired => self.push(runnable),
                }
            }
        }
    }

    /// Occupies the greenlet's home, which it gets now if it has none. `None` if it waits for its home: then it has been
    /// given away to whoever leaves that.
    fn enter_home(&self, mut runnable: Runnable) -> Option<Runnable> {
        let link = runnable.link();
        let life = runnable.life();
        let home = life.home.get_or_insert_with(|| self.fresh_home());
        if home.worker().is_some() || std::mem::take(&mut life.holds_home) {
            debug_assert!(home.worker().is_none_or(|worker| worker == self.index));
            return Some(runnable);
        }
        // SAFETY: we hold the right to the greenlet, which is in no list. The home outlives the call: the pool keeps it.
        match unsafe { home.occupy(link) } {
            Enter::Entered => Some(runnable),
            Enter::Waits => {
                std::mem::forget(runnable);
                None
            }
        }
    }

    /// The home for a greenlet that runs for the first time.
    fn fresh_home(&self) -> Arc<Home> {
        if let Some(own) = &self.own_home {
            return own.clone();
        }
        let hot = self.hot.borrow_mut().take();
        hot.unwrap_or_else(|| {
            self.shared
                .homes
                .acquire()
                .expect("a runtime is built with a home")
        })
    }

    /// Leaves a home that this worker occupies. A greenlet that waited for it runs next.
    fn leave_home(&self, home: Option<&Home>) {
        let Some(home) = home.filter(|home| home.worker().is_none()) else {
            return;
        };
        // SAFETY: we occupy it: the greenlet that ran here had it.
        if let Some(link) = unsafe { home.leave() } {
            // SAFETY: the home's list gave the right to it to us.
            let mut next = unsafe { Runnable::from_link(link) };
            next.life().holds_home = true;
            self.push_next(next);
        }
    }

    /// Enters a greenlet into the census when it suspends for the first time.
    fn note_suspended(&self, runnable: &mut Runnable) {
        if runnable.life().census.is_none() {
            let greenlet = runnable.reference();
            self.residents.set(self.residents.get().wrapping_add(1));
            runnable.life().census = Some(self.shared.census.enter(self.index, greenlet));
        }
    }

    /// Gives back all that a greenlet which has a result had, and tells its joiner.
    fn end(&self, mut runnable: Runnable) {
        let life = runnable.life();
        if let Some(place) = life.census.take() {
            self.shared.census.leave(place);
            // Wraps where greenlets end elsewhere than they were first suspended, with moving homes; nobody looks there.
            self.residents.set(self.residents.get().wrapping_sub(1));
        }
        if let Some(stack) = life.stack.take() {
            self.stacks.borrow_mut().give(stack);
        }
        let home = life.home.take();
        self.leave_home(home.as_deref());
        if let Some(home) = home {
            let mut hot = self.hot.borrow_mut();
            // A home that a local child lives in still is not for strangers.
            if self.own_home.is_none() && hot.is_none() && home.is_unshared() {
                *hot = Some(home);
            } else {
                self.shared.homes.release(&home);
            }
        }
        Self::count(&self.remote().counts.finished);
        runnable.finish();
        if self.shared.is_closed() {
            self.shared.tell_if_drained();
        }
    }

    /// Ends a greenlet that cannot run, in the home it occupies.
    fn refuse(&self, mut runnable: Runnable, why: NeverRan) {
        let home = runnable
            .life()
            .home
            .clone()
            .expect("it has entered its home");
        let unrun = runnable.refuse(why);
        let carrier = if home.worker().is_some() {
            ptr::from_ref(self).cast()
        } else {
            ptr::null()
        };
        // SAFETY: we occupy the home, on a registered thread; what runs there is a destructor, on the worker's stack, under
        // the identity the closure belongs to. It counts as a plain thread meanwhile.
        unsafe {
            home.announce(ptr::null(), carrier);
            home.run_as(|| unrun.drop_here());
        }
        self.end(runnable);
    }

    /// The runtime stops: what is bound to this thread and never ran ends here, the rest is left to `shutdown`. Returns the
    /// closures to be dropped on this thread once every greenlet has been told, and whether the thread must stay: frames
    /// that will never run again may have lent out references to its thread-locals.
    fn retire(&self) -> (Vec<Unrun>, bool) {
        self.end_search();
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
        while let Some(runnable) = self.remote().take_next().or_else(|| self.queue.pop()) {
            self.shared.injector.push(runnable);
        }
        if let Some(home) = self.hot.borrow_mut().take() {
            self.shared.homes.release(&home);
        }
        self.stacks.borrow_mut().flush();
        (unrun, self.own_home.is_some() && self.residents.get() != 0)
    }
}
