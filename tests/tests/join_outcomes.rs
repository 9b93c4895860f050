//! `JoinHandle`: joining, joining for a while, asking, detaching; from greenlets and threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use sward::JoinHandle;
use sward_tests::{Drops, Rng, each_runtime, until};

const AGES: Duration = Duration::from_secs(3600);

/// A greenlet that ends when the flag is set.
fn wait_for(flag: &Arc<AtomicBool>) -> impl FnOnce() -> u32 + Send + 'static {
    let flag = flag.clone();
    move || {
        until(|| flag.load(SeqCst));
        5
    }
}

#[test]
fn join_waits_for_the_end() {
    each_runtime(|runtime| {
        let ended = Arc::new(AtomicBool::new(false));
        let joined_by_a_thread = ended.clone();
        let handle = runtime.spawn(move || {
            sward::sleep(Duration::from_millis(2));
            joined_by_a_thread.store(true, SeqCst);
        });
        handle.join().unwrap();
        assert!(ended.load(SeqCst));

        let ended = Arc::new(AtomicBool::new(false));
        runtime.block_on(move || {
            let joined_by_a_greenlet = ended.clone();
            let handle = sward::spawn(move || {
                sward::sleep(Duration::from_millis(2));
                joined_by_a_greenlet.store(true, SeqCst);
            });
            handle.join().unwrap();
            assert!(ended.load(SeqCst));
        });
    });
}

#[test]
fn join_of_one_that_has_ended() {
    each_runtime(|runtime| {
        let handle = runtime.spawn(|| 3);
        until(|| handle.is_finished());
        assert_eq!(handle.join().unwrap(), 3);
        let in_greenlet = runtime.spawn(|| {
            let handle = sward::spawn(|| 4);
            until(|| handle.is_finished());
            handle.join().unwrap()
        });
        assert_eq!(in_greenlet.join().unwrap(), 4);
    });
}

#[test]
fn is_finished_tells_the_end() {
    each_runtime(|runtime| {
        let flag = Arc::new(AtomicBool::new(false));
        let handle = runtime.spawn(wait_for(&flag));
        assert!(!handle.is_finished());
        let greenlet = handle.greenlet().clone();
        flag.store(true, SeqCst);
        until(|| handle.is_finished());
        assert_eq!(handle.greenlet().id(), greenlet.id());
        // It has really ended: this returns at once, also where the time is up before it starts.
        assert_eq!(handle.join_timeout(Duration::ZERO).unwrap().unwrap(), 5);
    });
}

#[test]
fn join_timeout_gives_the_handle_back() {
    fn check(mut handle: JoinHandle<u32>, flag: &AtomicBool) {
        for micros in [0, 1, 50, 3000] {
            let timeout = Duration::from_micros(micros);
            let start = Instant::now();
            handle = match handle.join_timeout(timeout) {
                Ok(_) => panic!("it has not ended"),
                Err(handle) => handle,
            };
            assert!(start.elapsed() >= timeout);
            assert!(!handle.is_finished());
        }
        flag.store(true, SeqCst);
        assert_eq!(handle.join_timeout(AGES).unwrap().unwrap(), 5);
    }

    each_runtime(|runtime| {
        let flag = Arc::new(AtomicBool::new(false));
        check(runtime.spawn(wait_for(&flag)), &flag);
        flag.store(false, SeqCst);
        runtime.block_on(move || check(sward::spawn(wait_for(&flag)), &flag));
    });
}

/// An hour, and more than any clock can count: not a panic, and not an end at once.
#[test]
fn join_timeout_with_endless_times() {
    each_runtime(|runtime| {
        for timeout in [AGES, Duration::from_secs(u64::MAX / 1000), Duration::MAX] {
            let (from_thread, from_greenlet) = (
                Arc::new(AtomicBool::new(false)),
                Arc::new(AtomicBool::new(false)),
            );
            let handle = runtime.spawn(wait_for(&from_thread));
            let flag = from_thread.clone();
            runtime.spawn(move || flag.store(true, SeqCst));
            assert_eq!(handle.join_timeout(timeout).unwrap().unwrap(), 5);
            let joined = runtime.block_on(move || {
                let handle = sward::spawn(wait_for(&from_greenlet));
                sward::spawn(move || from_greenlet.store(true, SeqCst));
                handle.join_timeout(timeout).unwrap().unwrap()
            });
            assert_eq!(joined, 5);
        }
    });
}

