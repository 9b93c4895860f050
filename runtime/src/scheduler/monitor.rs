//! The monitor: a thread that looks now and then whether work lies where nobody will find it soon.
//!
//! Workers wake each other when there is more than one of them can do at once, but not for everything: the greenlet in a
//! run-next slot waits until the running one leaves, and nobody sits in the reactor while the worker that did runs one.
//! Both are right as long as greenlets leave often. When one does not, for a whole period, and another worker sleeps, the
//! monitor wakes that; and it does if nobody sits in the reactor, for those who work look there now and then only.
//!
//! It also drops the closures of greenlets for which there was no stack: their destructors may wait, and must hold up no
//! worker; and where there was no memory for a stack there may be none for another thread. While one of them waits, nobody
//! looks.
//!
//! It costs nothing while all workers sleep: then it sleeps too, until one gets up. No such rising is missed: the monitor
//! says that it sleeps and then looks whether all workers do; a worker is counted as risen and then looks whether the
//! monitor sleeps; there is a SeqCst fence between the two steps on both sides.
#![forbid(unsafe_code)]

use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::shared::Shared;
use crate::base::lock::lock;
use crate::base::sync::{AtomicBool, fence};
use crate::greenlet::SendUnrun;

/// How often it looks while somebody works. As Go's: what is left lying waits for that long and up to twice as long, which
/// people do not notice; and a hundred looks a second cost less than a thousandth of a processor.
const PERIOD: Duration = Duration::from_millis(10);

/// See the module.
#[derive(Debug)]
pub(super) struct Monitor {
    orders: Mutex<Orders>,
    changed: Condvar,
    nap: Nap,
}

/// Whether the monitor sleeps until a worker gets up.
#[derive(Debug)]
struct Nap(AtomicBool);

impl Nap {
    fn new() -> Self {
        Self(AtomicBool::new(false))
    }

    /// The monitor is about to sleep. It must look whether all workers do, after this.
    fn begin(&self) {
        self.0.store(true, SeqCst);
        // Pairs with the one in `is_on`.
        fence(SeqCst);
    }

    /// Whether it goes on; asked by the monitor, and by a worker that has been counted as risen.
    fn is_on(&self) -> bool {
        fence(SeqCst);
        self.0.load(SeqCst)
    }

    fn end(&self) {
        self.0.store(false, SeqCst);
    }
}

#[derive(Debug, Default)]
struct Orders {
    stop: bool,
    drop: Vec<SendUnrun>,
}

impl Monitor {
    /// A monitor whose thread has not started.
    pub(super) fn new() -> Self {
        Self {
            orders: Mutex::default(),
            changed: Condvar::new(),
            nap: Nap::new(),
        }
    }

    /// A worker has got up.
    pub(super) fn rouse(&self) {
        if self.nap.is_on() {
            let _orders = lock(&self.orders);
            self.nap.end();
            self.changed.notify_one();
        }
    }

    /// Has a closure dropped on the monitor's thread.
    pub(super) fn drop_later(&self, closure: SendUnrun) {
        lock(&self.orders).drop.push(closure);
        self.changed.notify_one();
    }

    /// Ends the thread's life, once it has dropped what it was given.
    pub(super) fn stop(&self) {
        lock(&self.orders).stop = true;
        self.changed.notify_one();
    }

    /// The life of the monitor of `shared`, on the calling thread.
    pub(super) fn run_thread(shared: &Shared) {
        let monitor = &shared.monitor;
        let mut seen: Vec<u32> = shared.remotes.iter().map(|_| 0).collect();
        loop {
            let mut orders = lock(&monitor.orders);
            let ordered = |orders: &Orders| orders.stop || !orders.drop.is_empty();
            monitor.nap.begin();
            while !ordered(&orders) && all_asleep(shared) && monitor.nap.is_on() {
                orders = monitor
                    .changed
                    .wait(orders)
                    .unwrap_or_else(PoisonError::into_inner);
            }
            monitor.nap.end();
            if !ordered(&orders) {
                let waited = monitor.changed.wait_timeout(orders, PERIOD);
                orders = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
            let (stop, closures) = (orders.stop, std::mem::take(&mut orders.drop));
            drop(orders);
            closures.into_iter().for_each(SendUnrun::drop_here);
            if stop {
                return;
            }
            look(shared, &mut seen);
        }
    }
}

fn all_asleep(shared: &Shared) -> bool {
    shared.idle.asleep() == shared.remotes.len()
}

/// Wakes a worker if there is a seat for it in the reactor, or something to do and one of those that are awake has not had a
/// turn since the last look.
fn look(shared: &Shared, seen: &mut [u32]) {
    let mut still = 0;
    for (remote, seen) in shared.remotes.iter().zip(seen) {
        let ticks = remote.ticks.load(Relaxed);
        still += usize::from(*seen == ticks);
        *seen = ticks;
    }
    // Those that sleep have no turns either.
    let asleep = shared.idle.asleep();
    let unattended = shared.seat_until.load(SeqCst) == 0;
    if asleep != 0 && (unattended || still > asleep && shared.has_common_work()) {
        shared.wake_one();
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use super::*;
    use loom::sync::Arc;
    use loom::sync::atomic::AtomicUsize;
    use loom::thread;

    /// The lock around the monitor's wait orders `end` and the wait, so the flag alone stands for both.
    #[test]
    fn loom_no_rising_is_missed() {
        loom::model(|| {
            let shared = Arc::new((Nap::new(), AtomicUsize::new(1)));
            let worker = {
                let shared = shared.clone();
                thread::spawn(move || {
                    let (nap, asleep) = &*shared;
                    asleep.fetch_sub(1, SeqCst);
                    if nap.is_on() {
                        nap.end();
                    }
                })
            };
            let (nap, asleep) = &*shared;
            nap.begin();
            let sleeps = asleep.load(SeqCst) == 1;
            worker.join().unwrap();
            assert!(
                !(sleeps && nap.is_on()),
                "it sleeps and nobody has ended that"
            );
        });
    }
}
