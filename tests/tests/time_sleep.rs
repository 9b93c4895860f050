//! `sleep` and `sleep_until`: never early, in order, many at once, on threads as well.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use sward::Runtime;
use sward_tests::{Rng, each_config, each_runtime, within_attempts};

const MOMENT: Duration = Duration::from_millis(2);
/// How late a greenlet may wake up on a machine that has nothing else to do.
const LATE: Duration = Duration::from_millis(20);

#[test]
fn never_early() {
    each_runtime(|runtime| {
        runtime.block_on(|| {
            for micros in [0, 1, 10, 100, 999, 1000, 1001, 1500, 7000] {
                let (start, time) = (Instant::now(), Duration::from_micros(micros));
                sward::sleep(time);
                assert!(start.elapsed() >= time, "{time:?}");
                let end = Instant::now() + time;
                sward::sleep_until(end);
                assert!(Instant::now() >= end, "{time:?}");
            }
        });
    });
}

#[test]
fn until_a_time_that_has_passed() {
    each_runtime(|runtime| {
        runtime.block_on(|| {
            let start = Instant::now();
            for _ in 0..1000 {
                sward::sleep_until(start);
                sward::sleep(Duration::ZERO);
            }
            if let Some(yesterday) = start.checked_sub(Duration::from_secs(60)) {
                sward::sleep_until(yesterday);
            }
        });
    });
}

#[test]
fn on_a_thread() {
    let start = Instant::now();
    sward::sleep(MOMENT);
    assert!(start.elapsed() >= MOMENT);
    let end = Instant::now() + MOMENT;
    sward::sleep_until(end);
    assert!(Instant::now() >= end);
    sward::sleep_until(start);
    sward::sleep(Duration::ZERO);
}

/// Wakes greenlets after these times, all from one moment on, and gives the order in which they woke up, each with how late.
fn wake_up(runtime: &Runtime, times: &[Duration]) -> Vec<(Duration, Duration)> {
    let woken = Arc::new(Mutex::new(Vec::new()));
    let start = Instant::now() + MOMENT;
    let handles: Vec<_> = times
        .iter()
        .map(|&time| {
            let woken = woken.clone();
            runtime.spawn(move || {
                let end = start + time;
                sward::sleep_until(end);
                let late = Instant::now()
                    .checked_duration_since(end)
                    .expect("too early");
                woken.lock().unwrap().push((time, late));
            })
        })
        .collect();
    for handle in handles {
        handle.join().unwrap();
    }
    let woken = woken.lock().unwrap();
    woken.clone()
}

#[test]
fn in_order_and_not_much_late() {
    each_runtime(|runtime| {
        let times = [28, 4, 20, 12, 16, 8, 24].map(Duration::from_millis);
        within_attempts(25, || {
            let woken = wake_up(runtime, &times);
            let late = woken.iter().map(|(_, late)| *late).max().expect("some");
            match woken.is_sorted_by_key(|(time, _)| *time) && late < LATE {
                true => Ok(()),
                false => Err(format!("{woken:?}")),
            }
        });
    });
}

/// Times on both sides of what a timer wheel may have as the borders of its levels.
#[test]
fn all_sizes_of_times() {
    let mut times = Vec::new();
    for millis in [
        0, 1, 2, 4, 8, 16, 31, 32, 33, 63, 64, 65, 100, 127, 128, 129,
    ] {
        for micros in [0, 1, 500, 999] {
            times.push(Duration::from_micros(millis * 1000 + micros));
        }
    }
    each_runtime(|runtime| {
        within_attempts(25, || {
            let woken = wake_up(runtime, &times);
            assert_eq!(woken.len(), times.len());
            match woken.iter().find(|(_, late)| *late >= LATE) {
                None => Ok(()),
                Some((time, late)) => Err(format!("{late:?} late after {time:?}")),
            }
        });
    });
}

/// A far timer is there already when a near one comes: who waits for the far one must wake up for the near one.
#[test]
fn a_near_time_after_a_far_one() {
    each_runtime(|runtime| {
        for far in [
            Duration::from_secs(1000),
            Duration::from_secs(u64::MAX / 1000),
            Duration::MAX,
        ] {
            let parked = runtime.spawn(move || sward::park_timeout(far));
            within_attempts(25, || {
                // All is quiet: every worker sleeps until the far time.
                std::thread::sleep(MOMENT);
                let start = Instant::now();
                runtime.spawn(|| sward::sleep(MOMENT)).join().unwrap();
                let passed = start.elapsed();
                match passed < MOMENT + LATE {
                    true => Ok(()),
                    false => Err(format!("{passed:?} instead of {MOMENT:?}")),
                }
            });
            parked.greenlet().unpark();
            parked.join().unwrap();
        }
    });
}

#[test]
fn ten_thousand_sleepers() {
    each_config(|config| {
        config.run(|runtime| {
            let mut rng = Rng::new(4);
            let handles: Vec<_> = (0..10_000)
                .map(|_| {
                    let time = Duration::from_micros(rng.below(30_000));
                    runtime.spawn(move || {
                        let start = Instant::now();
                        sward::sleep(time);
                        assert!(start.elapsed() >= time);
                    })
                })
                .collect();
            for handle in handles {
                handle.join().unwrap();
            }
        });
    });
}

/// Sleeping is waiting, not working: a worker has many sleepers, and the time of all is that of one.
#[test]
fn sleepers_do_not_keep_a_worker() {
    each_runtime(|runtime| {
        within_attempts(25, || {
            let start = Instant::now();
            let handles: Vec<_> = (0..100)
                .map(|_| runtime.spawn(|| sward::sleep(4 * MOMENT)))
                .collect();
            for handle in handles {
                handle.join().unwrap();
            }
            let passed = start.elapsed();
            match passed < 4 * MOMENT + LATE {
                true => Ok(()),
                false => Err(format!("{passed:?}")),
            }
        });
    });
}
