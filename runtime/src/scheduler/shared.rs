//! What the workers of one runtime share, and the ways into it from outside.

use std::panic::Location;
use std::ptr::NonNull;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;
use std::{io, ptr};

use crossbeam_deque::{Injector, Steal, Stealer};
use crossbeam_utils::CachePadded;

use super::census::Census;
use super::curtain::Curtain;
use super::held_up::Hook;
use super::idle::Idle;
use super::metrics::Metrics;
use super::monitor::Monitor;
use super::parker::Parker;
use super::roster::Roster;
use super::spares::Spares;
use super::usage::{StackUsage, Usage};
use super::worker::Worker;
use crate::base::fork;
use crate::base::lock::lock;
use crate::base::sync::fence;
use crate::base::threads::Counted;
use crate::greenlet::{Origin, RawHandle, Runnable, Schedule, TimerKey, Token, create};
use crate::home::{self, Errno, Home};
use crate::reactor::Reactor;
use crate::stack::{Class, Guard, Pool};
use crate::timer::Timers;

/// Which kind of home the greenlets of a runtime have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum HomeKind {
    /// Homes of their own, at most `limit` of them; started greenlets move between workers.
    Moving { limit: usize },
    /// Each worker's own thread; started greenlets stay.
    Fixed,
}

/// How a runtime is to be.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) name: String,
    pub(crate) workers: usize,
    /// How many workers there may be, spares included.
    pub(crate) max_workers: usize,
    pub(crate) homes: HomeKind,
    pub(crate) class: Class,
    pub(crate) guard: Guard,
    /// How much of its stack each greenlet uses is measured.
    pub(crate) measure: bool,
    /// Deadlocks are reported.
    pub(crate) report_deadlocks: bool,
    /// Who is told of greenlets that hold up their workers.
    pub(crate) held_up: Option<Hook>,
}

/// One worker as the others see it.
#[derive(Debug)]
pub(super) struct Remote {
    /// The run-next slot: a `Runnable` as a raw pointer, or null. Its worker fills it, anybody may take from it.
    next: AtomicPtr<()>,
    pub(super) fresh: Stealer<Runnable>,
    pub(super) ready: Stealer<Runnable>,
    /// For greenlets that only this worker may run, from other threads.
    pub(super) inbox: Injector<Runnable>,
    pub(super) parker: Parker,
    pub(super) counts: Counts,
    /// Counts the worker's turns; written by it alone.
    pub(super) ticks: AtomicU32,
    /// For the monitor: the kernel's number of the thread, what the worker is doing, and whether, being a spare, it may step down.
    /// Written by the worker alone; nothing follows from them, so they are relaxed.
    pub(super) thread: AtomicU32,
    pub(super) presence: AtomicU8,
    pub(super) may_step_down: AtomicBool,
}

/// What a worker is doing, for the monitor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(super) enum Presence {
    /// It runs greenlets or looks for some.
    Up,
    /// It waits until there is a home for the next greenlet.
    Prepares,
    /// It sleeps until there is work.
    Asleep,
    /// Its thread has not begun; or a spare that rests, or has left; or the runtime has ended.
    Away,
}

/// What one worker (or all threads that are none) has counted. Written by that worker alone, so the stores are plain.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) spawned: AtomicUsize,
    pub(super) finished: AtomicUsize,
    pub(super) migrations: AtomicU64,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Shared {
    /// See `fork`.
    number: u64,
    pub(super) settings: Settings,
    pub(super) remotes: Roster,
    pub(super) spares: Spares,
    pub(super) injector: Injector<Runnable>,
    pub(super) idle: Idle,
    pub(super) census: Census,
    pub(super) homes: home::Pool,
    pub(super) stacks: Arc<Pool>,
    /// How much of them was used, if that is measured.
    pub(super) usage: Usage,
    pub(super) timers: Timers,
    pub(super) reactor: Arc<Reactor>,
    /// Until when the worker in the reactor's seat sleeps, in nanoseconds after `born`: 0 if nobody sleeps there,
    /// `u64::MAX` if without limit.
    pub(super) seat_until: AtomicU64,
    born: Instant,
    /// Greenlets spawned by threads that are no workers of this runtime.
    outside: CachePadded<AtomicUsize>,
    /// Such spawns under way.
    spawning: AtomicUsize,
    /// No more greenlets are accepted.
    pub(super) closed: AtomicBool,
    /// Workers return from their loops.
    pub(super) stopping: AtomicBool,
    pub(super) monitor: Monitor,
    _counted: Counted,
    /// Where the workers meet the reaper at the end.
    pub(super) curtain: Curtain,
    /// Told when, after `closed`, the last greenlet has ended.
    pub(super) drained: (Mutex<()>, Condvar),
}

