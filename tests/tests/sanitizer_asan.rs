//! AddressSanitizer sees greenlets: what is wrong in one it reports, and what is right it does not.

#![cfg(feature = "asan")]

use std::hint::black_box;
use std::panic::catch_unwind;

use sward_tests::child::{self, Ended};
use sward_tests::{Suspension, each_runtime};

/// Runs `body` in a greenlet of a child process, on one worker and on two, with both kinds of home.
fn in_a_greenlet(name: &str, body: fn(), check: fn(&Ended)) {
    for (case, homes) in ["moving", "fixed"].into_iter().enumerate() {
        let environment = [("SWARD_HOMES", homes), ("SWARD_WORKERS", "2")];
        let run = move || sward::spawn(body).join().expect("it ends");
        child::run(&format!("{name}/{case}"), &environment, run, |ended| {
            check(&ended)
        });
    }
}

#[track_caller]
fn reported(ended: &Ended, what: &str) {
    assert!(!ended.status.success(), "{ended}");
    assert_eq!(ended.errors_with("ERROR: AddressSanitizer"), 1, "{ended}");
    assert!(ended.errors_with(what) >= 1, "{ended}");
    assert!(
        ended.errors_with("sanitizer_asan.rs") >= 1,
        "where: {ended}"
    );
}

/// Reads the byte at `address`.
#[inline(never)]
fn peek(address: *const u8) -> u8 {
    // SAFETY: none: that it may be read is for the sanitizer to say, in a process of its own.
    unsafe { black_box(address).read() }
}

#[test]
fn a_use_after_free() {
    let body = || {
        let memory = vec![1_u8; 64];
        let address = memory.as_ptr();
        sward::yield_now();
        drop(memory);
        black_box(peek(address));
    };
    in_a_greenlet("a_use_after_free", body, |ended| {
        reported(ended, "heap-use-after-free");
    });
}

#[test]
fn a_use_after_free_by_another() {
    let body = || {
        let memory = vec![1_u8; 64];
        let address = memory.as_ptr().expose_provenance();
        let other = sward::spawn(move || drop(memory));
        other.join().expect("it drops");
        black_box(peek(std::ptr::with_exposed_provenance(address)));
    };
    in_a_greenlet("a_use_after_free_by_another", body, |ended| {
        reported(ended, "heap-use-after-free");
    });
}

#[test]
fn an_access_beyond_a_local() {
    let body = || {
        let local = black_box([1_u8; 32]);
        sward::yield_now();
        black_box(peek(local.as_ptr().wrapping_add(black_box(32))));
    };
    in_a_greenlet("an_access_beyond_a_local", body, |ended| {
        reported(ended, "stack-buffer-overflow");
        // It knows whose frame that is.
        assert!(ended.errors_with("'local'") >= 1, "{ended}");
    });
}

#[test]
fn a_use_of_a_local_after_its_return() {
    #[inline(never)]
    fn address_of_a_local() -> *const u8 {
        let local = black_box([1_u8; 32]);
        sward::yield_now();
        black_box(local.as_ptr())
    }
    let body = || {
        let address = address_of_a_local();
        sward::yield_now();
        black_box(peek(address));
    };
    in_a_greenlet("a_use_of_a_local_after_its_return", body, |ended| {
        reported(ended, "stack-use-after-return");
    });
}

/// Frames full of redzones, left in every way: by returning, by unwinding, by ending; on stacks that are used again.
#[test]
fn frames_that_are_left() {
    #[inline(never)]
    fn deep(levels: usize, suspension: Suspension, panics: bool) -> usize {
        let local = black_box([levels; 40]);
        suspension.suspend();
        match levels {
            0 if panics => std::panic::resume_unwind(Box::new(local)),
            0 => local[7],
            _ => deep(levels - 1, suspension, panics) + black_box(&local)[3],
        }
    }
    each_runtime(|runtime| {
        for round in 0..20 {
            let greenlets: Vec<_> = (0..40)
                .map(|number| {
                    let suspension = Suspension::ALL[(round + number) % Suspension::ALL.len()];
                    runtime.spawn(move || {
                        let levels = number % 7;
                        let caught = catch_unwind(|| deep(levels, suspension, number % 3 == 0));
                        assert_eq!(caught.is_err(), number % 3 == 0);
                        let sum = deep(levels, Suspension::Yield, false);
                        assert_eq!(sum, levels * (levels + 1) / 2);
                        if number % 5 == 0 {
                            deep(levels, Suspension::Yield, true);
                        }
                    })
                })
                .collect();
            for (number, greenlet) in greenlets.into_iter().enumerate() {
                assert_eq!(greenlet.join().is_err(), number % 5 == 0);
            }
        }
    });
}
