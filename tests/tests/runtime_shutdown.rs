//! The end of a runtime: what is waited for, what is cancelled, and who learns of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use sward::{Builder, Handle, Runtime};
use sward_tests::{Drops, child, each_config, process, until};

const LONG: Duration = Duration::from_secs(100);
const SHORT: Duration = Duration::from_millis(20);

/// Waits until this many greenlets of a runtime are suspended.
fn suspended(runtime: &Runtime, count: usize) {
    let handle = runtime.handle();
    until(|| match handle.metrics() {
        metrics if metrics.suspended == count => Ok(()),
        metrics => Err(format!("{count} suspended: {metrics:?}")),
    });
}

#[test]
fn an_idle_runtime_ends_at_once() {
    each_config(|config| {
        let runtime = config.build();
        runtime.shutdown(Duration::ZERO).unwrap();
        let runtime = config.build();
        runtime.block_on(|| sward::spawn(sward::yield_now).join().unwrap());
        runtime.shutdown(LONG).unwrap();
    });
}

#[test]
fn shutdown_waits_for_accepted_work() {
    each_config(|config| {
        let runtime = config.build();
        let ended = Arc::new(AtomicUsize::new(0));
        for number in 0..200 {
            let ended = ended.clone();
            drop(runtime.spawn(move || {
                sward::yield_now();
                if number % 10 == 0 {
                    sward::sleep(Duration::from_millis(5));
                    // Work that accepted work brings with it is accepted, too, or refused with an error; not lost.
                    let more = ended.clone();
                    let child = Builder::new().spawn(move || {
                        more.fetch_add(1, SeqCst);
                    });
                    if child.is_err() {
                        ended.fetch_add(1, SeqCst);
                    }
                }
                ended.fetch_add(1, SeqCst);
            }));
        }
        runtime.shutdown(LONG).unwrap();
        assert_eq!(ended.load(SeqCst), 220);
    });
}

#[test]
fn shutdown_says_how_many_remain() {
    each_config(|config| {
        let runtime = config.build();
        let parked: Vec<_> = (0..7).map(|_| runtime.spawn(sward::park)).collect();
        suspended(&runtime, 7);
        let start = Instant::now();
        let error = runtime.shutdown(SHORT).unwrap_err();
        assert!(start.elapsed() >= SHORT, "it did not wait for them");
        assert_eq!(error.remaining(), 7);
        assert!(error.to_string().contains('7'), "{error}");
        for handle in parked {
            let error = handle.join().unwrap_err();
            assert!(error.is_cancelled() && !error.is_panic());
            assert!(!error.to_string().is_empty());
        }
    });
}

/// Those whose destructors will not run are named, up to a bound, and no others.
#[test]
fn shutdown_names_the_suspended() {
    each_config(|config| {
        for parked in [1, 4, 20] {
            let runtime = config.build();
            let drops = Drops::new();
            let handles: Vec<_> = (0..parked)
                .map(|number| {
                    let held = drops.value();
                    let body = move || {
                        sward::park();
                        drop(held);
                    };
                    let builder = Builder::new().name(format!("parked {number}"));
                    builder.spawn_on(&runtime.handle(), body).unwrap()
                })
                .collect();
            suspended(&runtime, parked);
            let error = runtime.shutdown(SHORT).unwrap_err();
            assert_eq!(error.remaining(), parked);
            assert_eq!(error.given_up().len(), parked.min(4));
            let text = error.to_string();
            for greenlet in error.given_up() {
                let same =
                    |handle: &&sward::JoinHandle<()>| handle.greenlet().id() == greenlet.id();
                let handle = handles.iter().find(same).expect("one of those");
                assert_eq!(greenlet.name(), handle.greenlet().name());
                assert!(text.contains(greenlet.name().unwrap()), "{text}");
                assert_eq!(greenlet.spawned_at().file(), file!());
            }
            assert!(text.contains(file!()), "{text}");
            assert_eq!(text.contains("and 16 more"), parked == 20, "{text}");
            // That they are named does not let them go on, nor what they hold.
            error.given_up().iter().for_each(sward::Greenlet::unpark);
            drop(error);
            assert_eq!(drops.count(), 0);
            for handle in handles {
                assert!(handle.join().unwrap_err().is_cancelled());
            }
        }
    });
}

