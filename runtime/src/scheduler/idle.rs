//! Who is awake: the counters by which workers go to sleep and are woken, without losing a wake-up.
//!
//! The word holds two counts: *searching* (workers that found nothing of their own and look elsewhere) and *sleeping*
//! (workers in the list of sleepers). Beside it stands the list of sleepers, under a lock; `sleeping` is its length and
//! changes under that lock only.
//!
//! Terms and rules:
//! - *A producer* makes work visible in some queue, then calls `wake_one`. If a worker is searching, nobody is woken:
//!   that worker will find it. Otherwise a sleeper is taken from the list, counted as searching from that moment, and
//!   must be unparked by the caller.
//! - *A worker that put work into its own queue* need not have it found at once, for it will find it itself. It looks at
//!   the word without the fence (`may_need_wake`) and calls `wake_one` only if somebody might have to be woken. What it
//!   can lose that way is help: another worker that falls asleep in the same nanoseconds. Its next push makes up for
//!   that, or the monitor.
//! - *A searcher* that finds work calls `end_search`; if it was the last one, it wakes another: work that comes in groups
//!   wakes workers one by one, each waking the next, and a producer that relied on this searcher is not let down.
//! - *A worker that found nothing* calls `fall_asleep`, which counts it out of the searching and into the sleeping in one
//!   step, and then **looks at every queue once more** before it parks. If it sees work it calls `get_up`.
//!
//! No wake-up is lost. Let P publish work and then read the word, W write the word (`fall_asleep`) and then look at the
//! queues; there is a SeqCst fence between the two steps on both sides. If P's fence comes before W's, W's look sees the
//! work. If W's comes first, P's read sees W's write (or a later one): W is no longer searching but sleeping. Then
//! either P finds somebody else searching, to whom the same argument applies, or it wakes a sleeper. A searcher that
//! ends its search because it found other work, as the last, wakes another, which searches anew. By induction there is
//! always a worker that has still to look at the queues after the work became visible.
//!
//! At most half of the workers search at a time: more would only contend for the same few items (as in Go and tokio).
//!
//! Rejected: one counter of searchers and a condition variable (every producer takes the lock); a bit mask of sleepers
//! (64 workers at most).

#![forbid(unsafe_code)]

use std::ops::DerefMut;
use std::sync::PoisonError;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, SeqCst};

use crate::base::sync::{AtomicUsize, Mutex, fence};

const SEARCHING: usize = 1;
const SLEEPING: usize = 1 << 16;
const MASK: usize = SLEEPING - 1;

fn searching(word: usize) -> usize {
    word & MASK
}

fn sleeping(word: usize) -> usize {
    word >> 16
}

/// The largest number of workers the word can count.
pub(crate) const MAX_WORKERS: usize = 1 << 12;

/// See the module.
#[derive(Debug)]
pub(crate) struct Idle {
    word: AtomicUsize,
    /// How many there are, spares included. A number that orders nothing: relaxed.
    workers: AtomicUsize,
    sleepers: Mutex<Vec<usize>>,
}

/// What a worker is after it got up by itself.
#[must_use]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Up {
    /// It was still in the list: nobody has counted it, it is neither sleeping nor searching now.
    ByItself,
    /// A producer has taken it from the list: it counts as searching.
    Called,
}

impl Idle {
    /// `workers` workers, all awake.
    pub(crate) fn new(workers: usize) -> Self {
        Self {
            word: AtomicUsize::new(0),
            workers: AtomicUsize::new(workers),
            sleepers: Mutex::new(Vec::with_capacity(workers)),
        }
    }

    /// The list of sleepers. Poisoning is of no account, as everywhere in the runtime.
    fn lock(&self) -> impl DerefMut<Target = Vec<usize>> + '_ {
        self.sleepers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more worker is coming, awake.
    pub(crate) fn come(&self) {
        self.workers.fetch_add(1, Relaxed);
    }

    /// One worker, awake and not searching, is going.
    pub(crate) fn go(&self) {
        self.workers.fetch_sub(1, Relaxed);
    }

    /// How many workers there are.
    pub(crate) fn workers(&self) -> usize {
        self.workers.load(Relaxed)
    }

    /// Counts the caller as searching, unless enough workers search already.
    pub(crate) fn start_search(&self) -> bool {
        let mut word = self.word.load(Relaxed);
        loop {
            if 2 * searching(word) >= self.workers().saturating_sub(sleeping(word)) {
                return false;
            }
            // Counting up orders nothing; what is found is found through the queues' own ordering.
            match self
                .word
                .compare_exchange_weak(word, word + SEARCHING, AcqRel, Relaxed)
            {
                Ok(_) => return true,
                Err(now) => word = now,
            }
        }
    }

    /// A searcher has found work. True if it was the last: it must wake another.
    #[must_use]
    pub(crate) fn end_search(&self) -> bool {
        // The read-modify-write is SeqCst so that a producer which read the word before it and relied on us is ordered
        // before our caller's `wake_one`.
        searching(self.word.fetch_sub(SEARCHING, SeqCst)) == 1
    }

