//! The word that lets one worker at a time into a home, and keeps the greenlets that wait for it.
//!
//! The word is `DEDICATED` (one greenlet has the home, see below), null (free), `OCCUPIED` (entered, nobody waits) or the
//! newest of a chain of waiting greenlets (entered, and they wait). Terms:
//!
//! - *enter*: null to `OCCUPIED`; or, when somebody is in, push the greenlet onto the chain. The caller that pushed
//!   has given the greenlet away.
//! - *leave*: `OCCUPIED` to null; or, when somebody waits, hand the occupation itself over to the one that has waited
//!   longest. The home is never free while a greenlet waits for it, so no newcomer overtakes and nobody starves.
//!
//! A greenlet that was handed the home holds it from that moment on, while it is still on its way through a run queue.
//!
//! *Dedicated*: while one greenlet alone has the home, the right to run that greenlet, of which there is one, is the right
//! to the home too. Whoever passes the right on publishes what it did in the home along with it, so entering and leaving
//! change nothing here and order nothing. The home becomes dedicated when nobody has it (`dedicate`, in the pool, under
//! its lock) and is *opened* to others by its occupant alone (`open`: it spawns a local child), who from then on is in by
//! the rules above; a child gets to know of it with the right to run it. Since nobody else may open it, the pool
//! dedicates only homes that it will not want to share (`pool`).
//!
//! No greenlet is stranded: a push succeeds only onto a word that is not null, that is, while there is an occupant;
//! the occupant's `leave` either makes the word null by a compare-exchange from `OCCUPIED`, which fails if a push came
//! first, or takes the chain. A chain taken is kept in `waiting`, which belongs to the occupant, and is served first.

use std::cell::UnsafeCell;
use std::ptr::{self, NonNull};
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

use crate::base::link::{Chain, Link};
use crate::base::sync::AtomicPtr;

/// A word's value that is no link: in, and nobody waits. Links are aligned to more than one byte.
const OCCUPIED: *mut Link = ptr::without_provenance_mut(1);
/// Nor is this one: a single greenlet has the home.
const DEDICATED: *mut Link = ptr::without_provenance_mut(2);

/// What `enter` did.
#[must_use]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Enter {
    /// The caller is the occupant.
    Entered,
    /// The greenlet waits; it belongs to the home's list now.
    Waits,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Occupancy {
    word: AtomicPtr<Link>,
    /// # Invariant
    /// Touched by the occupant only.
    waiting: UnsafeCell<Chain>,
}

// SAFETY: `waiting` is reached by the occupant alone, and the word passes the occupation on with release and acquire.
unsafe impl Send for Occupancy {}
// SAFETY: as above.
unsafe impl Sync for Occupancy {}

impl Occupancy {
    /// A free home's word.
    pub(crate) fn new() -> Self {
        Self {
            word: AtomicPtr::new(ptr::null_mut()),
            waiting: UnsafeCell::new(Chain::new()),
        }
    }

    /// Gives the home to one greenlet, until it opens it or ends.
    ///
    /// # Safety
    /// No greenlet has the home; who will have it gets it from the caller, in order.
    pub(crate) unsafe fn dedicate(&self) {
        debug_assert!([ptr::null_mut(), DEDICATED].contains(&self.word.load(Relaxed)));
        // Relaxed: as the caller promises.
        self.word.store(DEDICATED, Relaxed);
    }

    /// Opens the home to others. The caller stays in.
    ///
    /// # Safety
    /// The caller is the occupant, and nobody else has the home yet, or it is open already.
    pub(crate) unsafe fn open(&self) {
        if self.word.load(Relaxed) == DEDICATED {
            // Relaxed: others get the home from the caller, in order.
            self.word.store(OCCUPIED, Relaxed);
        }
    }