/// The end and the elapsing meet in all orders. Each greenlet's result comes exactly once.
#[test]
fn join_timeout_races_with_the_end() {
    fn race(spawn: impl Fn(Drops, Duration) -> JoinHandle<sward_tests::Counted>) {
        let (drops, mut rng, mut elapsed) = (Drops::new(), Rng::new(1), 0);
        for round in 0..200 {
            let pause = Duration::from_micros(rng.below(200));
            let mut handle = spawn(drops.clone(), pause);
            let value = loop {
                match handle.join_timeout(Duration::from_micros(rng.below(100))) {
                    Ok(result) => break result.unwrap(),
                    Err(back) => {
                        elapsed += 1;
                        handle = back;
                    }
                }
            };
            assert_eq!(drops.count(), round);
            drop(value);
        }
        assert!(elapsed > 0, "none of them was a race");
    }
    let body = |drops: Drops, pause| {
        move || {
            sward::sleep(pause);
            drops.value()
        }
    };
    each_runtime(|runtime| {
        race(|drops, pause| runtime.spawn(body(drops, pause)));
        runtime.block_on(move || race(|drops, pause| sward::spawn(body(drops, pause))));
    });
}

/// The handle goes to where the race with the end is lost or won on another worker, or on no worker.
#[test]
fn handles_are_joined_elsewhere() {
    each_runtime(|runtime| {
        let (to_thread, handles) = mpsc::channel::<JoinHandle<u64>>();
        let joiner = thread::spawn(move || {
            handles
                .iter()
                .map(|handle| handle.join().unwrap())
                .sum::<u64>()
        });
        for number in 0..300 {
            to_thread.send(runtime.spawn(move || number)).unwrap();
        }
        drop(to_thread);
        assert_eq!(joiner.join().unwrap(), 299 * 300 / 2);

        let joiners: Vec<_> = (0..300)
            .map(|number| {
                let handle = runtime.spawn(move || number);
                runtime.spawn(move || handle.join().unwrap())
            })
            .collect();
        let sum: u64 = joiners
            .into_iter()
            .map(|joiner| joiner.join().unwrap())
            .sum();
        assert_eq!(sum, 299 * 300 / 2);
    });
}

#[test]
fn a_long_chain_of_joins() {
    each_runtime(|runtime| {
        let flag = Arc::new(AtomicBool::new(false));
        let mut last = runtime.spawn(wait_for(&flag));
        for _ in 0..500 {
            last = runtime.spawn(move || last.join().unwrap() + 1);
        }
        flag.store(true, SeqCst);
        assert_eq!(last.join().unwrap(), 505);
    });
}

#[test]
fn dropping_the_handle_detaches() {
    each_runtime(|runtime| {
        let ended = Arc::new(AtomicUsize::new(0));
        for number in 0..100 {
            let ended = ended.clone();
            let handle = runtime.spawn(move || {
                for _ in 0..number % 5 {
                    sward::yield_now();
                }
                ended.fetch_add(1, SeqCst);
            });
            drop(handle);
        }
        until(|| ended.load(SeqCst) == 100);
    });
}

/// A handle that was given back by `join_timeout` and is then dropped leaves no waiter and no timer behind.
#[test]
fn dropping_the_handle_after_a_timeout_detaches() {
    each_runtime(|runtime| {
        let flag = Arc::new(AtomicBool::new(false));
        let handles: Vec<_> = (0..50)
            .map(|_| runtime.spawn(wait_for(&flag)))
            .map(|handle| handle.join_timeout(Duration::from_micros(50)).unwrap_err())
            .collect();
        let outside = flag.clone();
        let inside = runtime.spawn(move || {
            let handle = sward::spawn(wait_for(&outside));
            drop(handle.join_timeout(Duration::from_micros(50)).unwrap_err());
        });
        inside.join().unwrap();
        drop(handles);
        flag.store(true, SeqCst);
    });
}
