//! A greenlet may block in a destructor while it unwinds: `thread::panicking()`, and with it the poisoning of locks, is that of
//! the greenlet, whoever shares its home.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread::panicking;

use sward_tests::identity::identity;
use sward_tests::{Rng, Section, Storm, Suspension, each_config, each_runtime, storm};

struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// Fails, and calls `in_drop` while it unwinds.
fn fail_with(in_drop: impl FnMut()) {
    let caught = catch_unwind(AssertUnwindSafe(|| {
        let _on_drop = OnDrop(in_drop);
        resume_unwind(Box::new("failed"));
    }));
    assert_eq!(*caught.unwrap_err().downcast::<&str>().unwrap(), "failed");
}

/// Some fail and block while they unwind, in every way there is; the others check that none of it is to be seen.
#[test]
fn nobody_else_sees_the_panic() {
    each_config(|config| {
        config.run(|runtime| {
            storm(config, runtime, Storm::default(), |rng, _| {
                assert!(!panicking());
                if rng.below(2) == 0 {
                    let before = identity();
                    fail_with(|| {
                        assert!(panicking());
                        Suspension::any(rng).suspend();
                        assert!(panicking(), "its own panic is lost");
                        assert_eq!(identity(), before);
                        Suspension::Yield.suspend();
                        assert!(panicking(), "its own panic is lost");
                    });
                } else {
                    Suspension::any(rng).suspend();
                }
                assert!(!panicking(), "somebody else's panic is seen");
            });
        });
    });
}

/// The same for greenlets that end by it, and for those that are spawned, freshly run and joined in the middle.
#[test]
fn greenlets_that_end_by_it() {
    each_config(|config| {
        config.run(|runtime| {
            storm(
                config,
                runtime,
                Storm {
                    rounds: 4,
                    ..Storm::default()
                },
                |rng, _| {
                    let (seed, before) = (rng.number(), identity());
                    let fails = sward::spawn(move || {
                        assert!(!panicking());
                        let mut rng = Rng::new(seed);
                        let _on_drop = OnDrop(|| {
                            let fresh = sward::spawn(panicking);
                            assert!(!fresh.join().unwrap(), "a fresh greenlet saw a panic");
                            Suspension::any(&mut rng).suspend();
                            assert!(panicking());
                        });
                        resume_unwind(Box::new(seed));
                    });
                    assert!(!panicking());
                    let payload = fails.join().unwrap_err().into_panic();
                    assert_eq!(*payload.downcast::<u64>().unwrap(), seed);
                    assert!(!panicking());
                    assert_eq!(identity(), before);
                },
            );
        });
    });
}

/// Locks are poisoned by those who panic, and by nobody else.
#[test]
fn locks_are_poisoned_by_those_who_panic() {
    each_config(|config| {
        config.run(|runtime| {
            storm(
                config,
                runtime,
                Storm {
                    rounds: 6,
                    ..Storm::default()
                },
                |rng, _| {
                    // A greenlet's own, so that nobody waits for it while its owner is suspended.
                    let (lock, other) = (Mutex::new(()), Mutex::new(()));
                    let mut guard = Some(lock.lock().unwrap());
                    if rng.below(2) == 0 {
                        fail_with(|| {
                            Suspension::any(rng).suspend();
                            // Taken and given back during the panic: no harm done, says std.
                            let during = other.lock().unwrap();
                            Suspension::any(rng).suspend();
                            drop(during);
                            // Taken before it, given back during it.
                            drop(guard.take());
                        });
                        assert!(lock.is_poisoned(), "its own panic was not seen");
                        assert!(!other.is_poisoned(), "its own panic was not seen");
                    } else {
                        Suspension::any(rng).suspend();
                        drop(guard);
                        assert!(!lock.is_poisoned(), "poisoned by somebody else's panic");
                    }
                },
            );
        });
    });
}

#[test]
fn a_guard_given_back_by_unwinding_poisons() {
    each_runtime(|runtime| {
        let lock = Arc::new(Mutex::new(1));
        let theirs = lock.clone();
        let fails = runtime.spawn(move || {
            let _guard = theirs.lock().unwrap();
            // Dropped first: it suspends with the guard still held.
            let _on_drop = OnDrop(|| Suspension::Yield.suspend());
            resume_unwind(Box::new(()));
        });
        fails.join().unwrap_err();
        assert!(lock.is_poisoned());
    });
}

