//! `park`, `park_timeout` and `unpark`: one permit, kept until it is used, seen by nothing else.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use sward::Runtime;
use sward_tests::{Rng, each_runtime, until};

const AGES: Duration = Duration::from_secs(3600);
const MOMENT: Duration = Duration::from_millis(2);

/// Checks that there is no permit.
fn no_permit() {
    let start = Instant::now();
    sward::park_timeout(MOMENT);
    assert!(start.elapsed() >= MOMENT, "there was a permit");
}

#[test]
fn unpark_before_park() {
    each_runtime(|runtime| {
        let handle = runtime.spawn(|| {
            sward::current().unpark();
            sward::park();
            no_permit();
            sward::current().unpark();
            sward::park_timeout(AGES);
            no_permit();
        });
        handle.join().unwrap();
    });
}

#[test]
fn several_unparks_are_one_permit() {
    each_runtime(|runtime| {
        let unparked = Arc::new(AtomicBool::new(false));
        let go = unparked.clone();
        let handle = runtime.spawn(move || {
            until(|| go.load(SeqCst));
            sward::park();
            no_permit();
        });
        for _ in 0..5 {
            handle.greenlet().unpark();
        }
        unparked.store(true, SeqCst);
        handle.join().unwrap();
    });
}

/// A permit waits also for a greenlet that has not run yet.
#[test]
fn unpark_before_the_run() {
    each_runtime(|runtime| {
        for _ in 0..100 {
            let handle = runtime.spawn(sward::park);
            handle.greenlet().unpark();
            handle.join().unwrap();
            // Nobody is there any more: nothing happens.
            let handle = runtime.spawn(|| sward::current());
            let greenlet = handle.join().unwrap();
            greenlet.unpark();
        }
    });
}

#[test]
fn park_waits_for_unpark() {
    each_runtime(|runtime| {
        let unparked = Arc::new(AtomicBool::new(false));
        let (from_thread, from_greenlet) = (unparked.clone(), unparked.clone());
        let body = || {
            let unparked = unparked.clone();
            move || {
                sward::park();
                assert!(unparked.swap(false, SeqCst), "nobody unparked it");
            }
        };
        let parked = runtime.spawn(body());
        runtime.block_on(|| sward::sleep(MOMENT));
        assert!(!parked.is_finished());
        from_thread.store(true, SeqCst);
        parked.greenlet().unpark();
        parked.join().unwrap();

        let parked = runtime.spawn(body());
        let greenlet = parked.greenlet().clone();
        let unparker = runtime.spawn(move || {
            sward::sleep(MOMENT);
            from_greenlet.store(true, SeqCst);
            greenlet.unpark();
        });
        parked.join().unwrap();
        unparker.join().unwrap();
    });
}

#[test]
fn park_timeout_ends_by_time_and_not_before() {
    each_runtime(|runtime| {
        let handle = runtime.spawn(|| {
            for micros in [0, 1, 50, 999, 1000, 1001, 5000] {
                let timeout = Duration::from_micros(micros);
                let start = Instant::now();
                sward::park_timeout(timeout);
                assert!(start.elapsed() >= timeout, "{timeout:?}");
            }
        });
        handle.join().unwrap();
    });
}

/// Unparked long before its time, and for times that no clock can count.
#[test]
fn park_timeout_ends_by_unpark() {
    each_runtime(|runtime| {
        for timeout in [AGES, Duration::from_secs(u64::MAX / 1000), Duration::MAX] {
            let parked = runtime.spawn(move || sward::park_timeout(timeout));
            runtime.block_on(sward::yield_now);
            parked.greenlet().unpark();
            parked.join().unwrap();
        }
    });
}

/// Time and unpark meet in all orders. The permit is either used or still there, never lost, never doubled.
#[test]
fn park_timeout_races_with_unpark() {
    each_runtime(|runtime| {
        let rounds = 300;
        let (turn, parked_once) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let (their_turn, their_parked) = (turn.clone(), parked_once.clone());
        let parked = runtime.spawn(move || {
            let mut rng = Rng::new(2);
            for round in 1..=rounds {
                their_turn.store(round, SeqCst);
                sward::park_timeout(Duration::from_micros(rng.below(60)));
                // However that ended, unpark comes once for each round: if it has not ended the park above, it ends this.
                until(|| their_parked.load(SeqCst) == round);
                sward::current().unpark();
                sward::park_timeout(AGES);
                no_permit_now();
            }
        });
        let mut rng = Rng::new(3);
        for round in 1..=rounds {
            until(|| turn.load(SeqCst) == round);
            let pause = Instant::now() + Duration::from_micros(rng.below(60));
            while Instant::now() < pause {
                std::hint::spin_loop();
            }
            parked.greenlet().unpark();
            parked_once.store(round, SeqCst);
        }
        parked.join().unwrap();
    });
}

/// As `no_permit`, in less time.
fn no_permit_now() {
    let (start, timeout) = (Instant::now(), Duration::from_micros(1));
    sward::park_timeout(timeout);
    assert!(start.elapsed() >= timeout, "there was a permit");
}