    /// Puts worker `index` among the sleepers. It must look at every queue again before it parks.
    pub(crate) fn fall_asleep(&self, index: usize, was_searching: bool) {
        let mut sleepers = self.lock();
        sleepers.push(index);
        if was_searching {
            self.word.fetch_add(SLEEPING - SEARCHING, SeqCst);
        } else {
            self.word.fetch_add(SLEEPING, SeqCst);
        }
        drop(sleepers);
        fence(SeqCst);
    }

    /// Worker `index` is awake again, for whatever reason.
    pub(crate) fn get_up(&self, index: usize) -> Up {
        let mut sleepers = self.lock();
        match sleepers.iter().position(|&sleeper| sleeper == index) {
            Some(at) => {
                sleepers.swap_remove(at);
                self.word.fetch_sub(SLEEPING, SeqCst);
                Up::ByItself
            }
            None => Up::Called,
        }
    }

    /// Whether `wake_one` might find somebody to wake; a look without any order.
    pub(crate) fn may_need_wake(&self) -> bool {
        let word = self.word.load(Relaxed);
        searching(word) == 0 && sleeping(word) != 0
    }

    /// How many workers sleep.
    pub(crate) fn asleep(&self) -> usize {
        sleeping(self.word.load(SeqCst))
    }

    /// To be called after work was made visible. The worker to unpark, if one has to be woken.
    #[must_use]
    pub(crate) fn wake_one(&self) -> Option<usize> {
        fence(SeqCst);
        let word = self.word.load(Acquire);
        if searching(word) != 0 || sleeping(word) == 0 {
            return None;
        }
        self.take_sleeper()
    }

    #[cold]
    fn take_sleeper(&self) -> Option<usize> {
        let mut sleepers = self.lock();
        // Another producer may have been faster; its worker searches now, and looks after our work too.
        if searching(self.word.load(SeqCst)) != 0 {
            return None;
        }
        let index = sleepers.pop()?;
        self.word.fetch_sub(SLEEPING - SEARCHING, SeqCst);
        Some(index)
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use super::*;
    use loom::sync::Arc;
    use loom::sync::atomic::{AtomicBool, AtomicUsize};
    use loom::thread;

    /// Two workers over one queue. `parked[i]` is what a parker remembers: an unpark that has not been consumed.
    struct Model {
        idle: Idle,
        queue: AtomicUsize,
        unparked: [AtomicBool; 2],
    }

    impl Model {
        fn new(sleepers: &[usize]) -> Arc<Self> {
            let idle = Idle::new(2);
            for &sleeper in sleepers {
                idle.fall_asleep(sleeper, false);
            }
            let unparked = [AtomicBool::new(false), AtomicBool::new(false)];
            Arc::new(Self {
                idle,
                queue: AtomicUsize::new(0),
                unparked,
            })
        }

        fn produce(&self) {
            self.queue.fetch_add(1, AcqRel);
            self.wake();
        }

        fn wake(&self) {
            if let Some(index) = self.idle.wake_one() {
                // A swap, as the parker's: loom keeps the order of read-modify-writes only.
                self.unparked[index].swap(true, SeqCst);
            }
        }

        fn take(&self) -> bool {
            self.queue
                .fetch_update(AcqRel, Acquire, |n| n.checked_sub(1))
                .is_ok()
        }

        /// One worker, awake, until it parks: what it does when it finds nothing any more. True if it parked.
        fn run(&self, index: usize, mut searching: bool) {
            loop {
                if self.take() {
                    if std::mem::take(&mut searching) && self.idle.end_search() {
                        self.wake();
                    }
                    continue;
                }
                if !searching && self.idle.start_search() {
                    searching = true;
                    continue;
                }
                self.idle.fall_asleep(index, searching);
                if self.queue.load(SeqCst) == 0 {
                    // It parks, unless a producer has unparked it meanwhile.
                    if !self.unparked[index].swap(false, SeqCst) {
                        return;
                    }
                }
                searching = self.idle.get_up(index) == Up::Called;
            }
        }

        /// In the end work may be left only if an unpark is under way to somebody.
        fn check(&self) {
            let left = self.queue.load(SeqCst);
            let called = self.unparked.iter().any(|u| u.swap(false, SeqCst));
            assert!(left == 0 || called, "{left} left and nobody called");
        }
    }

    #[test]
    fn loom_a_worker_falling_asleep_meets_a_producer() {
        loom::model(|| {
            let model = Model::new(&[1]);
            let other = model.clone();
            let worker = thread::spawn(move || other.run(0, false));
            model.produce();
            worker.join().unwrap();
            model.check();
        });
    }

    #[test]
    fn loom_two_producers_and_a_searcher() {
        loom::model(|| {
            let model = Model::new(&[1]);
            assert!(model.idle.start_search());
            let other = model.clone();
            let worker = thread::spawn(move || other.run(0, true));
            let third = model.clone();
            let producer = thread::spawn(move || third.produce());
            model.produce();
            worker.join().unwrap();
            producer.join().unwrap();
            model.check();
        });
    }
}
