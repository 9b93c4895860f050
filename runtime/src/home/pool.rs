//! The homes of one runtime: made on demand up to a limit, then half of them shared evenly.
//!
//! A greenlet takes a home when it first runs (through its worker, which keeps one ready) and gives it back at its end.
//! While there are free homes, or the limit is not reached, each has one greenlet; above that they are shared.
//!
//! Homes are of two kinds, by their number. A *dedicated* one (odd) has one greenlet (and the local children that this has),
//! and costs nothing to enter and leave (`occupancy`); a *common* one (even) may be shared with strangers. So about half are
//! common, however many there are or can be started; with a limit of one or two all are. Of those that are free, dedicated
//! ones are given out first.
//!
//! Who comes when none is left shares the better of two random common ones (Mitzenmacher, "The power of two choices",
//! 2001), which keeps the loads within a few of each other without a search.

use std::io;
use std::ptr::NonNull;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::Home;
use super::thread::{HomeThread, Starting};
use crate::base::link::Link;
use crate::base::lock::lock;
use crate::base::rng::Rng;

/// One for so many that there are is started ahead, when one is needed: on a busy machine whoever starts a thread may wait for
/// milliseconds until that gets a processor, and so waits for several at once. Those that are under way count. Arbitrary.
const AHEAD: usize = 4;
/// How many are started at once, at most. Arbitrary.
const MOST_AT_ONCE: usize = 16;
/// For how long no thread is asked for after none could be had: a failing attempt costs tens of microseconds. Arbitrary.
const NO_THREAD: Duration = Duration::from_millis(100);

impl Inner {
    /// Whether greenlets have to share: as many homes are there as may be, or no more threads can be had for now. Those that are being
    /// started do not count, for they are not all taken.
    fn is_full(&mut self, limit: usize) -> bool {
        if self.threads.len() >= limit {
            return true;
        }
        let waits = self.not_before.is_some_and(|at| Instant::now() < at);
        if !waits {
            self.not_before = None;
        }
        waits
    }

    /// Gives out home `index`, which nobody has.
    fn give(&mut self, index: usize) -> Arc<Home> {
        let home = self.load(index, 1);
        if self.is_dedicated(index) {
            // SAFETY: nobody has it, and it is given out under the pool's lock, as it was given back.
            unsafe { home.dedicate() };
        }
        home
    }

    /// A home that nobody has.
    fn acquire_free(&mut self) -> Option<Arc<Home>> {
        let index = self.free_dedicated.pop().or_else(|| self.free.pop())?;
        Some(self.give(index))
    }

    /// Takes in homes that have been started, free. Others may have been meanwhile: a home's number is its place in the table.
    fn take_in(&mut self, threads: Vec<HomeThread>) {
        for mut thread in threads {
            let index = self.threads.len();
            if let Some(home) = Arc::get_mut(&mut thread.home) {
                home.index = index;
            }
            self.threads.push(thread);
            self.free_list(index).push(index);
        }
    }

    /// Where home `index` goes when nobody has it.
    fn free_list(&mut self, index: usize) -> &mut Vec<usize> {
        if self.is_dedicated(index) {
            &mut self.free_dedicated
        } else {
            &mut self.free
        }
    }

    /// One of those that others have; none is free.
    fn acquire_shared(&mut self) -> Option<Arc<Home>> {
        let threads = self.threads.len();
        if threads == 0 {
            return None;
        }
        let (count, step) = if self.all_common {
            (threads, 1)
        } else {
            (threads.div_ceil(2), 2)
        };
        let load = |index: usize| self.threads[index].home.load.load(Relaxed);
        let common = || step * self.rng.below(count);
        let (a, b) = (common(), common());
        let index = if load(b) < load(a) { b } else { a };
        Some(self.load(index, 1))
    }

    /// Whether home `index` is of the kind that one greenlet has.
    fn is_dedicated(&self, index: usize) -> bool {
        !self.all_common && index % 2 == 1
    }

    /// Changes the load of home `index`. Relaxed: changed under the lock, and otherwise a hint.
    fn load(&self, index: usize, by: isize) -> Arc<Home> {
        let home = &self.threads[index].home;
        home.load
            .store(home.load.load(Relaxed).wrapping_add_signed(by), Relaxed);
        home.clone()
    }
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Pool {
    name: String,
    limit: usize,
    inner: Mutex<Inner>,
    /// Told when homes have been started, or could not be.
    started: Condvar,
}

#[derive(Debug)]
struct Inner {
    threads: Vec<HomeThread>,
    /// None is dedicated: one common home alone would have all that share run one after the other.
    all_common: bool,
    /// The dedicated ones whose load is 0.
    free_dedicated: Vec<usize>,
    /// The common ones whose load is 0.
    free: Vec<usize>,
    /// Homes being started outside the lock; they count against the limit.
    starting: usize,
    /// How many names of threads are used up.
    named: usize,
    /// No thread could be had: none is asked for before this.
    not_before: Option<Instant>,
    rng: Rng,
}

impl Pool {
    /// A pool of at most `limit` homes, whose threads are named after the runtime `name`.
    pub(crate) fn new(name: &str, limit: usize) -> Self {
        let limit = limit.max(1);
        let inner = Inner {
            threads: Vec::new(),
            all_common: limit <= 2,
            free_dedicated: Vec::new(),
            free: Vec::new(),
            starting: 0,
            named: 0,
            not_before: None,
            rng: Rng::new(limit as u64),
        };
        Self {
            name: name.to_owned(),
            limit,
            inner: Mutex::new(inner),
            started: Condvar::new(),
        }
    }