/// Whoever waits in `join` when the runtime ends learns of it: threads, and greenlets of another runtime.
#[test]
fn joiners_are_told() {
    each_config(|config| {
        let (runtime, other) = (config.build(), config.build());
        let (parked, theirs) = (runtime.spawn(sward::park), runtime.spawn(sward::park));
        let by_timeout = runtime.spawn(sward::park);
        let from_thread = thread::spawn(move || parked.join().unwrap_err().is_cancelled());
        let from_greenlet = other.spawn(move || theirs.join().unwrap_err().is_cancelled());
        let with_timeout = other.spawn(move || match by_timeout.join_timeout(LONG) {
            Ok(result) => result.unwrap_err().is_cancelled(),
            Err(_) => false,
        });
        suspended(&runtime, 3);
        suspended(&other, 2);
        drop(runtime);
        assert!(from_thread.join().unwrap());
        assert!(from_greenlet.join().unwrap());
        assert!(with_timeout.join().unwrap());
    });
}

#[test]
fn dropping_a_runtime_does_not_wait_for_the_parked() {
    each_config(|config| {
        let runtime = config.build();
        let parked: Vec<_> = (0..20)
            .map(|number| {
                runtime.spawn(move || match number % 4 {
                    0 => sward::park(),
                    1 => sward::sleep(Duration::from_secs(3600)),
                    2 => sward::sleep(Duration::MAX),
                    _ => sward::spawn(sward::park).join().unwrap(),
                })
            })
            .collect();
        suspended(&runtime, 25);
        let greenlets: Vec<_> = parked
            .iter()
            .map(|handle| handle.greenlet().clone())
            .collect();
        drop(runtime);
        for handle in parked {
            assert!(handle.is_finished());
            assert!(handle.join().unwrap_err().is_cancelled());
        }
        // They are gone for good. That nobody runs any more has no effect on those who still know them.
        for greenlet in greenlets {
            greenlet.unpark();
        }
    });
}

/// A greenlet that is running when its runtime goes is waited for until it suspends or ends; what never ran is dropped or run.
#[test]
fn dropping_a_runtime_that_is_busy() {
    each_config(|config| {
        let runtime = config.build();
        let (drops, released) = (Drops::new(), Arc::new(AtomicBool::new(false)));
        let (runs, running) = mpsc::channel();
        for _ in 0..config.parallel() {
            let (runs, released) = (runs.clone(), released.clone());
            drop(runtime.spawn(move || {
                runs.send(()).unwrap();
                while !released.load(SeqCst) {
                    thread::yield_now();
                }
            }));
            running.recv().unwrap();
        }
        let fresh: Vec<_> = (0..50)
            .map(|_| {
                let captured = drops.value();
                runtime.spawn(move || drop(captured))
            })
            .collect();
        let release = thread::spawn(move || {
            thread::sleep(Duration::from_millis(2));
            released.store(true, SeqCst);
        });
        drop(runtime);
        release.join().unwrap();
        for handle in fresh {
            match handle.join() {
                Ok(()) => {}
                Err(error) => assert!(error.is_cancelled()),
            }
        }
        assert_eq!(drops.count(), 50, "closures are dropped, run or not");
    });
}

