//! A runtime that is dropped or shut down by a greenlet: by its own, or by another runtime's. It must not hang.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sward_tests::{child, each_config, process, settle, until};

#[test]
fn by_a_greenlet_of_another_runtime() {
    each_config(|config| {
        config.run(|runtime| {
            let inner = config.build();
            let handle = runtime.spawn(move || {
                let parked = inner.spawn(sward::park);
                assert_eq!(inner.block_on(|| 5), 5);
                drop(inner);
                parked.join().unwrap_err().is_cancelled()
            });
            assert!(handle.join().unwrap());
            let inner = config.build();
            let handle = runtime.spawn(move || {
                drop(inner.spawn(|| sward::sleep(Duration::from_millis(2))));
                inner.shutdown(Duration::from_secs(100)).is_ok()
            });
            assert!(handle.join().unwrap());
        });
    });
}

/// Made, used and dropped inside of greenlets that migrate.
#[test]
fn many_inside_of_greenlets() {
    each_config(|config| {
        config.run(|runtime| {
            let handles: Vec<_> = (0..8)
                .map(|number| {
                    runtime.spawn(move || {
                        let inner = config.build();
                        sward::yield_now();
                        let value =
                            inner.block_on(move || sward::spawn(move || number).join().unwrap());
                        sward::yield_now();
                        drop(inner);
                        value
                    })
                })
                .collect();
            for (number, handle) in handles.into_iter().enumerate() {
                assert_eq!(handle.join().unwrap(), number);
            }
        });
    });
}

/// The last owner is a greenlet of the runtime itself: it cannot wait for its own end. Its joiner hears of it one way or the
/// other, and the threads end.
#[test]
fn by_its_own_greenlet() {
    let body = || {
        each_config(|config| {
            let before = process::threads();
            for shut_down in [false, true] {
                let runtime = Arc::new(Mutex::new(Some(config.build())));
                let handle = runtime.lock().unwrap().as_ref().unwrap().handle();
                let (taken, went_on) = (runtime.clone(), Arc::new(AtomicBool::new(false)));
                let theirs = went_on.clone();
                let last = handle.spawn(move || {
                    let runtime = taken.lock().unwrap().take().unwrap();
                    match shut_down {
                        // It would wait for itself.
                        true => {
                            let shutdown = || runtime.shutdown(Duration::from_millis(5));
                            let payload = catch_unwind(AssertUnwindSafe(shutdown)).unwrap_err();
                            let text = payload.downcast_ref::<&str>().unwrap();
                            assert!(text.contains("its own greenlets"), "{text}");
                        }
                        false => drop(runtime),
                    }
                    theirs.store(true, SeqCst);
                });
                match last.join() {
                    Ok(()) => {}
                    Err(error) => assert!(error.is_cancelled(), "{error}"),
                }
                until(|| went_on.load(SeqCst));
            }
            until(|| match process::threads() {
                threads if threads <= before => Ok(()),
                threads => Err(format!("{threads} threads instead of {before}")),
            });
        });
    };
    child::run("by_its_own_greenlet", &[], body, |ended| ended.succeeded());
}

/// As the value of a thread-local would be, or a result: dropped by whoever comes last.
#[test]
fn as_a_result() {
    each_config(|config| {
        config.run(|runtime| {
            let inner = runtime.spawn(move || config.build()).join().unwrap();
            assert_eq!(inner.block_on(|| 3), 3);
            settle(&inner.handle());
            drop(inner);
            // Nobody joins: the result is dropped where its greenlet ends.
            drop(runtime.spawn(move || config.build()));
        });
    });
}