    /// Enters, or leaves `link` in the list of those who wait.
    ///
    /// # Safety
    /// The caller owns the right to the greenlet that holds `link`; it is alive and in no other list. After
    /// `Enter::Waits` the right is given away.
    pub(crate) unsafe fn enter(&self, link: NonNull<Link>) -> Enter {
        let mut word = self.word.load(Relaxed);
        if word == DEDICATED {
            return Enter::Entered;
        }
        loop {
            if word.is_null() {
                // Acquire: pairs with the release in `leave`: the thread-locals as the last occupant left them.
                match self
                    .word
                    .compare_exchange_weak(word, OCCUPIED, Acquire, Relaxed)
                {
                    Ok(_) => return Enter::Entered,
                    Err(now) => word = now,
                }
            } else {
                let next = if word == OCCUPIED {
                    ptr::null_mut()
                } else {
                    word
                };
                // SAFETY: the caller owns the link until the push below succeeds.
                unsafe { link.as_ref().set_next(next) };
                // Release: pairs with the acquire in `leave`, which hands this greenlet to another runner.
                match self
                    .word
                    .compare_exchange_weak(word, link.as_ptr(), Release, Relaxed)
                {
                    Ok(_) => return Enter::Waits,
                    Err(now) => word = now,
                }
            }
        }
    }

    /// Whether a greenlet waits. Asked by the occupant; one that comes at this moment may be missed.
    ///
    /// # Safety
    /// The caller is the occupant.
    pub(crate) unsafe fn is_awaited(&self) -> bool {
        match self.word.load(Relaxed) {
            DEDICATED => false,
            // SAFETY: only the occupant reaches the chain.
            OCCUPIED => !unsafe { &*self.waiting.get() }.is_empty(),
            _ => true,
        }
    }

    /// Enters if the home is free; nothing is enlisted otherwise.
    pub(crate) fn try_enter(&self) -> bool {
        // Acquire: as in `enter`.
        self.word
            .compare_exchange(ptr::null_mut(), OCCUPIED, Acquire, Relaxed)
            .is_ok()
    }

