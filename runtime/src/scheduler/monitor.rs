//! The monitor: a thread that looks now and then whether work lies where nobody will find it soon.
//!
//! Workers wake each other when there is more than one of them can do at once, but not for everything: the greenlet in a
//! run-next slot waits until the running one leaves, and nobody sits in the reactor while the worker that did runs one.
//! Both are right as long as greenlets leave often. When one does not, for a whole period, and another worker sleeps, the
//! monitor wakes that; and it does if nobody sits in the reactor, for those who work look there now and then only.
//!
//! When no worker sleeps, and some are *held up* by greenlets that compute for long or block their threads, it calls a spare
//! (`spares`) for each that blocks its thread, and at least one if nobody is free, as long as there is something to do for it. A worker is held up that has had no turn for two
//! periods, if its thread waits in the kernel, or has had a processor for a good part of that time. One that wants a
//! processor and has none is not: a machine with too little of them is not helped by more threads. When more workers are free
//! than the runtime was made with, and have been for a while, as many spares step down.
//!
//! Who is held up, and no longer is, it tells the reporter, if there is one (`reporter`).
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
use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::deadlock::Suspicion;
use super::reporter::Notice;
use super::shared::{Presence, Remote, Shared};
use super::sys::{self, State};
use crate::base::lock::lock;
use crate::base::sync::{AtomicBool, fence};
use crate::base::threads::Counted;
use crate::greenlet::SendUnrun;

/// How often it looks while somebody works: what is left lying waits for one to two periods, and who is held up is noticed after two
/// to three. That is 10 to 15 ms, as with Go's; two hundred looks a second cost a thousandth of a processor.
const PERIOD: Duration = Duration::from_millis(5);
/// How often it looks for a deadlock while all sleep, where those are reported. Arbitrary.
const SUSPICION: Duration = Duration::from_millis(500);
/// How many looks in a row must find a worker in the same turn before it counts as held up.
const STILL_LOOKS: u32 = 2;
/// Of how long a worker has been in one turn, the time it must have had a processor to count as held up by a computation.
/// Less than half of two periods: two on one processor are both held up.
const COMPUTED: Duration = Duration::from_millis(4);
/// How often it looks whether one that was held up by a computation is blocked meanwhile, in looks; and whether the memory of stacks
/// can go back: a second. Arbitrary.
const COMPUTES_STILL: u32 = 4;
const TRIM_LOOKS: u32 = 200;
/// How many looks in a row must find too many workers free before spares step down: a tenth of a second, so that greenlets that
/// hold up their workers again and again find the spares there. Arbitrary.
const SURPLUS_LOOKS: u32 = 20;

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

    /// The life of the monitor of `shared`, on the calling thread. `reporter` hears of those that are held up, if there is one.
    pub(super) fn run_thread(shared: &Arc<Shared>, reporter: Option<Sender<Notice>>) {
        let _ours = Counted::ours();
        let monitor = &shared.monitor;
        let mut view = View {
            reporter,
            ..View::default()
        };
        loop {
            let mut orders = lock(&monitor.orders);
            let ordered = |orders: &Orders| orders.stop || !orders.drop.is_empty();
            monitor.nap.begin();
            let mut suspicion = Suspicion::default();
            while !ordered(&orders) && all_asleep(shared) && monitor.nap.is_on() {
                if !suspicion.is_open(shared) {
                    orders = monitor
                        .changed
                        .wait(orders)
                        .unwrap_or_else(PoisonError::into_inner);
                    continue;
                }
                let waited = monitor.changed.wait_timeout(orders, SUSPICION);
                let (awake, waited) = waited.unwrap_or_else(PoisonError::into_inner);
                orders = awake;
                if waited.timed_out() {
                    // Not under the lock: it may write, and those who get up need it.
                    drop(orders);
                    suspicion.look(shared);
                    orders = lock(&monitor.orders);
                }
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
            view.look(shared);
        }
    }
}

/// Whether nobody is up, and nobody is to step down.
fn all_asleep(shared: &Shared) -> bool {
    shared.idle.asleep() >= shared.idle.workers() && surplus(shared, 0) == 0
}

/// How many spares are too many, and may step down, if so many workers are held up.
fn surplus(shared: &Shared, held_up: usize) -> usize {
    let too_many = shared.spare_workers().saturating_sub(held_up);
    if too_many == 0 {
        return 0;
    }
    too_many.min(spares(shared).count())
}

/// The spares that do not rest and may step down.
fn spares(shared: &Shared) -> impl Iterator<Item = &Remote> {
    let all = shared.remotes.iter().skip(shared.settings().workers);
    all.filter(|remote| !remote.is(Presence::Away) && remote.may_step_down.load(Relaxed))
}

/// What the monitor has seen so far.
#[derive(Debug, Default)]
struct View {
    workers: Vec<Watch>,
    /// How many looks in a row have found too many workers free.
    surplus: u32,
    /// How many more looks it makes before it calls another spare: it could have no thread, or computations take them all.
    pause: u32,
    /// Counts the looks.
    looks: u32,
    reporter: Option<Sender<Notice>>,
}

/// What it has seen of one worker.
#[derive(Debug, Default)]
struct Watch {
    turn: u32,
    /// How many looks in a row have found it in the same turn.
    still: u32,
    /// How long its thread had had a processor when it was first seen to want one in that turn, if the system tells.
    computed: Option<Option<Duration>>,
    held_up: bool,
    /// By a computation: it has a processor, which a spare would only share.
    computes: bool,
    /// When it was first and last seen in that turn.
    first: Option<Instant>,
    last: Option<Instant>,
}