/// Unparks from two sides, all the time while a greenlet waits for something else.
#[test]
fn unpark_does_not_end_a_sleep_or_a_join() {
    fn check(runtime: &Runtime, wait: fn()) {
        let (awake, over) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicBool::new(false)),
        );
        let (their_awake, their_over) = (awake.clone(), over.clone());
        let waiter = runtime.spawn(move || {
            wait();
            their_awake.store(true, SeqCst);
            until(|| their_over.load(SeqCst));
            // The permit that came meanwhile is still there, once.
            sward::park();
            no_permit();
        });
        let (greenlet, their_awake) = (waiter.greenlet().clone(), awake.clone());
        let unparker = runtime.spawn(move || {
            while !their_awake.load(SeqCst) {
                greenlet.unpark();
                sward::yield_now();
            }
        });
        while !awake.load(SeqCst) {
            waiter.greenlet().unpark();
            thread::yield_now();
        }
        unparker.join().unwrap();
        waiter.greenlet().unpark();
        over.store(true, SeqCst);
        waiter.join().unwrap();
    }
    each_runtime(|runtime| {
        check(runtime, || {
            let start = Instant::now();
            sward::sleep(MOMENT);
            assert!(start.elapsed() >= MOMENT);
        });
        check(runtime, || {
            let start = Instant::now();
            sward::spawn(|| sward::sleep(MOMENT)).join().unwrap();
            assert!(start.elapsed() >= MOMENT);
        });
        check(runtime, || {
            let start = Instant::now();
            let sleeper = sward::spawn(|| sward::sleep(2 * MOMENT));
            if let Err(sleeper) = sleeper.join_timeout(MOMENT) {
                assert!(start.elapsed() >= MOMENT);
                sleeper.join().unwrap();
            }
            assert!(start.elapsed() >= 2 * MOMENT);
        });
    });
}

/// Everyone unparks everyone, from greenlets and threads; each greenlet counts what was really new for it.
#[test]
fn a_storm_of_unparks() {
    const GREENLETS: usize = 16;
    const WANTED: usize = 200;
    each_runtime(|runtime| {
        let letters: Arc<[AtomicUsize]> = (0..GREENLETS).map(|_| AtomicUsize::new(0)).collect();
        let handles: Vec<_> = (0..GREENLETS)
            .map(|number| {
                let letters = letters.clone();
                runtime.spawn(move || {
                    let mut taken = 0;
                    while taken < WANTED {
                        // A letter posted before the unpark is seen after the park, with no order but theirs.
                        taken += letters[number].swap(0, Relaxed);
                        if taken < WANTED {
                            sward::park();
                        }
                    }
                })
            })
            .collect();
        let greenlets: Arc<[_]> = handles
            .iter()
            .map(|handle| handle.greenlet().clone())
            .collect();
        let post_all = move |seed| {
            let (letters, greenlets) = (letters.clone(), greenlets.clone());
            move || {
                let mut rng = Rng::new(seed);
                for _ in 0..WANTED / 4 {
                    let first = rng.below(GREENLETS as u64) as usize;
                    for number in 0..GREENLETS {
                        let number = (first + number) % GREENLETS;
                        letters[number].fetch_add(1, Relaxed);
                        greenlets[number].unpark();
                    }
                    if sward::try_current().is_some() && rng.below(4) == 0 {
                        sward::yield_now();
                    }
                }
            }
        };
        let threads = [1, 2].map(|seed| thread::spawn(post_all(seed)));
        let posters = [3, 4].map(|seed| runtime.spawn(post_all(seed)));
        for handle in handles {
            handle.join().unwrap();
        }
        for thread in threads {
            thread.join().unwrap();
        }
        for poster in posters {
            poster.join().unwrap();
        }
    });
}

/// A lost wake-up would stop it: nobody else ever unparks.
#[test]
fn ping_pong() {
    each_runtime(|runtime| {
        let ball = Arc::new(AtomicU64::new(0));
        const STROKES: u64 = 2000;
        let play = |ball: Arc<AtomicU64>, parity, other: sward::Greenlet| {
            for stroke in (parity..STROKES).step_by(2) {
                while ball.load(SeqCst) != stroke {
                    sward::park();
                }
                ball.store(stroke + 1, SeqCst);
                other.unpark();
            }
        };
        // Between two greenlets.
        let theirs = ball.clone();
        let game = runtime.spawn(move || {
            let (me, ours) = (sward::current(), theirs.clone());
            let other = sward::spawn(move || play(theirs, 1, me));
            play(ours, 0, other.greenlet().clone());
            other.join().unwrap();
        });
        game.join().unwrap();
        // Between a greenlet and a thread, which has std's `park`.
        ball.store(0, SeqCst);
        let (me, theirs) = (thread::current(), ball.clone());
        let other = runtime.spawn(move || {
            for stroke in (1..STROKES).step_by(2) {
                while theirs.load(SeqCst) != stroke {
                    sward::park();
                }
                theirs.store(stroke + 1, SeqCst);
                me.unpark();
            }
        });
        for stroke in (0..STROKES).step_by(2) {
            while ball.load(SeqCst) != stroke {
                sward::park();
            }
            ball.store(stroke + 1, SeqCst);
            other.greenlet().unpark();
        }
        other.join().unwrap();
    });
}

/// On a plain thread `park` is std's.
#[test]
fn threads_park_as_std_has_it() {
    thread::spawn(|| {
        thread::current().unpark();
        sward::park();
        let start = Instant::now();
        sward::park_timeout(MOMENT);
        // std allows it to end early, but never blocks for long.
        assert!(start.elapsed() < AGES);
        thread::current().unpark();
        sward::park_timeout(AGES);
        sward::yield_now();
    })
    .join()
    .unwrap();
}