/// Spawning races with the shutdown: each attempt is refused, or its greenlet runs or is cancelled. None is lost.
#[test]
fn spawning_while_it_shuts_down() {
    /// Spawns until it is refused; gives the number of closures it made.
    fn spawn_on(handle: &Handle, drops: &Drops) -> usize {
        for accepted in 0.. {
            let captured = drops.value();
            let body = move || {
                drop(captured);
                sward::yield_now();
            };
            match Builder::new().spawn_on(handle, body) {
                Ok(handle) if accepted % 4 == 0 => match handle.join() {
                    Ok(()) => {}
                    Err(error) => assert!(error.is_cancelled()),
                },
                Ok(handle) => drop(handle),
                // The refused closure is dropped, too.
                Err(_) => return accepted + 1,
            }
        }
        unreachable!()
    }
    each_config(|config| {
        for round in 0..20 {
            let runtime = config.build();
            let drops = Drops::new();
            let spawners = [(); 2].map(|()| {
                let (handle, drops) = (runtime.handle(), drops.clone());
                thread::spawn(move || spawn_on(&handle, &drops))
            });
            until(|| drops.count() > round);
            if round % 2 == 0 {
                // It may be that the spawners do not get tired of it before the time is up.
                let _ = runtime.shutdown(SHORT);
            } else {
                drop(runtime);
            }
            let made = spawners.map(|spawner| spawner.join().unwrap());
            let made: usize = made.into_iter().sum();
            until(|| match drops.count() {
                count if count == made => Ok(()),
                count => Err(format!("{count} closures dropped of {made}")),
            });
        }
    });
}

/// Threads that unpark while the runtime ends meet greenlets that are being cancelled.
#[test]
fn unparking_while_it_ends() {
    each_config(|config| {
        for _ in 0..5 {
            let runtime = config.build();
            let handles: Vec<_> = (0..20)
                .map(|_| {
                    runtime.spawn(|| {
                        loop {
                            sward::park();
                        }
                    })
                })
                .collect();
            let greenlets: Vec<_> = handles
                .iter()
                .map(|handle| handle.greenlet().clone())
                .collect();
            let over = Arc::new(AtomicBool::new(false));
            let theirs = over.clone();
            let unparker = thread::spawn(move || {
                while !theirs.load(SeqCst) {
                    greenlets.iter().for_each(sward::Greenlet::unpark);
                }
            });
            runtime.block_on(sward::yield_now);
            drop(runtime);
            for handle in handles {
                assert!(handle.join().is_err_and(|error| error.is_cancelled()));
            }
            over.store(true, SeqCst);
            unparker.join().unwrap();
        }
    });
}

/// Nothing is given up without a word, however a runtime is dropped.
#[test]
fn dropping_says_what_was_given_up() {
    let drop_by_itself = |runtime: Runtime| {
        let over = runtime.handle();
        let (gives, given) = mpsc::channel();
        let last = runtime.spawn(move || drop(given.recv().unwrap()));
        gives.send(runtime).unwrap();
        let _ = last.join();
        until(|| Builder::new().spawn_on(&over, || ()).is_err());
    };
    let ways: [(&str, &dyn Fn(Runtime)); 2] = [("outside", &drop), ("inside", &drop_by_itself)];
    for (way, dropped) in ways {
        let body = || {
            let runtime = Runtime::builder().workers(2).name("kitchen").build();
            let runtime = runtime.unwrap();
            for name in ["stove", "sink"] {
                let builder = Builder::new().name(name);
                drop(builder.spawn_on(&runtime.handle(), sward::park).unwrap());
            }
            suspended(&runtime, 2);
            let threads = process::threads();
            dropped(runtime);
            // In the background, perhaps: those of the homes of the two stay.
            until(|| process::threads() < threads - 2);
            // Of a runtime that leaves nothing, nothing is said.
            let quiet = Runtime::builder().workers(2).name("hall").build();
            let quiet = quiet.unwrap();
            quiet.block_on(sward::yield_now);
            drop(quiet);
        };
        let name = format!("dropping_says_what_was_given_up/{way}");
        child::run(&name, &[], body, |ended| {
            ended.succeeded();
            for text in [
                "'kitchen' was dropped",
                "'stove' (id",
                "'sink' (id",
                file!(),
            ] {
                assert!(ended.errors_with(text) > 0, "{text}: {ended}");
            }
            assert_eq!(ended.errors_with("sward: "), 1, "{ended}");
            assert_eq!(ended.errors_with("hall"), 0, "{ended}");
        });
    }
}
