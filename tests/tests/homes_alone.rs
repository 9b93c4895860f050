//! A greenlet that has its home to itself uses thread-locals as a stack, as threads do, also across suspensions: what is put in
//! later is taken out earlier. Where homes are shared nothing can promise that, so these cases have moving homes alone.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use sward::Runtime;
use sward_tests::{Config, Rng, Storm, Suspension, each_config, storm};

fn each_alone(body: impl Fn(Config, &Runtime)) {
    each_config(|config| {
        if config.alone() {
            config.run(|runtime| body(config, runtime));
        }
    });
}

/// Initializers that suspend: nobody else is in the home to see the value before it is there, or to make another.
#[test]
fn initializers_that_suspend() {
    static MADE: AtomicU64 = AtomicU64::new(0);
    struct Value(u64);
    thread_local! {
        static VALUE: Value = {
            for _ in 0..3 {
                sward::yield_now();
                sward::sleep(std::time::Duration::from_micros(50));
            }
            Value(MADE.fetch_add(1, SeqCst))
        };
    }
    each_alone(|config, runtime| {
        let before = MADE.load(SeqCst);
        storm(config, runtime, Storm::default(), |rng, _| {
            VALUE.with(|value| {
                let first = value.0;
                Suspension::any(rng).suspend();
                assert_eq!(value.0, first, "a value changed under a reference to it");
                assert_eq!(VALUE.with(|value| value.0), first);
            });
        });
        let homes = runtime.handle().metrics().homes as u64;
        assert!(MADE.load(SeqCst) - before <= homes, "a home made it twice");
    });
}

/// What crates for scoped thread-locals do: a pointer to the caller's frame, for as long as a closure runs.
#[test]
fn scoped_values() {
    thread_local! {
        static SCOPED: Cell<Option<u64>> = const { Cell::new(None) };
    }
    struct Reset(Option<u64>);
    impl Drop for Reset {
        fn drop(&mut self) {
            SCOPED.set(self.0);
        }
    }
    fn scoped<R>(value: u64, f: impl FnOnce() -> R) -> R {
        let _reset = Reset(SCOPED.replace(Some(value)));
        f()
    }
    fn descend(depth: u32, rng: &mut Rng) {
        let (outside, value) = (SCOPED.get(), rng.number());
        scoped(value, || {
            Suspension::any(rng).suspend();
            assert_eq!(SCOPED.get(), Some(value), "somebody else's value");
            if depth > 0 {
                descend(depth - 1, rng);
            }
            Suspension::Yield.suspend();
            assert_eq!(SCOPED.get(), Some(value), "somebody else's value");
        });
        assert_eq!(SCOPED.get(), outside, "a value outlived its scope");
    }
    each_alone(|config, runtime| {
        storm(
            config,
            runtime,
            Storm {
                rounds: 4,
                ..Storm::default()
            },
            |rng, _| {
                assert_eq!(SCOPED.get(), None, "a value outlived its scope");
                descend(3, rng);
            },
        );
    });
}

/// While there are homes left, no two started greenlets have the same, whoever came and went before.
#[test]
fn no_two_have_the_same() {
    thread_local! {
        static OWNER: Cell<u64> = const { Cell::new(0) };
    }
    each_alone(|config, runtime| {
        storm(config, runtime, Storm::default(), |rng, _| {
            // Those that share it end before: children, and their children.
            let family =
                sward::spawn_local(|| sward::spawn_local(sward::yield_now).join().unwrap());
            family.join().unwrap();
            let me = sward::current().id();
            assert_eq!(OWNER.replace(me), 0, "somebody else is in our home");
            Suspension::any(rng).suspend();
            assert_eq!(OWNER.replace(0), me, "somebody else is in our home");
        });
    });
}
