//! `Mutex`: one at a time, nobody starves, poisoned as std's, and nothing is lost with one that stops waiting.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, TryLockError};
use std::time::{Duration, Instant};

use sward::sync::{MappedMutexGuard, Mutex, MutexGuard};
use sward_tests::{Counted, Drops, Rng, each_crowd, each_runtime};

#[test]
fn one_at_a_time() {
    each_crowd(|_, runtime, crowd| {
        let shared = Arc::new((Mutex::new((0_u64, 0_u64)), AtomicUsize::new(0)));
        let theirs = shared.clone();
        crowd.run(runtime, 8, move |number| {
            let (mutex, inside) = &*theirs;
            let mut rng = Rng::new(number as u64);
            for _ in 0..100 {
                let mut guard = mutex.lock().unwrap();
                assert_eq!(inside.fetch_add(1, SeqCst), 0);
                guard.0 += 1;
                // Held across a suspension, now and then.
                if rng.below(8) == 0 {
                    sward::yield_now();
                }
                guard.1 += 1;
                assert_eq!(guard.0, guard.1);
                assert_eq!(inside.fetch_sub(1, SeqCst), 1);
            }
        });
        assert_eq!(*shared.0.lock().unwrap(), (800, 800));
    });
}

/// Whoever stops waiting, at whatever moment, the others get the lock, and nobody has it whose time was up.
#[test]
fn those_who_stop_waiting_lose_nothing() {
    each_crowd(|_, runtime, crowd| {
        let shared = Arc::new((Mutex::new(0_usize), AtomicUsize::new(0)));
        let theirs = shared.clone();
        crowd.run(runtime, 8, move |number| {
            let (mutex, had) = &*theirs;
            let mut rng = Rng::new(number as u64);
            for _ in 0..60 {
                let guard = match number % 4 {
                    0 => Ok(mutex.lock().unwrap()),
                    _ => mutex.lock_timeout(Duration::from_micros(rng.below(200))),
                };
                match guard {
                    Ok(mut guard) => {
                        *guard += 1;
                        had.fetch_add(1, SeqCst);
                        match rng.below(4) {
                            0 => sward::sleep(Duration::from_micros(rng.below(100))),
                            _ => sward::yield_now(),
                        }
                    }
                    Err(TryLockError::WouldBlock) => {}
                    Err(TryLockError::Poisoned(_)) => panic!("nobody has panicked"),
                }
            }
        });
        let had = shared.1.load(SeqCst);
        assert_eq!(*shared.0.try_lock().expect("nobody has it"), had);
        assert!(had >= 2 * 60);
    });
}

/// One that has the lock nearly all the time does not keep another out.
#[test]
fn nobody_starves() {
    each_crowd(|_, runtime, crowd| {
        let shared = Arc::new((Mutex::new(()), AtomicBool::new(false)));
        let theirs = shared.clone();
        let greedy = crowd.start(runtime, 0, move || {
            let (mutex, stop) = &*theirs;
            while !stop.load(SeqCst) {
                let _guard = mutex.lock().unwrap();
                // With one worker the others come to ask for it.
                sward::yield_now();
            }
        });
        let theirs = shared.clone();
        let modest = crowd.start(runtime, 1, move || {
            (0..20).for_each(|_| drop(theirs.0.lock().unwrap()));
        });
        modest.join();
        shared.1.store(true, SeqCst);
        greedy.join();
    });
}

#[test]
fn a_limit_is_kept() {
    each_crowd(|_, runtime, crowd| {
        let mutex = Arc::new(Mutex::new(()));
        let guard = mutex.lock().unwrap();
        let theirs = mutex.clone();
        crowd.run(runtime, 2, move |_| {
            for limit in [Duration::ZERO, Duration::from_millis(3)] {
                let begun = Instant::now();
                let taken = theirs.lock_timeout(limit);
                assert!(matches!(taken, Err(TryLockError::WouldBlock)));
                assert!(begun.elapsed() >= limit);
            }
        });
        drop(guard);
        assert!(mutex.lock_timeout(Duration::MAX).is_ok());
        // Nobody has left the bit behind that has unlocking look for them.
        assert!(mutex.try_lock().is_ok());
    });
}

#[test]
fn it_is_poisoned_by_a_panic_of_its_holder() {
    each_runtime(|runtime| {
        let mutex = Arc::new(Mutex::new(1));
        let theirs = mutex.clone();
        let holder = runtime.spawn(move || {
            let mut guard = theirs.lock().unwrap();
            *guard = 2;
            sward::yield_now();
            panic!("out of cheese");
        });
        assert!(holder.join().unwrap_err().is_panic());
        assert!(mutex.is_poisoned());
        assert_eq!(**mutex.lock().unwrap_err().get_ref(), 2);
        assert!(matches!(mutex.try_lock(), Err(TryLockError::Poisoned(_))));
        let limit = Duration::from_secs(1);
        assert!(matches!(
            mutex.lock_timeout(limit),
            Err(TryLockError::Poisoned(_))
        ));
        mutex.clear_poison();
        assert_eq!(*mutex.lock().unwrap(), 2);
    });
}