/// A worker's own queues: its ends of them.
#[derive(Debug)]
pub(super) struct Queues {
    /// What has never run: last in, first out for the worker, first in, first out for thieves. A tree of greenlets is run
    /// depth first that way, with few of them started at a time, and a thief takes the largest part of it. Blumofe and
    /// Leiserson, "Scheduling multithreaded computations by work stealing", 1999.
    pub(super) fresh: crossbeam_deque::Worker<Runnable>,
    /// What has run before: first in, first out.
    pub(super) ready: crossbeam_deque::Worker<Runnable>,
}

impl Queues {
    pub(super) fn new() -> Self {
        Self {
            fresh: crossbeam_deque::Worker::new_lifo(),
            ready: crossbeam_deque::Worker::new_fifo(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.fresh.is_empty() && self.ready.is_empty()
    }
}

impl Shared {
    /// The shared part of a runtime and its workers' queues.
    pub(super) fn new(settings: Settings) -> io::Result<(Arc<Self>, Vec<Queues>)> {
        let workers = settings.workers;
        let limit = match settings.homes {
            HomeKind::Moving { limit } => limit,
            HomeKind::Fixed => workers,
        };
        let queues: Vec<Queues> = (0..workers).map(|_| Queues::new()).collect();
        // The first thief makes what all queues of the process free their memory by, behind a lock that is never released in a
        // child forked meanwhile. Here no worker is under way yet.
        let nothing = queues[0].fresh.stealer().steal();
        debug_assert!(nothing.is_empty());
        let shared = Self {
            number: fork::reserve(1).start,
            remotes: Roster::new(queues.iter().map(Remote::new), settings.max_workers),
            spares: Spares::new(),
            injector: Injector::new(),
            idle: Idle::new(workers),
            census: Census::new(workers),
            homes: home::Pool::new(&settings.name, limit),
            stacks: Arc::new(Pool::new(settings.guard)),
            usage: Usage::default(),
            timers: Timers::new(workers),
            reactor: Reactor::new()?,
            seat_until: AtomicU64::new(0),
            monitor: Monitor::new(),
            _counted: Counted::runtime(),
            curtain: Curtain::new(),
            born: Instant::now(),
            outside: CachePadded::new(AtomicUsize::new(0)),
            spawning: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            drained: (Mutex::new(()), Condvar::new()),
            settings,
        };
        Ok((Arc::new(shared), queues))
    }

    /// The settings it was made with.
    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The reactor of this runtime.
    pub(crate) fn reactor(&self) -> &Arc<Reactor> {
        &self.reactor
    }

    /// Makes a greenlet and puts it into a queue. `home` is the parent's, for a local child. Gives the closure back if
    /// the runtime accepts no more, or was left behind by a fork.
    ///
    /// # Safety
    /// If `F` or `T` is not `Send`, `home` is the caller's own home, in this runtime.
    pub(crate) unsafe fn spawn<F, T>(
        &self,
        f: F,
        name: Option<Box<str>>,
        class: Class,
        home: Option<Arc<Home>>,
        site: &'static Location<'static>,
    ) -> Result<RawHandle<T>, F>
    where
        F: FnOnce() -> T + 'static,
        T: 'static,
    {
        // The locks on the way may change errno, although nothing that the caller asked for failed.
        let errno = Errno::save();
        let worker = self.current_worker();
        if worker.is_none() {
            if self.is_left_behind() {
                return Err(f);
            }
            // SeqCst, against `close_and_settle`: either it sees us spawning and waits for the end of the push, or we
            // see `closed`.
            self.spawning.fetch_add(1, SeqCst);
        }
        let accepted = !self.closed.load(SeqCst);
        let result = if accepted {
            if let Some(home) = &home {
                self.homes.retain(home);
                // SAFETY: the caller runs in it, and the child is still to come.
                unsafe { home.open() };
            }
            let id = match worker {
                Some(worker) => worker.next_id(),
                None => fork::reserve(1).start,
            };
            let origin = Origin {
                id,
                name,
                class,
                home,
                site,
            };
            let schedule: NonNull<dyn Schedule> = NonNull::from(self);
            // SAFETY: shutdown ends every greenlet before the last reference to `self` that it keeps goes away; the
            // rest is the caller's promise.
            let (runnable, handle) = unsafe { create(f, schedule, origin) };
            match worker {
                Some(worker) => worker.spawned(runnable),
                None => {
                    self.outside.fetch_add(1, Relaxed);
                    self.push_from_outside(runnable);
                }
            }
            Ok(handle)
        } else {
            Err(f)
        };
        if worker.is_none() {
            self.spawning.fetch_sub(1, SeqCst);
        }
        errno.restore();
        result
    }

    /// Whether it was made before the fork that made this process: none of its threads is here, and no lock of it may be taken.
    pub(crate) fn is_left_behind(&self) -> bool {
        fork::is_left_behind(self.number)
    }

    /// Whether no more greenlets are accepted.
    ///
    /// A worker asks after it has counted an end, to tell the reaper; the reaper closes and then reads the counts. The worker
    /// may miss that at first, for there is no fence between its two steps; but before it sleeps there is one
    /// (`Idle::fall_asleep`), and it asks again. One of the two fences comes first: either the reaper sees the count, or
    /// the worker that it is closed.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(SeqCst)
    }

    /// Accepts no more greenlets.
    pub(super) fn close(&self) {
        self.closed.store(true, SeqCst);
        // See `is_closed`.
        fence(SeqCst);
    }

    /// Accepts no more greenlets. Spawns from outside that were under way have pushed theirs when this returns.
    pub(super) fn close_and_settle(&self) {
        self.close();
        while self.spawning.load(SeqCst) != 0 {
            // A few instructions of another thread away, unless that was preempted.
            std::thread::yield_now();
        }
    }

    /// The worker that the caller is, or runs on, if it is one of this runtime's. The reference must not be kept across
    /// a suspension.
    pub(super) fn current_worker(&self) -> Option<&Worker> {
        // SAFETY: the slot of the caller's own identity.
        self.worker_in(unsafe { &*home::slot() })
    }

    fn worker_in(&self, slot: &home::Slot) -> Option<&Worker> {
        let carrier = slot.carrier();
        // SAFETY: only workers are ever put into a slot as carriers, by a pointer to their first field; a worker stays
        // where it is while its thread, or a greenlet on it, runs.
        let worker = unsafe { carrier.cast::<Worker>().as_ref() }?;
        ptr::eq(worker.shared(), self).then_some(worker)
    }

    /// Does `f` with the runtime of the calling greenlet; `None` on a plain thread. `f` does not suspend.
    pub(crate) fn with_current<R>(f: impl FnOnce(&Arc<Self>) -> R) -> Option<R> {
        // SAFETY: the slot of the caller's own identity.
        let slot = unsafe { &*home::slot() };
        if slot.greenlet().is_null() {
            return None;
        }
        // SAFETY: as in `current_worker`.
        Some(f(unsafe { &*slot.carrier().cast::<Worker>() }.shared_arc()))
    }

    /// The runtime of the calling greenlet.
    pub(crate) fn current() -> Option<Arc<Self>> {
        Self::with_current(Arc::clone)
    }

    /// Puts a ready greenlet where some worker, or the one it is bound to, will find it.
    pub(super) fn push_from_outside(&self, runnable: Runnable) {
        match runnable.bound_to() {
            Some(worker) => {
                self.remotes[worker].inbox.push(runnable);
                // The worker looks at its inbox after it has announced its sleep and before it sleeps; and the call
                // makes a sleep that has begun, or is about to, end.
                self.remotes[worker].parker.unpark(&self.reactor);
            }
            None => {
                self.injector.push(runnable);
                self.wake_one();
            }
        }
    }

    /// Wakes a worker if none is looking for work.
    pub(super) fn wake_one(&self) {
        if let Some(worker) = self.idle.wake_one() {
            self.remotes[worker].parker.unpark(&self.reactor);
        }
    }

    /// The same for a caller whose work is in its own worker's queue, where it will find it in any case: without the fence,
    /// so a worker that is just falling asleep may be missed. The next push, or the monitor, makes up for it.
    pub(super) fn wake_one_unless_busy(&self) {
        if self.idle.may_need_wake() {
            self.wake_one();
        }
    }

    /// Wakes every worker, to see that something has changed for all.
    pub(super) fn wake_all(&self) {
        for remote in self.remotes.iter() {
            remote.parker.unpark(&self.reactor);
        }
    }

    /// Whether a worker would find something to do, apart from what only others may run.
    pub(super) fn has_work(&self, worker: usize) -> bool {
        self.has_common_work()
            || !self.remotes[worker].inbox.is_empty()
            || self.stopping.load(Acquire)
    }

    /// Whether there is something from outside for worker `worker`.
    pub(super) fn has_injected(&self, worker: usize) -> bool {
        !self.injector.is_empty() || !self.remotes[worker].inbox.is_empty()
    }

    /// Whether there is something that any worker may run.
    pub(super) fn has_common_work(&self) -> bool {
        !self.injector.is_empty() || self.remotes.iter().any(|remote| !remote.is_empty())
    }

    /// A greenlet from one of the queues that are not a worker's own, when no worker runs any more.
    pub(super) fn take_queued(&self) -> Option<Runnable> {
        let inboxes = self.remotes.iter().map(|remote| &remote.inbox);
        for queue in inboxes.chain([&self.injector]) {
            while !queue.is_empty() {
                if let Steal::Success(runnable) = queue.steal() {
                    return Some(runnable);
                }
            }
        }
        None
    }

    /// How many greenlets have not ended. Never too few: the ends are counted first.
    pub(crate) fn live(&self) -> usize {
        let finished: usize = self
            .remotes
            .iter()
            .map(|r| r.counts.finished.load(Acquire))
            .sum();
        let spawned: usize = self
            .remotes
            .iter()
            .map(|r| r.counts.spawned.load(Acquire))
            .sum();
        (spawned + self.outside.load(Acquire)).saturating_sub(finished)
    }

    /// Called after an end when `closed` is set.
    #[cold]
    pub(super) fn tell_if_drained(&self) {
        if self.live() == 0 {
            drop(lock(&self.drained.0));
            self.drained.1.notify_all();
        }
    }

    /// A look at the counters.
    pub(crate) fn metrics(&self) -> Metrics {
        Metrics {
            workers: self.settings.workers,
            spares: self.spare_workers(),
            greenlets: self.live(),
            suspended: self.census.len(),
            stacks: self.stacks.in_use(),
            stacks_reserved: self.stacks.reserved(),
            homes: match self.settings.homes {
                HomeKind::Moving { .. } => self.homes.len(),
                HomeKind::Fixed => self.idle.workers(),
            },
            migrations: self
                .remotes
                .iter()
                .map(|r| r.counts.migrations.load(Relaxed))
                .sum(),
            sources: self.reactor.sources(),
            timers: self.timers.len(),
        }
    }

    /// How many spare workers there are that do not rest.
    pub(super) fn spare_workers(&self) -> usize {
        self.idle.workers().saturating_sub(self.settings.workers)
    }

    /// How much of their stacks the greenlets have used, by spawn site; nothing if that is not measured.
    pub(crate) fn stack_usage(&self) -> Vec<StackUsage> {
        if !self.settings.measure {
            return Vec::new();
        }
        let living = self.census.everybody().into_iter().filter_map(|greenlet| {
            let used = greenlet.stack_used()?;
            Some((greenlet.site, used, greenlet.class.size()))
        });
        self.usage.table_with(living)
    }

    /// `at` as `seat_until` counts.
    pub(super) fn since_birth(&self, at: Option<Instant>) -> u64 {
        let nanos = |at: Instant| at.saturating_duration_since(self.born).as_nanos() as u64;
        // Not 0, which means that nobody sleeps.
        at.map_or(u64::MAX, |at| nanos(at).max(1))
    }
}

impl Remote {
    /// A worker whose thread has not started, with these queues.
    pub(super) fn new(queues: &Queues) -> Self {
        Self {
            next: AtomicPtr::new(ptr::null_mut()),
            fresh: queues.fresh.stealer(),
            ready: queues.ready.stealer(),
            inbox: Injector::new(),
            parker: Parker::new(),
            counts: Counts::default(),
            ticks: AtomicU32::new(0),
            thread: AtomicU32::new(0),
            presence: AtomicU8::new(Presence::Away as u8),
            may_step_down: AtomicBool::new(true),
        }
    }

