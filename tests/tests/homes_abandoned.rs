//! Greenlets that are suspended for good, because their runtime ended before them: what they lent to others stays valid.
//!
//! Their frames are never left, and so nothing that a frame borrows may ever end: neither their stacks nor the thread-locals of
//! their homes, whose destructors would run under the borrower's hands.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use sward::Runtime;
use sward_tests::{Config, each_config, until};

/// How many thread-locals have been dropped, in homes whose greenlets are marked with the case's number.
static DROPPED: AtomicUsize = AtomicUsize::new(0);

struct Local {
    value: AtomicUsize,
}

impl Drop for Local {
    fn drop(&mut self) {
        self.value.store(0, SeqCst);
        DROPPED.fetch_add(1, SeqCst);
    }
}

thread_local! {
    static LOCAL: Local = const { Local { value: AtomicUsize::new(7) } };
}

/// Leaves a greenlet suspended for ever, in whose frame a thread has borrowed a local variable and a thread-local.
fn abandon(config: Config, end: impl FnOnce(Runtime)) {
    let runtime = config.build();
    let (borrowed, over) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicBool::new(false)),
    );
    let wrong = Arc::new(AtomicUsize::new(0));
    let before = DROPPED.load(SeqCst);
    let borrower = {
        let (borrowed, over, wrong) = (borrowed.clone(), over.clone(), wrong.clone());
        move |of_stack: &AtomicUsize, of_home: &Local| {
            borrowed.store(true, SeqCst);
            while !over.load(SeqCst) {
                let read = (of_stack.load(SeqCst), of_home.value.load(SeqCst));
                if read != (5, 7) || DROPPED.load(SeqCst) != before {
                    wrong.fetch_add(1, SeqCst);
                    break;
                }
                thread::yield_now();
            }
            borrowed.store(false, SeqCst);
        }
    };
    let lender = runtime.spawn(move || {
        let of_stack = AtomicUsize::new(5);
        LOCAL.with(|of_home| {
            thread::scope(|scope| {
                scope.spawn(|| borrower(&of_stack, of_home));
                // For ever. The scope never ends, so the borrower may go on as long as it likes.
                loop {
                    sward::park();
                }
            })
        })
    });
    until(|| borrowed.load(SeqCst));
    until(|| runtime.handle().metrics().suspended == 1);
    end(runtime);
    assert!(lender.join().is_err_and(|error| error.is_cancelled()));
    // Others come and go where the memory was, if it was given back.
    for _ in 0..2 {
        let others = config.build();
        let handles: Vec<_> = (0..4).map(|_| others.spawn(sward::yield_now)).collect();
        for handle in handles {
            handle.join().unwrap();
        }
    }
    over.store(true, SeqCst);
    until(|| !borrowed.load(SeqCst));
    assert_eq!(wrong.load(SeqCst), 0, "what was borrowed has ended");
}

/// One test for both, because of the counter that they share.
#[test]
fn what_they_lent_stays_valid() {
    each_config(|config| {
        abandon(config, drop);
        abandon(config, |runtime| {
            runtime.shutdown(Duration::ZERO).unwrap_err();
        });
    });
}

/// Homes that nobody is suspended in end as ever, also when others of the same runtime must stay.
#[test]
fn homes_of_others_end() {
    thread_local! {
        static KEPT: Cell<Option<Arc<()>>> = const { Cell::new(None) };
    }
    each_config(|config| {
        // Fixed homes are workers; which of them has the parked greenlet is not told.
        if !config.alone() {
            return;
        }
        let runtime = config.build();
        let (others, abandoned) = (Arc::new(()), Arc::new(()));
        let theirs = abandoned.clone();
        drop(runtime.spawn(move || {
            KEPT.set(Some(theirs));
            sward::park();
        }));
        until(|| runtime.handle().metrics().suspended == 1);
        let handles: Vec<_> = (0..10)
            .map(|_| {
                let theirs = others.clone();
                runtime.spawn(move || {
                    KEPT.set(Some(theirs));
                    sward::yield_now();
                })
            })
            .collect();
        for handle in handles {
            handle.join().unwrap();
        }
        drop(runtime);
        assert_eq!(
            Arc::strong_count(&others),
            1,
            "a home that nobody needs did not end"
        );
        assert_eq!(
            Arc::strong_count(&abandoned),
            2,
            "the home of a suspended greenlet ended"
        );
    });
}
