//! `Semaphore`: as many permits as there are, first come, first served, and none lost with one that stops waiting.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use sward::sync::{Semaphore, TryAcquireError};
use sward_tests::{Member, Rng, each_crowd, each_runtime, until};

const PERMITS: usize = 5;

/// Never more inside than there are permits, and all are back at the end, whoever leaves the line when.
#[test]
fn none_lost_none_doubled() {
    each_crowd(|_, runtime, crowd| {
        let shared = Arc::new((Semaphore::new(PERMITS), AtomicUsize::new(0)));
        let theirs = shared.clone();
        crowd.run(runtime, 8, move |number| {
            let (semaphore, inside) = &*theirs;
            let mut rng = Rng::new(number as u64);
            for _ in 0..60 {
                let count = 1 + rng.below(PERMITS as u64) as usize;
                let permit = match rng.below(4) {
                    0 => Ok(semaphore.acquire_many(count).unwrap()),
                    1 => semaphore.try_acquire_many(count),
                    _ => {
                        let limit = Duration::from_micros(rng.below(200));
                        semaphore.acquire_many_timeout(count, limit)
                    }
                };
                match permit {
                    Ok(mut permit) => {
                        let before = inside.fetch_add(count, SeqCst);
                        assert!(before + count <= PERMITS, "{before} and {count} inside");
                        match rng.below(3) {
                            0 => sward::sleep(Duration::from_micros(rng.below(100))),
                            _ => sward::yield_now(),
                        }
                        // Some go back sooner.
                        let early = permit.split(rng.below(count as u64 + 1) as usize).unwrap();
                        inside.fetch_sub(early.count(), SeqCst);
                        drop(early);
                        inside.fetch_sub(permit.count(), SeqCst);
                    }
                    Err(error) => assert_eq!(error, TryAcquireError::NoPermits),
                }
            }
        });
        assert_eq!(shared.0.available_permits(), PERMITS);
        assert!(
            shared.0.try_acquire_many(PERMITS).is_ok(),
            "nobody is in the line"
        );
    });
}

/// One that wants many is not overtaken, and when it leaves, those behind it go on.
#[test]
fn first_come_first_served() {
    each_crowd(|_, runtime, crowd| {
        let semaphore = Arc::new(Semaphore::new(2));
        let theirs = semaphore.clone();
        let large = crowd.start(runtime, 0, move || {
            theirs
                .acquire_many_timeout(3, Duration::from_millis(30))
                .is_err()
        });
        // Nobody is served before it from the moment it is in the line.
        until(|| large.is_finished() || semaphore.try_acquire().is_err());
        let theirs = semaphore.clone();
        let begun = Instant::now();
        let small = crowd.start(runtime, 1, move || theirs.acquire_many(2).unwrap().count());
        assert_eq!(small.join(), 2);
        assert!(large.join());
        assert!(begun.elapsed() < Duration::from_secs(60));
        assert_eq!(semaphore.available_permits(), 2);
    });
}

#[test]
fn those_who_wait_are_told_of_the_end() {
    each_crowd(|_, runtime, crowd| {
        let semaphore = Arc::new(Semaphore::new(0));
        let came = Arc::new(AtomicUsize::new(0));
        let waiters: Vec<_> = (0..4)
            .map(|number| {
                let (semaphore, came) = (semaphore.clone(), came.clone());
                crowd.start(runtime, number, move || {
                    came.fetch_add(1, SeqCst);
                    match number {
                        0 => semaphore.acquire().is_err(),
                        1 => {
                            let limit = Duration::MAX;
                            semaphore.acquire_timeout(limit).unwrap_err() == TryAcquireError::Closed
                        }
                        2 => semaphore.acquire_owned().is_err(),
                        _ => semaphore
                            .acquire_many_owned_timeout(2, Duration::MAX)
                            .is_err(),
                    }
                })
            })
            .collect();
        until(|| came.load(SeqCst) == 4);
        semaphore.close();
        assert!(waiters.into_iter().all(Member::join));
        assert!(semaphore.is_closed());
        semaphore.add_permits(1);
        assert_eq!(
            semaphore.try_acquire().unwrap_err(),
            TryAcquireError::Closed
        );
    });
}

/// Permits go to other greenlets and threads, are split, merged, forgotten and added.
#[test]
fn owned() {
    each_runtime(|runtime| {
        let semaphore = Arc::new(Semaphore::new(3));
        let mut two = semaphore.clone().acquire_many_owned(2).unwrap();
        let one = two.split(1).unwrap();
        assert!(two.split(2).is_none());
        runtime.spawn(move || drop(one)).join().unwrap();
        assert_eq!(semaphore.available_permits(), 2);
        two.merge(semaphore.clone().try_acquire_many_owned(2).unwrap());
        assert_eq!((two.count(), semaphore.available_permits()), (3, 0));
        two.forget();
        assert_eq!(semaphore.available_permits(), 0);
        let theirs = semaphore.clone();
        let waiter = runtime.spawn(move || theirs.acquire_many(2).unwrap().count());
        semaphore.add_permits(1);
        semaphore.add_permits(1);
        assert_eq!(waiter.join().unwrap(), 2);
        assert_eq!(semaphore.forget_permits(10), 2);
    });
}

#[test]
#[should_panic = "permits at most"]
fn too_many() {
    let semaphore = Semaphore::new(1);
    semaphore.add_permits(Semaphore::MAX_PERMITS);
}

/// Permits come back without a panic, however many were added meanwhile.
#[test]
fn back_to_a_full_one() {
    let semaphore = Semaphore::new(Semaphore::MAX_PERMITS);
    let permit = semaphore.acquire().unwrap();
    semaphore.add_permits(1);
    drop(permit);
    assert!(semaphore.available_permits() > Semaphore::MAX_PERMITS);
}

#[test]
#[should_panic = "permits of another semaphore"]
fn merged_with_another_s() {
    let (one, other) = (Semaphore::new(1), Semaphore::new(1));
    let mut permit = one.acquire().unwrap();
    permit.merge(other.acquire().unwrap());
}
