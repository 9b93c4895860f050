//! The threads of a runtime, and its end.
//!
//! The end has one order, kept by one thread (the *reaper*, started with the runtime), so that it works the same from a plain
//! thread, from a greenlet of another runtime, and when the last handle goes away inside the runtime itself:
//!
//! 1. no greenlet is accepted any more;
//! 2. until the deadline, what was accepted may end;
//! 3. the workers return from their loops, each after the greenlet it runs has suspended or ended;
//! 4. every greenlet that is left is given up, and whoever joins it is told. Of those that never ran the closures are kept for
//!    step 6; those that are suspended keep their frames, and their stacks are not used again;
//! 5. the reactor is closed: what waits for its sources elsewhere gets an error;
//! 6. the closures are dropped, each in its home. This is user code, and may wait for any greenlet, which is why all have been
//!    told before;
//! 7. the threads of workers and homes end, thread-local destructors included; except those in whose identity frames were
//!    left, since these may have lent out references to its thread-locals (`thread::scope` inside `LocalKey::with`). They sleep on.

use std::pin::pin;
use std::ptr;
use std::sync::atomic::Ordering::Release;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::{Builder, JoinHandle};
use std::time::Instant;
use std::{fmt, io};

use super::monitor::Monitor;
use super::reporter;
use super::shared::{HomeKind, Queues, Settings, Shared};
use super::worker::Worker;
use crate::base::fault::{self, Door};
use crate::base::lock::lock;
use crate::base::say::say;
use crate::base::threads::Counted;
use crate::greenlet::{Greenlet, GreenletRef, NeverRan, Reason, Runnable, Unrun};
use crate::home::{CarrierThread, Home};
use crate::park::{Ended, Wait, WaitQueue};
use crate::stack::{Room, room_for_thread};

/// Address space for a thread: std's default for its stack, and as much for all else.
const THREAD_SPACE: usize = 4 << 20;

/// The workers of a runtime, until they are sent home.
#[derive(Debug)]
pub(crate) struct Crew {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    /// The monitor, and after it the reporter, if there is one.
    watchers: Vec<JoinHandle<()>>,
    reaper: mpsc::Sender<Order>,
}

/// The order to end a runtime.
struct Order {
    threads: Vec<JoinHandle<()>>,
    /// The monitor, and after it the reporter, if there is one.
    watchers: Vec<JoinHandle<()>>,
    deadline: Instant,
    /// Nobody is told by a value what was left, so it is said on standard error.
    say: bool,
    state: Arc<EndState>,
}

/// The end of a runtime, under way.
#[derive(Debug)]
pub(crate) struct Ending {
    state: Arc<EndState>,
}

#[derive(Debug, Default)]
struct EndState {
    /// Which greenlets were left, once that is known.
    left: Mutex<Option<Left>>,
    waiting: WaitQueue,
}

/// Which greenlets had not ended by themselves when their runtime did.
#[derive(Clone, Default, Debug)]
pub(crate) struct Left {
    /// How many.
    pub(crate) count: usize,
    /// How many of them were suspended: their frames stay as they are, and no destructor of theirs runs.
    pub(crate) suspended: usize,
    /// The first of those.
    pub(crate) some: Vec<Greenlet>,
}

/// How many are named. Arbitrary: enough to find out what they are, and few enough for a line.
const NAMED: usize = 4;

impl Left {
    /// What is to be told of a runtime that has not ended yet, for one of its greenlets does not come back.
    pub(crate) fn so_far(shared: &Shared) -> Self {
        let mut left = Self::default();
        for greenlet in shared.census.everybody() {
            left.note(greenlet);
        }
        left.count = shared.live().max(left.suspended);
        left
    }

