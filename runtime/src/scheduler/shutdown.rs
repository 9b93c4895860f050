//! The threads of a runtime, and its end.
//!
//! The end has one order, kept by one thread (the *reaper*), so that it works the same from a plain thread, from a
//! greenlet of another runtime, and when the last handle goes away inside the runtime itself:
//!
//! 1. no greenlet is accepted any more;
//! 2. until the deadline, what was accepted may end;
//! 3. the workers return from their loops, each after the greenlet it runs has suspended or ended;
//! 4. greenlets that never ran are refused: their closures are dropped in their homes. Greenlets that are suspended are
//!    given up: their frames stay where they are and their stacks are not used again. Whoever joins either is told;
//! 5. the reactor is closed: what waits for its sources elsewhere gets an error;
//! 6. the threads of the homes end, thread-local destructors included.

use std::io;
use std::sync::atomic::Ordering::Release;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Instant;

use super::shared::{HomeKind, Settings, Shared};
use super::worker::Worker;
use crate::base::lock::lock;
use crate::greenlet::{NeverRan, Runnable};
use crate::home::CarrierThread;
use crate::park::{Ended, Wait, WaitQueue};

/// The workers of a runtime, until they are sent home.
#[derive(Debug)]
pub(crate) struct Crew {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

/// The end of a runtime, under way.
#[derive(Debug)]
pub(crate) struct Ending {
    state: Arc<EndState>,
}

#[derive(Debug, Default)]
struct EndState {
    /// How many greenlets were left, once that is known.
    left: Mutex<Option<usize>>,
    waiting: WaitQueue,
}

impl Crew {
    /// Starts a runtime's threads.
    pub(crate) fn start(settings: Settings) -> io::Result<Self> {
        let (shared, queues) = Shared::new(settings)?;
        let mut crew = Self {
            shared,
            threads: Vec::new(),
        };
        let started = crew.start_threads(queues);
        if let Err(error) = started {
            reap(&crew.shared, crew.threads, Instant::now());
            return Err(error);
        }
        Ok(crew)
    }

    fn start_threads(&mut self, queues: Vec<crossbeam_deque::Worker<Runnable>>) -> io::Result<()> {
        let settings = &self.shared.settings;
        if let HomeKind::Moving { .. } = settings.homes {
            // At least one, so that a worker can always share; one each saves the first greenlets the wait.
            self.shared.homes.start(settings.workers)?;
        }
        for (index, queue) in queues.into_iter().enumerate() {
            let shared = self.shared.clone();
            let thread = Builder::new()
                .name(format!("{}-{index}", settings.name))
                .spawn(move || Worker::run_thread(shared, index, queue))?;
            self.threads.push(thread);
        }
        Ok(())
    }

    /// What the runtime's threads share.
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Begins the end: accepted greenlets have until `deadline`.
    pub(crate) fn end(self, deadline: Instant) -> Ending {
        let state = Arc::<EndState>::default();
        let Self { shared, threads } = self;
        shared.close();
        let tell = state.clone();
        let body = move || {
            let left = reap(&shared, threads, deadline);
            // What was left is known; the memory goes before anybody is told, so that all is gone then.
            drop(shared);
            *lock(&tell.left) = Some(left);
            tell.waiting.fire_all();
        };
        let mut body = Some(body);
        // The closure is kept where a failed start leaves it: without a thread, the caller reaps.
        let slot = Arc::new(Mutex::new(body.take()));
        let of_thread = slot.clone();
        let started = Builder::new()
            .name("sward-reaper".to_owned())
            .spawn(move || {
                if let Some(body) = lock(&of_thread).take() {
                    body();
                }
            });
        if started.is_err()
            && let Some(body) = lock(&slot).take()
        {
            body();
        }
        Ending { state }
    }
}

impl Ending {
    /// Waits for the end, until `deadline` at most. How many greenlets were left; `None` if the end is still under way,
    /// because a worker has not come back from the greenlet it runs.
    pub(crate) fn wait(&self, deadline: Instant) -> Option<usize> {
        loop {
            let wait = Wait::begin();
            self.state.waiting.enlist(wait.token(0));
            // Enlisted first, looked afterwards: the reaper writes first and fires afterwards.
            let left = *lock(&self.state.left);
            if left.is_some() {
                self.state.waiting.delist(&wait);
                return left;
            }
            if let Ended::TimedOut = wait.park_until(Some(deadline)) {
                return *lock(&self.state.left);
            }
        }
    }
}

/// Steps 1 to 6. Returns how many greenlets had not ended by themselves.
fn reap(shared: &Arc<Shared>, threads: Vec<JoinHandle<()>>, deadline: Instant) -> usize {
    shared.close_and_settle();
    wait_until_drained(shared, deadline);
    // Release: pairs with the acquire in the workers' loops.
    shared.stopping.store(true, Release);
    shared.wake_all();
    for thread in threads {
        // A worker never panics: its guard aborts.
        let _ = thread.join();
    }
    let left = shared.live();
    give_up_the_rest(shared);
    shared.reactor.close();
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

/// Step 4. No worker runs any more. The right to run each greenlet is in exactly one place: in a queue, in a home's list, in
/// its wait word, or in the hands of a foreign thread that has just ended its wait and is about to push it. The last is
/// waited for: until that thread has pushed, it relies on the greenlet, and through it on `shared`.
fn give_up_the_rest(shared: &Shared) {
    let thread = CarrierThread::register();
    loop {
        while let Some(runnable) = shared.take_queued() {
            give_up(shared, runnable);
        }
        for link in shared.homes.drain() {
            // SAFETY: the list of a home that nobody occupies any more gave the right to us.
            give_up(shared, unsafe { Runnable::from_link(link) });
        }
        for greenlet in shared.census.everybody() {
            if greenlet.wait.seize() {
                // SAFETY: the right was in the word, and we have taken it.
                give_up(shared, unsafe { Runnable::new(greenlet.as_ptr()) });
            }
        }
        if shared.census.len() == 0 {
            break;
        }
        std::thread::yield_now();
    }
    drop(thread);
}

/// Ends a greenlet that will not run (again).
fn give_up(shared: &Shared, mut runnable: Runnable) {
    if let Some(place) = runnable.life().census.take() {
        // SAFETY: it has run, so no closure is dropped.
        unsafe { runnable.refuse(NeverRan::Shutdown) };
        shared.census.leave(place);
        return runnable.finish_abandoned();
    }
    let home = runnable.life().home.take();
    match &home {
        Some(home) => {
            // SAFETY: no worker occupies any home; this thread is registered. The closure is dropped in its home.
            unsafe {
                home.announce(std::ptr::null(), std::ptr::null());
                home.run_as(|| runnable.refuse(NeverRan::Shutdown));
            }
            shared.homes.release(home);
        }
        // SAFETY: without a home, its closure is `Send`.
        None => unsafe { runnable.refuse(NeverRan::Shutdown) },
    }
    runnable.finish();
}
