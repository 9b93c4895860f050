//! Spare workers: they stand in for workers that do not come back from the greenlet they run.
//!
//! A greenlet may compute for long, or block its thread in a call that is not sward's. Its worker is *held up* then: what lies
//! in its queues can be taken by others, but there is one less to take it, and in the end nobody. The monitor calls a spare:
//! one that rests, or a new thread. A spare is a worker like the others. When those that were held up are back there are
//! more workers than the runtime was made with; the monitor says by how many, and as many spares *step down*, each at its
//! next turn: it gives what is in its queues to all, and rests. One that has rested for long ends.
//!
//! The kernel divides the processors between those that compute and their spares.
//!
//! With fixed homes a spare's thread is the home of the greenlets that start there, so it steps down only when all of
//! those have ended.
#![forbid(unsafe_code)]

use std::io;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use super::shared::{Queues, Remote, Shared};
use super::shutdown::may_start_thread;
use super::worker::Worker;
use crate::base::lock::lock;

/// How long a spare rests before its thread ends. As tokio's threads for blocking calls. Arbitrary.
const REST: Duration = Duration::from_secs(10);

/// See the module.
#[derive(Debug)]
pub(super) struct Spares {
    inner: Mutex<Inner>,
    called: Condvar,
    /// How many are to step down. Written by the monitor, counted down by those who do; a number that leads nowhere: relaxed.
    surplus: AtomicUsize,
}

#[derive(Debug, Default)]
struct Inner {
    /// The runtime ends: nobody rests any more, nobody comes.
    closed: bool,
    resting: usize,
    /// How many of those that rest have been called, and have not woken yet.
    calls: usize,
    /// Those that have rested for long enough and are about to end.
    leaving: Vec<usize>,
    /// Numbers of spares whose threads have ended or are just about to, with their queues.
    vacant: Vec<(usize, Queues)>,
    threads: Vec<(usize, JoinHandle<()>)>,
    /// Those whose numbers have others now.
    ended: Vec<JoinHandle<()>>,
}

/// What a spare that has rested does next.
#[must_use]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Rested {
    /// It works: it was called, and is counted.
    Called,
    /// The runtime ends. It is not counted.
    Over,
    /// It ends.
    Unneeded,
}

impl Spares {
    /// No spares.
    pub(super) fn new() -> Self {
        Self {
            inner: Mutex::default(),
            called: Condvar::new(),
            surplus: AtomicUsize::new(0),
        }
    }

    /// Calls one more worker. False if there is no more to be had.
    pub(super) fn call(&self, shared: &Arc<Shared>) -> io::Result<bool> {
        let mut inner = lock(&self.inner);
        if inner.closed {
            return Ok(false);
        }
        if inner.resting > inner.calls {
            inner.calls += 1;
            shared.idle.come();
            drop(inner);
            self.called.notify_one();
            return Ok(true);
        }
        let room = may_start_thread()?;
        // The lowest number, so that the roster is as short as can be in which something is to be found.
        let lowest = (0..inner.vacant.len()).min_by_key(|&at| inner.vacant[at].0);
        let (index, queues) = match lowest.map(|at| inner.vacant.swap_remove(at)) {
            Some((index, queues)) => {
                // The thread that had this number has done all but end, which may take what its thread-locals take.
                inner.ended.retain(|thread| !thread.is_finished());
                if let Some(at) = inner.threads.iter().position(|(of, _)| *of == index) {
                    let (_, thread) = inner.threads.swap_remove(at);
                    inner.ended.push(thread);
                }
                (index, queues)
            }
            None if shared.remotes.is_full() => return Ok(false),
            None => {
                let queues = Queues::new();
                (shared.remotes.push(Remote::new(&queues)), queues)
            }
        };
        shared.idle.come();
        let worker = shared.clone();
        // Kept apart, so that the queues are there still if there is no thread.
        let handed = Arc::new(Mutex::new(Some(queues)));
        let taken = handed.clone();
        let started = Builder::new()
            .name(format!("{}-{index}", shared.settings().name))
            .spawn(move || {
                drop(room);
                let queues = lock(&taken).take().expect("handed to this thread");
                drop(taken);
                Worker::run_thread(worker, index, queues);
            });
        match started {
            Ok(thread) => {
                inner.threads.push((index, thread));
                Ok(true)
            }
            Err(error) => {
                shared.idle.go();
                let queues = lock(&handed).take().expect("nobody took them");
                inner.vacant.push((index, queues));
                Err(error)
            }
        }
    }

    /// Says how many are too many.
    pub(super) fn dismiss(&self, surplus: usize) {
        self.surplus.store(surplus, Relaxed);
    }

    /// Takes back what was said, but for so many.
    pub(super) fn dismiss_no_more_than(&self, surplus: usize) {
        self.surplus.fetch_min(surplus, Relaxed);
    }

    /// Whether the calling spare is too many: it is counted then, and must rest.
    pub(super) fn is_surplus(&self) -> bool {
        self.surplus.load(Relaxed) != 0
            && self
                .surplus
                .fetch_update(Relaxed, Relaxed, |surplus| surplus.checked_sub(1))
                .is_ok()
    }

    /// Rests until called. The caller's queues are empty, and it has gone from the count of workers.
    pub(super) fn rest(&self, index: usize) -> Rested {
        let mut inner = lock(&self.inner);
        inner.resting += 1;
        let until = Instant::now() + REST;
        loop {
            if inner.calls != 0 {
                inner.calls -= 1;
                inner.resting -= 1;
                return Rested::Called;
            }
            if inner.closed {
                inner.resting -= 1;
                return Rested::Over;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                inner.resting -= 1;
                inner.leaving.push(index);
                return Rested::Unneeded;
            }
            inner = self
                .called
                .wait_timeout(inner, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// The last act of a spare's thread: its number and its queues are for the next.
    pub(super) fn vacate(&self, index: usize, queues: Queues) {
        let mut inner = lock(&self.inner);
        inner.leaving.retain(|leaving| *leaving != index);
        inner.vacant.push((index, queues));
    }

    /// The runtime ends: those that rest go on, and nobody is called any more.
    pub(super) fn close(&self) -> Closed {
        let mut inner = lock(&self.inner);
        inner.closed = true;
        self.called.notify_all();
        let threads = std::mem::take(&mut inner.threads);
        let ended = |index: &usize| {
            inner.leaving.contains(index) || inner.vacant.iter().any(|(vacant, _)| vacant == index)
        };
        let coming = threads.iter().filter(|(index, _)| !ended(index)).count();
        Closed {
            threads,
            coming,
            ended: std::mem::take(&mut inner.ended),
        }
    }
}

/// The spares that there have been, when none comes any more.
#[derive(Debug)]
pub(super) struct Closed {
    /// Their threads, by number.
    pub(super) threads: Vec<(usize, JoinHandle<()>)>,
    /// How many of them will come to the curtain.
    pub(super) coming: usize,
    /// Threads that had done all but end.
    pub(super) ended: Vec<JoinHandle<()>>,
}
