//! `Condvar`: no notification is lost, none wakes two, and the mutex is the waiter's when it goes on.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use sward::sync::{Condvar, Mutex};
use sward_tests::{Member, Rng, each_crowd, each_runtime, until};

/// A queue of one place: who puts and who takes wait for each other.
#[test]
fn hand_over() {
    each_crowd(|_, runtime, crowd| {
        const EACH: u64 = 50;
        let shared = Arc::new((Mutex::new(None::<u64>), Condvar::new(), Condvar::new()));
        let sum = Arc::new(Mutex::new(0));
        let (theirs, total) = (shared.clone(), sum.clone());
        crowd.run(runtime, 8, move |number| {
            let (place, empty, full) = &*theirs;
            for round in 0..EACH {
                let mut guard = place.lock().unwrap();
                if number < 4 {
                    guard = empty.wait_while(guard, |place| place.is_some()).unwrap();
                    *guard = Some(round);
                    full.notify_one();
                } else {
                    while guard.is_none() {
                        guard = full.wait(guard).unwrap();
                    }
                    *total.lock().unwrap() += guard.take().unwrap();
                    empty.notify_one();
                }
            }
        });
        assert_eq!(*sum.lock().unwrap(), 4 * (EACH - 1) * EACH / 2);
        assert!(shared.0.lock().unwrap().is_none());
    });
}

/// One notification for each thing that is put down: if one whose time is up took a notification with it, a thing would be left
/// while the patient wait.
#[test]
fn those_who_stop_waiting_take_no_notification() {
    each_crowd(|_, runtime, crowd| {
        const THINGS: usize = 200;
        let shared = Arc::new((Mutex::new(0_usize), Condvar::new(), AtomicUsize::new(0)));
        let takers: Vec<_> = (0..6)
            .map(|number| {
                let theirs = shared.clone();
                crowd.start(runtime, number, move || {
                    let (things, condition, taken) = &*theirs;
                    let mut rng = Rng::new(number as u64);
                    let patient = number < 2;
                    while taken.load(SeqCst) < THINGS {
                        let mut guard = things.lock().unwrap();
                        if patient {
                            let all_taken = || taken.load(SeqCst) == THINGS;
                            let nothing = |things: &mut usize| *things == 0 && !all_taken();
                            guard = condition.wait_while(guard, nothing).unwrap();
                            if *guard == 0 {
                                return;
                            }
                        } else {
                            let limit = Duration::from_micros(rng.below(100));
                            let (again, result) = condition.wait_timeout(guard, limit).unwrap();
                            guard = again;
                            if result.timed_out() || *guard == 0 {
                                continue;
                            }
                        }
                        *guard -= 1;
                        if taken.fetch_add(1, SeqCst) + 1 == THINGS {
                            condition.notify_all();
                        }
                    }
                })
            })
            .collect();
        let (things, condition, taken) = &*shared;
        let mut rng = Rng::new(99);
        for _ in 0..THINGS {
            *things.lock().unwrap() += 1;
            condition.notify_one();
            if rng.below(2) == 0 {
                until(|| *things.lock().unwrap() == 0);
            }
        }
        until(|| taken.load(SeqCst) == THINGS);
        takers.into_iter().for_each(Member::join);
    });
}

#[test]
fn all_are_notified() {
    each_crowd(|_, runtime, crowd| {
        let shared = Arc::new((Mutex::new((0, false)), Condvar::new()));
        let all: Vec<_> = (0..8)
            .map(|number| {
                let theirs = shared.clone();
                crowd.start(runtime, number, move || {
                    let mut guard = theirs.0.lock().unwrap();
                    guard.0 += 1;
                    let guard = theirs.1.wait_while(guard, |state| !state.1).unwrap();
                    assert!(guard.1);
                })
            })
            .collect();
        // Counted under the mutex, so who is counted waits when the mutex is free.
        until(|| shared.0.lock().unwrap().0 == 8);
        shared.0.lock().unwrap().1 = true;
        shared.1.notify_all();
        all.into_iter().for_each(Member::join);
    });
}

#[test]
fn a_limit_is_kept() {
    each_crowd(|_, runtime, crowd| {
        crowd.run(runtime, 2, |_| {
            let (mutex, condition) = (Mutex::new(()), Condvar::new());
            let limit = Duration::from_millis(3);
            let begun = Instant::now();
            let guard = mutex.lock().unwrap();
            let (guard, result) = condition.wait_timeout(guard, limit).unwrap();
            assert!(result.timed_out() && begun.elapsed() >= limit);
            assert!(mutex.try_lock().is_err(), "the waiter has it again");
            let (guard, result) = condition
                .wait_timeout_while(guard, limit, |()| true)
                .unwrap();
            assert!(result.timed_out() && begun.elapsed() >= 2 * limit);
            let (_guard, result) = condition
                .wait_timeout_while(guard, Duration::MAX, |()| false)
                .unwrap();
            assert!(!result.timed_out());
        });
    });
}

/// The mutex's poison is told to who wakes.
#[test]
fn a_poisoned_mutex() {
    each_runtime(|runtime| {
        let shared = Arc::new((Mutex::new(false), Condvar::new()));
        let theirs = shared.clone();
        let waiter = runtime.spawn(move || {
            let mut guard = theirs.0.lock().unwrap();
            *guard = true;
            theirs.1.wait(guard).is_err()
        });
        until(|| *shared.0.lock().unwrap());
        let theirs = shared.clone();
        let breaker = runtime.spawn(move || {
            let _guard = theirs.0.lock().unwrap();
            panic!("out of cheese");
        });
        breaker.join().unwrap_err();
        shared.1.notify_one();
        assert!(waiter.join().unwrap());
    });
}

/// One condition may be used with several mutexes.
#[test]
fn with_two_mutexes() {
    each_runtime(|runtime| {
        let condition = Arc::new(Condvar::new());
        let mutexes: Vec<_> = (0..2).map(|_| Arc::new(Mutex::new(0))).collect();
        let all: Vec<_> = mutexes
            .iter()
            .map(|mutex| {
                let (condition, mutex) = (condition.clone(), mutex.clone());
                runtime.spawn(move || {
                    let mut guard = mutex.lock().unwrap();
                    *guard = 1;
                    drop(condition.wait_while(guard, |state| *state != 2).unwrap());
                })
            })
            .collect();
        for mutex in &mutexes {
            until(|| *mutex.lock().unwrap() == 1);
            *mutex.lock().unwrap() = 2;
        }
        condition.notify_all();
        all.into_iter().for_each(|waiter| waiter.join().unwrap());
    });
}

/// Woken in the order in which they came.
#[test]
fn first_come_first_served() {
    each_runtime(|runtime| {
        let shared = Arc::new((Mutex::new((0, VecDeque::new())), Condvar::new()));
        let all: Vec<_> = (0..4)
            .map(|number| {
                let theirs = shared.clone();
                let waiter = runtime.spawn(move || {
                    let mut guard = theirs.0.lock().unwrap();
                    guard.0 += 1;
                    guard = theirs.1.wait(guard).unwrap();
                    guard.1.push_back(number);
                });
                until(|| shared.0.lock().unwrap().0 == number + 1);
                waiter
            })
            .collect();
        for number in 0..4 {
            shared.1.notify_one();
            until(|| shared.0.lock().unwrap().1.len() == number + 1);
        }
        all.into_iter().for_each(|waiter| waiter.join().unwrap());
        assert_eq!(shared.0.lock().unwrap().1, [0, 1, 2, 3]);
    });
}
