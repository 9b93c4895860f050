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

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use std::sync::atomic::{AtomicUsize, fence};
use std::time::Instant;

use crossbeam_deque::Steal;

use super::idle::Up;
use super::shared::{HomeKind, Queues, Remote, Shared};
use crate::base::abort::AbortOnUnwind;
use crate::base::link::Link;
use crate::base::rng::Rng;
use crate::greenlet::switch::{self, Carrier, Conductor, Ended, Next, Request};
use crate::greenlet::{Header, NOWHERE, NeverRan, Publish, Runnable, Token, Unrun};
use crate::home::{self, CarrierThread, Enter, Home};
use crate::stack::{self, Stack};

/// How often a worker looks outside before its own queue. Go's number; any prime of that size would do, so that it does
/// not fall in step with the length of a queue.
const OUTSIDE_EVERY: u32 = 61;
/// How many such looks come for one at the oldest that has never run. That one is the root of the largest part of a tree, as
/// a rule, and to start it early costs memory: this is for fairness alone, after some thousand turns. Arbitrary.
const OLDEST_EVERY: u32 = 64;
/// How often in a row the run-next slot is preferred to the queue, so that two greenlets that wake each other do not
/// starve the rest. Tokio's number.
const NEXT_IN_A_ROW: u32 = 3;
/// How many homes a worker keeps ready at most. Arbitrary; it keeps fewer where there are few in all.
const HOT_HOMES: usize = 8;
/// How many numbers a worker reserves at once. Arbitrary.
const ID_BLOCK: u64 = 256;
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
        let thread = CarrierThread::register();
        let (own_home, hot_room) = match shared.settings.homes {
            HomeKind::Fixed => (Some(Home::fixed(index)), 0),
            HomeKind::Moving { limit } => {
                let share = limit / (4 * shared.settings.workers);
                (None, share.clamp(1, HOT_HOMES))
            }
        };
        let worker = Self {
            carrier: Carrier::new::<Self>(),
            index,
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
        // Release: pairs with the acquire in `Shared::live`. Who sees an end counted sees the spawn counted.
        counter.store(counter.load(Relaxed) + 1, Release);
    }

    /// The number of a new greenlet.
    pub(super) fn next_id(&self) -> u64 {
        let mut ids = self.ids.borrow_mut();
        ids.next().unwrap_or_else(|| {
            *ids = Shared::reserve_ids(ID_BLOCK);
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

    /// The next greenlet to run; sleeps until there is one. `None` if the runtime stops.
    fn find(&self) -> Option<Runnable> {
        loop {
            if let Some(runnable) = self.stash.take() {
                return Some(runnable);
            }
            if self.shared.stopping.load(Acquire) {
                return None;
            }
            let found = self.find_here().or_else(|| self.search());
            if let Some(runnable) = found {
                self.end_search();
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
        let due = self.tick();
        if self.look_outside.replace(false) || due {
            self.turn_drivers();
            if let Some(runnable) = self.take_injected() {
                return Some(runnable);
            }
            let look = self.looks.replace((self.looks.get() + 1) % OLDEST_EVERY);
            if look == 0
                && let Some(runnable) = self.take_oldest()
            {
                return Some(runnable);
            }
        }
        self.take_local().or_else(|| self.take_injected())
    }

    /// Counts one turn. Whether it is time to look outside.
    fn tick(&self) -> bool {
        let ticks = &self.remote().ticks;
        let tick = ticks.load(Relaxed).wrapping_add(1);
        // Only the monitor reads it elsewhere, to see that it changes.
        ticks.store(tick, Relaxed);
        tick.is_multiple_of(OUTSIDE_EVERY)
    }

    /// The next of those that are here.
    ///
    /// Those that never ran and those that have run take turns, so that a tree is run depth first; but one that has run and
    /// spawned comes after all that it has spawned, or it could outrun them.
    fn take_local(&self) -> Option<Runnable> {
        let spawned = self.spawned_since.replace(0);
        if self.ran_started.replace(false) {
            self.fresh_first.set(self.fresh_first.get() + spawned);
        }
        let taken = self.take_next_in_a_row().or_else(|| {
            let fresh = &self.queues.fresh;
            let first = self.fresh_first.get();
            if first != 0 {
                self.fresh_first.set(first - 1);
                if let Some(runnable) = fresh.pop() {
                    return Some(runnable);
                }
            }
            let started = self.take_started();
            self.fresh_first.set(1);
            let own = started.or_else(|| fresh.pop());
            own.or_else(|| self.remote().take_next())
        })?;
        self.ran_started.set(!taken.never_ran());
        Some(taken)
    }

    /// The one in the run-next slot, unless it was that slot's turn too often in a row.
    fn take_next_in_a_row(&self) -> Option<Runnable> {
        let taken = if self.next_in_a_row.get() < NEXT_IN_A_ROW {
            self.remote().take_next()
        } else {
            None
        };
        let row = if taken.is_some() {
            self.next_in_a_row.get() + 1
        } else {
            0
        };
        self.next_in_a_row.set(row);
        taken
    }

    /// The next one that is ready, in its queue or bound to this worker, in turn.
    fn take_started(&self) -> Option<Runnable> {
        let ready = &self.queues.ready;
        if self.own_home.is_none() {
            return ready.pop();
        }
        if self.bound_first.replace(!self.bound_first.get()) {
            self.take_bound().or_else(|| ready.pop())
        } else {
            ready.pop().or_else(|| self.take_bound())
        }
    }

    /// The one that has waited longest of those that never ran, which are otherwise taken newest first.
    fn take_oldest(&self) -> Option<Runnable> {
        loop {
            match self.remote().fresh.steal() {
                Steal::Success(runnable) => return Some(runnable),
                Steal::Empty => return None,
                Steal::Retry => {}
            }
        }
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
            let ready = &self.queues.ready;
            if let Steal::Success(runnable) = self.shared.injector.steal_batch_and_pop(ready) {
                if !ready.is_empty() {
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
                // Enough others look. The timers may have something nevertheless.
                self.turn_timers();
                return self.take_local();
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
                self.turn_timers();
                if let Some(runnable) = self.take_local() {
                    return Some(runnable);
                }
            }
            std::hint::spin_loop();
        }
        None
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
            let remote = &remotes[victim];
            let pairs = [
                (&remote.fresh, &self.queues.fresh),
                (&remote.ready, &self.queues.ready),
            ];
            for (theirs, ours) in pairs {
                loop {
                    match theirs.steal_batch_and_pop(ours) {
                        Steal::Success(runnable) => return Some(runnable),
                        Steal::Empty => break,
                        Steal::Retry => std::hint::spin_loop(),
                    }
                }
            }
            if next_too && let Some(runnable) = remote.take_next() {
                return Some(runnable);
            }
        }
        None
    }

    /// Fires the timers that are due, and asks the reactor what is ready, unless another worker is doing so.
    fn turn_drivers(&self) {
        self.turn_timers();
        if let Some(mut seat) = self.shared.reactor.try_seat() {
            seat.poll();
        }
    }

    fn turn_timers(&self) {
        self.shared.timers.turn(&mut self.due.borrow_mut());
    }

    /// Sleeps until called, or until a driver has something, which it then fires.
    fn sleep(&self) {
        let shared = &*self.shared;
        shared
            .idle
            .fall_asleep(self.index, self.searching.replace(false));
        if shared.is_closed() {
            // See `Shared::is_closed`: an end that was counted here may not have been told.
            shared.tell_if_drained();
        }
        // Announced first, looked afterwards: see `idle`.
        if shared.has_work(self.index) {
            self.get_up();
            return;
        }
        match shared.reactor.try_seat() {
            Some(mut seat) => {
                self.sleep_seated(&mut seat);
                // Up before the events are dealt out: who seems asleep is woken for what they bring.
                self.get_up();
                seat.deal();
                drop(seat);
                self.turn_timers();
            }
            None => {
                self.remote().parker.park();
                self.get_up();
            }
        }
    }

    fn get_up(&self) {
        if self.shared.idle.get_up(self.index) == Up::Called {
            self.searching.set(true);
        }
        self.shared.monitor.rouse();
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
        shared.seat_until.store(0, SeqCst);
    }

    /// Runs a greenlet, and those that follow it, until one comes back here.
    fn run(&self, mut runnable: Runnable) {
        match self.prepare(&mut runnable, ptr::null(), Effort::Whatever) {
            // SAFETY: we are the carrier's worker on its own stack; the home is occupied and the stack there.
            Prepared::Ready => unsafe { switch::run(ptr::from_ref(self).cast(), runnable) },
            Prepared::Waits => _ = runnable.into_raw(),
            Prepared::NoStack => self.refuse(runnable),
            Prepared::TooMuch => unreachable!("the base does whatever is needed"),
        }
    }

    /// Occupies the greenlet's home, unless it is `mine`, and sees that it has a stack; both it gets now if it never ran.
    #[inline]
    fn prepare(&self, runnable: &mut Runnable, mine: *const Home, effort: Effort) -> Prepared {
        let link = runnable.link();
        let life = runnable.life();
        if life.worker == NOWHERE {
            return self.prepare_fresh(runnable, mine, effort);
        }
        if let Some(context) = &life.context {
            context.prefetch();
        }
        let home = life.home.as_deref().expect("it has run");
        if self.enter_home(home, link, &mut life.holds_home, mine) == Enter::Waits {
            return Prepared::Waits;
        }
        if life.worker != self.index as u32 {
            life.worker = self.index as u32;
            let migrations = &self.remote().counts.migrations;
            migrations.store(migrations.load(Relaxed) + 1, Relaxed);
        }
        Prepared::Ready
    }

    /// The same for one that never ran.
    #[inline(never)]
    fn prepare_fresh(
        &self,
        runnable: &mut Runnable,
        mine: *const Home,
        effort: Effort,
    ) -> Prepared {
        let link = runnable.link();
        let class = runnable.header().class;
        if effort == Effort::Little && !self.stacks.borrow().has(class) {
            return Prepared::TooMuch;
        }
        let life = runnable.life();
        let is_local = life.is_local;
        let home = match &life.home {
            Some(home) => home,
            None => match self.fresh_home(effort) {
                Some(home) => life.home.insert(home),
                None => return Prepared::TooMuch,
            },
        };
        if self.enter_home(home, link, &mut life.holds_home, mine) == Enter::Waits {
            return Prepared::Waits;
        }
        let taken = self.stacks.borrow_mut().take(class);
        match taken {
            Ok(stack) => life.stack = Some(stack),
            Err(error) => {
                self.refusal.replace(Some(Refusal { error, is_local }));
                return Prepared::NoStack;
            }
        }
        life.worker = self.index as u32;
        Prepared::Ready
    }

    /// Occupies `home` for the greenlet at `link`, unless that holds it already or it is `mine`.
    #[inline]
    fn enter_home(
        &self,
        home: &Home,
        link: NonNull<Link>,
        holds_home: &mut bool,
        mine: *const Home,
    ) -> Enter {
        if home.worker().is_some() || std::mem::take(holds_home) {
            debug_assert!(home.worker().is_none_or(|worker| worker == self.index));
            Enter::Entered
        } else if ptr::eq(home, mine) && !self.is_awaited(home) {
            // Otherwise it queues up behind those who wait.
            self.home_kept.set(true);
            Enter::Entered
        } else {
            // SAFETY: we hold the right to the greenlet, which is in no list. The home outlives the call: the pool keeps it.
            unsafe { home.occupy(link) }
        }
    }

    /// Whether a greenlet waits for `home`, which this worker occupies.
    fn is_awaited(&self, home: &Home) -> bool {
        // SAFETY: as said.
        unsafe { home.is_awaited() }
    }

    /// The next one that is here, ready to run, on behalf of a greenlet that leaves the home `mine`.
    #[inline]
    fn next_here(&self, mine: *const Home) -> Option<Runnable> {
        while let Some(runnable) = self.take_local() {
            match self.prepare_here(runnable, mine) {
                Here::Ready(runnable) => return Some(runnable),
                Here::Waits => {}
                Here::Stashed => return None,
            }
        }
        None
    }

    /// Makes it ready to run if that takes little; otherwise leaves it to the base.
    #[inline]
    fn prepare_here(&self, mut runnable: Runnable, mine: *const Home) -> Here {
        match self.prepare(&mut runnable, mine, Effort::Little) {
            Prepared::Ready => Here::Ready(runnable),
            Prepared::Waits => {
                let _ = runnable.into_raw();
                Here::Waits
            }
            Prepared::TooMuch => {
                self.stash.replace(Some(runnable));
                Here::Stashed
            }
            Prepared::NoStack => unreachable!("a stack was there"),
        }
    }

    /// The home for a greenlet that runs for the first time. `None` if it takes more than a little to get one.
    fn fresh_home(&self, effort: Effort) -> Option<Arc<Home>> {
        if let Some(own) = &self.own_home {
            return Some(own.clone());
        }
        let hot = self.hot.borrow_mut().pop();
        hot.or_else(|| match effort {
            Effort::Little => self.shared.homes.try_acquire(),
            Effort::Whatever => {
                let home = self.shared.homes.acquire();
                Some(home.expect("a runtime is built with a home"))
            }
        })
    }

    /// Leaves a home that this worker occupies. A greenlet that waited for it runs next.
    fn leave_home(&self, home: &Home) {
        if home.worker().is_some() || self.home_kept.replace(false) {
            return;
        }
        // SAFETY: we occupy it: the greenlet that ran here had it.
        if let Some(link) = unsafe { home.leave() } {
            // SAFETY: the home's list gave the right to it to us.
            let mut next = unsafe { Runnable::from_link(link) };
            next.life().holds_home = true;
            self.push_next(next);
            // It keeps its home from others meanwhile, and the one that runs next has been chosen already.
            self.shared.wake_one_unless_busy();
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

    /// Counts an end; what the greenlet had is taken from it, and its joiner is told.
    fn finish(&self, mut runnable: Runnable) -> (Option<Stack>, Option<Arc<Home>>) {
        let life = runnable.life();
        if let Some(place) = life.census.take() {
            self.shared.census.leave(place);
            // Wraps where greenlets end elsewhere than they were first suspended, with moving homes; nobody looks there.
            self.residents.set(self.residents.get().wrapping_sub(1));
        }
        let had = (life.stack.take(), life.home.take());
        if had.0.is_some() {
            self.stacks.borrow().count_passed(false);
        }
        Self::count(&self.remote().counts.finished);
        runnable.finish();
        if self.shared.is_closed() {
            self.shared.tell_if_drained();
        }
        had
    }

    /// Leaves the home of one that has ended, and keeps it hot for the next or gives it back.
    fn leave_for_good(&self, home: Arc<Home>) {
        self.leave_home(&home);
        let mut hot = self.hot.borrow_mut();
        // A home that a local child lives in still is not for strangers.
        if hot.len() < self.hot_room && home.is_unshared() {
            hot.push(home);
        } else {
            self.shared.homes.release(&home);
        }
    }

    /// Ends a greenlet for which there is no stack. Whoever joins it is told first, for its closure's destructor is user code
    /// and may wait for any greenlet: it runs on the monitor's thread if it can be sent there. One that cannot belongs to the
    /// home it was spawned in, and is dropped under that identity, on the worker's stack, as if on a plain thread.
    #[cold]
    fn refuse(&self, mut runnable: Runnable) {
        let Refusal { error, is_local } = self.refusal.take().expect("it was refused");
        let unrun = runnable.refuse(NeverRan::NoStack(error));
        let (_, home) = self.finish(runnable);
        let home = home.expect("it has entered its home");
        if is_local {
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
            self.leave_for_good(home);
        } else {
            self.leave_for_good(home);
            // SAFETY: it is not local, so the closure is `Send`.
            self.shared.monitor.drop_later(unsafe { unrun.sendable() });
        }
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
        (unrun, self.own_home.is_some() && self.residents.get() != 0)
    }
}

/// How much may be done to make a greenlet run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Effort {
    /// What needs no system call and not much of a stack: we are on a greenlet's.
    Little,
    Whatever,
}

/// What `prepare` has made of a greenlet.
#[must_use]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Prepared {
    /// It has its home and its stack.
    Ready,
    /// It waits for its home: it has been given away to whoever leaves that.
    Waits,
    /// It takes more effort; nothing has been done.
    TooMuch,
    /// There is no stack for it. Its home is occupied.
    NoStack,
}

/// Why a greenlet cannot run.
#[derive(Debug)]
struct Refusal {
    error: io::Error,
    /// It was given its home by its parent.
    is_local: bool,
}

/// What `prepare_here` has made of a greenlet.
#[derive(Debug)]
enum Here {
    Ready(Runnable),
    Waits,
    /// The base will run it.
    Stashed,
}

// SAFETY: `carrier` is the first field of a `repr(C)` struct, and made for this type.
unsafe impl Conductor for Worker {
    fn next(&self, leaving: &Header, request: Request) -> Next {
        if request == Request::Park && leaving.wait.is_fired() {
            return Next::Stay;
        }
        if self.shared.stopping.load(Relaxed) {
            // The base sees to it.
        } else if self.tick() || self.carrier.is_budget_spent() {
            self.look_outside.set(true);
        } else {
            // SAFETY: the running greenlet lets us read its life for a moment.
            let life = unsafe { leaving.life() };
            let mine = life.home.as_ref().map_or(ptr::null(), Arc::as_ptr);
            if let Some(runnable) = self.next_here(mine) {
                return Next::Greenlet(runnable);
            }
            let injected = self.shared.has_injected(self.index);
            if request == Request::Yield
                && self.stash.borrow().is_none()
                && !injected
                && !life
                    .home
                    .as_deref()
                    .is_some_and(|home| self.is_awaited(home))
            {
                return Next::Stay;
            }
            // Or the base would find this one first.
            self.look_outside.set(injected);
        }
        self.to_base.set(true);
        Next::Base
    }

    fn settle(&self, mut runnable: Runnable, request: Request) {
        self.note_suspended(&mut runnable);
        if let Some(home) = runnable.life().home.as_deref() {
            // Left before the greenlet is published, so that whoever runs it next finds the home free.
            self.leave_home(home);
        }
        let lonely =
            self.to_base.replace(false) && self.queues.is_empty() && self.stash.borrow().is_none();
        match request {
            // The base will take it itself.
            Request::Yield if lonely && runnable.bound_to().is_none() => {
                self.queues.ready.push(runnable)
            }
            Request::Yield => self.push(runnable),
            Request::Park => match runnable.header().wait.publish() {
                // The right to run it is in the word now.
                Publish::Parked => _ = runnable.into_raw(),
                Publish::Fired => self.push(runnable),
            },
        }
    }

    fn ended(&self, runnable: Runnable) -> Ended {
        let (Some(stack), Some(home)) = self.finish(runnable) else {
            unreachable!("a greenlet that ran has a stack and a home")
        };
        if self.shared.stopping.load(Relaxed) {
            // The base sees to it.
        } else if self.tick() {
            self.look_outside.set(true);
        } else {
            let mine = Arc::as_ptr(&home);
            while let Some(mut next) = self.take_local() {
                let class = next.header().class;
                let life = next.life();
                if life.worker == NOWHERE
                    && life.home.is_none()
                    && class == stack.class()
                    && home.is_unshared()
                {
                    self.stacks.borrow().count_passed(true);
                    life.stack = Some(stack);
                    life.home = Some(home);
                    life.worker = self.index as u32;
                    return Ended::Here(next);
                }
                match self.prepare_here(next, mine) {
                    Here::Ready(next) => {
                        self.spent.replace(Some((stack, home)));
                        return Ended::Greenlet(next);
                    }
                    Here::Waits => {}
                    Here::Stashed => break,
                }
            }
        }
        self.spent.replace(Some((stack, home)));
        Ended::Base
    }

    fn settle_ended(&self) {
        let (stack, home) = self.spent.take().expect("somebody has ended");
        self.stacks.borrow_mut().give_passed(stack);
        self.leave_for_good(home);
    }
}
