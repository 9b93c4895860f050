//! Closures and results are dropped exactly once, whoever comes first: the end of the greenlet or of the handle.

use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Condvar, Mutex};

use sward::Runtime;
use sward_tests::{Config, Counted, Drops, each_config, each_runtime, until};

/// Lets nothing else run on a runtime until it is dropped.
struct Busy {
    over: Arc<(Mutex<bool>, Condvar)>,
}

impl Busy {
    fn new(config: Config, runtime: &Runtime) -> Busy {
        let over = Arc::new((Mutex::new(false), Condvar::new()));
        for _ in 0..config.parallel() {
            let (over, runs) = (over.clone(), Arc::new(AtomicBool::new(false)));
            let running = runs.clone();
            drop(runtime.spawn(move || {
                running.store(true, SeqCst);
                // Blocks the worker, and not only the greenlet.
                let (over, changed) = &*over;
                drop(
                    changed
                        .wait_while(over.lock().unwrap(), |over| !*over)
                        .unwrap(),
                );
            }));
            until(|| runs.load(SeqCst));
        }
        Busy { over }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        *self.over.0.lock().unwrap() = true;
        self.over.1.notify_all();
    }
}

/// Panics when it is dropped, and counts it.
struct Bomb(#[expect(dead_code, reason = "for its drop")] Counted);

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("a bomb");
    }
}

#[test]
fn a_closure_is_dropped_when_it_has_run() {
    each_runtime(|runtime| {
        let drops = Drops::new();
        let captured = drops.value();
        let handle = runtime.spawn(move || {
            let _captured = &captured;
            sward::yield_now();
        });
        handle.join().unwrap();
        assert_eq!(drops.count(), 1);
    });
}

#[test]
fn a_result_belongs_to_who_joins() {
    each_runtime(|runtime| {
        let drops = Drops::new();
        let made = drops.clone();
        let result = runtime.spawn(move || made.value()).join().unwrap();
        assert_eq!(drops.count(), 0);
        drop(result);
        assert_eq!(drops.count(), 1);
    });
}

#[test]
fn a_handle_dropped_before_the_run() {
    each_config(|config| {
        config.run(|runtime| {
            let drops = Drops::new();
            let busy = Busy::new(config, runtime);
            let (captured, made) = (drops.value(), drops.clone());
            drop(runtime.spawn(move || {
                drop(captured);
                made.value()
            }));
            // Whether it has been run already is not ours to say: the monitor may replace a worker that is stuck.
            drop(busy);
            until(|| drops.count() == 2);
        });
    });
}

#[test]
fn a_handle_dropped_during_the_run() {
    each_runtime(|runtime| {
        let drops = Drops::new();
        let made = drops.clone();
        let (runs, go) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicBool::new(false)),
        );
        let (running, gone) = (runs.clone(), go.clone());
        let handle = runtime.spawn(move || {
            running.store(true, SeqCst);
            until(|| gone.load(SeqCst));
            made.value()
        });
        until(|| runs.load(SeqCst));
        drop(handle);
        assert_eq!(drops.count(), 0);
        go.store(true, SeqCst);
        until(|| drops.count() == 1);
    });
}

#[test]
fn a_handle_dropped_after_the_end() {
    each_runtime(|runtime| {
        let drops = Drops::new();
        let made = drops.clone();
        let handle = runtime.spawn(move || made.value());
        until(|| handle.is_finished());
        assert_eq!(drops.count(), 0);
        drop(handle);
        assert_eq!(drops.count(), 1);
    });
}

#[test]
fn a_handle_dropped_while_its_greenlet_ends() {
    each_runtime(|runtime| {
        let drops = Drops::new();
        for _ in 0..1000 {
            let made = drops.clone();
            drop(runtime.spawn(move || made.value()));
        }
        until(|| drops.count() == 1000);
        let made = drops.clone();
        let in_greenlets = runtime.spawn(move || {
            for _ in 0..1000 {
                let made = made.clone();
                let handle = sward::spawn(move || made.value());
                sward::yield_now();
                drop(handle);
            }
        });
        in_greenlets.join().unwrap();
        until(|| drops.count() == 2000);
    });
}

#[test]
fn a_panics_payload_is_dropped_once() {
    each_runtime(|runtime| {
        let drops = Drops::new();
        let spawn = || {
            let payload = drops.value();
            runtime.spawn(move || panic_any(payload))
        };
        let payload = spawn().join().unwrap_err().into_panic();
        assert!(payload.is::<Counted>());
        assert_eq!(drops.count(), 0);
        drop(payload);
        assert_eq!(drops.count(), 1);
        drop(spawn().join().unwrap_err());
        assert_eq!(drops.count(), 2);
        drop(spawn());
        until(|| drops.count() == 3);
        let ended = spawn();
        until(|| ended.is_finished());
        drop(ended);
        assert_eq!(drops.count(), 4);
    });
}

#[test]
fn a_destructor_that_panics_at_the_end_of_the_closure_is_a_panic_of_the_greenlet() {
    each_runtime(|runtime| {
        let drops = Drops::new();
        let bomb = Bomb(drops.value());
        let error = runtime.spawn(move || drop(bomb)).join().unwrap_err();
        assert!(error.is_panic());
        let bomb = Bomb(drops.value());
        let error = runtime
            .spawn(move || {
                let _kept = bomb;
            })
            .join()
            .unwrap_err();
        assert!(error.is_panic());
        assert_eq!(drops.count(), 2);
        assert_eq!(runtime.spawn(|| 1).join().unwrap(), 1);
    });
}

/// A result or payload whose destructor panics hurts at most who drops it, never a worker.
#[test]
fn results_that_panic_when_they_are_dropped() {
    each_config(|config| {
        config.run(|runtime| {
            let drops = Drops::new();
            let spawn = || {
                let bomb = Bomb(drops.value());
                runtime.spawn(move || bomb)
            };
            // Joined: it is the caller's.
            let result = spawn().join().unwrap();
            catch_unwind(AssertUnwindSafe(|| drop(result))).unwrap_err();
            assert_eq!(drops.count(), 1);
            // Detached before the run, and at some time.
            let busy = Busy::new(config, runtime);
            drop(spawn());
            drop(busy);
            drop(spawn());
            until(|| drops.count() == 3);
            // After the end. Whether the panic comes out of this drop is left open.
            let ended = spawn();
            until(|| ended.is_finished());
            let _ = catch_unwind(AssertUnwindSafe(|| drop(ended)));
            assert_eq!(drops.count(), 4);
            // The same for the payload of a panic.
            let bomb = Bomb(drops.value());
            drop(runtime.spawn(move || panic_any(bomb)));
            until(|| drops.count() == 5);
            let works: u32 = (0..100).map(|_| runtime.spawn(|| 1).join().unwrap()).sum();
            assert_eq!(works, 100);
        });
    });
}
