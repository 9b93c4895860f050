//! ThreadSanitizer sees greenlets: a race of two it reports, and what sward has ordered it does not.

#![cfg(feature = "tsan")]

use std::cell::UnsafeCell;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use sward_tests::child::{self, Ended};
use sward_tests::each_runtime;

/// A number that may be changed by anybody, if the caller sees to it.
struct Shared(UnsafeCell<u64>);

// SAFETY: none: whether it holds is for the sanitizer to say.
unsafe impl Sync for Shared {}

impl Shared {
    fn new() -> Arc<Self> {
        Arc::new(Self(UnsafeCell::new(0)))
    }

    #[inline(never)]
    fn add(&self) {
        // SAFETY: as above.
        unsafe { *self.0.get() += 1 };
    }

    fn get(&self) -> u64 {
        // SAFETY: as above.
        unsafe { *self.0.get() }
    }
}

/// Runs `body` in a greenlet of a child process with two workers, with both kinds of home.
fn in_a_greenlet(name: &str, body: fn(), check: fn(&Ended)) {
    for (case, homes) in ["moving", "fixed"].into_iter().enumerate() {
        let environment = [("SWARD_HOMES", homes), ("SWARD_WORKERS", "2")];
        let run = move || sward::spawn(body).join().expect("it ends");
        child::run(&format!("{name}/{case}"), &environment, run, |ended| {
            check(&ended)
        });
    }
}

/// Two greenlets that run at the same time, on two workers. One comes after the other, and knows it, but by nothing that
/// orders: at the very same moment the sanitizer might miss it.
fn two_at_a_time(shared: &Arc<Shared>) {
    let step = Arc::new(AtomicUsize::new(0));
    let greenlets = [0, 1].map(|number| {
        let (shared, step) = (shared.clone(), step.clone());
        sward::spawn(move || {
            step.fetch_add(1, Relaxed);
            while step.load(Relaxed) < 2 + number {
                std::hint::spin_loop();
            }
            shared.add();
            step.fetch_add(1, Relaxed);
        })
    });
    for greenlet in greenlets {
        greenlet.join().expect("it adds");
    }
}

#[test]
fn a_race() {
    let body = || two_at_a_time(&Shared::new());
    in_a_greenlet("a_race", body, |ended| {
        assert!(!ended.status.success(), "{ended}");
        assert!(
            ended.errors_with("WARNING: ThreadSanitizer: data race") >= 1,
            "{ended}"
        );
        assert!(ended.errors_with("Shared>::add") >= 2, "where: {ended}");
    });
}

#[test]
fn joining_orders() {
    each_runtime(|runtime| {
        let shared = Shared::new();
        for _ in 0..200 {
            let other = shared.clone();
            runtime.spawn(move || other.add()).join().expect("it adds");
            shared.add();
        }
        assert_eq!(shared.get(), 400);
    });
}

#[test]
fn unparking_orders() {
    each_runtime(|runtime| {
        let shared = Shared::new();
        let both = runtime.spawn({
            let shared = shared.clone();
            move || {
                let first = sward::current();
                let other = shared.clone();
                let second = sward::spawn(move || {
                    for _ in 0..200 {
                        sward::park();
                        other.add();
                        first.unpark();
                    }
                });
                for _ in 0..200 {
                    shared.add();
                    second.greenlet().unpark();
                    sward::park();
                }
                second.join().expect("it adds");
            }
        });
        both.join().expect("they add");
        assert_eq!(shared.get(), 400);
    });
}