impl Watch {
    /// Looks at the worker once more.
    fn look(&mut self, remote: &Remote) -> Change {
        let turn = remote.ticks.load(Relaxed);
        let now = Instant::now();
        if turn != self.turn || !remote.is(Presence::Up) {
            let before = std::mem::take(self);
            self.turn = turn;
            self.first = Some(now);
            return match (before.held_up, before.first, before.last) {
                (true, Some(first), Some(last)) => Change::Ends(before.turn, last - first),
                _ => Change::None,
            };
        }
        self.last = Some(now);
        self.still += 1;
        if !self.held_up {
            self.judge(sys::state(remote.thread.load(Relaxed)));
            if let (true, Some(first)) = (self.held_up, self.first) {
                return Change::Begins(turn, first);
            }
        } else if self.computes && self.still.is_multiple_of(COMPUTES_STILL) {
            self.computes = sys::state(remote.thread.load(Relaxed)) != State::Waits;
        }
        Change::None
    }

    /// Whether the worker, which has had no turn, and whose thread is at this, is held up.
    fn judge(&mut self, state: State) {
        self.computes = state != State::Waits;
        let enough = match state {
            State::Waits => true,
            State::Runs(now) => match self.computed {
                // It counts from here on.
                None => {
                    self.computed = Some(now);
                    false
                }
                Some(then) => now
                    .zip(then)
                    .is_none_or(|(now, then)| now.saturating_sub(then) >= COMPUTED),
            },
        };
        self.held_up = enough && self.still >= STILL_LOOKS;
    }
}

/// What a look at a worker has shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Change {
    None,
    /// It is held up in this turn, since then.
    Begins(u32, Instant),
    /// It was held up in this turn, for so long.
    Ends(u32, Duration),
}

impl View {
    /// Wakes a worker, calls a spare or sends one away, if that is due.
    fn look(&mut self, shared: &Arc<Shared>) {
        self.look_at_all(shared);
        let count = |of: fn(&Watch) -> bool| self.workers.iter().filter(|watch| of(watch)).count();
        let (still, held_up) = (
            count(|watch| watch.still != 0),
            count(|watch| watch.held_up),
        );
        let computing = count(|watch| watch.held_up && watch.computes);
        let asleep = shared.idle.asleep();
        let unattended = shared.seat_until.load(SeqCst) == 0;
        self.pause = self.pause.saturating_sub(1);
        if asleep != 0 {
            if unattended || still != 0 && shared.has_common_work() {
                shared.wake_one();
            }
        } else if held_up != 0 {
            self.call_spares(shared, held_up, computing);
        }
        self.dismiss_spares(shared, held_up);
        self.looks = self.looks.wrapping_add(1);
        // Those who sleep see to it else.
        if self.looks.is_multiple_of(TRIM_LOOKS) && shared.stacks.is_stirred() {
            let _ = shared.stacks.trim(Instant::now());
        }
    }

    fn look_at_all(&mut self, shared: &Shared) {
        let known = self.workers.len().max(shared.remotes.len());
        self.workers.resize_with(known, Watch::default);
        let pairs = self.workers.iter_mut().zip(shared.remotes.iter());
        for (worker, (watch, remote)) in pairs.enumerate() {
            let notice = match watch.look(remote) {
                Change::None => continue,
                Change::Begins(turn, since) => Notice::Begins {
                    worker,
                    turn,
                    since,
                },
                Change::Ends(turn, elapsed) => Notice::Ends {
                    worker,
                    turn,
                    elapsed,
                },
            };
            // It stays until we are gone.
            if let Some(reporter) = &self.reporter {
                let _ = reporter.send(notice);
            }
        }
    }

    /// So many are held up, and nobody sleeps: calls as many spares as are missing, if there is something for them.
    fn call_spares(&mut self, shared: &Arc<Shared>, held_up: usize, computing: usize) {
        let free = shared.idle.workers().saturating_sub(held_up);
        // Those that compute have a processor; they need one in their place only if nobody else is free.
        let missing = shared
            .settings()
            .workers
            .saturating_sub(free + computing)
            .max(usize::from(free == 0));
        // With nobody free nobody looks at the sockets, the timers and what comes from outside.
        let nobody = free == 0 && (shared.timers.len() != 0 || !shared.reactor.is_empty());
        if missing == 0 || self.pause != 0 || !(nobody || shared.has_common_work()) {
            return;
        }
        if computing == held_up {
            // Computations take one spare after the other: the more there are, the less another one helps.
            self.pause = u32::try_from(shared.spare_workers()).unwrap_or(u32::MAX);
        }
        for _ in 0..missing {
            match shared.spares.call(shared) {
                Ok(true) => {}
                Ok(false) => return,
                Err(_) => {
                    self.pause = SURPLUS_LOOKS;
                    return;
                }
            }
        }
    }

    /// Has spares step down when there were too many for a while.
    fn dismiss_spares(&mut self, shared: &Shared, held_up: usize) {
        let surplus = surplus(shared, held_up);
        shared.spares.dismiss_no_more_than(surplus);
        if surplus == 0 {
            self.surplus = 0;
            return;
        }
        self.surplus += 1;
        if self.surplus >= SURPLUS_LOOKS {
            self.surplus = 0;
            shared.spares.dismiss(surplus);
            for remote in spares(shared).filter(|remote| remote.is(Presence::Asleep)) {
                remote.parker.unpark(&shared.reactor);
            }
        }
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
