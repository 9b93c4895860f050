//! `n` greenlets are spawned and all park: the memory each holds then, and the time it took to get there.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use super::{Family, Job};
use crate::meter;
use crate::outcome::Outcome;
use crate::runtimes::{Tasks, Threads};

pub(crate) struct Parked;

/// How long the last ones have to get from saying that they park to being parked.
const SETTLE: Duration = Duration::from_millis(50);
const MOMENT: Duration = Duration::from_millis(1);

/// Where they park. `W` wakes one.
struct Lot<W> {
    open: AtomicBool,
    arrived: AtomicU64,
    wakers: Vec<OnceLock<W>>,
}

/// Time and memory before the first arrived.
struct Before {
    memory: u64,
    begun: Instant,
}

impl<W> Lot<W> {
    /// The places are touched before memory is read: they are the yardstick's, not the runtime's.
    fn new(n: u64) -> (Arc<Self>, Before) {
        let wakers = (0..n).map(|_| OnceLock::new()).collect();
        let lot = Self {
            open: AtomicBool::new(false),
            arrived: AtomicU64::new(0),
            wakers,
        };
        (
            Arc::new(lot),
            Before {
                memory: meter::memory(),
                begun: Instant::now(),
            },
        )
    }

    fn arrive(&self, i: u64, waker: W) {
        if self.wakers[i as usize].set(waker).is_ok() {
            self.arrived.fetch_add(1, Ordering::Release);
        }
    }

    /// Pairs with the release of `arrive`.
    fn full(&self) -> bool {
        self.arrived.load(Ordering::Acquire) == self.wakers.len() as u64
    }

    /// Opens the lot and gives who must be woken. Whoever parks afterwards sees it open.
    fn open(&self) -> impl Iterator<Item = &W> {
        self.open.store(true, Ordering::SeqCst);
        self.wakers.iter().filter_map(OnceLock::get)
    }

    fn is_open(&self) -> bool {
        self.open.load(Ordering::SeqCst)
    }

    fn measure(&self, before: &Before, created: Duration) -> Outcome {
        let held = meter::memory().saturating_sub(before.memory);
        let each = held as f64 / self.wakers.len() as f64;
        Outcome::of("bytes", each).with("create s", created.as_secs_f64())
    }
}

impl Family for Parked {
    fn threads<R: Threads>(job: Job) -> Outcome {
        let (lot, before) = Lot::<R::Unparker>::new(job.n);
        let parked: Vec<_> = (0..job.n)
            .map(|i| {
                let lot = lot.clone();
                R::spawn(move || {
                    lot.arrive(i, R::current());
                    while !lot.is_open() {
                        R::park();
                    }
                })
            })
            .collect();
        while !lot.full() {
            R::sleep(MOMENT);
        }
        let created = before.begun.elapsed();
        R::sleep(SETTLE);
        let outcome = lot.measure(&before, created);
        lot.open().for_each(R::unpark);
        parked.into_iter().for_each(R::join);
        outcome
    }

    async fn tasks<R: Tasks>(job: Job) -> Outcome {
        let (lot, before) = Lot::<Waker>::new(job.n);
        let parked: Vec<_> = (0..job.n)
            .map(|i| {
                let lot = lot.clone();
                R::spawn(poll_fn(move |context| {
                    if lot.is_open() {
                        return Poll::Ready(());
                    }
                    lot.arrive(i, context.waker().clone());
                    Poll::Pending
                }))
            })
            .collect();
        while !lot.full() {
            R::sleep(MOMENT).await;
        }
        let created = before.begun.elapsed();
        R::sleep(SETTLE).await;
        let outcome = lot.measure(&before, created);
        lot.open().for_each(Waker::wake_by_ref);
        for one in parked {
            R::join(one).await;
        }
        outcome
    }
}