/// std's rule: taken during a panic that began before, a lock is not poisoned by it.
#[test]
fn it_is_not_poisoned_by_a_panic_that_was_there_before() {
    struct Locks(Arc<Mutex<u32>>);
    impl Drop for Locks {
        fn drop(&mut self) {
            let mut guard = self.0.lock().unwrap();
            // Others run meanwhile, which do not panic.
            sward::yield_now();
            *guard += 1;
        }
    }
    each_runtime(|runtime| {
        let mutex = Arc::new(Mutex::new(0));
        let all: Vec<_> = (0..4)
            .map(|number| {
                let locks = Locks(mutex.clone());
                runtime.spawn(move || {
                    let _locks = locks;
                    assert!(number % 2 == 0, "out of cheese");
                })
            })
            .collect();
        let failed = all.into_iter().filter_map(|handle| handle.join().err());
        assert_eq!(failed.count(), 2);
        assert_eq!(*mutex.lock().unwrap(), 4);
    });
}

#[test]
fn mapped() {
    let mutex = Mutex::new((1, String::from("one")));
    let guard = MutexGuard::map(mutex.lock().unwrap(), |pair| &mut pair.1);
    let mut guard: MappedMutexGuard<'_, str> =
        MappedMutexGuard::map(guard, |name| name.as_mut_str());
    guard.make_ascii_uppercase();
    assert!(mutex.try_lock().is_err());
    assert_eq!(format!("{guard} {guard:?}"), "ONE \"ONE\"");
    drop(guard);
    let none = MutexGuard::filter_map(mutex.lock().unwrap(), |_| None::<&mut u32>);
    let guard = none.unwrap_err();
    assert!(mutex.try_lock().is_err(), "it was not given back");
    let guard = MutexGuard::filter_map(guard, |pair| Some(&mut pair.0)).unwrap();
    drop(guard);
    assert_eq!(mutex.into_inner().unwrap(), (1, "ONE".into()));
}

/// A closure of `map` that panics gives the lock back, and poisons it.
#[test]
fn a_panic_in_map() {
    let mutex = Mutex::new(1);
    let caught = catch_unwind(AssertUnwindSafe(|| {
        let _ = MutexGuard::map(mutex.lock().unwrap(), |_| -> &mut u32 {
            panic!("out of cheese")
        });
    }));
    assert!(caught.is_err());
    assert!(matches!(mutex.try_lock(), Err(TryLockError::Poisoned(_))));
    mutex.clear_poison();
    let caught = catch_unwind(AssertUnwindSafe(|| {
        let guard = MutexGuard::map(mutex.lock().unwrap(), |value| value);
        let _ = MappedMutexGuard::map(guard, |_| -> &mut u32 { panic!("out of cheese") });
    }));
    assert!(caught.is_err());
    assert!(matches!(mutex.try_lock(), Err(TryLockError::Poisoned(_))));
}

/// The value goes with the mutex, once, and can be had without a lock by who has the mutex alone.
#[test]
fn the_value_is_dropped_once() {
    let drops = Drops::new();
    drop(Mutex::new(drops.value()));
    assert_eq!(drops.count(), 1);
    let mut mutex = Mutex::new(Some(drops.value()));
    *mutex.get_mut().unwrap() = None;
    assert_eq!(drops.count(), 2);
    *mutex.lock().unwrap() = Some(drops.value());
    let value = mutex.into_inner().unwrap();
    assert_eq!(drops.count(), 2);
    drop(value);
    assert_eq!(drops.count(), 3);
    let unsized_one: Box<Mutex<dyn FnMut() -> u32 + Send>> = Box::new(Mutex::new(|| 7));
    assert_eq!((*unsized_one.lock().unwrap())(), 7);
}

#[test]
fn what_is_shown() {
    let mutex = Mutex::new(7);
    assert_eq!(
        format!("{mutex:?}"),
        "Mutex { data: 7, poisoned: false, .. }"
    );
    let guard = mutex.lock().unwrap();
    assert_eq!(
        format!("{mutex:?}"),
        "Mutex { data: <locked>, poisoned: false, .. }"
    );
    assert_eq!(format!("{guard} {guard:?}"), "7 7");
    assert_eq!(*Mutex::<u32>::default().lock().unwrap(), 0);
    assert_eq!(*Mutex::from(7).lock().unwrap(), 7);
}

/// A greenlet that waits for a mutex parks: the worker runs others.
#[test]
fn who_waits_lets_others_run() {
    each_runtime(|runtime| {
        let mutex = Arc::new(Mutex::new(()));
        let guard = mutex.lock().unwrap();
        let theirs = mutex.clone();
        let waiters: Vec<_> = (0..16)
            .map(|_| {
                let theirs = theirs.clone();
                runtime.spawn(move || drop(theirs.lock().unwrap()))
            })
            .collect();
        assert_eq!(runtime.spawn(|| 7).join().unwrap(), 7);
        drop(guard);
        waiters
            .into_iter()
            .for_each(|waiter| waiter.join().unwrap());
    });
}

const fn _is_sync<T: Sync>() {}
const _: () = _is_sync::<MutexGuard<'_, u32>>();
const _: () = _is_sync::<MappedMutexGuard<'_, u32>>();
const _: () = _is_sync::<Mutex<Option<Counted>>>();