    /// Whether it is doing this, as far as can be seen from elsewhere.
    pub(super) fn is(&self, presence: Presence) -> bool {
        self.presence.load(Relaxed) == presence as u8
    }

    /// Says what the worker is doing.
    pub(super) fn set(&self, presence: Presence) {
        self.presence.store(presence as u8, Relaxed);
    }

    /// Whether there is nothing here that others may take.
    fn is_empty(&self) -> bool {
        self.fresh.is_empty() && self.ready.is_empty() && self.next.load(Acquire).is_null()
    }

    /// Puts a greenlet into the run-next slot; the one that was there comes out.
    pub(super) fn put_next(&self, runnable: Runnable) -> Option<Runnable> {
        let next = runnable.into_raw().as_ptr().cast();
        if self.next.load(Relaxed).is_null() {
            // Others only take: it stays empty until we fill it. Release: pairs with the acquire in `take_next`.
            self.next.store(next, Release);
            return None;
        }
        // Release: the greenlet's state as its waker left it. Acquire: for the one that comes out.
        Self::runnable(self.next.swap(next, AcqRel))
    }

    /// Whether there is one in the run-next slot.
    pub(super) fn has_next(&self) -> bool {
        !self.next.load(Relaxed).is_null()
    }

    /// Takes the greenlet in the run-next slot.
    pub(super) fn take_next(&self) -> Option<Runnable> {
        if self.next.load(Relaxed).is_null() {
            return None;
        }
        // Acquire: pairs with the release in `put_next`.
        Self::runnable(self.next.swap(ptr::null_mut(), AcqRel))
    }

