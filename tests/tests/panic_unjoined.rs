//! What a panic prints, with and without somebody to join it. Each in a process of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use sward::{Builder, Runtime};
use sward_tests::child::{self, Ended};
use sward_tests::{Config, each_config, settle, until};

fn each(name: &str, body: impl Fn(&Runtime), check: impl Fn(Ended)) {
    each_config(|config: Config| {
        let name = format!("{name}/{config}");
        let child = || {
            config.run(|runtime| body(runtime));
        };
        child::run(&name, &[], child, &check);
    });
}

fn went_on(runtime: &Runtime) {
    settle(&runtime.handle());
    assert_eq!(runtime.spawn(|| 5).join().unwrap(), 5);
    println!("went on");
}

/// The line that sward adds to the hook's when nobody can have the panic any more.
const UNJOINED: &str = "nobody joined";

fn unjoined(ended: &Ended, text: &str, name: Option<&str>) {
    checked(ended, text, name);
    assert_eq!(ended.errors_with(UNJOINED), 1, "{ended}");
}

fn checked(ended: &Ended, text: &str, name: Option<&str>) {
    ended.succeeded();
    assert_eq!(ended.stdout, "went on\n");
    assert_eq!(ended.errors_with(text), 1, "{ended}");
    if let Some(name) = name {
        assert!(ended.errors_with(name) >= 1, "{ended}");
    }
    assert!(
        ended.errors_with("panic_unjoined.rs:") >= 1,
        "where: {ended}"
    );
}

#[test]
fn a_detached_greenlets_panic_is_printed_once() {
    each(
        "a_detached_greenlets_panic_is_printed_once",
        |runtime| {
            let named = Builder::new().name("Wilhelmina");
            drop(
                named
                    .spawn_on(&runtime.handle(), || panic!("the text {}", 7))
                    .unwrap(),
            );
            went_on(runtime);
        },
        |ended| unjoined(&ended, "the text 7", Some("Wilhelmina")),
    );
}

#[test]
fn a_handle_dropped_after_the_panic() {
    each(
        "a_handle_dropped_after_the_panic",
        |runtime| {
            let named = Builder::new().name("Wilhelmina");
            let handle = named
                .spawn_on(&runtime.handle(), || panic!("the text"))
                .unwrap();
            until(|| handle.is_finished());
            drop(handle);
            went_on(runtime);
        },
        |ended| unjoined(&ended, "the text", Some("Wilhelmina")),
    );
}

#[test]
fn a_nameless_greenlets_panic() {
    each(
        "a_nameless_greenlets_panic",
        |runtime| {
            drop(runtime.spawn(|| panic!("the text")));
            went_on(runtime);
        },
        |ended| unjoined(&ended, "the text", None),
    );
}

#[test]
fn a_joined_panic_is_printed_by_the_hook_alone() {
    each(
        "a_joined_panic_is_printed_by_the_hook_alone",
        |runtime| {
            runtime.spawn(|| panic!("the text")).join().unwrap_err();
            went_on(runtime);
        },
        |ended| {
            checked(&ended, "the text", None);
            assert_eq!(ended.errors_with(UNJOINED), 0, "{ended}");
        },
    );
}

#[test]
fn many_at_once() {
    each(
        "many_at_once",
        |runtime| {
            for number in 100..120 {
                let named = Builder::new().name(format!("number {number}"));
                let body = move || {
                    sward::yield_now();
                    panic!("text {number}.");
                };
                drop(named.spawn_on(&runtime.handle(), body).unwrap());
            }
            went_on(runtime);
        },
        |ended| {
            ended.succeeded();
            assert_eq!(ended.errors_with(UNJOINED), 20, "{ended}");
            let lines = ended.stderr.lines();
            let unjoined: Vec<&str> = lines.filter(|line| line.contains(UNJOINED)).collect();
            for number in 100..120 {
                assert_eq!(ended.errors_with(&format!("text {number}.")), 1, "{ended}");
                let name = format!("'number {number}'");
                let named = unjoined.iter().filter(|line| line.contains(&name));
                assert_eq!(named.count(), 1, "{ended}");
            }
        },
    );
}

/// The program's own hook is called once for each, in the greenlet.
#[test]
fn a_hook_of_the_program() {
    each(
        "a_hook_of_the_program",
        |runtime| {
            let calls = Arc::new(AtomicUsize::new(0));
            let counted = calls.clone();
            std::panic::set_hook(Box::new(move |_| {
                assert!(sward::current().name().is_some());
                counted.fetch_add(1, SeqCst);
            }));
            let spawn = || {
                let named = Builder::new().name("Wilhelmina");
                named
                    .spawn_on(&runtime.handle(), || panic!("the text"))
                    .unwrap()
            };
            spawn().join().unwrap_err();
            drop(spawn());
            until(|| calls.load(SeqCst) == 2);
            let _ = std::panic::take_hook();
            went_on(runtime);
        },
        |ended| {
            ended.succeeded();
            assert_eq!(ended.errors_with("the text"), 0, "{ended}");
            // The hook is the program's own, and this line is not the hook's.
            assert_eq!(ended.errors_with(UNJOINED), 1, "{ended}");
        },
    );
}

/// A hook that suspends (to write to a socket, say) while others panic: in the same home, each panic is its own.
#[test]
fn a_hook_that_suspends() {
    each(
        "a_hook_that_suspends",
        |runtime| {
            let calls = Arc::new(AtomicUsize::new(0));
            let counted = calls.clone();
            std::panic::set_hook(Box::new(move |_| {
                for _ in 0..3 {
                    sward::yield_now();
                    assert!(std::thread::panicking());
                    sward::sleep(Duration::from_micros(100));
                }
                counted.fetch_add(1, SeqCst);
            }));
            let fail = |number: usize| {
                move || {
                    sward::yield_now();
                    if number.is_multiple_of(2) {
                        std::panic::panic_any(number);
                    }
                    sward::sleep(Duration::from_micros(200));
                    assert!(!std::thread::panicking());
                    number
                }
            };
            let handles: Vec<_> = (0..40).map(|number| runtime.spawn(fail(number))).collect();
            for (number, handle) in handles.into_iter().enumerate() {
                match handle.join() {
                    Ok(value) => assert_eq!(value, number),
                    Err(error) => {
                        assert_eq!(*error.into_panic().downcast::<usize>().unwrap(), number)
                    }
                }
            }
            assert_eq!(calls.load(SeqCst), 20);
            let _ = std::panic::take_hook();
            went_on(runtime);
        },
        |ended| ended.succeeded(),
    );
}