    /// A home for one more greenlet. Fails only when there is no home at all and none can be started.
    pub(crate) fn acquire(&self) -> io::Result<Arc<Home>> {
        let mut inner = lock(&self.inner);
        loop {
            if let Some(home) = inner.acquire_free() {
                return Ok(home);
            }
            if inner.is_full(self.limit)
                && let Some(home) = inner.acquire_shared()
            {
                return Ok(home);
            }
            let left = self.limit - inner.threads.len() - inner.starting;
            if left == 0 {
                // Others start the last ones, and not all for themselves.
                inner = self
                    .started
                    .wait(inner)
                    .unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let ahead = (inner.threads.len() / AHEAD).saturating_sub(inner.starting);
            let count = ahead.clamp(1, left.min(MOST_AT_ONCE));
            let started;
            (inner, started) = self.start_some(inner, count);
            if let Err(error) = started {
                // No more threads to be had: share what there is.
                let home = inner.acquire_free().or_else(|| inner.acquire_shared());
                return home.ok_or(error);
            }
        }
    }

    /// Starts `count` homes, for which there is room, or as many as can be, and takes them in; an error if none can. Gives the
    /// lock up meanwhile.
    fn start_some<'a>(
        &'a self,
        mut inner: MutexGuard<'a, Inner>,
        count: usize,
    ) -> (MutexGuard<'a, Inner>, io::Result<()>) {
        let first = inner.named;
        inner.named += count;
        inner.starting += count;
        drop(inner);
        let (mut starting, mut threads, mut failed) = (Vec::new(), Vec::new(), None);
        let mut fitting = count;
        let room = loop {
            match HomeThread::room_for(fitting) {
                Ok(room) => break Some(room),
                Err(error) => failed = Some(error),
            }
            fitting /= 2;
            if fitting == 0 {
                break None;
            }
        };
        // All are started before the first is waited for.
        for name in first..first + fitting {
            match Starting::start(&self.name, name) {
                Ok(one) => starting.push(one),
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
        }
        for one in starting {
            match one.arrive() {
                Ok(thread) => threads.push(thread),
                Err(error) => failed = Some(error),
            }
        }
        drop(room);
        let mut inner = lock(&self.inner);
        inner.starting -= count;
        // Also if there are none: those who wait may do better.
        self.started.notify_all();
        let result = match failed {
            Some(error) if threads.is_empty() => Err(error),
            _ => Ok(()),
        };
        if result.is_err() {
            inner.not_before = Some(Instant::now() + NO_THREAD);
        }
        inner.take_in(threads);
        (inner, result)
    }

    /// The same, unless a home would have to be started first.
    pub(crate) fn try_acquire(&self) -> Option<Arc<Home>> {
        let mut inner = lock(&self.inner);
        let free = inner.acquire_free();
        free.or_else(|| {
            let full = inner.is_full(self.limit);
            full.then(|| inner.acquire_shared()).flatten()
        })
    }

    /// Starts the first `count` homes, or as many as the limit allows or can be started; an error if none can.
    pub(crate) fn start(&self, count: usize) -> io::Result<()> {
        self.start_some(lock(&self.inner), count.min(self.limit)).1
    }

    /// Takes every greenlet out of the homes' lists. No worker runs any more.
    pub(crate) fn drain(&self) -> Vec<NonNull<Link>> {
        lock(&self.inner)
            .threads
            .iter()
            .flat_map(|thread| thread.home.drain())
            .collect()
    }

    /// Counts one more greenlet in `home`, which it shares with its parent.
    pub(crate) fn retain(&self, home: &Home) {
        if home.worker().is_none() {
            lock(&self.inner).load(home.index, 1);
        }
    }

    /// Gives back what `acquire` or `retain` gave.
    pub(crate) fn release(&self, home: &Home) {
        if home.worker().is_some() {
            return;
        }
        let mut inner = lock(&self.inner);
        // A runtime that has ended its homes while greenlets were left has no use for it any more.
        if home.index < inner.threads.len() {
            let home = inner.load(home.index, -1);
            if home.load.load(Relaxed) == 0 {
                inner.free_list(home.index).push(home.index);
            }
        }
    }

    /// How many homes there are.
    pub(crate) fn len(&self) -> usize {
        lock(&self.inner).threads.len()
    }

    /// Ends the homes' threads. To be called when no worker runs any more. A home that a greenlet which will never run again
    /// counts in sleeps on: its thread-locals may still be referred to.
    pub(crate) fn end(&self) {
        let threads = std::mem::take(&mut lock(&self.inner).threads);
        for thread in threads {
            if thread.home.load.load(Relaxed) == 0 {
                thread.end();
            }
        }
    }
}