    fn note(&mut self, greenlet: GreenletRef) {
        self.suspended += 1;
        if self.some.len() < NAMED {
            self.some.push(Greenlet::new(greenlet));
        }
    }
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "greenlets that had not ended: {}", self.count)?;
        if self.suspended == 0 {
            return Ok(());
        }
        let Self {
            suspended, some, ..
        } = self;
        write!(
            f,
            "; suspended among them, whose destructors will not run: {suspended}: "
        )?;
        for (number, greenlet) in some.iter().enumerate() {
            let name = greenlet.name().unwrap_or("<unnamed>");
            let (id, site) = (greenlet.id(), greenlet.spawned_at());
            let comma = if number == 0 { "" } else { ", " };
            write!(f, "{comma}'{name}' (id {id}, spawned at {site})")?;
        }
        match suspended - some.len() {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

impl Crew {
    /// Starts a runtime's threads.
    pub(crate) fn start(settings: Settings) -> io::Result<Self> {
        let (shared, queues) = Shared::new(settings)?;
        let (reaper, orders) = mpsc::channel();
        let of_reaper = shared.clone();
        let room = may_start_thread()?;
        Builder::new()
            .name(format!("{}-reaper", shared.settings().name))
            .spawn(move || {
                drop(room);
                await_order(of_reaper, &orders);
            })?;
        let mut crew = Self {
            shared,
            threads: Vec::new(),
            watchers: Vec::new(),
            reaper,
        };
        if let Err(error) = crew.start_threads(queues) {
            let now = Instant::now();
            // Nothing runs on it yet, so the end does not take long.
            while crew
                .end_by_ref(now, false)
                .wait(now + std::time::Duration::from_secs(3600))
                .is_none()
            {}
            return Err(error);
        }
        Ok(crew)
    }

    fn start_threads(&mut self, queues: Vec<Queues>) -> io::Result<()> {
        let settings = &self.shared.settings;
        if let HomeKind::Moving { .. } = settings.homes {
            // At least one, so that a worker can always share; one each saves the first greenlets the wait.
            self.shared.homes.start(settings.workers)?;
        }
        for (index, queues) in queues.into_iter().enumerate() {
            let shared = self.shared.clone();
            let room = may_start_thread()?;
            let thread = Builder::new()
                .name(format!("{}-{index}", settings.name))
                .spawn(move || {
                    drop(room);
                    Worker::run_thread(shared, index, queues);
                })?;
            self.threads.push(thread);
        }
        let (tells, told) = mpsc::channel();
        let reporter = settings.held_up.is_some().then_some(tells);
        let reports = reporter.is_some();
        self.watch("monitor", move |shared| {
            Monitor::run_thread(shared, reporter)
        })?;
        if reports {
            self.watch("reporter", move |shared| {
                reporter::run_thread(shared, &told)
            })?;
        }
        Ok(())
    }

    /// Starts a thread that is no worker.
    fn watch(
        &mut self,
        name: &str,
        life: impl FnOnce(&Arc<Shared>) + Send + 'static,
    ) -> io::Result<()> {
        let room = may_start_thread()?;
        let shared = self.shared.clone();
        let thread = Builder::new()
            .name(format!("{}-{name}", shared.settings().name))
            .spawn(move || {
                drop(room);
                life(&shared);
            })?;
        self.watchers.push(thread);
        Ok(())
    }

    /// What the runtime's threads share.
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Begins the end: accepted greenlets have until `deadline`. What is left then is said on standard error if `say`.
    pub(crate) fn end(mut self, deadline: Instant, say: bool) -> Ending {
        self.end_by_ref(deadline, say)
    }

    fn end_by_ref(&mut self, deadline: Instant, say: bool) -> Ending {
        let state = Arc::<EndState>::default();
        self.shared.close();
        let threads = std::mem::take(&mut self.threads);
        let order = Order {
            threads,
            watchers: std::mem::take(&mut self.watchers),
            deadline,
            say,
            state: state.clone(),
        };
        // The reaper waits for this one order, so it is there.
        let _ = self.reaper.send(order);
        Ending { state }
    }
}

impl Ending {
    /// Waits for the end, until `deadline` at most. Which greenlets were left; `None` if the end is still under way,
    /// because a worker has not come back from the greenlet it runs.
    pub(crate) fn wait(&self, deadline: Instant) -> Option<Left> {
        loop {
            let wait = Wait::begin(Reason::Shutdown);
            let place = pin!(self.state.waiting.place(()));
            self.state.waiting.enlist(place.as_ref(), wait.token(0));
            // Enlisted first, looked afterwards: the reaper writes first and fires afterwards.
            let left = lock(&self.state.left).clone();
            if left.is_some() {
                return left;
            }
            if let Ended::TimedOut = wait.park_until(Some(deadline)) {
                return lock(&self.state.left).clone();
            }
        }
    }
}

/// Whether one more thread may be started. It drops what it is given when it runs.
pub(super) fn may_start_thread() -> io::Result<Room> {
    fault::at(Door::Thread)?;
    room_for_thread(THREAD_SPACE)
}

/// The reaper's life.
fn await_order(shared: Arc<Shared>, orders: &mpsc::Receiver<Order>) {
    let _ours = Counted::ours();
    // Without an order the runtime was never handed out, or lives for ever.
    let Ok(Order {
        threads,
        watchers,
        deadline,
        say: aloud,
        state,
    }) = orders.recv()
    else {
        return;
    };
    let left = reap(&shared, threads, deadline);
    shared.monitor.stop();
    for watcher in watchers {
        // They never panic: they hold no lock while they look, catch what a hook throws, and have nothing else to fail at.
        let _ = watcher.join();
    }
    if aloud && left.count != 0 {
        let name = &shared.settings().name;
        say(format_args!("runtime '{name}' was dropped: {left}"));
    }
    // The memory goes before anybody is told, so that all is gone then.
    drop(shared);
    *lock(&state.left) = Some(left);
    state.waiting.fire_all();
}

/// Steps 1 to 7. Returns which greenlets had not ended by themselves.
fn reap(shared: &Arc<Shared>, threads: Vec<JoinHandle<()>>, deadline: Instant) -> Left {
    shared.close_and_settle();
    wait_until_drained(shared, deadline);
    // Release: pairs with the acquire in the workers' loops.
    shared.stopping.store(true, Release);
    let spares = shared.spares.close();
    // Those that came before that are woken, too.
    shared.wake_all();
    shared.curtain.wait_for(threads.len() + spares.coming);
    let mut left = Left {
        count: shared.live(),
        ..Left::default()
    };
    let carrier = CarrierThread::register();
    let unrun = give_up_the_rest(shared, &mut left);
    shared.reactor.close();
    let staying = shared.curtain.lower();
    for (closure, home) in unrun {
        drop_in(closure, home.as_deref());
    }
    drop(carrier);
    let threads = threads.into_iter().enumerate();
    spares
        .ended
        .into_iter()
        .for_each(|thread| _ = thread.join());
    for (index, thread) in threads.chain(spares.threads) {
        if !staying.contains(&index) {
            // A worker never panics: its guard aborts.
            let _ = thread.join();
        }
    }
    shared.homes.end();
    left
}

fn wait_until_drained(shared: &Shared, deadline: Instant) {
    let (mutex, condition) = &shared.drained;
    let mut guard = lock(mutex);
    while shared.live() != 0 {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        guard = condition
            .wait_timeout(guard, left)
            .unwrap_or_else(PoisonError::into_inner)
            .0;
    }
}

/// A closure that never ran, and the home it belongs to, if it has one.
type Leftover = (Unrun, Option<Arc<Home>>);

/// Step 4. No worker runs any more. The right to run each greenlet is in exactly one place: in a queue, in a home's list, in
/// its wait word, or in the hands of a foreign thread that has just ended its wait and is about to push it. The last is
/// waited for: until that thread has pushed, it relies on the greenlet, and through it on `shared`.
fn give_up_the_rest(shared: &Shared, left: &mut Left) -> Vec<Leftover> {
    let mut unrun = Vec::new();
    loop {
        while let Some(runnable) = shared.take_queued() {
            unrun.extend(give_up(shared, runnable, left));
        }
        for link in shared.homes.drain() {
            // SAFETY: the list of a home that nobody occupies any more gave the right to us.
            unrun.extend(give_up(shared, unsafe { Runnable::from_link(link) }, left));
        }
        for greenlet in shared.census.everybody() {
            if greenlet.wait.seize() {
                // SAFETY: the right was in the word, and we have taken it.
                let runnable = unsafe { Runnable::new(greenlet.as_ptr()) };
                unrun.extend(give_up(shared, runnable, left));
            }
        }
        if shared.census.len() == 0 {
            return unrun;
        }
        std::thread::yield_now();
    }
}

/// Ends a greenlet that will not run (again). The closure of one that never ran is returned.
fn give_up(shared: &Shared, mut runnable: Runnable, left: &mut Left) -> Option<Leftover> {
    if let Some(place) = runnable.life().census.take() {
        left.note(runnable.reference());
        // It has run: its closure is in its frames, and so its home keeps its load and does not end.
        runnable.refuse(NeverRan::Shutdown).drop_here();
        shared.census.leave(place);
        runnable.finish_abandoned();
        return None;
    }
    let home = runnable.life().home.take();
    let closure = runnable.refuse(NeverRan::Shutdown);
    if let Some(home) = &home {
        shared.homes.release(home);
    }
    runnable.finish();
    Some((closure, home))
}

/// Drops a closure that never ran where it belongs.
fn drop_in(closure: Unrun, home: Option<&Home>) {
    match home {
        // SAFETY: no worker occupies any home, and this thread is registered.
        Some(home) => unsafe {
            home.announce(ptr::null(), ptr::null());
            home.run_as(|| closure.drop_here());
        },
        // Without a home, it is `Send`.
        None => closure.drop_here(),
    }
}