/// Panics in destructors that run because of a panic, each caught there, all of them blocking.
#[test]
fn panics_within_panics() {
    fn fail(depth: u32, rng: &mut Rng) {
        fail_with(|| {
            assert!(panicking());
            Suspension::any(rng).suspend();
            if depth > 0 {
                fail(depth - 1, rng);
            }
            assert!(panicking(), "one of several panics was lost");
            Suspension::any(rng).suspend();
            assert!(panicking(), "one of several panics was lost");
        });
    }
    each_config(|config| {
        config.run(|runtime| {
            storm(
                config,
                runtime,
                Storm {
                    rounds: 3,
                    ..Storm::default()
                },
                |rng, _| {
                    assert!(!panicking());
                    match rng.below(3) {
                        0 => Suspension::any(rng).suspend(),
                        depth => fail(depth as u32, rng),
                    }
                    assert!(!panicking());
                },
            );
        });
    });
}

/// What it waits for while it unwinds needs the same home: neither stays without the other for ever.
#[test]
fn a_destructor_that_joins_a_child_of_the_same_home() {
    each_config(|config| {
        config.run(|runtime| {
            storm(
                config,
                runtime,
                Storm {
                    greenlets: 8,
                    rounds: 4,
                    migrations: 30,
                },
                |rng, _| {
                    let shared = Rc::new((Section::new(), Cell::new(0)));
                    let child = |mut rng: Rng| {
                        let shared = shared.clone();
                        move || {
                            assert!(!panicking(), "a child saw its parent's panic");
                            shared.0.pass();
                            Suspension::any(&mut rng).suspend();
                            shared.0.pass();
                            shared.1.set(shared.1.get() + 1);
                            assert!(!panicking(), "a child saw its parent's panic");
                        }
                    };
                    let before = sward::spawn_local(child(Rng::new(rng.number())));
                    let mut before = Some(before);
                    let seed = rng.number();
                    fail_with(|| {
                        shared.0.pass();
                        let within = sward::spawn_local(child(Rng::new(seed)));
                        if let Some(before) = before.take() {
                            before.join().unwrap();
                        }
                        within.join().unwrap();
                        assert!(panicking());
                    });
                    assert_eq!((shared.0.passes(), shared.1.get()), (5, 2));
                },
            );
        });
    });
}

/// Many at once, more than there are homes or workers, all suspended in the middle of it.
#[test]
fn many_unwind_at_once() {
    each_runtime(|runtime| {
        const MANY: usize = 200;
        let (met, seen) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let handles: Vec<_> = (0..MANY)
            .map(|number| {
                let (met, seen) = (met.clone(), seen.clone());
                runtime.spawn(move || {
                    let _on_drop = OnDrop(|| {
                        met.fetch_add(1, SeqCst);
                        while met.load(SeqCst) < MANY {
                            sward::yield_now();
                        }
                        seen.fetch_add(usize::from(panicking()), SeqCst);
                    });
                    resume_unwind(Box::new(number));
                })
            })
            .collect();
        for (number, handle) in handles.into_iter().enumerate() {
            let payload = handle.join().unwrap_err().into_panic();
            assert_eq!(*payload.downcast::<usize>().unwrap(), number);
        }
        assert_eq!(seen.load(SeqCst), MANY);
        let after: Vec<_> = (0..MANY).map(|_| runtime.spawn(panicking)).collect();
        assert!(!after.into_iter().any(|handle| handle.join().unwrap()));
    });
}

/// A plain thread that unwinds may wait for greenlets, too. Its panic is not theirs.
#[test]
fn a_thread_that_unwinds_waits_for_greenlets() {
    each_runtime(|runtime| {
        fail_with(|| {
            assert!(panicking());
            assert!(!runtime.spawn(panicking).join().unwrap());
            assert!(!runtime.block_on(panicking));
            assert!(panicking());
        });
        assert!(!panicking());
    });
}