    fn runnable(next: *mut ()) -> Option<Runnable> {
        // SAFETY: only `put_next` puts pointers here, made from a right that the swap has now given to us.
        NonNull::new(next).map(|header| unsafe { Runnable::new(header.cast()) })
    }
}

impl Schedule for Shared {
    fn ready(&self, runnable: Runnable) {
        let errno = Errno::save();
        // SAFETY: the slot of the caller's own identity.
        let slot = unsafe { &*home::slot() };
        if let Some(worker) = self.worker_in(slot) {
            worker.woken(runnable, !slot.greenlet().is_null());
            errno.restore();
            return;
        }
        if self.is_left_behind() {
            // Nobody runs it in this process. The right to is not used again.
            let _ = runnable.into_raw();
            return;
        }
        // Once the greenlet is in a queue it may run, end, and let its runtime end too: hold on to ourselves first.
        // SAFETY: `self` lives in an `Arc` (`new`), whose count is not zero while a greenlet that is not done exists.
        let _alive = unsafe {
            Arc::increment_strong_count(self);
            Arc::from_raw(self)
        };
        self.push_from_outside(runnable);
        errno.restore();
    }

    fn arm(&self, at: Instant, token: Token) -> TimerKey {
        let shard = self.current_worker().map_or(0, Worker::shard);
        let (key, earliest) = self.timers.arm(shard, at, token);
        // The worker in the seat writes `seat_until` and then asks for the next deadline: either it sees this timer
        // then, or we see its `seat_until` here: there is a fence between the two steps on both sides.
        fence(SeqCst);
        if earliest && self.since_birth(Some(at)) < self.seat_until.load(SeqCst) {
            self.reactor.notify();
        }
        key
    }

    fn disarm(&self, key: TimerKey) {
        self.timers.disarm(key);
    }
}
