//! A panic ends its greenlet, comes out of `join`, and goes no further.

use std::any::Any;
use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::thread::panicking;

use sward::{Builder, JoinError};
use sward_tests::{each_runtime, until};

fn text(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .expect("a text")
}

#[test]
fn join_gives_the_payload() {
    each_runtime(|runtime| {
        let error = runtime.spawn(|| panic!("plain")).join().unwrap_err();
        assert!(error.is_panic() && !error.is_cancelled());
        assert_eq!(text(&*error.into_panic()), "plain");
        let number = 5;
        let error = runtime
            .spawn(move || panic!("number {number}"))
            .join()
            .unwrap_err();
        assert_eq!(text(&*error.into_panic()), "number 5");
        let error = runtime.spawn(|| panic_any(17u8)).join().unwrap_err();
        assert!(error.is_panic());
        assert_eq!(*error.into_panic().downcast::<u8>().unwrap(), 17);
        let error = runtime
            .spawn(|| resume_unwind(Box::new('x')))
            .join()
            .unwrap_err();
        assert_eq!(*error.into_panic().downcast::<char>().unwrap(), 'x');
        let nothing = std::hint::black_box([0; 0]);
        let error = runtime.spawn(move || nothing[..][0]).join().unwrap_err();
        assert!(text(&*error.into_panic()).contains("out of bounds"));
        let inside = runtime.spawn(|| {
            sward::spawn(|| panic!("inner"))
                .join()
                .unwrap_err()
                .is_panic()
        });
        assert!(inside.join().unwrap());
        let local = runtime.spawn(|| {
            sward::spawn_local(|| panic!("local"))
                .join()
                .unwrap_err()
                .is_panic()
        });
        assert!(local.join().unwrap());
    });
}

#[test]
fn errors_name_the_greenlet_and_the_text() {
    each_runtime(|runtime| {
        let handle = runtime.handle();
        let fail = |name: &str, body: fn()| -> JoinError {
            let named = Builder::new().name(name).spawn_on(&handle, body).unwrap();
            named.join().unwrap_err()
        };
        let error = fail("Ada", || panic!("out of {}", "paper"));
        let shown = error.to_string();
        assert!(
            shown.contains("Ada") && shown.contains("out of paper"),
            "{shown}"
        );
        assert!(format!("{error:?}").contains("JoinError"));
        let shown = fail("Bob", || panic!("plain")).to_string();
        assert!(shown.contains("Bob") && shown.contains("plain"), "{shown}");
        let shown = fail("Cy", || panic_any(5)).to_string();
        assert!(shown.contains("Cy"), "{shown}");
        let nameless = runtime.spawn(|| panic!("nobody")).join().unwrap_err();
        assert!(nameless.to_string().contains("nobody"), "{nameless}");
        // As other errors are passed on.
        let error: Box<dyn Error + Send> = Box::new(fail("Dee", || panic!("boxed")));
        assert!(error.to_string().contains("boxed"));
    });
}

#[test]
fn others_go_on() {
    each_runtime(|runtime| {
        let good: Vec<_> = (0..50)
            .map(|number| {
                runtime.spawn(move || {
                    for _ in 0..20 {
                        sward::yield_now();
                        assert!(!panicking());
                    }
                    number
                })
            })
            .collect();
        let bad: Vec<_> = (0..50usize)
            .map(|number| {
                runtime.spawn(move || {
                    for _ in 0..number % 7 {
                        sward::yield_now();
                    }
                    resume_unwind(Box::new(number));
                })
            })
            .collect();
        for (number, handle) in bad.into_iter().enumerate() {
            let payload = handle.join().unwrap_err().into_panic();
            assert_eq!(*payload.downcast::<usize>().unwrap(), number);
        }
        for (number, handle) in good.into_iter().enumerate() {
            assert_eq!(handle.join().unwrap(), number);
        }
    });
}

#[test]
fn block_on_resumes_the_panic_in_its_caller() {
    each_runtime(|runtime| {
        let caught = catch_unwind(AssertUnwindSafe(|| {
            runtime.block_on(|| panic!("passed on"))
        }));
        assert_eq!(text(&*caught.unwrap_err()), "passed on");
        let caught = catch_unwind(AssertUnwindSafe(|| runtime.block_on(|| panic_any(3u16))));
        assert_eq!(*caught.unwrap_err().downcast::<u16>().unwrap(), 3);
        assert!(!panicking());
        assert_eq!(runtime.block_on(|| 1), 1);
    });
}

#[test]
fn a_panic_that_is_caught_inside_is_no_panic_of_the_greenlet() {
    each_runtime(|runtime| {
        let handle = runtime.spawn(|| {
            let caught = catch_unwind(|| {
                sward::yield_now();
                panic!("caught");
            });
            assert!(!panicking());
            sward::yield_now();
            assert!(!panicking());
            text(&*caught.unwrap_err()).to_owned()
        });
        assert_eq!(handle.join().unwrap(), "caught");
    });
}

struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

#[test]
fn panics_inside_of_destructors_that_unwind() {
    each_runtime(|runtime| {
        let seen = Arc::new(AtomicU32::new(0));
        let counted = seen.clone();
        let handle = runtime.spawn(move || {
            let _outer = OnDrop(move || {
                assert!(panicking());
                let inner = catch_unwind(AssertUnwindSafe(|| {
                    let _inner = OnDrop(|| {
                        sward::yield_now();
                        counted.fetch_add(1, SeqCst);
                    });
                    panic!("inner");
                }));
                assert_eq!(text(&*inner.unwrap_err()), "inner");
                // The inner one is over, the outer one is not.
                assert!(panicking());
                sward::yield_now();
                assert!(panicking());
                counted.fetch_add(1, SeqCst);
            });
            panic!("outer");
        });
        assert_eq!(text(&*handle.join().unwrap_err().into_panic()), "outer");
        assert_eq!(seen.load(SeqCst), 2);
    });
}

/// Locals of the panicking greenlet are dropped, those of a deep stack as well, before `join` returns.
#[test]
fn unwinding_drops_everything() {
    fn descend(depth: u32, drops: &sward_tests::Drops) {
        let _local = drops.value();
        if depth == 0 {
            sward::yield_now();
            resume_unwind(Box::new("deep"));
        }
        descend(depth - 1, drops);
        std::hint::black_box(&_local);
    }
    each_runtime(|runtime| {
        let drops = sward_tests::Drops::new();
        let in_greenlet = drops.clone();
        runtime
            .spawn(move || descend(99, &in_greenlet))
            .join()
            .unwrap_err();
        assert_eq!(drops.count(), 100);
    });
}

/// The panic is over before the joiner goes on, so that it may be the last thing a program waits for.
#[test]
fn the_runtime_outlives_many_panics() {
    each_runtime(|runtime| {
        for round in 0..20 {
            let fail = move || resume_unwind(Box::new(round));
            let handles: Vec<_> = (0..50).map(|_| runtime.spawn(fail)).collect();
            for handle in handles {
                let payload = handle.join().unwrap_err().into_panic();
                assert_eq!(*payload.downcast::<i32>().unwrap(), round);
            }
        }
        let ended = Arc::new(AtomicBool::new(false));
        let flag = ended.clone();
        drop(runtime.spawn(move || {
            flag.store(true, SeqCst);
            resume_unwind(Box::new(()));
        }));
        until(|| ended.load(SeqCst));
        assert_eq!(runtime.block_on(|| sward::spawn(|| 6).join().unwrap()), 6);
    });
}
