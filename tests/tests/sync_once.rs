//! `Once`, `OnceLock`, `LazyLock`, `Promise`: done once, seen by all who waited.

use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use sward::sync::{LazyLock, Once, OnceLock, Promise};
use sward_tests::{Drops, Member, each_crowd, until};

fn panics<T>(f: impl FnOnce() -> T) -> bool {
    catch_unwind(AssertUnwindSafe(f)).is_err()
}

#[test]
fn once() {
    each_crowd(|_, runtime, crowd| {
        let shared = Arc::new((Once::new(), AtomicUsize::new(0)));
        let theirs = shared.clone();
        crowd.run(runtime, 8, move |number| {
            let (once, calls) = &*theirs;
            let call = || {
                // Others come meanwhile.
                sward::sleep(Duration::from_micros(200));
                calls.fetch_add(1, SeqCst);
            };
            match number % 3 {
                0 => once.call_once(call),
                1 => once.call_once_force(|state| {
                    assert!(!state.is_poisoned());
                    call();
                }),
                _ => once.wait(),
            }
            assert!(once.is_completed());
            assert_eq!(calls.load(SeqCst), 1);
        });
    });
}

/// After a panic those who wait and those who come are told, and `call_once_force` begins anew.
#[test]
fn a_once_is_poisoned() {
    each_crowd(|_, runtime, crowd| {
        let shared = Arc::new((Once::new(), AtomicUsize::new(0)));
        let theirs = shared.clone();
        let fails = crowd.start(runtime, 0, move || {
            panics(|| {
                theirs.0.call_once(|| {
                    until(|| theirs.1.load(SeqCst) == 3);
                    panic!("out of cheese");
                });
            })
        });
        let waiters: Vec<_> = (0..3)
            .map(|number| {
                let theirs = shared.clone();
                crowd.start(runtime, number, move || {
                    // Not before it has begun, or it would be called here.
                    if number != 2 {
                        until(|| theirs.1.load(SeqCst) > 0);
                    }
                    theirs.1.fetch_add(1, SeqCst);
                    match number {
                        0 | 2 => panics(|| theirs.0.wait()),
                        _ => {
                            theirs.0.wait_force();
                            true
                        }
                    }
                })
            })
            .collect();
        assert!(fails.join());
        assert!(panics(|| shared.0.call_once(|| ())));
        assert!(!shared.0.is_completed());
        shared
            .0
            .call_once_force(|state| assert!(state.is_poisoned()));
        assert!(shared.0.is_completed());
        shared.0.call_once(|| panic!("it was done"));
        shared.0.wait();
        // Those that came too late to see the poison have seen the end.
        let told = waiters.into_iter().map(Member::join);
        assert!(told.filter(|&told| told).count() >= 1);
    });
}

#[test]
fn once_lock() {
    each_crowd(|_, runtime, crowd| {
        let drops = Drops::new();
        let shared = Arc::new((OnceLock::new(), AtomicUsize::new(0), drops.clone()));
        let theirs = shared.clone();
        crowd.run(runtime, 8, move |number| {
            let (lock, made, drops) = &*theirs;
            let value = match number % 3 {
                0 => lock.wait(),
                1 => lock.get_or_init(|| {
                    sward::yield_now();
                    made.fetch_add(1, SeqCst);
                    (number, drops.value())
                }),
                _ => {
                    if lock.set((number, drops.value())).is_ok() {
                        made.fetch_add(1, SeqCst);
                    }
                    lock.get().expect("it is set")
                }
            };
            assert!(std::ptr::eq(value, lock.get().unwrap()));
        });
        assert_eq!(shared.1.load(SeqCst), 1);
        let others = shared.2.count();
        drop(shared);
        assert_eq!(drops.count(), others + 1);
    });
}

/// A panic leaves it as it was.
#[test]
fn a_once_lock_after_a_panic() {
    let lock = OnceLock::new();
    assert!(panics(
        || lock.get_or_init(|| -> u32 { panic!("out of cheese") })
    ));
    assert_eq!(lock.get(), None);
    assert_eq!(lock.get_or_init(|| 7), &7);
    assert_eq!(lock, OnceLock::from(7));
    assert_ne!(lock, OnceLock::new());
    assert_eq!(
        format!("{lock:?} {:?}", OnceLock::<u32>::new()),
        "OnceLock(7) OnceLock(<uninit>)"
    );
    let mut copy = lock.clone();
    assert_eq!(copy.take(), Some(7));
    assert_eq!(copy.get(), None);
    assert_eq!(copy.get_mut(), None);
}

#[test]
fn lazy_lock() {
    each_crowd(|_, runtime, crowd| {
        let made = Arc::new(AtomicUsize::new(0));
        let counted = made.clone();
        let lazy = Arc::new(LazyLock::new(move || {
            sward::yield_now();
            counted.fetch_add(1, SeqCst) + 7
        }));
        let theirs = lazy.clone();
        crowd.run(runtime, 6, move |_| assert_eq!(**theirs, 7));
        assert_eq!(made.load(SeqCst), 1);
    });
    let poisoned = LazyLock::new(|| -> u32 { panic!("out of cheese") });
    assert!(panics(|| *poisoned) && panics(|| *poisoned));
    assert_eq!(format!("{poisoned:?}"), "LazyLock(<uninit>)");
}

#[test]
fn promise() {
    each_crowd(|_, runtime, crowd| {
        let promise = Arc::new(Promise::new());
        let came = Arc::new(AtomicUsize::new(0));
        let waiters: Vec<_> = (0..6)
            .map(|number| {
                let (promise, came) = (promise.clone(), came.clone());
                crowd.start(runtime, number, move || {
                    came.fetch_add(1, SeqCst);
                    match number % 2 {
                        0 => *promise.wait().unwrap(),
                        _ => *promise.wait_timeout(Duration::MAX).unwrap().unwrap(),
                    }
                })
            })
            .collect();
        until(|| came.load(SeqCst) == 6);
        assert!(promise.wait_timeout(Duration::from_micros(100)).is_none());
        assert!(promise.fulfil(|| {
            sward::yield_now();
            7
        }));
        assert_eq!(promise.set(8), Err(8));
        assert!(!promise.fulfil(|| panic!("too late")));
        assert!(waiters.into_iter().all(|waiter| waiter.join() == 7));
        assert_eq!(promise.try_get().unwrap().unwrap(), &7);
    });
}

#[test]
fn a_promise_that_is_not_kept() {
    each_crowd(|_, runtime, crowd| {
        let promise = Arc::new(Promise::<u32>::new());
        let theirs = promise.clone();
        let waiter = crowd.start(runtime, 0, move || theirs.wait().unwrap_err());
        assert!(promise.fulfil(|| panic_any(String::from("out of cheese"))));
        let error = waiter.join();
        assert_eq!(error.to_string(), "a promise was not kept: out of cheese");
        let payload = error.take_payload().unwrap();
        assert_eq!(*payload.downcast::<String>().unwrap(), "out of cheese");
        assert!(promise.wait().unwrap_err().take_payload().is_none());
        assert!(promise.fail(Box::new(1)).is_err());
    });
}
