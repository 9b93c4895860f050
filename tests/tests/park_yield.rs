//! `yield_now` lets the others run: greenlets that yield, that wake up, that are new, whose time has come.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use sward::{JoinHandle, Runtime};
use sward_tests::{each_config, each_runtime, until};

/// Greenlets that do nothing but yield until they are told to stop: enough to keep every worker busy.
struct Yielders {
    stop: Arc<AtomicBool>,
    handles: Vec<JoinHandle<()>>,
}

impl Yielders {
    fn new(runtime: &Runtime) -> Yielders {
        let stop = Arc::new(AtomicBool::new(false));
        let yielder = || {
            let stop = stop.clone();
            runtime.spawn(move || {
                while !stop.load(SeqCst) {
                    sward::yield_now();
                }
            })
        };
        let handles = (0..3 * runtime.handle().metrics().workers)
            .map(|_| yielder())
            .collect();
        Yielders { stop, handles }
    }

    fn stop(self) {
        self.stop.store(true, SeqCst);
        for handle in self.handles {
            handle.join().unwrap();
        }
    }
}

/// With one worker, greenlets that yield take turns.
#[test]
fn greenlets_that_yield_take_turns() {
    const GREENLETS: usize = 10;
    const TURNS: usize = 200;
    each_config(|config| {
        if config.workers > 1 {
            return;
        }
        config.run_without_spares(|runtime| {
            let ready = Arc::new(AtomicUsize::new(0));
            let turns: Arc<[AtomicUsize]> = (0..GREENLETS).map(|_| AtomicUsize::new(0)).collect();
            let handles: Vec<_> = (0..GREENLETS)
                .map(|number| {
                    let (ready, turns) = (ready.clone(), turns.clone());
                    runtime.spawn(move || {
                        ready.fetch_add(1, SeqCst);
                        while ready.load(SeqCst) < GREENLETS {
                            sward::yield_now();
                        }
                        for _ in 0..TURNS {
                            turns[number].fetch_add(1, SeqCst);
                            sward::yield_now();
                        }
                        // Nobody is far behind the first to end.
                        let last = turns.iter().map(|turns| turns.load(SeqCst)).min();
                        assert!(last >= Some(TURNS - 10), "{turns:?}");
                    })
                })
                .collect();
            for handle in handles {
                handle.join().unwrap();
            }
        });
    });
}

#[test]
fn a_greenlet_that_yields_alone_goes_on() {
    each_runtime(|runtime| {
        let handle = runtime.spawn(|| {
            for _ in 0..10_000 {
                sward::yield_now();
            }
        });
        handle.join().unwrap();
    });
}

#[test]
fn what_threads_spawn_is_not_starved() {
    each_runtime(|runtime| {
        let yielders = Yielders::new(runtime);
        for number in 0..100 {
            assert_eq!(runtime.spawn(move || number).join().unwrap(), number);
        }
        yielders.stop();
    });
}

#[test]
fn what_greenlets_spawn_is_not_starved() {
    each_runtime(|runtime| {
        let yielders = Yielders::new(runtime);
        runtime.block_on(|| {
            for number in 0..100 {
                assert_eq!(sward::spawn(move || number).join().unwrap(), number);
            }
        });
        yielders.stop();
    });
}

#[test]
fn sleepers_are_not_starved() {
    each_runtime(|runtime| {
        let yielders = Yielders::new(runtime);
        runtime.block_on(|| {
            for _ in 0..10 {
                sward::sleep(Duration::from_millis(1));
                sward::park_timeout(Duration::from_micros(10));
            }
        });
        yielders.stop();
    });
}

/// Two that wake each other again and again, and a third that only yields: however the two are put into the queue, the third
/// comes to its end.
#[test]
fn a_pair_that_plays_ping_pong_starves_nobody() {
    each_runtime(|runtime| {
        let over = Arc::new(AtomicBool::new(false));
        let (players_over, third_over) = (over.clone(), over.clone());
        let game = runtime.spawn(move || {
            let (me, over) = (sward::current(), players_over.clone());
            let other = sward::spawn(move || {
                while !over.load(SeqCst) {
                    me.unpark();
                    sward::park_timeout(Duration::from_secs(3600));
                }
                me.unpark();
            });
            while !players_over.load(SeqCst) {
                other.greenlet().unpark();
                sward::park_timeout(Duration::from_secs(3600));
            }
            other.greenlet().unpark();
            other.join().unwrap();
        });
        let third = runtime.spawn(move || {
            for _ in 0..100 {
                sward::yield_now();
            }
            third_over.store(true, SeqCst);
        });
        third.join().unwrap();
        // One of the two may have parked just before the end, after its last unpark.
        let greenlet = game.greenlet().clone();
        until(|| {
            greenlet.unpark();
            game.is_finished()
        });
        game.join().unwrap();
    });
}

/// A condition that a plain thread fulfils: a greenlet may wait for it by yielding, and `yield_now` works on threads too.
#[test]
fn threads_may_yield() {
    each_runtime(|runtime| {
        let (flag, answer) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicBool::new(false)),
        );
        let (theirs, answered) = (flag.clone(), answer.clone());
        let thread = std::thread::spawn(move || {
            while !theirs.load(SeqCst) {
                sward::yield_now();
            }
            answered.store(true, SeqCst);
        });
        let handle = runtime.spawn(move || {
            flag.store(true, SeqCst);
            until(|| answer.load(SeqCst));
        });
        handle.join().unwrap();
        thread.join().unwrap();
    });
}