    /// Leaves. If a greenlet waits, it now holds the home and is returned: the caller must make it run.
    ///
    /// # Safety
    /// The caller is the occupant, and is not after this call.
    pub(crate) unsafe fn leave(&self) -> Option<NonNull<Link>> {
        if self.word.load(Relaxed) == DEDICATED {
            return None;
        }
        // SAFETY: only the occupant reaches the chain.
        let waiting = unsafe { &mut *self.waiting.get() };
        if let Some(next) = NonNull::new(waiting.pop()) {
            return Some(next);
        }
        // Release: pairs with the acquire in `enter`.
        if self
            .word
            .compare_exchange(OCCUPIED, ptr::null_mut(), Release, Relaxed)
            .is_ok()
        {
            return None;
        }
        // Only pushes can have happened, so this takes at least one greenlet. Acquire pairs with their release; the
        // release half is for a later pusher's order only and costs nothing here.
        let newest = self.word.swap(OCCUPIED, AcqRel);
        debug_assert!(!newest.is_null() && newest != OCCUPIED);
        // SAFETY: the pushers gave their greenlets away, alive and in no other list.
        unsafe { waiting.append_reversed(newest) };
        NonNull::new(waiting.pop())
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use super::*;
    use loom::cell::UnsafeCell as LoomCell;
    use loom::sync::Arc;
    use loom::sync::atomic::AtomicUsize;
    use loom::thread;

    struct Home {
        occupancy: Occupancy,
        /// Stands for the thread-locals: loom reports two occupants as a data race.
        locals: LoomCell<u32>,
        ran: AtomicUsize,
    }

    impl Home {
        /// Runs `link`'s greenlet to its end, and whatever the home is handed to, as a worker would.
        fn run(&self, link: NonNull<Link>) {
            // SAFETY: each link is entered once by its only owner.
            if unsafe { self.occupancy.enter(link) } == Enter::Waits {
                return;
            }
            loop {
                // SAFETY: loom checks that one occupant is in.
                self.locals.with_mut(|l| unsafe { *l += 1 });
                self.ran.fetch_add(1, Relaxed);
                // SAFETY: we are the occupant; if the home is handed on, we run that greenlet next.
                if unsafe { self.occupancy.leave() }.is_none() {
                    return;
                }
            }
        }
    }

    #[test]
    fn loom_nobody_is_stranded_and_one_is_in() {
        loom::model(|| {
            let home = Arc::new(Home {
                occupancy: Occupancy::new(),
                locals: LoomCell::new(0),
                ran: AtomicUsize::new(0),
            });
            let links: [&'static Link; 3] =
                std::array::from_fn(|_| &*Box::leak(Box::new(Link::new())));
            let addresses = links.map(|l| ptr::from_ref(l) as usize);
            let threads: Vec<_> = addresses[..2]
                .iter()
                .map(|&link| {
                    let home = home.clone();
                    thread::spawn(move || home.run(NonNull::new(link as *mut Link).unwrap()))
                })
                .collect();
            home.run(NonNull::new(addresses[2] as *mut Link).unwrap());
            for thread in threads {
                thread.join().unwrap();
            }
            assert_eq!(home.ran.load(Relaxed), 3, "everyone ran");
            assert!(home.occupancy.try_enter(), "the home is free in the end");
            for link in addresses {
                // SAFETY: made by `Box::leak` above and in no list any more.
                drop(unsafe { Box::from_raw(link as *mut Link) });
            }
        });
    }

    /// A parent whose home is its own spawns a child into it, which another worker runs, and goes on.
    #[test]
    fn loom_a_dedicated_home_is_opened_to_a_child() {
        loom::model(|| {
            let home = Arc::new(Home {
                occupancy: Occupancy::new(),
                locals: LoomCell::new(0),
                ran: AtomicUsize::new(0),
            });
            let links: [&'static Link; 2] =
                std::array::from_fn(|_| &*Box::leak(Box::new(Link::new())));
            let [parent, child] = links.map(|l| ptr::from_ref(l) as usize);
            let link = |address: usize| NonNull::new(address as *mut Link).unwrap();
            // A run queue with room for one.
            let queue = Arc::new(AtomicUsize::new(0));
            // SAFETY: nobody has the home.
            unsafe { home.occupancy.dedicate() };
            // SAFETY: the parent's right to run is ours.
            assert_eq!(
                unsafe { home.occupancy.enter(link(parent)) },
                Enter::Entered
            );
            // SAFETY: we are the occupant.
            home.locals.with_mut(|l| unsafe { *l += 1 });
            let worker = {
                let (home, queue) = (home.clone(), queue.clone());
                thread::spawn(move || {
                    let taken = queue.swap(0, AcqRel);
                    if taken != 0 {
                        home.run(link(taken));
                    }
                })
            };
            // SAFETY: as above; the child is published after it.
            unsafe { home.occupancy.open() };
            // A swap, as loom keeps the order of read-modify-writes only.
            queue.swap(child, AcqRel);
            // SAFETY: as above.
            home.locals.with_mut(|l| unsafe { *l += 1 });
            // SAFETY: as above. Whoever is handed the home is run.
            while unsafe { home.occupancy.leave() }.is_some() {
                // SAFETY: as above.
                home.locals.with_mut(|l| unsafe { *l += 1 });
                home.ran.fetch_add(1, Relaxed);
            }
            // The parent comes back, by the rules for all.
            home.run(link(parent));
            worker.join().unwrap();
            let left = queue.load(Acquire);
            if left != 0 {
                home.run(link(left));
            }
            assert_eq!(
                home.ran.load(Relaxed),
                2,
                "the child ran, and the parent again"
            );
            assert!(home.occupancy.try_enter(), "the home is free in the end");
            for address in [parent, child] {
                // SAFETY: made by `Box::leak` above and in no list any more.
                drop(unsafe { Box::from_raw(address as *mut Link) });
            }
        });
    }
}
